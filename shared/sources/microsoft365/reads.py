"""Whole reads of Microsoft Graph: one batch per tenant, every page of a list, complete or an error."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice

import httpx
from azure.core.credentials import AccessToken, TokenCredential

from shared.errors import Gone, NotPermitted, Refused, TrueUpError
from shared.http import waiting, wire
from shared.sources.microsoft365.failures import CUSTOMER_ROLES, PARTNER_ROLES, PASSING, SYSTEM, graph_error
from shared.sources.microsoft365.graph import Answer, GraphClient, lower_case
from shared.sources.microsoft365.groups import group_id, lookup, member_ids, members_of
from shared.sources.microsoft365.health import ROLES as HEALTH_ROLES
from shared.sources.microsoft365.parse import Row, broken, rows_of
from shared.sources.microsoft365.parts import (
    ACCOUNTS,
    CONTRACTS,
    CUSTOMERS,
    ISSUES,
    ORGANIZATION,
    RELATIONSHIPS,
    SIGN_INS,
    SKUS,
    SUBSCRIPTIONS,
    USERS,
    Part,
)
from shared.sources.microsoft365.settings import MicrosoftSettings
from shared.sources.microsoft365.tokens import Tokens
from shared.sources.patience import Patience

#: A company's sync has four minutes in all, for reading and writing.
READ_SECONDS = 150.0
LIST_SECONDS = 300.0
#: The health of one tenant is asked for again an hour later.
HEALTH_SECONDS = 30.0
#: A batch takes no more.
MOST_ITEMS = 20
#: What Graph answers for what is not there, and for what we may not see.
_LACKING = frozenset({403, 404})
#: No MSP-size list is longer; a list that is has no end.
MOST_PAGES = 1000


@dataclass(frozen=True, slots=True)
class Seats:
    """The rows of one tenant's three lists, each complete; the ids of everybody in each group that could be read."""

    skus: list[Row]
    subscriptions: list[Row]
    users: list[Row]
    members: Mapping[str, frozenset[str]]


@dataclass(frozen=True, slots=True)
class Directory:
    """The rows of one tenant's users and of what they hold. `sign_ins` None: it does not tell when they signed in."""

    skus: list[Row]
    users: list[Row]
    sign_ins: list[Row] | None
    members: Mapping[str, frozenset[str]]


class GraphReader:
    """Reads with one credential and one connection pool. Raises errors of `shared.errors` only."""

    def __init__(
        self,
        settings: MicrosoftSettings,
        credential: TokenCredential | None,
        transport: httpx.AsyncBaseTransport | None,
        sleep: Callable[[float], None],
    ) -> None:
        self._tokens = Tokens(settings, credential)
        self._graph = GraphClient(settings, transport)
        self._sleep = sleep

    def seats(self, tenant: str, groups: Collection[str] = ()) -> Seats:
        """Everything that counts seats in one tenant, in one call where no list is longer than a page.

        The members of `groups` (ids or names) take another one, and one more for every twenty of them.
        """
        read = self._begin(tenant, CUSTOMER_ROLES, READ_SECONDS)
        first = read.batch({"skus": SKUS, "subscriptions": SUBSCRIPTIONS, "users": USERS, **_lookups(groups)})
        return Seats(
            read.pages(SKUS, first["skus"]),
            read.pages(SUBSCRIPTIONS, first["subscriptions"]),
            read.pages(USERS, first["users"]),
            _members(read, groups, first),
        )

    def directory(self, tenant: str, groups: Collection[str], *, sign_ins: bool) -> Directory:
        """Everybody in one tenant, with the members of `groups`; with `sign_ins` when each last signed in, if told."""
        read = self._begin(tenant, CUSTOMER_ROLES, READ_SECONDS)
        first = read.batch({"skus": SKUS, "users": ACCOUNTS, **_lookups(groups)})
        return Directory(
            read.pages(SKUS, first["skus"]),
            read.pages(ACCOUNTS, first["users"]),
            _sign_ins(read) if sign_ins else None,
            _members(read, groups, first),
        )

    def partner_customers(self, partner: str) -> list[Row]:
        """The rows of every customer that has a delegated admin relationship with the partner tenant."""
        read = self._begin(partner, PARTNER_ROLES, LIST_SECONDS)
        return read.pages(CUSTOMERS, read.get(CUSTOMERS))

    def contracts(self, partner: str) -> list[Row]:
        """The rows of the partner tenant's contracts; none where it may not be asked: that takes a role of its own."""
        read = self._begin(partner, PARTNER_ROLES, LIST_SECONDS)
        try:
            return read.pages(CONTRACTS, read.get(CONTRACTS))
        except (NotPermitted, Refused, Gone):
            return []

    def relationships(self, partner: str) -> list[Row]:
        """The rows of every delegated admin relationship of the partner tenant, also ended ones: several a customer."""
        read = self._begin(partner, PARTNER_ROLES, LIST_SECONDS)
        return read.pages(RELATIONSHIPS, read.get(RELATIONSHIPS))

    def organization(self, tenant: str, seconds: float = READ_SECONDS) -> list[Row]:
        read = self._begin(tenant, CUSTOMER_ROLES, seconds)
        return read.pages(ORGANIZATION, read.get(ORGANIZATION))

    def issues(self, tenant: str) -> list[Row]:
        """The rows of every open issue of the tenant's services, posts and all."""
        read = self._begin(tenant, HEALTH_ROLES, HEALTH_SECONDS)
        return read.pages(ISSUES, read.get(ISSUES))

    def _begin(self, tenant: str, roles: str, seconds: float) -> _Read:
        token = self._tokens.token(tenant)
        patience = Patience(seconds, self._sleep, SYSTEM)
        return _Read(self._graph, token, patience, roles, self._tokens.consent_url(tenant))


