"""What one tenant's token may read from Graph, in pages and with Graph's refusals. Knows nothing of HTTP servers."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from local.sandbox.entra import Tokens
from local.sandbox.graph.health import OPEN_ONLY, HealthBook
from local.sandbox.graph.rows import (
    Row,
    contract_row,
    customer_row,
    group_row,
    member_row,
    organization_row,
    relationship_row,
    sku_row,
    subscription_row,
    user_row,
)
from local.sandbox.world import Consent, Msp, Tenant
from local.sandbox.world.model import Group
from local.sandbox.world.skus import SKUS

_GROUP_ID = re.compile(r"/groups/[^/]+")
_BY_NAME = re.compile(r"displayName eq '((?:[^']|'')*)'")
ACTIVE_ONLY = "status eq 'active'"
LICENSED_ONLY = "assignedLicenses/$count ne 0"
#: Properties of users that are sent only when they are selected.
_ON_REQUEST = frozenset(
    {
        "accountEnabled",
        "userType",
        "department",
        "assignedLicenses",
        "proxyAddresses",
        "onPremisesSyncEnabled",
        "passwordPolicies",
        "createdDateTime",
        "signInActivity",
    }
)


class GraphProblem(Exception):
    """An error answer of Graph."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


@dataclass(frozen=True, slots=True)
class Ask:
    """One request. `path` is below v1.0, names in `query` have no `$`, names in `headers` are in lower case."""

    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    root: str
    fault: str | None = None


