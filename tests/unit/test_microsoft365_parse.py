"""From Graph's rows to counts."""

from __future__ import annotations

import random
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.billing.counts import Count, Customer, Holder, Subscription, SubscriptionStatus
from shared.errors import Incomplete
from shared.sources.microsoft365.customers import customers_of, domains_of, organization_name, verified_domains
from shared.sources.microsoft365.parse import (
    LICENSED_USERS,
    counts_of,
    rows_of,
    tenant_id,
)
from tests.unit.fake_graph import (
    FLOW_FREE,
    OTHER,
    PARTNER,
    SPB,
    TENANT,
    Json,
    sku_row,
    subscription_row,
    user_row,
)

E3 = "05e9a617-0261-4cee-bb44-138d3ef5d965"


DAY = date(2026, 11, 21)


def counts(
    skus: list[Json] | None = None,
    subscriptions: list[Json] | None = None,
    users: list[Json] | None = None,
    partners: frozenset[str] | None = frozenset({PARTNER}),
) -> tuple[Count, ...]:
    found = counts_of(
        TENANT,
        DAY,
        [] if skus is None else skus,
        [] if subscriptions is None else subscriptions,
        [] if users is None else users,
        partners=partners,
        name_of=lambda sku, part_number: f"name of {part_number}",
        free=frozenset({FLOW_FREE}),
        members={},
    )
    return tuple(count for count in found if count.sku != LICENSED_USERS)


def test_a_sku_with_its_subscription_and_users_becomes_one_count() -> None:
    (count,) = counts(
        [sku_row(enabled=10, warning=3, consumed=2)],
        [subscription_row(quantity=10)],
        [
            user_row(1, accountEnabled=False, department="Sales"),
            user_row(2, userType="Guest", officeLocation="Mill Road"),
        ],
    )

    assert count == Count(
        source="microsoft365",
        customer=TENANT,
        sku=SPB,
        name="name of SPB",
        purchased=Decimal(10),
        grace=Decimal(3),
        assigned=Decimal(2),
        subscriptions=(
            Subscription(
                id="eeeeeeee-0000-4000-8000-000000000001",
                quantity=Decimal(10),
                status=SubscriptionStatus.ENABLED,
                trial=False,
                owned=True,
                commerce_id="ffffffff-0000-4000-8000-000000000001",
                started=date(2026, 1, 15),
                renews=date(2027, 1, 15),
                committed_until=date(2027, 1, 14),
            ),
        ),
        holders=(
            Holder("99999999-0000-4000-8000-000000000001", "Person 1", False, False, "Sales", "", "alder.example"),
            Holder("99999999-0000-4000-8000-000000000002", "Person 2", True, True, "", "Mill Road", "alder.example"),
        ),
    )


def test_ids_in_capitals_are_the_same_ids() -> None:
    (count,) = counts(
        [sku_row(SPB.upper())],
        [subscription_row(sku=SPB.upper(), ownerTenantId=PARTNER.upper())],
        [user_row(1, SPB.upper())],
    )

    assert count.sku == SPB
    assert [item.owned for item in count.subscriptions or ()] == [True]
    assert len(count.holders) == 1


def test_a_sku_of_the_whole_company_has_no_assigned_number() -> None:
    (count,) = counts([sku_row(appliesTo="Company", consumed=0)])

    assert count.assigned is None
    assert count.holders is None


@pytest.mark.parametrize("status", ["Suspended", "LockedOut", "Deleted"])
def test_what_was_cancelled_is_assigned_to_nobody_although_graph_still_says_to_whom(status: str) -> None:
    cancelled = sku_row(enabled=0, consumed=2, capabilityStatus=status)
    told = counts_of(
        TENANT,
        DAY,
        [cancelled, sku_row(E3, "SPE_E3", enabled=5, consumed=1)],
        [subscription_row(quantity=25, status=status), subscription_row(2, E3, "SPE_E3", quantity=5)],
        [user_row(1), user_row(2, SPB, E3)],
        partners=frozenset({PARTNER}),
        name_of=lambda _, part_number: part_number,
        free=frozenset(),
        members={},
    )

    assert {count.name: (count.assigned, len(count.holders or ())) for count in told} == {
        "SPE_E3": (1, 1),
        "SPB": (0, 0),
        "Licensed users": (1, 1),
    }


