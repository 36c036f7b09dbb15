"""The conversation with Cove: a login, then a chain of visas.

A visa lives fifteen minutes and every answer carries a fresh one, so the calls of a process go out one after the other.
Refusals come as JSON-RPC errors with numbers; nothing says under which status, so a number that we know decides.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from shared.errors import Incomplete, NotPermitted, Refused, Retryable, TrueUpError
from shared.http.wire import RequestsTransport, Transport
from shared.sources.cove.parse import SYSTEM
from shared.sources.cove.settings import CoveSettings
from shared.sources.http import Anonymous, Ask, VendorHttp
from shared.sources.patience import Patience
from shared.sources.rows import Row, broken, row_of

#: A visa is not used longer than this; it would still be good for a third of that time.
VISA_SECONDS = 600.0
LOGIN = "the login"
PERMISSION = (
    "Check COVE_PARTNER (exactly as the console shows the customer), COVE_USERNAME and COVE_TOKEN in the settings; a "
    "new API user is made in the Cove console under Users."
)

_ROLE = "Give the API user a role in the Cove console that may see customers, devices and their statistics."
_EXPIRED, _WRONG_USER, _NOT_ALLOWED = 1701, 2100, 13501


class CoveSession:
    """Asks Cove one thing at a time; shared by all threads of this process. Raises errors of `shared.errors` only."""

    def __init__(
        self,
        settings: CoveSettings,
        transport: Transport | None,
        sleep: Callable[[float], None],
        clock: Callable[[], float],
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._http = VendorHttp(
            SYSTEM,
            settings.url,
            Anonymous(),
            permission=PERMISSION,
            transport=transport or RequestsTransport(SYSTEM),
            sleep=sleep,
        )
        self._lock = threading.Lock()
        self._visa = ""
        self._until = 0.0
        self._own = ""

    def patience(self, seconds: float) -> Patience:
        return self._http.patience(seconds)

    def own_partner(self, patience: Patience) -> str:
        """The id of the partner that the API user belongs to: the root of what we may see."""
        with self._lock:
            self._ensure_visa(patience)
            return self._own

    def call(self, what: str, method: str, params: object, patience: Patience) -> Row:
        """The result of one method. A visa that Cove does not take any more is replaced once."""
        with self._lock:
            self._ensure_visa(patience)
            try:
                return self._ask(what, method, params, patience)
            except _VisaExpired:
                self._until = 0.0
                self._ensure_visa(patience)
                return self._ask(what, method, params, patience)

    def _ensure_visa(self, patience: Patience) -> None:
        if self._clock() >= self._until:
            self._visa = ""
            settings = self._settings
            who = {"partner": settings.partner, "username": settings.username, "password": settings.token}
            inner = self._ask(LOGIN, "Login", who, patience).inner("result")
            if inner is None:
                raise broken(SYSTEM, LOGIN, "it holds no result")
            self._own = str(inner.whole("PartnerId"))

    def _ask(self, what: str, method: str, params: object, patience: Patience) -> Row:
        """The outer result. The visa of the answer is kept before anything else is looked at."""
        visa = {"visa": self._visa} if self._visa else {}
        body = {"jsonrpc": "2.0", "id": "1", "method": method, "params": params, **visa}
        ask = Ask(what, "", method="POST", body=body, is_told=_is_known_refusal)
        answer = row_of(self._http.read(ask, patience), what, SYSTEM)
        error = answer.inner("error")
        if error is not None:
            raise _refusal(what, error)
        self._visa = answer.text("visa")
        self._until = self._clock() + VISA_SECONDS
        result = answer.inner("result")
        if result is None:
            raise answer.broken("it holds no result")
        return result


class _VisaExpired(Retryable):
    """Cove does not take the visa any more."""


def _is_known_refusal(body: object) -> bool:
    """Whether Cove says by a number that we know why it refuses."""
    try:
        error = row_of(body, "a question", SYSTEM).inner("error")
    except Incomplete:
        return False
    return error is not None and _code(error) in (_EXPIRED, _WRONG_USER, _NOT_ALLOWED)


def _code(error: Row) -> int:
    try:
        return error.whole("code")
    except Incomplete:
        return 0


def _refusal(what: str, error: Row) -> TrueUpError:
    """By its number; Cove's own text stays where it is."""
    code = _code(error)
    said = f"Cove refused {what} (error {code})."
    if code == _EXPIRED:
        return _VisaExpired(said, system=SYSTEM, remedy="Nothing to do if the next run succeeds; otherwise ask N-able.")
    if code == _WRONG_USER:
        return NotPermitted(said, system=SYSTEM, remedy=PERMISSION)
    if code == _NOT_ALLOWED:
        return NotPermitted(said, system=SYSTEM, remedy=_ROLE)
    return Refused(
        said, system=SYSTEM, remedy="Nothing to do if the next run succeeds; otherwise ask N-able with the number."
    )
