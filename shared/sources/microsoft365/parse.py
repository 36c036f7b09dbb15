"""From Graph's rows to counts. Pure; whatever is not what it should be raises `Incomplete`, never a guess.

A count that was misread becomes an invoice, so every number that is billed must be there and be a number. Sentences
name the list and the field, never a value: rows hold people.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Set
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from shared.billing.counting.quantities import control_difference, holders_difference, paid_beside_trials
from shared.billing.counts import Count, Holder, Relationship, Scope, Subscription, SubscriptionStatus
from shared.errors import Incomplete
from shared.sources.microsoft365.failures import SYSTEM
from shared.sources.microsoft365.settings import GUID

SOURCE = "microsoft365"
Row = dict[str, Any]

#: The SKU of our own that counts everybody who holds a licence of any SKU that Microsoft does not give away.
LICENSED_USERS = "licensed-users"

_LONGEST_MONTH = 31
#: What Microsoft writes where a relationship is not extended by itself.
_NOT_EXTENDED = frozenset({None, "", "P0D", "PT0S"})
#: What lets us into a customer, and what did: one that is about to be ended is as good as ended.
_IN_FORCE = frozenset({"active"})
_OVER = frozenset({"expiring", "expired", "terminationrequested", "terminating", "terminated"})
#: What Graph says of a SKU whose subscriptions were all cancelled.
_CANCELLED = frozenset({"suspended", "lockedout", "deleted"})
_ALIVE = frozenset({SubscriptionStatus.ENABLED, SubscriptionStatus.WARNING})
_SKUS, _SUBSCRIPTIONS, _USERS = "the list of SKUs", "the list of subscriptions", "the list of licensed users"


def counts_of(
    tenant: str,
    day: date,
    skus: Collection[Row],
    subscriptions: Iterable[Row],
    users: Iterable[Row],
    *,
    partners: Set[str] | None,
    name_of: Callable[[str, str], str],
    free: Set[str],
    members: Mapping[str, Set[str]],
) -> tuple[Count, ...]:
    """The counts of one tenant on a day, one per SKU, in the order of their ids whatever order the rows came in.

    `partners` are our own partner tenants; None takes every seller for us (a tenant no partner relationship lists).
    `name_of` names a SKU by id and part number. `members` are the ids of everybody in each group that was read. A
    living subscription of a SKU that the tenant does not list gives a count that purchased nothing, so that the control
    total shows the difference; what was cancelled is assigned to nobody. The last count is that of everybody who holds
    a licence of any SKU that is not `free` and not on trial alone.
    """
    bought = _subscriptions_by_sku(subscriptions, partners, day)
    holders = _holders_by_sku(users, members, {guid(row, "skuId", _SKUS) for row in skus if _is_over(row)})

    def count(sku: str, part_number: str, purchased: Decimal, grace: Decimal, assigned: Decimal | None) -> Count:
        return Count(
            source=SOURCE,
            customer=tenant,
            sku=sku,
            name=name_of(sku, part_number),
            purchased=purchased,
            grace=grace,
            assigned=assigned,
            subscriptions=tuple(subscription for _, subscription in bought.get(sku, [])),
            holders=holders.get(sku, () if assigned is not None else None),
            free=sku in free,
        )

    counts: dict[str, Count] = {}
    for row in skus:
        sku = guid(row, "skuId", _SKUS)
        if sku in counts:
            raise broken(_SKUS, "it lists one SKU twice")
        counts[sku] = count(sku, text(row, "skuPartNumber", _SKUS), *_units(row))
    for sku, purchases in bought.items():
        if sku not in counts and any(subscription.status in _ALIVE for _, subscription in purchases):
            counts[sku] = count(sku, purchases[0][0], Decimal(0), Decimal(0), None)
    trials = {sku for sku, each in counts.items() if paid_beside_trials(each) == 0}
    everybody = _each_once({one for sku, holding in holders.items() if sku not in free | trials for one in holding})
    licensed = [_licensed_users(tenant, everybody)] if everybody else []
    return (*(counts[sku] for sku in sorted(counts)), *licensed)


def scope_of(counts: Iterable[Count]) -> Scope:
    """What a tenant's reading is complete for: not for its licensed users while a list lags behind that says who is."""
    behind = any(_lags_behind(count) for count in counts if not count.free)
    return Scope(without=frozenset({LICENSED_USERS} if behind else ()))


def _lags_behind(count: Count) -> bool:
    only_trials_listed = paid_beside_trials(count) == 0
    return holders_difference(count) is not None or (only_trials_listed and control_difference(count) is not None)


def _licensed_users(tenant: str, holders: tuple[Holder, ...]) -> Count:
    """Marked as free: who bills single SKUs does not want to hear that it is unmapped."""
    units = Decimal(len(holders))
    return Count(SOURCE, tenant, LICENSED_USERS, "Licensed users", units, assigned=units, holders=holders, free=True)