@pytest.mark.parametrize("still", [{"enabled": 10}, {"enabled": 0, "warning": 10}, {"capabilityStatus": "Enabled"}])
def test_what_can_still_be_used_is_assigned(still: Json) -> None:
    row = sku_row(**{"enabled": 0, "consumed": 2, "capabilityStatus": "Suspended"} | still)
    (found,) = counts([row], [], [user_row(1), user_row(2)])

    assert (found.assigned, len(found.holders or ())) == (2, 2)


def test_a_sku_that_nobody_holds_has_no_holders_which_is_not_the_same_as_not_told() -> None:
    (count,) = counts([sku_row(consumed=0)])

    assert count.holders == ()


def test_a_user_without_a_sign_in_name_has_a_domain_that_nobody_told() -> None:
    (count,) = counts([sku_row()], [], [user_row(1, userPrincipalName=None)])

    assert [holder.domain for holder in count.holders or ()] == [None]


def test_a_sku_without_subscriptions_has_an_empty_list_of_them_not_an_unknown_one() -> None:
    (count,) = counts([sku_row()])

    assert count.subscriptions == ()


def test_only_known_skus_are_free_trials_are_told_by_their_subscription() -> None:
    free, trial = sorted(
        counts([sku_row(), sku_row(FLOW_FREE, "FLOW_FREE")], [subscription_row(isTrial=True)]), key=lambda c: -c.free
    )

    assert (free.sku, free.free) == (FLOW_FREE, True)
    assert (trial.sku, trial.free) == (SPB, False)
    assert [item.trial for item in trial.subscriptions or ()] == [True]


@pytest.mark.parametrize(
    ("owner", "partners", "owned"),
    [
        (PARTNER, frozenset({PARTNER}), True),
        (OTHER, frozenset({PARTNER}), False),
        (None, frozenset({PARTNER}), None),
        ("", frozenset({PARTNER}), None),
        (OTHER, None, True),
        (None, None, None),
    ],
)
def test_a_subscription_is_ours_when_one_of_our_partner_tenants_sold_it(
    owner: str | None, partners: frozenset[str] | None, owned: bool | None
) -> None:
    (count,) = counts([sku_row()], [subscription_row(ownerTenantId=owner)], partners=partners)

    assert [item.owned for item in count.subscriptions or ()] == [owned]


@pytest.mark.parametrize("status", ["Enabled", "Warning", "Suspended", "LockedOut", "Deleted"])
def test_every_status_of_a_subscription_is_kept(status: str) -> None:
    (count,) = counts([sku_row()], [subscription_row(status=status)])

    assert [item.status.value for item in count.subscriptions or ()] == [status.lower()]


@pytest.mark.parametrize("status", ["Enabled", "Warning"])
def test_a_living_subscription_of_an_unlisted_sku_gives_a_count_that_purchased_nothing(status: str) -> None:
    (count,) = counts([], [subscription_row(sku=E3, part="SPE_E3", status=status, quantity=7)], [user_row(1, E3)])

    assert (count.sku, count.name, count.purchased, count.grace, count.assigned) == (E3, "name of SPE_E3", 0, 0, None)
    assert [item.quantity for item in count.subscriptions or ()] == [Decimal(7)]
    assert len(count.holders) == 1


@pytest.mark.parametrize("status", ["Suspended", "LockedOut", "Deleted"])
def test_a_dead_subscription_of_an_unlisted_sku_is_history(status: str) -> None:
    assert counts([], [subscription_row(status=status)]) == ()


def test_an_empty_tenant_has_no_counts() -> None:
    assert counts() == ()


def test_a_user_who_came_twice_holds_a_licence_once() -> None:
    (count,) = counts([sku_row()], [], [user_row(1), user_row(1), user_row(1, SPB, SPB, name="Renamed")])

    assert [holder.id for holder in count.holders] == ["99999999-0000-4000-8000-000000000001"]


def test_a_user_about_whom_graph_says_little_is_an_active_member() -> None:
    (count,) = counts([sku_row()], [], [user_row(1, accountEnabled=None, userType=None)])

    assert (count.holders[0].enabled, count.holders[0].guest) == (True, False)


def test_a_user_without_a_display_name_is_named_by_the_sign_in_name() -> None:
    (count,) = counts([sku_row()], [], [user_row(1, displayName=None)])

    assert count.holders[0].name == "person1@alder.example"


_SKU_IDS = [f"00000000-0000-4000-8000-{number:012}" for number in range(6)]


