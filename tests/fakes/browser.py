"""A caller of the console's ASGI app by the way on which the platform reaches it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from html import unescape
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import urlencode, urlsplit

import azure.functions as func
from azure.functions.http import HttpResponseConverter

SITE = "https://trueup.example"


@dataclass(frozen=True)
class Answer:
    status_code: int
    headers: dict[str, str]
    content: bytes

    def json(self) -> Any:
        return json.loads(self.content)

    @property
    def text(self) -> str:
        return self.content.decode()

    @property
    def words(self) -> str:
        """What a page says, without its tags."""
        return _words(self.text)

    def table(self, caption: str) -> list[list[str]]:
        """What each cell says of the table whose caption begins so, row by row, the heading first."""
        found = re.search(rf"<caption>\s*{re.escape(caption)}.*?</table>", self.text, re.DOTALL)
        assert found is not None, f"no table {caption}: {self.words}"
        rows = re.findall(r"<tr[^>]*>(.*?)</tr>", found[0], re.DOTALL)
        return [[_words(cell) for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL)] for row in rows]


class Browser:
    """Sends requests as the functions host hands them over: names of headers in lower case, the whole URL.

    `headers` go with every request. It keeps cookies, and sends forms with the token of the page that it saw last.
    """

    def __init__(self, app: Any, headers: dict[str, str] | None = None, site: str = SITE) -> None:
        self._asgi = func.AsgiMiddleware(app)
        self.headers = headers or {}
        self._site = site
        self.cookies: dict[str, str] = {}
        self.token = ""

    def get(self, path: str, *, headers: dict | None = None, params: dict | None = None) -> Answer:
        return self._send("GET", path + (f"?{urlencode(params)}" if params else ""), headers or {}, b"")

    def post(self, path: str, *, json: Any = None, content: str | None = None, headers: dict | None = None) -> Answer:
        body = content.encode() if content is not None else _dumped(json)
        return self._send("POST", path, {"content-type": "application/json", **(headers or {})}, body)

    def send_form(self, path: str, fields: dict[str, Any] | None = None, *, headers: dict | None = None) -> Answer:
        """Sends a form as it stands on the page that was seen last; a redirect is not followed."""
        body = urlencode({"token": self.token, **(fields or {})}, doseq=True).encode()
        sent = {
            "content-type": "application/x-www-form-urlencoded",
            "origin": self._site,
            "sec-fetch-site": "same-origin",
        }
        return self._send("POST", path, {**sent, **(headers or {})}, body)

    def send_file(self, path: str, field: str, name: str, content: bytes, *, headers: dict | None = None) -> Answer:
        """Sends a form with a file, as a browser does."""
        parts = [
            f'Content-Disposition: form-data; name="token"\r\n\r\n{self.token}'.encode(),
            f'Content-Disposition: form-data; name="{field}"; filename="{name}"\r\n\r\n'.encode() + content,
        ]
        body = b"".join(b"--limit\r\n" + part + b"\r\n" for part in parts) + b"--limit--\r\n"
        sent = {"content-type": "multipart/form-data; boundary=limit", "origin": self._site}
        return self._send("POST", path, {**sent, **(headers or {})}, body)

    def follow(self, answer: Answer) -> Answer:
        """The page to which a form led."""
        assert answer.status_code == 303, answer.text
        return self.get(answer.headers["location"])

    def _send(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
        every = {"host": urlsplit(self._site).netloc, **self.headers, **headers}
        if self.cookies:
            every["cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        lowered = {name.lower(): value for name, value in every.items()}
        request = func.HttpRequest(method, self._site + path, headers=lowered, body=body)
        answer = self._asgi.main(request, None)
        self._keep_cookies(answer)
        found = Answer(answer.status_code, {k.lower(): v for k, v in answer.headers.items()}, answer.get_body())
        token = re.search(rb'name="token" value="([^"]+)"', found.content)
        self.token = token[1].decode() if token else self.token
        return found

    def _keep_cookies(self, answer: func.HttpResponse) -> None:
        """As the platform's worker hands them out: it takes them from the headers, one by one."""
        cookies: list[SimpleCookie] = HttpResponseConverter.encode(answer, expected_type=None).value["cookies"] or []
        for cookie in cookies:
            for name, morsel in cookie.items():
                if morsel["max-age"] == "0":
                    self.cookies.pop(name, None)
                else:
                    self.cookies[name] = morsel.value


def _words(text: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", text)).split())


def _dumped(value: Any) -> bytes:
    return json.dumps(value).encode()