def relationships_of(rows: Iterable[Row]) -> list[Relationship]:
    """With each customer the relationship in force that lasts longest, or the last one that has ended."""
    what = "the list of relationships"
    last: dict[str, Relationship] = {}
    for row in rows:
        status = text(row, "status", what).casefold()
        if status not in _IN_FORCE | _OVER or (status in _OVER and row.get("activatedDateTime") is None):
            continue  # asked for and never granted: it may name no customer
        customer = row.get("customer")
        if not isinstance(customer, dict):
            raise broken(what, "a row names no customer")
        tenant, ends = guid(customer, "tenantId", what), _day(row, "endDateTime", what)
        if status in _IN_FORCE and row.get("autoExtendDuration") not in _NOT_EXTENDED:
            ends = None
        name = optional_text(customer, "displayName", what) or tenant
        one = Relationship(SOURCE, tenant, name, ends, over=status in _OVER)
        last[tenant] = max(last.get(tenant, one), one, key=_lasts)
    return [relationship for _, relationship in sorted(last.items())]


def _lasts(relationship: Relationship) -> tuple[bool, date]:
    """What is in force lasts longer than what has ended, for ever where it has no last day."""
    return not relationship.over, relationship.ends or date.max


def rows_of(body: object, what: str, under: str = "value") -> list[Row]:
    """The rows in a body. Raises `Incomplete` for everything that is not a list of objects."""
    rows = body.get(under) if isinstance(body, dict) else None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise broken(what, "the answer holds no list")
    return rows


def tenant_id(text: str) -> str | None:
    """A tenant's id in lower case; None for what cannot be one."""
    trimmed = text.strip().casefold()
    return trimmed if GUID.fullmatch(trimmed) else None


def broken(what: str, why: str) -> Incomplete:
    return Incomplete(
        f"Microsoft Graph's answer for {what} cannot be used: {why}.",
        system=SYSTEM,
        remedy="Nothing to do if the next run succeeds; otherwise check what answers at the Graph address.",
    )


def _units(row: Row) -> tuple[Decimal, Decimal, Decimal | None]:
    """Purchased, in grace, assigned. SKUs of the whole company cannot be assigned to anybody."""
    consumed = _number(row, "consumedUnits", _SKUS)
    is_assignable = text(row, "appliesTo", _SKUS).casefold() == "user"
    return *_alive(row), (Decimal(0) if _is_over(row) else consumed) if is_assignable else None


def _alive(row: Row) -> tuple[Decimal, Decimal]:
    """Purchased, and in grace."""
    units = row.get("prepaidUnits")
    if not isinstance(units, dict):
        raise broken(_SKUS, "prepaidUnits is missing")
    return _number(units, "enabled", _SKUS), _number(units, "warning", _SKUS)


def _is_over(row: Row) -> bool:
    """Whether nobody has the use of a SKU: Graph goes on telling to whom one is assigned that was cancelled."""
    return (optional_text(row, "capabilityStatus", _SKUS) or "").casefold() in _CANCELLED and not any(_alive(row))


def _subscriptions_by_sku(
    rows: Iterable[Row], partners: Set[str] | None, day: date
) -> dict[str, list[tuple[str, Subscription]]]:
    """Part number and subscription, by SKU and in the order of the subscriptions' ids."""
    found: dict[str, tuple[str, str, Subscription]] = {}
    for row in rows:
        subscription = _subscription(row, partners, day)
        if subscription.id in found:
            raise broken(_SUBSCRIPTIONS, "it lists one subscription twice")
        part_number = text(row, "skuPartNumber", _SUBSCRIPTIONS)
        found[subscription.id] = (guid(row, "skuId", _SUBSCRIPTIONS), part_number, subscription)
    by_sku: dict[str, list[tuple[str, Subscription]]] = {}
    for key in sorted(found):
        sku, part_number, subscription = found[key]
        by_sku.setdefault(sku, []).append((part_number, subscription))
    return by_sku


def _subscription(row: Row, partners: Set[str] | None, day: date) -> Subscription:
    renews = _day(row, "nextLifecycleDateTime", _SUBSCRIPTIONS)
    status = text(row, "status", _SUBSCRIPTIONS).casefold()
    if status not in set(SubscriptionStatus):
        raise broken(_SUBSCRIPTIONS, "a status is not one of those we know")
    found = Subscription(
        id=text(row, "id", _SUBSCRIPTIONS).casefold(),
        quantity=_number(row, "totalLicenses", _SUBSCRIPTIONS),
        status=SubscriptionStatus(status),
        trial=flag(row, "isTrial", _SUBSCRIPTIONS, absent=False),
        owned=_owned(optional_text(row, "ownerTenantId", _SUBSCRIPTIONS), partners),
        commerce_id=(optional_text(row, "commerceSubscriptionId", _SUBSCRIPTIONS) or "").casefold() or None,
        started=_day(row, "createdDateTime", _SUBSCRIPTIONS),
        renews=renews,
    )
    is_committed = found.status is SubscriptionStatus.ENABLED and not found.trial
    return replace(found, committed_until=_end_of_long_term(renews, day)) if is_committed else found


