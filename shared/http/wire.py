"""The wire: one request, one answer. Repeating, deadlines and meaning are its users' business."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

import requests
import urllib3
from requests.adapters import HTTPAdapter

from shared.calls import count_call
from shared.errors import Misconfigured

_CHUNK_BYTES = 64 * 1024

#: Where the systems that we talk to put the id under which they can look a call up.
_REQUEST_IDS = ("x-cw-request-id", "x-request-id", "request-id", "x-correlation-id", "ms-requestid", "cf-ray")


@dataclass(frozen=True)
class Answer:
    """What the other side answered, read to its end."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    text: str = ""

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    @property
    def request_id(self) -> str | None:
        """The id under which the other side can look the call up."""
        return next((value for name in _REQUEST_IDS if (value := self.header(name))), None)

    def header(self, name: str) -> str | None:
        """A header's value, whatever the case of its name; None when absent or empty."""
        return self._by_name.get(name.lower())

    @cached_property
    def _by_name(self) -> dict[str, str]:
        return {name.lower(): value for name, value in self.headers.items() if value}


def is_html(text: str) -> bool:
    """Whether a web page came where data should have: a sign-in page, a proxy's, that of somebody else."""
    return text.lstrip("\ufeff \t\r\n").startswith("<")


class NoAnswer(Exception):
    """No whole answer came back. `sent` is False only when it is certain that the request never arrived."""

    def __init__(self, reason: str, *, sent: bool) -> None:
        super().__init__(reason)
        self.reason = reason
        self.sent = sent


class Transport(Protocol):
    """Sends one request, once, and follows no redirect. Raises `NoAnswer`; any status at all is an answer."""

    def send(
        self, method: str, url: str, *, headers: Mapping[str, str], body: bytes | None, timeout: float
    ) -> Answer: ...


class RequestsTransport:
    """The real wire: one `requests.Session` per thread, with the retries of the library switched off.

    `system` is whose wire it is, for errors that a person must mend in the settings. An answer of more than `largest`
    bytes is given up on: None takes any.
    """

    def __init__(self, system: str, ca_file: str | None = None, *, largest: int | None = None) -> None:
        self._system = system
        self._verify: str | bool = ca_file or True
        self._largest = largest
        self._per_thread = threading.local()

    def send(self, method: str, url: str, *, headers: Mapping[str, str], body: bytes | None, timeout: float) -> Answer:
        """`timeout` is in seconds: for the connection, for each wait on the socket, and between two chunks."""
        ends = time.monotonic() + timeout
        count_call(self._system)
        try:
            response = self._session(url).request(
                method,
                url,
                headers=dict(headers),
                data=body,
                timeout=timeout,
                verify=self._verify,
                allow_redirects=False,
                stream=True,
            )
            with response:
                content = _read(response, ends, self._largest)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            raise self._no_answer(error) from None
        return Answer(response.status_code, dict(response.headers), content.decode("utf-8-sig", errors="replace"))

    def _session(self, url: str) -> requests.Session:
        session: requests.Session | None = getattr(self._per_thread, "session", None)
        if session is None:
            session = requests.Session()
            for scheme in ("https://", "http://"):
                session.mount(scheme, HTTPAdapter(max_retries=0))
            # Proxies are looked up once: every call goes to the same host, and the look-up is as dear as a call.
            session.proxies.update(requests.utils.get_environ_proxies(url, no_proxy=None))
            session.trust_env = False
            # Without an auth of its own, requests would let a .netrc file replace our Authorization header.
            session.auth = _unchanged
            self._per_thread.session = session
        return session

    def _no_answer(self, error: Exception) -> NoAnswer:
        """Sorts a failure by what is certain. The library's own text is left out: it quotes addresses and queries."""
        if isinstance(error, requests.exceptions.SSLError) and "CERTIFICATE_VERIFY_FAILED" in str(error):
            raise Misconfigured(
                [
                    f"{self._system}: the server's certificate is not trusted; check the address, "
                    "or name the certificates in its setting for the CA file."
                ]
            )
        if isinstance(error, requests.exceptions.InvalidURL | requests.exceptions.InvalidHeader):
            raise Misconfigured([f"{self._system}: its address or credentials hold what no request can carry."])
        if isinstance(error, requests.ConnectTimeout):
            return NoAnswer("no connection within the time-out", sent=False)
        if isinstance(error, requests.Timeout):
            return NoAnswer("no answer within the time-out", sent=True)
        cause = error.args[0] if error.args else None
        reason = cause.reason if isinstance(cause, urllib3.exceptions.MaxRetryError) else cause
        if isinstance(reason, urllib3.exceptions.NewConnectionError):
            return NoAnswer("no connection could be made", sent=False)
        return NoAnswer("the connection broke before the answer was complete", sent=True)


def _unchanged(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def _read(response: requests.Response, ends: float, largest: int | None) -> bytes:
    """The whole body; a server that trickles it past the time-out, or sends too much, is given up on."""
    chunks: list[bytes] = []
    size = 0
    for chunk in response.iter_content(_CHUNK_BYTES):
        chunks.append(chunk)
        size += len(chunk)
        if largest is not None and size > largest:
            raise requests.ConnectionError("the answer is too large")
        if time.monotonic() > ends:
            raise requests.ReadTimeout("the answer came too slowly")
    return b"".join(chunks)