class Graph:
    """Answers for the made-up MSP's tenants."""

    def __init__(self, msp: Msp, tokens: Tokens, health: HealthBook) -> None:
        self._msp = msp
        self._tokens = tokens
        self._health = health
        self.reads: dict[str, Callable[[Tenant, Ask], Row]] = {
            "/tenantRelationships/delegatedAdminCustomers": self._customers,
            "/tenantRelationships/delegatedAdminRelationships": self._relationships,
            "/contracts": self._contracts,
            "/subscribedSkus": self._skus,
            "/directory/subscriptions": self._subscriptions,
            "/users": self._users,
            "/organization": self._organization,
            "/groups": self._groups,
            "/groups/{id}": self._group,
            "/groups/{id}/transitiveMembers": self._members,
            "/admin/serviceAnnouncement/issues": self._issues,
        }
        self._by_path = {path.casefold(): read for path, read in self.reads.items()}

    def caller(self, authorization: str) -> Tenant:
        """The tenant whose token this is."""
        scheme, _, token = authorization.partition(" ")
        tenant = self._tokens.tenant_of(token) if scheme.casefold() == "bearer" else None
        if tenant is None:
            raise GraphProblem(401, "InvalidAuthenticationToken", "Access token is empty, invalid or has expired.")
        return self._msp.tenants[tenant]

    def read(self, tenant: Tenant, ask: Ask) -> Row:
        """The body of a successful GET; raises `GraphProblem` otherwise."""
        read = self._by_path.get(_GROUP_ID.sub("/groups/{id}", ask.path.casefold()))
        if read is None:
            raise GraphProblem(400, "BadRequest", f"Resource not found for the segment '{ask.path.strip('/')}'.")
        if tenant.consent is Consent.ROLE_DENIED:
            raise _denied()
        return read(tenant, ask)

    def _customers(self, tenant: Tenant, ask: Ask) -> Row:
        if all(partner.id != tenant.id for partner in self._msp.partners):
            raise _denied()
        rows = [customer_row(customer) for customer in self._msp.customers_of(tenant.id)]
        return _page(tenant, ask, rows, usual=100, largest=300)

    def _contracts(self, tenant: Tenant, ask: Ask) -> Row:
        if all(partner.id != tenant.id for partner in self._msp.partners):
            raise _denied()
        rows = [contract_row(customer) for customer in self._msp.customers_of(tenant.id)]
        return _page(tenant, ask, rows, usual=100, largest=999)

    def _relationships(self, tenant: Tenant, ask: Ask) -> Row:
        if all(partner.id != tenant.id for partner in self._msp.partners):
            raise _denied()
        if ask.query.get("filter") not in (None, ACTIVE_ONLY):
            raise GraphProblem(400, "BadRequest", "Invalid filter clause.")
        rows = [relationship_row(each) for each in self._msp.tenants.values() if each.partner == tenant.id]
        if ask.query.get("filter") == ACTIVE_ONLY:
            rows = [row for row in rows if row["status"] == "active"]
        return _page(tenant, ask, rows, usual=100, largest=300)

    def _skus(self, tenant: Tenant, ask: Ask) -> Row:
        wrong = ask.fault == "wrong-counts"
        skus = [] if tenant.answers_empty else tenant.skus()
        return _page(tenant, ask, [sku_row(tenant, sku, wrong=wrong) for sku in skus], usual=999, largest=999)

    def _subscriptions(self, tenant: Tenant, ask: Ask) -> Row:
        subscriptions = [] if tenant.answers_empty else tenant.subscriptions
        return _page(tenant, ask, [subscription_row(item) for item in subscriptions], usual=999, largest=999)

    def _users(self, tenant: Tenant, ask: Ask) -> Row:
        licensed_only = ask.query.get("filter")
        if licensed_only is not None:
            eventual = ask.headers.get("consistencylevel", "").casefold() == "eventual"
            if licensed_only != LICENSED_ONLY or not eventual or ask.query.get("count") != "true":
                raise GraphProblem(400, "Request_UnsupportedQuery", "Unsupported or invalid query filter clause.")
        if "signInActivity" in ask.query.get("select", "") and not _keeps_sign_ins(tenant):
            problem = "Neither tenant is B2C or tenant doesn't have premium license"
            raise GraphProblem(403, "Authentication_RequestFromNonPremiumTenantOrB2CTenant", problem)
        users = [] if tenant.answers_empty else list(tenant.licensed_users() if licensed_only else tenant.users)
        largest = 500 if "signInActivity" in ask.query.get("select", "") else 999
        body = _page(tenant, ask, [user_row(user) for user in users], usual=100, largest=largest)
        return {"@odata.count": len(users), **body} if ask.query.get("count") == "true" else body

    def _groups(self, tenant: Tenant, ask: Ask) -> Row:
        """Only by name."""
        named = _BY_NAME.fullmatch(ask.query.get("filter", ""))
        if named is None:
            raise GraphProblem(400, "Request_UnsupportedQuery", "Unsupported or invalid query filter clause.")
        name = named[1].replace("''", "'").casefold()
        found = [group_row(group) for group in tenant.groups().values() if group.name.casefold() == name]
        return _page(tenant, ask, found, usual=100, largest=999)

    def _group(self, tenant: Tenant, ask: Ask) -> Row:
        (row,) = _selected([group_row(_group_of(tenant, ask))], ask)
        return row

    def _members(self, tenant: Tenant, ask: Ask) -> Row:
        """Of a group that hides its members nobody is told without a role of its own."""
        group, groups = _group_of(tenant, ask), tenant.groups()
        everybody = [] if group.hidden else tenant.everybody_in(group.id)
        rows = [member_row(key, is_group=key in groups) for key in everybody]
        return _page(tenant, ask, rows, usual=100, largest=999)

    def _issues(self, tenant: Tenant, ask: Ask) -> Row:
        """Pages of its own kind: a size that the client prefers, and `$skip` in the address of the next one."""
        if self._health.is_refused(tenant):
            raise _denied()
        if ask.query.get("filter") not in (None, OPEN_ONLY):
            raise GraphProblem(400, "BadRequest", "Invalid filter clause.")
        rows = self._health.rows(tenant, open_only="filter" in ask.query)
        preferred = re.search(r"odata\.maxpagesize=(\d+)", ask.headers.get("prefer", ""))
        size = 1 if ask.fault == "short-page" else min(int(preferred[1]), 1000) if preferred else 100
        start = int(ask.query.get("skip", "0"))
        body: Row = {"value": rows[start : start + size]}
        if start + size < len(rows):
            query = {f"${name}": value for name, value in ask.query.items()} | {"$skip": str(start + size)}
            body["@odata.nextLink"] = f"{ask.root}{ask.path}?{urlencode(query, safe='$', quote_via=quote)}"
        return body

    def _organization(self, tenant: Tenant, ask: Ask) -> Row:
        return _page(tenant, ask, [organization_row(tenant)], usual=100, largest=999)


