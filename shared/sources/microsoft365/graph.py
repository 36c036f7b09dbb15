"""One call to Microsoft Graph: the SDK's request adapter on one hidden event loop, bodies as raw JSON.

The SDK is asynchronous and its typed models cost about a thousand times the CPU of the JSON they hold, so this module
hides the loop and hands out plain JSON. It neither retries nor follows pages: `reads` does both, in one place.
Importing it loads the vendor's libraries, so `source` does that at the first read.
"""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
import threading
import weakref
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import urlsplit

import httpx
from azure.core.credentials import AccessToken
from kiota_abstractions.method import Method
from kiota_abstractions.native_response_handler import NativeResponseHandler
from kiota_abstractions.request_information import RequestInformation
from kiota_authentication_azure.azure_identity_authentication_provider import AzureIdentityAuthenticationProvider
from kiota_http.middleware.options import ResponseHandlerOption
from msgraph import GraphRequestAdapter

from shared.calls import count_call
from shared.errors import Incomplete, Retryable
from shared.sources.microsoft365.failures import SYSTEM
from shared.sources.microsoft365.settings import MicrosoftSettings
from shared.sources.microsoft365.tokens import SCOPE

CONNECT_SECONDS = 10.0
CALL_SECONDS = 60.0
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, headers (names in lower case) and body of a call or of one item of a batch. No JSON: `body` is None."""

    status: int
    body: object
    headers: Mapping[str, str] = field(default_factory=dict)


class _HeldToken:
    """A token fetched before, in the caller's thread, as a credential: the event loop never waits for Entra."""

    def __init__(self, token: AccessToken) -> None:
        self._token = token

    def get_token(self, *_scopes: str, **_options: object) -> AccessToken:
        return self._token


class _BackgroundLoop:
    """One event loop on a daemon thread, started at first use and shared by everything in this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None

    def run(self, work: Coroutine[Any, Any, _T], seconds: float) -> _T:
        """The result of `work`. Raises `TimeoutError`, with the work cancelled, when it takes longer than `seconds`."""
        future = asyncio.run_coroutine_threadsafe(work, self._started())
        try:
            return future.result(seconds)
        except TimeoutError:
            future.cancel()
            raise

    def begin(self, work: Callable[[], Coroutine[Any, Any, object]]) -> None:
        """Begins some last work without waiting for it; none where nothing ever ran."""
        if self._loop is not None:
            asyncio.run_coroutine_threadsafe(work(), self._loop)

    def _started(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                threading.Thread(target=self._loop.run_forever, name="microsoft-graph", daemon=True).start()
            return self._loop


_background = _BackgroundLoop()


class GraphClient:
    """Sends requests with one connection pool for all tenants, which goes with it."""

    def __init__(self, settings: MicrosoftSettings, transport: httpx.AsyncBaseTransport | None) -> None:
        self._url = settings.graph_url.rstrip("/")
        verify = ssl.create_default_context(cafile=settings.ca_file) if settings.ca_file else True
        timeout = httpx.Timeout(CALL_SECONDS, connect=CONNECT_SECONDS)
        self._http = httpx.AsyncClient(transport=transport, verify=verify, timeout=timeout)
        # Nobody says when a source is not needed any more. The end of the process closes its sockets by itself.
        weakref.finalize(self, _background.begin, self._http.aclose).atexit = False

    def get(self, path: str, token: AccessToken, *, headers: Mapping[str, str], seconds: float) -> Answer:
        """One GET. `path` is relative to Graph's address, or the absolute address of a further page there.

        Raises `Incomplete` for an address that is not Graph's: a token must never follow it.
        """
        url = path if "://" in path else f"{self._url}{path}"
        if not self._is_graph(url):
            raise Incomplete(
                "A list continued at an address that is not Microsoft Graph's.",
                system=SYSTEM,
                remedy="Check what answers at the Graph address in the settings.",
            )
        return self._send("GET", url, token, headers, None, seconds)

    def post(self, path: str, token: AccessToken, *, body: object, seconds: float) -> Answer:
        content = json.dumps(body).encode()
        return self._send("POST", f"{self._url}{path}", token, {"Content-Type": "application/json"}, content, seconds)

    def post_mail(self, path: str, token: AccessToken, *, mail: bytes, seconds: float) -> Answer:
        """Hands over a mail as it is on its way elsewhere, which Graph takes in base64."""
        content = base64.b64encode(mail)
        return self._send("POST", f"{self._url}{path}", token, {"Content-Type": "text/plain"}, content, seconds)

    def _is_graph(self, url: str) -> bool:
        try:
            ours, theirs = urlsplit(self._url), urlsplit(url)
            same_place = (ours.scheme, ours.hostname, ours.port) == (theirs.scheme, theirs.hostname, theirs.port)
        except ValueError:
            return False
        return same_place and theirs.username is None and url.isascii() and url.isprintable()

    def _send(
        self,
        method: str,
        url: str,
        token: AccessToken,
        headers: Mapping[str, str],
        content: bytes | None,
        seconds: float,
    ) -> Answer:
        """Raises `Retryable` when no whole answer came back in time."""
        allowed = min(CALL_SECONDS, seconds)
        count_call(SYSTEM)
        try:
            response = _background.run(self._adapted(method, url, token, headers, content), allowed)
        except (httpx.HTTPError, TimeoutError) as error:
            raise Retryable(
                f"The call to Microsoft Graph broke off ({type(error).__name__}).",
                system=SYSTEM,
                remedy="Nothing to do if this heals by itself; otherwise check the network and the Graph address.",
            ) from error
        return Answer(response.status_code, decoded(response.content), lower_case(response.headers))

    async def _adapted(
        self, method: str, url: str, token: AccessToken, headers: Mapping[str, str], content: bytes | None
    ) -> httpx.Response:
        """The native response through the SDK's adapter, whatever its status: refusals are read from raw JSON too."""
        request = RequestInformation()
        request.http_method = Method(method)
        request.url = url
        request.content = content
        request.headers.add("Accept", "application/json")
        for name, value in headers.items():
            request.headers.add(name, value)
        request.add_request_options([ResponseHandlerOption(NativeResponseHandler())])
        sign_in = AzureIdentityAuthenticationProvider(
            _HeldToken(token), scopes=[SCOPE], allowed_hosts=[urlsplit(self._url).hostname]
        )
        adapter = GraphRequestAdapter(sign_in, client=self._http)
        response: httpx.Response = await adapter.send_primitive_async(request, "bytes", None)
        return response


def decoded(content: bytes) -> object:
    """The JSON in a body; None when it is empty, cut off, HTML or anything else."""
    try:
        return json.loads(content)
    except ValueError:
        return None


def lower_case(headers: object) -> dict[str, str]:
    """Header names in lower case; what is not a header is left out."""
    items = headers.items() if isinstance(headers, Mapping) else ()
    return {str(name).lower(): str(value) for name, value in items}