class _Read:
    """One read of one tenant: its token, its time, and whom to ask for which roles when it is refused."""

    def __init__(self, graph: GraphClient, token: AccessToken, patience: Patience, roles: str, consent: str) -> None:
        self._graph = graph
        self._token = token
        self._patience = patience
        self._roles = roles
        self._consent = consent

    def batch(self, parts: Mapping[str, Part]) -> dict[str, object]:
        """The bodies of the parts' first pages, None for an optional one that is not there or that we may not see.

        Items that Graph was too busy for are asked for again, alone.
        """
        bodies: dict[str, object] = {}

        def ask_for_the_rest() -> None:
            while missing := dict(islice(((n, part) for n, part in parts.items() if n not in bodies), MOST_ITEMS)):
                answers = self._batch_once(missing)
                bodies.update({name: answer.body for name, answer in answers.items() if answer.status == 200})
                refused = {name: answer for name, answer in answers.items() if answer.status != 200}
                lacking = [name for name in refused if missing[name].optional and refused[name].status in _LACKING]
                bodies.update(dict.fromkeys(lacking))
                # In the order of the parts: the same refusals say the same every night.
                named = [name for name in missing if name in refused and name not in lacking]
                errors = [self._refusal(refused[name], missing[name].what) for name in named]
                if errors:
                    raise min(errors, key=_urgency)

        self._patience.repeat(ask_for_the_rest)
        return bodies

    def get(self, part: Part, link: str | None = None) -> object:
        """The body of a part's first page, or of the page behind `link`."""

        def ask() -> object:
            seconds = self._patience.left()
            answer = self._graph.get(link or part.path, self._token, headers=part.headers, seconds=seconds)
            if answer.status != 200:
                raise self._refusal(answer, part.what)
            return answer.body

        return self._patience.repeat(ask)

    def pages(self, part: Part, body: object) -> list[Row]:
        """The rows of all pages, `body` being the first. A page may be empty and still be followed by others."""
        rows = rows_of(body, part.what)
        seen: set[str] = set()
        while (link := _next_link(body, part.what)) is not None:
            if link in seen or len(seen) >= MOST_PAGES:
                raise broken(part.what, "its pages do not end")
            seen.add(link)
            body = self.get(part, link)
            rows.extend(rows_of(body, part.what))
        return rows

    def _batch_once(self, parts: Mapping[str, Part]) -> dict[str, Answer]:
        requests = [
            {"id": name, "method": "GET", "url": part.path, "headers": dict(part.headers)}
            for name, part in parts.items()
        ]
        seconds = self._patience.left()
        answer = self._graph.post("/$batch", self._token, body={"requests": requests}, seconds=seconds)
        if answer.status != 200:
            raise self._refusal(answer, "the batch")
        return batch_answers(answer.body, set(parts))

    def _refusal(self, answer: Answer, what: str) -> TrueUpError:
        return refusal(answer, what, roles=self._roles, consent=self._consent)


