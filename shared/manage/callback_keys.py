"""The keys that callbacks are signed with. A callback names the address of its key itself, so nothing there is trusted.

Manage's cloud serves many customers from one host, and each can sign for itself: the address must name our company too.
"""

from __future__ import annotations

import hashlib
import re
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from shared.errors import Refused, Retryable
from shared.http.wire import NoAnswer, RequestsTransport, Transport
from shared.manage.failures import SYSTEM
from shared.manage.rows import Unreadable, parsed
from shared.manage.session import USER_AGENT
from shared.manage.settings import ManageSettings

_ADDRESS = re.compile(
    r"https://(?P<host>[a-z0-9.-]+)(:(?P<port>[0-9]{1,5}))?"
    r"/v[a-z0-9_]+/+system/callbackkey/[a-z0-9_]+(\.[a-z0-9]+)?\?(?P<query>[a-z0-9_.~%=&+-]{1,300})",
    re.IGNORECASE,
)
_HTTPS = 443
_LONGEST_KEY = 1_000
_LARGEST_ANSWER = 16 * 1024
#: A callback must be answered at once; Manage may send it again.
_TIMEOUT_SECONDS = 5.0
_KEY_SECONDS = 3600.0
_MISS_SECONDS = 60.0
_MOST_KEPT = 256
#: So many addresses may be asked in a minute, whatever is sent to us.
_MOST_ASKED = 120
_MINUTE = 60.0


class SigningKeys:
    """Looks signing keys up at our own Manage and keeps them for an hour, and what was no key for a minute."""

    def __init__(
        self,
        settings: ManageSettings,
        *,
        transport: Transport | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._company = settings.company
        self._places = _places(settings)
        self._headers = {"Accept": "application/json", "User-Agent": USER_AGENT, "clientId": settings.client_id}
        self._transport = transport or RequestsTransport(SYSTEM, settings.ca_file, largest=_LARGEST_ANSWER)
        self._clock = clock
        self._lock = threading.Lock()
        self._keys: OrderedDict[str, tuple[float, bytes]] = OrderedDict()
        self._misses: OrderedDict[str, float] = OrderedDict()
        self._asked: deque[float] = deque(maxlen=_MOST_ASKED)

    def of(self, address: str) -> bytes:
        """The 32 bytes that messages are signed with under the key at this address.

        Raises `Refused` for an address that is not our Manage's or not our company's, without calling it, and where
        there is no key; `Retryable` when it cannot be asked now.
        """
        if not self._is_ours(address):
            raise Refused("the key's address is not our company's at our Manage", system=SYSTEM)
        known = self._known(address)
        return self._asked_for(address) if known is None else known

    def _is_ours(self, address: str) -> bool:
        match = _ADDRESS.fullmatch(address)
        if match is None or (match["host"].lower(), int(match["port"] or _HTTPS)) not in self._places:
            return False
        given = [value for name, value in parse_qsl(match["query"]) if name.casefold() == "companyname"]
        return [value.casefold() for value in given] == [self._company.casefold()]

    def _known(self, address: str) -> bytes | None:
        """The key if it is kept; None when it must be asked for, which is counted here."""
        now = self._clock()
        with self._lock:
            until, key = self._keys.get(address, (now, b""))
            if now < until:
                return key
            if now < self._misses.get(address, now):
                raise _no_key()
            if len(self._asked) == _MOST_ASKED and now - self._asked[0] < _MINUTE:
                raise Retryable("too many callbacks with unknown keys", system=SYSTEM, retry_after=_MINUTE)
            self._asked.append(now)
        return None

    def _asked_for(self, address: str) -> bytes:
        try:
            answer = self._transport.send("GET", address, headers=self._headers, body=None, timeout=_TIMEOUT_SECONDS)
        except NoAnswer as missing:
            self._keep_miss(address)
            raise Retryable(f"no signing key: {missing.reason}", system=SYSTEM) from None
        key = _key_in(answer.text) if answer.ok else None
        if key is None:
            self._keep_miss(address)
            raise _no_key()
        with self._lock:
            self._keys[address] = (self._clock() + _KEY_SECONDS, key)
            _bound(self._keys)
        return key

    def _keep_miss(self, address: str) -> None:
        with self._lock:
            self._misses[address] = self._clock() + _MISS_SECONDS
            _bound(self._misses)


def _places(settings: ManageSettings) -> frozenset[tuple[str, int]]:
    """Host and port of our Manage, and the same without `api-`: keys are at the site, the API beside it."""
    parts = urlsplit(settings.base_url or f"https://{settings.site}")
    host = (parts.hostname or "").lower()
    port = (parts.port if parts.scheme == "https" else None) or _HTTPS
    return frozenset({(host, port), (host.removeprefix("api-"), port)})


def _key_in(text: str) -> bytes | None:
    """The answer is `{"signing_key": "…"}`; messages are signed with the SHA-256 of its text."""
    try:
        body: Any = parsed(text)
    except Unreadable:
        return None
    key = body.get("signing_key") if isinstance(body, dict) else None
    if not isinstance(key, str) or not 0 < len(key) <= _LONGEST_KEY:
        return None
    return hashlib.sha256(key.encode(errors="replace")).digest()


def _no_key() -> Refused:
    return Refused("there is no signing key at the key's address", system=SYSTEM)


def _bound(kept: OrderedDict[str, Any]) -> None:
    while len(kept) > _MOST_KEPT:
        kept.popitem(last=False)