@given(
    amounts=st.lists(st.tuples(st.integers(0, 500), st.integers(0, 500), st.integers(0, 500)), max_size=6),
    bought=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 99), st.booleans()), max_size=8),
    held=st.lists(st.sets(st.sampled_from(_SKU_IDS)), max_size=8),
    seed=st.integers(0, 1000),
)
def test_the_order_of_rows_changes_nothing_and_no_seat_is_lost(
    amounts: list[tuple[int, int, int]],
    bought: list[tuple[int, int, bool]],
    held: list[set[str]],
    seed: int,
) -> None:
    skus = [
        sku_row(_SKU_IDS[number], f"PART{number}", enabled=enabled, warning=warning, consumed=consumed)
        for number, (enabled, warning, consumed) in enumerate(amounts)
    ]
    subscriptions = [
        subscription_row(key, _SKU_IDS[number], f"PART{number}", quantity=quantity, isTrial=trial)
        for key, (number, quantity, trial) in enumerate(bought)
    ]
    users = [user_row(key, *sorted(ids)) | {"displayName": "Same Name"} for key, ids in enumerate(held) if ids]
    expected = counts(skus, subscriptions, users)

    shuffle = random.Random(seed).shuffle
    for rows in (skus, subscriptions, users):
        shuffle(rows)
    for user in users:
        shuffle(user["assignedLicenses"])

    assert counts(skus, subscriptions, users) == expected
    assert [count.sku for count in expected] == sorted({count.sku for count in expected})
    assert sum(count.purchased for count in expected) == sum(enabled for enabled, _, _ in amounts)
    assert sum(count.grace for count in expected) == sum(warning for _, warning, _ in amounts)
    assert sum(item.quantity for count in expected for item in count.subscriptions or ()) == sum(
        quantity for _, quantity, _ in bought
    )


def without(row: Json, field: str) -> Json:
    return {name: value for name, value in row.items() if name != field}


BROKEN_SKUS = {
    "no id": without(sku_row(), "skuId"),
    "an id that is none": sku_row("SPB"),
    "no part number": without(sku_row(), "skuPartNumber"),
    "no kind": without(sku_row(), "appliesTo"),
    "no units": without(sku_row(), "prepaidUnits"),
    "units that are a number": sku_row() | {"prepaidUnits": 10},
    "enabled as text": sku_row(enabled="10"),
    "enabled negative": sku_row(enabled=-1),
    "enabled true": sku_row(enabled=True),
    "enabled a fraction": sku_row(enabled=1.5),
    "enabled missing": sku_row() | {"prepaidUnits": {"warning": 0}},
    "warning null": sku_row(warning=None),
    "warning negative": sku_row(warning=-3),
    "consumed null": sku_row(consumed=None),
    "consumed as text": sku_row(consumed="2"),
}


@pytest.mark.parametrize("row", BROKEN_SKUS.values(), ids=BROKEN_SKUS.keys())
def test_a_broken_sku_is_no_count(row: Json) -> None:
    with pytest.raises(Incomplete):
        counts([row])


BROKEN_SUBSCRIPTIONS = {
    "no id": without(subscription_row(), "id"),
    "no sku": without(subscription_row(), "skuId"),
    "an unknown status": subscription_row(status="Sleeping"),
    "no status": without(subscription_row(), "status"),
    "quantity null": subscription_row(quantity=None),
    "quantity as text": subscription_row(quantity="10"),
    "quantity negative": subscription_row(quantity=-10),
    "trial as text": subscription_row(isTrial="false"),
    "owner as number": subscription_row(ownerTenantId=7),
    "owner as list": subscription_row(ownerTenantId=[]),
    "a start that is no time": subscription_row(createdDateTime="last week"),
}


@pytest.mark.parametrize("row", BROKEN_SUBSCRIPTIONS.values(), ids=BROKEN_SUBSCRIPTIONS.keys())
def test_a_broken_subscription_is_no_count(row: Json) -> None:
    with pytest.raises(Incomplete):
        counts([sku_row()], [row])


BROKEN_USERS = {
    "no id": without(user_row(1), "id"),
    "no licences": without(user_row(1), "assignedLicenses"),
    "licences as text": user_row(1, assignedLicenses="SPB"),
    "a licence as text": user_row(1, assignedLicenses=["SPB"]),
    "a licence without sku": user_row(1, assignedLicenses=[{}]),
    "enabled as text": user_row(1, accountEnabled="true"),
    "a name that is a number": user_row(1, displayName=7),
}


@pytest.mark.parametrize("row", BROKEN_USERS.values(), ids=BROKEN_USERS.keys())
def test_a_broken_user_is_no_count_and_is_not_named(row: Json) -> None:
    with pytest.raises(Incomplete) as caught:
        counts([sku_row()], [], [row])

    assert "person1" not in f"{caught.value} {caught.value.remedy}".lower()


