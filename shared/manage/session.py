"""Calls with everything around them: address, credentials, deadline, limit in flight, repeating, errors, a log line."""

from __future__ import annotations

import base64
import json
import logging
import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, TypeVar

from shared.errors import Misconfigured
from shared.http.waiting import backoff, retry_after
from shared.http.wire import Answer, NoAnswer, RequestsTransport, Transport
from shared.manage.call import Call
from shared.manage.discovery import base_from, company_info_url
from shared.manage.failures import SYSTEM, failure, is_missing_endpoint, unreadable
from shared.manage.retry import LONGEST_WAIT, MOST_ATTEMPTS, leaves_doubt, may_repeat
from shared.manage.rows import Unreadable, parsed
from shared.manage.settings import ManageSettings

log = logging.getLogger(__name__)

USER_AGENT = "TrueUp/0.1"

T = TypeVar("T")


class _PerThread(threading.local):
    """What belongs to the call that a thread is making."""

    request_id: str | None = None
    ends: float | None = None


class Session:
    """One Manage, for all threads of the process. The limit on calls in flight is its own: make one per process.

    `may_write` is asked before every call that is no GET, and raises where nothing may be written.
    """

    def __init__(
        self,
        settings: ManageSettings,
        *,
        transport: Transport | None = None,
        may_write: Callable[[], None] = lambda: None,
        pause: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._settings = settings
        self._transport = transport or RequestsTransport(SYSTEM, settings.ca_file)
        self._may_write = may_write
        self._pause = pause
        self._clock = clock
        self._chance = chance
        self._headers = _headers(settings)
        self._slots = threading.BoundedSemaphore(settings.calls_in_flight)
        self._discovered: str | None = None
        self._here = _PerThread()

    @property
    def last_request_id(self) -> str | None:
        """The `x-cw-request-id` of this thread's last call; None when that got no answer."""
        return self._here.request_id

    @contextmanager
    def deadline(self, seconds: float) -> Iterator[None]:
        """No call of this thread inside the block lasts longer, pauses included; of nested ones the earlier counts."""
        outer = self._here.ends
        ends = self._clock() + seconds
        self._here.ends = ends if outer is None else min(outer, ends)
        try:
            yield
        finally:
            self._here.ends = outer

    def url(self, call: Call) -> str:
        """The address that a call would have."""
        return call.url(self._base())

    def send(self, call: Call) -> Answer:
        """The answer of a call that succeeded (2xx). Raises the error that says what to do for anything else."""
        if call.method != "GET":
            self._may_write()
        base = self._base()
        result, doubt = self._attempts(call, call.url(base), self._headers)
        if is_missing_endpoint(result) and self._has_moved(base):
            result, doubt = self._attempts(call, call.url(self._base()), self._headers)
        return self._success(call, result, doubt)

    def read(self, call: Call, read: Callable[[Any], T]) -> T:
        """What `read` makes of the answer's JSON."""
        return understood(call, self.send(call), read)

    def _base(self) -> str:
        if self._settings.base_url:
            return self._settings.base_url.rstrip("/")
        base = self._discovered
        if base is None:
            base = self._discovered = self._discover(self._settings.site or "", self._settings.company)
        return base

    def _has_moved(self, base: str) -> bool:
        """Whether the site now names another release: a cloud upgrade changes it under a running process."""
        if self._settings.base_url:
            return False
        if self._discovered == base:
            self._discovered = None
        return self._base() != base

    def _discover(self, site: str, company: str) -> str:
        call = Call("GET", "/login/companyinfo")
        headers = {name: self._headers[name] for name in ("Accept", "User-Agent")}
        result, doubt = self._attempts(call, company_info_url(site, company), headers)
        if isinstance(result, Answer) and result.status == 404:
            raise Misconfigured([f"Manage: {site} does not know the company {company!r}."], system=SYSTEM)
        answer = self._success(call, result, doubt)
        return base_from(site, company, understood(call, answer, lambda body: body))

    def _success(self, call: Call, result: Answer | NoAnswer, doubt: bool) -> Answer:
        if isinstance(result, NoAnswer):
            raise failure(call, result, doubt=doubt)
        if not result.ok:
            raise failure(call, result, doubt=doubt, retry_after=retry_after(result, datetime.now(UTC)))
        return result

    def _attempts(self, call: Call, url: str, headers: Mapping[str, str]) -> tuple[Answer | NoAnswer, bool]:
        """The last attempt's result, and whether any attempt left a write in doubt."""
        doubt = False
        attempt = 1
        while True:
            result = self._attempt(call, url, headers, attempt)
            doubt = doubt or leaves_doubt(call.method, result)
            if attempt == MOST_ATTEMPTS or not may_repeat(call.method, result):
                return result, doubt
            wait = self._wait_after(result, attempt)
            if wait > LONGEST_WAIT or wait >= self._remaining():
                return result, doubt
            self._pause(wait)
            attempt += 1

    def _attempt(self, call: Call, url: str, headers: Mapping[str, str], attempt: int) -> Answer | NoAnswer:
        self._here.request_id = None
        try:
            result: Answer | NoAnswer = self._exchange(call, url, headers)
        except NoAnswer as missing:
            result = missing
        outcome: object = result.reason if isinstance(result, NoAnswer) else result.status
        self._here.request_id = None if isinstance(result, NoAnswer) else result.request_id
        log.debug("%s %s: %s (request %s, attempt %d)", call.method, call.route, outcome, self.last_request_id, attempt)
        return result

    def _exchange(self, call: Call, url: str, headers: Mapping[str, str]) -> Answer:
        body = None if call.body is None else json.dumps(call.body, ensure_ascii=False).encode()
        if body is not None:
            headers = {**headers, "Content-Type": "application/json; charset=utf-8"}
        if not self._slots.acquire(timeout=min(max(self._remaining(), 0), threading.TIMEOUT_MAX)):
            raise NoAnswer("the time for it was up before it could be sent", sent=False)
        try:
            timeout = min(self._settings.timeout_seconds, self._remaining())
            if timeout <= 0:
                raise NoAnswer("the time for it was up before it could be sent", sent=False)
            return self._transport.send(call.method, url, headers=headers, body=body, timeout=timeout)
        finally:
            self._slots.release()

    def _remaining(self) -> float:
        """Seconds until this thread's deadline; infinite without one."""
        return float("inf") if self._here.ends is None else self._here.ends - self._clock()

    def _wait_after(self, result: Answer | NoAnswer, attempt: int) -> float:
        named = retry_after(result, datetime.now(UTC)) if isinstance(result, Answer) else None
        return backoff(attempt, self._chance()) if named is None else named


def understood(call: Call, answer: Answer, read: Callable[[Any], T]) -> T:
    """What `read` makes of an answer's JSON. A body that says nothing is `Incomplete`; of a write, `OutcomeUnknown`."""
    try:
        return read(parsed(answer.text))
    except Unreadable as error:
        raise unreadable(call, answer, str(error)) from None


def _headers(settings: ManageSettings) -> dict[str, str]:
    credentials = f"{settings.company}+{settings.public_key}:{settings.private_key}"
    version = settings.api_version
    accept = f"application/vnd.connectwise.com+json; version={version}" if version else "application/json"
    return {
        "Authorization": f"Basic {base64.b64encode(credentials.encode()).decode()}",
        "clientId": settings.client_id,
        "Accept": accept,
        "User-Agent": USER_AGENT,
    }