def _group_of(tenant: Tenant, ask: Ask) -> Group:
    found = tenant.groups().get(ask.path.casefold().split("/")[2])
    if found is None:
        raise GraphProblem(404, "Request_ResourceNotFound", "Resource does not exist or its reference is not present.")
    return found


def _keeps_sign_ins(tenant: Tenant) -> bool:
    """Only plans with Entra ID P1 or P2 keep them."""
    return any(SKUS[product].id in tenant.skus() for product in ("M365-BP", "M365-E3", "M365-E5", "ENTRA-P1"))


def _denied() -> GraphProblem:
    return GraphProblem(403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.")


def _page(tenant: Tenant, ask: Ask, rows: list[Row], *, usual: int, largest: int) -> Row:
    """One page, with an absolute nextLink while rows are left (or as the fault of the day has it)."""
    if "skip" in ask.query:
        raise GraphProblem(400, "Request_UnsupportedQuery", "Query option 'Skip' is not allowed.")
    top = _top(ask, usual, largest)
    start = _offset(tenant, ask)
    stop = start + {"short-page": max(1, top // 2), "empty-page": 0}.get(ask.fault or "", top)
    body: Row = {"value": _selected(rows[start:stop], ask)}
    after = start if ask.fault == "endless" else stop
    if after < len(rows) or ask.fault in {"endless", "empty-page"}:
        query = {f"${name}": value for name, value in ask.query.items() if name != "skiptoken"}
        query["$skiptoken"] = _token(tenant, ask, after)
        body = {"@odata.nextLink": f"{ask.root}{ask.path}?{urlencode(query, safe='$', quote_via=quote)}", **body}
    return body


def _top(ask: Ask, usual: int, largest: int) -> int:
    text = ask.query.get("top", str(usual))
    if not text.isdigit() or not 1 <= int(text) <= largest:
        problem = f"Invalid page size specified: '{text}'. Must be between 1 and {largest} inclusive."
        raise GraphProblem(400, "Request_BadRequest", problem)
    return int(text)


def _token(tenant: Tenant, ask: Ask, offset: int) -> str:
    return base64.urlsafe_b64encode(f"{tenant.id}{ask.path.casefold()}#{offset}".encode()).decode()


def _offset(tenant: Tenant, ask: Ask) -> int:
    """Where a skip token goes on; it is good for the tenant and the list it was given for."""
    token = ask.query.get("skiptoken")
    if token is None:
        return 0
    try:
        made_for, _, offset = base64.urlsafe_b64decode(token).decode().rpartition("#")
    except (binascii.Error, UnicodeDecodeError):
        made_for, offset = "", ""
    if made_for != f"{tenant.id}{ask.path.casefold()}" or not offset.isdigit():
        raise GraphProblem(400, "Directory_ExpiredPageToken", "The specified page token value has expired.")
    return int(offset)


def _selected(rows: list[Row], ask: Ask) -> list[Row]:
    """`$select`: only the named properties; users without it lose what must be asked for."""
    wanted = [name.strip() for name in ask.query.get("select", "").split(",") if name.strip()]
    if not wanted:
        return [{name: value for name, value in row.items() if name not in _ON_REQUEST} for row in rows]
    for name in wanted:
        if rows and name not in rows[0]:
            raise GraphProblem(400, "Request_BadRequest", f"Could not find a property named '{name}'.")
    return [{name: row[name] for name in wanted} for row in rows]