def test_a_sku_listed_twice_is_no_count() -> None:
    with pytest.raises(Incomplete, match="one SKU twice"):
        counts([sku_row(), sku_row(SPB.upper())])


def test_a_subscription_listed_twice_is_no_count() -> None:
    with pytest.raises(Incomplete, match="one subscription twice"):
        counts([sku_row()], [subscription_row(1), subscription_row(1)])


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(
    kind=st.sampled_from(["sku", "subscription", "user"]),
    number=st.integers(0, 20),
    junk=_JSON,
)
def test_junk_in_any_field_gives_counts_or_incomplete_never_another_error(kind: str, number: int, junk: Any) -> None:
    rows = {"sku": sku_row(), "subscription": subscription_row(), "user": user_row(1)}
    row = rows[kind]
    row[sorted(row)[number % len(row)]] = junk

    try:
        found = counts([rows["sku"]], [rows["subscription"]], [rows["user"]])
    except Incomplete:
        return
    assert all(count.purchased >= 0 and (count.assigned is None or count.assigned >= 0) for count in found)


@pytest.mark.parametrize(
    "body", [None, [], "text", 7, {}, {"value": None}, {"value": {}}, {"value": [1]}, {"error": {}}]
)
def test_a_body_without_a_list_of_rows_is_incomplete(body: object) -> None:
    with pytest.raises(Incomplete):
        rows_of(body, "the list of SKUs")


def test_customers_carry_the_partner_that_listed_them() -> None:
    rows = [{"id": TENANT, "tenantId": TENANT.upper(), "displayName": "Alder Dental"}]

    expected = Customer("microsoft365", TENANT, "Alder Dental", partner=PARTNER, tenant=TENANT)
    assert customers_of(PARTNER, rows) == [expected]


def test_contracts_tell_domains_unless_microsoft_gave_them_and_a_row_that_is_none_tells_nothing() -> None:
    contracts = [
        {"customerId": TENANT.upper(), "defaultDomainName": "Alder.Example"},
        {"customerId": OTHER, "defaultDomainName": "birch.onmicrosoft.com"},
        {"customerId": OTHER, "defaultDomainName": 7},
        {"customerId": None, "defaultDomainName": "a.example"},
    ]

    assert domains_of(contracts) == {TENANT: ("alder.example",)}


@pytest.mark.parametrize(
    ("told", "domains"),
    [
        (
            [{"name": "Alder.example "}, {"name": "alder.onmicrosoft.com"}, {"name": "a.test"}],
            ("a.test", "alder.example"),
        ),
        ([{"name": 7}, {}, 7, {"name": ""}, {"name": "alder"}], ()),
        (None, ()),
        ("x", ()),
    ],
)
def test_verified_domains_are_those_that_the_customer_brought(told: object, domains: tuple[str, ...]) -> None:
    assert verified_domains([{"displayName": "Alder Dental", "verifiedDomains": told}]) == domains


@pytest.mark.parametrize("row", [{"displayName": "Alder Dental"}, {"tenantId": TENANT}, {"tenantId": 7}])
def test_a_broken_customer_is_incomplete(row: Json) -> None:
    with pytest.raises(Incomplete):
        customers_of(PARTNER, [row])


def test_an_organization_is_one_row_with_a_name() -> None:
    assert organization_name([{"displayName": "Alder Dental"}]) == "Alder Dental"
    with pytest.raises(Incomplete):
        organization_name([])


def test_a_tenant_id_is_a_guid_in_lower_case() -> None:
    assert tenant_id(f" {TENANT.upper()} ") == TENANT
    assert tenant_id("alder.example") is None
    assert tenant_id("../common") is None


# ---- terms -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "until"),
    [
        ({"nextLifecycleDateTime": "2027-01-15T00:00:00Z"}, date(2027, 1, 14)),
        ({"nextLifecycleDateTime": "2026-12-23T00:00:00Z"}, date(2026, 12, 22)),
        ({"nextLifecycleDateTime": "2026-12-22T00:00:00Z"}, None),
        ({"nextLifecycleDateTime": None}, None),
        ({"isTrial": True}, None),
        ({"status": "Warning"}, None),
    ],
    ids=["a year's term", "longer than any month", "perhaps a month's", "not told", "trial", "in grace"],
)
def test_what_renews_in_more_than_a_month_is_bought_until_then(changes: dict[str, Any], until: date | None) -> None:
    (count,) = counts([sku_row()], [subscription_row(**changes)])

    assert [each.committed_until for each in count.subscriptions or ()] == [until]