def _end_of_long_term(renews: date | None, day: date) -> date | None:
    """The last day of a term that is no monthly one, as far as Graph tells: it names the day of renewal and no term.

    In the last month nobody can tell a year's term from a monthly one; what was known of it before still holds.
    """
    return renews - timedelta(days=1) if renews is not None and (renews - day).days > _LONGEST_MONTH else None


def _owned(owner: str | None, partners: Set[str] | None) -> bool | None:
    if not owner:
        return None
    return partners is None or owner.casefold() in partners


def _holders_by_sku(
    rows: Iterable[Row], members: Mapping[str, Set[str]], over: Set[str]
) -> dict[str, tuple[Holder, ...]]:
    """Who holds a licence of each SKU but those that are `over`, every person once, in the order of names.

    Pages are read one after the other, so a person changed in between may come twice.
    """
    told = [(in_groups(holder_of(row, _USERS), members), set(skus_held(row, _USERS)) - over) for row in rows]
    found: dict[str, dict[str, Holder]] = {}
    for holder, skus in sorted(told, key=lambda each: _by_name(each[0])):
        for sku in skus:
            found.setdefault(sku, {})[holder.id] = holder
    return {sku: tuple(holders.values()) for sku, holders in found.items()}


def skus_held(row: Row, what: str) -> list[str]:
    """The ids of the SKUs that a user holds."""
    licences = row.get("assignedLicenses")
    if not isinstance(licences, list):
        raise broken(what, "assignedLicenses is missing")
    if not all(isinstance(licence, dict) for licence in licences):
        raise broken(what, "a licence is not an object")
    return [guid(licence, "skuId", what) for licence in licences]


def in_groups(holder: Holder, members: Mapping[str, Set[str]]) -> Holder:
    """The user with the groups that were read, by the ids of everybody in each."""
    told = tuple(sorted(members))
    if not told:
        return holder
    return replace(holder, groups=tuple(group for group in told if holder.id in members[group]), groups_told=told)


def _each_once(holders: Set[Holder]) -> tuple[Holder, ...]:
    """Everybody once, in the order of names."""
    return tuple({holder.id: holder for holder in sorted(holders, key=_by_name)}.values())


def _by_name(holder: Holder) -> tuple[str | bool, ...]:
    where = (holder.department or "", holder.office or "", holder.domain or "", *(holder.groups or ()))
    return (holder.name.casefold(), holder.id, holder.enabled, holder.guest, *where)


def holder_of(row: Row, what: str) -> Holder:
    """A user as the row of a list tells of one."""
    key = text(row, "id", what).casefold()
    sign_in = optional_text(row, "userPrincipalName", what)
    return Holder(
        id=key,
        name=optional_text(row, "displayName", what) or sign_in or key,
        enabled=flag(row, "accountEnabled", what, absent=True),
        guest=(optional_text(row, "userType", what) or "").casefold() == "guest",
        department=optional_text(row, "department", what) or "",
        office=optional_text(row, "officeLocation", what) or "",
        domain=None if sign_in is None else sign_in.rpartition("@")[2].casefold(),
    )


def text(row: Row, field: str, what: str) -> str:
    value = optional_text(row, field, what)
    if value is None:
        raise broken(what, f"{field} is missing")
    return value


def optional_text(row: Row, field: str, what: str) -> str | None:
    value = row.get(field)
    if isinstance(value, str):
        return value.strip() or None
    if value is not None:
        raise broken(what, f"{field} is missing")
    return None


def guid(row: Row, field: str, what: str) -> str:
    value = text(row, field, what).casefold()
    if not GUID.fullmatch(value):
        raise broken(what, f"{field} is not an id")
    return value


def _number(row: Row, field: str, what: str) -> Decimal:
    value = row.get(field)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise broken(what, f"{field} is not a number of seats")
    return Decimal(value)


def flag(row: Row, field: str, what: str, *, absent: bool) -> bool:
    value = row.get(field)
    if value is None:
        return absent
    if not isinstance(value, bool):
        raise broken(what, f"{field} is neither true nor false")
    return value


def _day(row: Row, field: str, what: str) -> date | None:
    """The calendar day (UTC) of a time; its first ten characters, as fractions may have seven digits."""
    text = optional_text(row, field, what)
    try:
        return None if text is None else date.fromisoformat(text[:10])
    except ValueError:
        raise broken(what, f"{field} is not a time") from None
