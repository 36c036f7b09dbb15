"""One way to read from a vendor's HTTP interface: every source but Microsoft's, which has its own library, uses it.

All calls are reads, whatever their method, so all may be repeated. Sentences name what was asked for and the status,
never the vendor's texts: those may hold people or secrets.
"""

from __future__ import annotations

import json
import logging
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, NoReturn, Protocol
from urllib.parse import quote, urlencode

from shared.errors import Gone, Incomplete, NotPermitted, Refused, Retryable, TrueUpError
from shared.http.waiting import retry_after
from shared.http.wire import Answer, NoAnswer, RequestsTransport, Transport, is_html
from shared.sources.patience import Patience
from shared.sources.rows import broken

log = logging.getLogger(__name__)

CALL_SECONDS = 60.0
USER_AGENT = "TrueUp/0.1"

_LATER = (
    "Nothing to do if the next run succeeds; otherwise look at the service health of {system}, at its address in the "
    "settings, and at proxies and firewalls on the way."
)


@dataclass(frozen=True, slots=True)
class Ask:
    """One question. `what` names it in sentences, `path` is below the base address, `body` is sent as JSON.

    `is_told` knows an answer of the vendor by its JSON, whatever the status; without it the status decides.
    """

    what: str
    path: str
    params: Mapping[str, str] = field(default_factory=dict, repr=False)
    method: str = "GET"
    body: Any = field(default=None, repr=False)
    is_told: Callable[[Any], bool] | None = field(default=None, repr=False)


class Credentials(Protocol):
    """What says who we are."""

    def headers(self, patience: Patience, /) -> Mapping[str, str]:
        """The headers of one call. May call the vendor for them, and raises what that raises."""

    def renewed(self) -> bool:
        """The vendor refused them (401). True when asking again may help, because there will be new ones."""


class Anonymous:
    """Credentials for what is asked without any, such as a token; the question itself holds the secret."""

    def headers(self, _: Patience, /) -> Mapping[str, str]:
        return {}

    def renewed(self) -> bool:
        return False


class VendorHttp:
    """Asks one vendor; safe to use from several threads.

    `permission` is what a person does when the vendor says that we may not. `transport`, `sleep` and `chance` replace
    what reaches out of the process.
    """

    def __init__(
        self,
        system: str,
        base_url: str,
        credentials: Credentials,
        *,
        permission: str,
        transport: Transport | None = None,
        sleep: Callable[[float], None] = time.sleep,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.system = system
        self._base_url = base_url.rstrip("/")
        self._credentials = credentials
        self._permission = permission
        self._transport = transport or RequestsTransport(system)
        self._sleep = sleep
        self._chance = chance

    def patience(self, seconds: float) -> Patience:
        """Time for one read, all its calls together."""
        return Patience(seconds, self._sleep, self.system, chance=self._chance)

    def read(self, ask: Ask, patience: Patience) -> Any:
        """The JSON of the answer, numbers with a fraction as `Decimal`; passing failures are repeated.

        Raises what the status means: `NotPermitted`, `Gone`, `Retryable`, `Refused`; `Incomplete` for no JSON.
        """
        return patience.repeat(lambda: self.read_once(ask, patience))

    def read_once(self, ask: Ask, patience: Patience) -> Any:
        """The same without repeating: for credentials, which are part of a question that is repeated."""
        answer = self._send(ask, self._credentials.headers(patience), patience)
        if answer.status == 401 and self._credentials.renewed():
            answer = self._send(ask, self._credentials.headers(patience), patience)
        try:
            told = json.loads(answer.text, parse_float=Decimal, parse_constant=_no_number)
        except ValueError:
            raise (self._no_json if answer.ok else self._refusal)(ask.what, answer) from None
        if answer.ok or (ask.is_told is not None and ask.is_told(told)):
            return told
        raise self._refusal(ask.what, answer)

    def _send(self, ask: Ask, headers: Mapping[str, str], patience: Patience) -> Answer:
        query = urlencode(ask.params, quote_via=quote, safe="")
        url = f"{self._base_url}{ask.path}" + (f"?{query}" if query else "")
        sent = {"Accept": "application/json", "User-Agent": USER_AGENT, **headers}
        body = None
        if ask.body is not None:
            body = json.dumps(ask.body).encode()
            sent["Content-Type"] = "application/json"
        try:
            timeout = min(CALL_SECONDS, patience.left())
            answer = self._transport.send(ask.method, url, headers=sent, body=body, timeout=timeout)
        except NoAnswer as missing:
            log.debug("%s, %s: %s", self.system, ask.what, missing.reason)
            raise Retryable(
                f"{self.system} gave no answer to {ask.what}: {missing.reason}.",
                system=self.system,
                remedy=_LATER.format(system=self.system),
            ) from None
        log.debug("%s, %s: %s (request %s)", self.system, ask.what, answer.status, answer.request_id)
        return answer

    def _no_json(self, what: str, answer: Answer) -> Incomplete:
        if not is_html(answer.text):
            return broken(self.system, what, "it is not JSON", answer.request_id)
        return Incomplete(
            f"{self.system} answered {what} with a web page.",
            system=self.system,
            request_id=answer.request_id,
            remedy=f"Nothing to do if the next run succeeds; otherwise check the address of {self.system} in the "
            "settings, and whether a proxy or a firewall answers in its place.",
        )

    def _refusal(self, what: str, answer: Answer) -> TrueUpError:
        said = f"{self.system} answered {answer.status} to {what}."
        origin: dict[str, Any] = {"system": self.system, "request_id": answer.request_id, "status": answer.status}
        if answer.status in {401, 403}:
            return NotPermitted(said, remedy=self._permission, **origin)
        if answer.status == 404:
            return Gone(said, remedy=f"Look for it at {self.system}: it may be deleted there.", **origin)
        if answer.status in {408, 429} or answer.status >= 500:
            wait = retry_after(answer, datetime.now(UTC))
            return Retryable(said, retry_after=wait, remedy=_LATER.format(system=self.system), **origin)
        return Refused(said, remedy=f"Check the address of {self.system} in the settings.", **origin)


def _no_number(word: str) -> NoReturn:
    raise ValueError(f"{word} is no number")