def refusal(answer: Answer, what: str, *, roles: str, consent: str) -> TrueUpError:
    """The error for an answer other than success."""
    code, request_id = _error_in(answer)
    wait = retry_after(answer.headers)
    return graph_error(answer.status, code, what, roles=roles, consent=consent, request_id=request_id, retry_after=wait)


def error_code(answer: Answer) -> str:
    """Graph's own code of an answer other than success; empty where it has none, as an answer of somebody else."""
    return _error_in(answer)[0]


def _sign_ins(read: _Read) -> list[Row] | None:
    """None where the tenant may not be asked: the role is not granted, or it has no plan that keeps sign-ins."""
    try:
        return read.pages(SIGN_INS, read.get(SIGN_INS))
    except (NotPermitted, Refused):
        return None


def _lookups(groups: Collection[str]) -> dict[str, Part]:
    return {f"group {group}": lookup(group) for group in groups}


def _members(read: _Read, wanted: Collection[str], first: Mapping[str, object]) -> dict[str, frozenset[str]]:
    """The ids of everybody in each group, by what the rules call it; one that we may not look into is left out.

    `first` has what the lookups of the groups found.
    """
    keys = {group: group_id(group, body) for group in wanted if (body := first[f"group {group}"]) is not None}
    groups = {group: key for group, key in keys.items() if key is not None}
    parts = {f"members {group}": members_of(key) for group, key in groups.items()}
    bodies = read.batch(parts) if parts else {}
    found: dict[str, frozenset[str]] = {}
    for group in groups:
        name = f"members {group}"
        if bodies[name] is not None:
            found[group] = member_ids(read.pages(parts[name], bodies[name]))
    return found


def batch_answers(body: object, expected: set[str]) -> dict[str, Answer]:
    """The items of a batch by id. Raises `Incomplete` unless there is exactly one for each id that was asked for."""
    items = rows_of(body, "the batch", under="responses")
    answers: dict[str, Answer] = {}
    for item in items:
        name, status = item.get("id"), item.get("status")
        if not isinstance(name, str) or name not in expected:
            raise broken("the batch", "it holds an answer nobody asked for")
        if name in answers:
            raise broken("the batch", "it answers one request twice")
        if not isinstance(status, int):
            raise broken("the batch", "an answer has no status")
        answers[name] = Answer(status, item.get("body"), lower_case(item.get("headers")))
    if missing := expected - answers.keys():
        raise broken("the batch", f"{len(missing)} of {len(expected)} answers are missing")
    return answers


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that an answer or an item of a batch asks us to wait; None when it names no time."""
    return waiting.retry_after(wire.Answer(0, headers), datetime.now(UTC))


def _urgency(error: TrueUpError) -> tuple[bool, float]:
    """Refusals for good come before those that pass; of these, the one to wait longest for speaks for all."""
    after = getattr(error, "retry_after", None)
    return error.status in PASSING, -(after or 0.0)


def _next_link(body: object, what: str) -> str | None:
    link = body.get("@odata.nextLink") if isinstance(body, dict) else None
    if link is not None and (not isinstance(link, str) or "://" not in link):
        raise broken(what, "the address of its next page is none")
    return link


def _error_in(answer: Answer) -> tuple[str, str | None]:
    """Graph's error code and request id, as far as the answer has them in the shape they should have."""
    error = answer.body.get("error") if isinstance(answer.body, dict) else None
    details = error if isinstance(error, dict) else {}
    inner = details.get("innerError") or details.get("innererror")
    inner_id = inner.get("request-id") if isinstance(inner, dict) else None
    request_id = answer.headers.get("request-id") or inner_id
    return _token(details.get("code")) or "", _token(request_id)


def _token(value: object) -> str | None:
    """A code or an id, nothing longer: texts of the other side do not travel on in our sentences."""
    return value if isinstance(value, str) and re.fullmatch(r"[\w.-]{1,80}", value) else None
