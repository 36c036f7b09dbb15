"""A caller of the console's ASGI app by the way on which the platform reaches it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

import azure.functions as func

SITE = "https://trueup.example"


@dataclass(frozen=True)
class Answer:
    status_code: int
    headers: dict[str, str]
    content: bytes

    def json(self) -> Any:
        return json.loads(self.content)


class Browser:
    """Sends requests as the functions host hands them over: names of headers in lower case, the whole URL."""

    def __init__(self, app: Any) -> None:
        self._asgi = func.AsgiMiddleware(app)

    def get(self, path: str, *, headers: dict | None = None, params: dict | None = None) -> Answer:
        return self._send("GET", path + (f"?{urlencode(params)}" if params else ""), headers or {}, b"")

    def post(self, path: str, *, json: Any = None, content: str | None = None, headers: dict | None = None) -> Answer:
        body = content.encode() if content is not None else _dumped(json)
        return self._send("POST", path, {"content-type": "application/json", **(headers or {})}, body)

    def _send(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
        lowered = {name.lower(): value for name, value in {"host": urlsplit(SITE).netloc, **headers}.items()}
        request = func.HttpRequest(method, SITE + path, headers=lowered, body=body)
        answer = self._asgi.main(request, None)
        return Answer(answer.status_code, {k.lower(): v for k, v in answer.headers.items()}, answer.get_body())


def _dumped(value: Any) -> bytes:
    return json.dumps(value).encode()
