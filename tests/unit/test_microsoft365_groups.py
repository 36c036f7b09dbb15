"""Users told apart by groups, read from a Graph that we own: never a guess about who is in one."""

from __future__ import annotations

from datetime import date

import pytest

from shared.billing.counting.quantities import quantity_of
from shared.billing.counts import Count, FailureKind, ReadFailure, Reading
from shared.billing.profiles import Basis, QuantityRule
from shared.billing.users import Traits, Users
from tests.unit.fake_graph import (
    FLOW_FREE,
    SPB,
    TENANT,
    FakeGraph,
    FakeTenant,
    Json,
    group_row,
    sku_row,
    small_tenant,
    source,
    subscription_row,
    user_row,
)

DAY = date(2026, 11, 21)
BATCH = "POST /v1.0/$batch"
DESK = group_row(1, "Front desk")
CREW = group_row(2, "Crew (O'Hara)")


def tenant(*groups: Json, users: int = 4, **members: list[int]) -> FakeTenant:
    """`members`: the numbers of the users in each group, by the last digit of its id."""
    made = FakeTenant(
        skus=[sku_row(consumed=users)],
        subscriptions=[subscription_row()],
        users=[user_row(number) for number in range(1, users + 1)],
        groups=list(groups),
    )
    for row in groups:
        numbers = members.get(f"g{row['id'][-1]}", [])
        made.members[row["id"]] = [{"id": user_row(number)["id"]} for number in numbers]
    return made


def counted(graph: FakeGraph, *groups: str, only: bool = True) -> tuple[Count, int | None]:
    """What a reading says of the SKU, and how many of its holders a filter by these groups leaves."""
    outcome = source(graph).read_with_groups(TENANT, DAY, groups)
    assert isinstance(outcome, Reading)
    count = next(count for count in outcome.counts if count.sku == SPB)
    traits = Traits(groups=tuple(groups))
    users = Users(only=traits) if only else Users(without=traits)
    quantity = quantity_of([count], QuantityRule(Basis.ASSIGNED, users=users))
    return count, None if quantity is None else int(quantity)


@pytest.mark.parametrize("name", ["Front desk", " FRONT DESK ", DESK["id"], DESK["id"].upper()])
def test_the_members_of_a_group_are_counted_by_its_name_or_its_id(name: str) -> None:
    graph = FakeGraph({TENANT: tenant(DESK, CREW, g1=[1, 3, 9], g2=[2])})

    count, inside = counted(graph, name)

    assert inside == 2
    assert counted(FakeGraph(graph.tenants), name, only=False)[1] == 2
    assert {holder.groups_told for holder in count.holders or ()} == {(name,)}
    assert graph.calls == [BATCH, BATCH]


def test_no_group_is_read_that_nobody_names() -> None:
    graph = FakeGraph({TENANT: tenant(DESK, g1=[1])})

    outcome = source(graph).read(TENANT, DAY)

    assert graph.batches == [["/subscribedSkus", "/directory/subscriptions", "/users"]]
    assert isinstance(outcome, Reading)
    assert {holder.groups for count in outcome.counts for holder in count.holders or ()} == {None}


def test_a_name_is_asked_for_as_it_is_written() -> None:
    graph = FakeGraph({TENANT: tenant(DESK, CREW, g2=[1, 2, 3])})

    assert counted(graph, "Crew (O'Hara)")[1] == 3


def test_devices_and_groups_in_a_group_are_nobody() -> None:
    made = tenant(DESK, g1=[1])
    made.members[DESK["id"]].append({"@odata.type": "#microsoft.graph.group", "id": CREW["id"]})

    assert counted(FakeGraph({TENANT: made}), "Front desk")[1] == 1


def test_a_group_of_more_than_a_page_is_read_to_its_end() -> None:
    made = tenant(DESK, users=1500, g1=list(range(1, 1401)))

    assert counted(FakeGraph({TENANT: made}), "Front desk")[1] == 1400


def test_an_empty_group_is_known_to_be_empty() -> None:
    assert counted(FakeGraph({TENANT: tenant(DESK)}), "Front desk")[1] == 0


@pytest.mark.parametrize(
    ("groups", "word"),
    [
        ([], "Front desk"),
        ([], DESK["id"]),
        ([DESK, group_row(3, "front desk")], "Front desk"),
        ([group_row(1, "Front desk", visibility="HiddenMembership")], "Front desk"),
        ([group_row(1, "Front desk", visibility="HiddenMembership")], DESK["id"]),
    ],
    ids=["no such name", "no such id", "two of that name", "hidden by name", "hidden by id"],
)
def test_a_group_whose_members_nobody_tells_is_in_doubt_and_not_empty(groups: list[Json], word: str) -> None:
    graph = FakeGraph({TENANT: tenant(*groups, g1=[1])})

    count, inside = counted(graph, word)

    assert inside is None
    assert counted(FakeGraph(graph.tenants), word, only=False)[1] is None
    assert count.purchased == 10


def test_a_group_that_is_there_is_told_beside_one_that_is_not() -> None:
    graph = FakeGraph({TENANT: tenant(DESK, g1=[1, 2])})

    outcome = source(graph).read_with_groups(TENANT, DAY, ("Front desk", "Night shift"))

    assert isinstance(outcome, Reading)
    rule = QuantityRule(Basis.ASSIGNED, users=Users(Traits(groups=("front desk",))))
    assert quantity_of([count for count in outcome.counts if count.sku == SPB], rule) == 2


@pytest.mark.parametrize("path", [f"/groups/{DESK['id']}", f"/groups/{DESK['id']}/transitiveMembers"])
def test_a_role_for_groups_that_is_missing_costs_only_the_groups(path: str) -> None:
    denied = (403, {}, {"error": {"code": "Authorization_RequestDenied"}})
    graph = FakeGraph({TENANT: tenant(DESK, g1=[1])}, item_answers={path: [denied]})

    count, inside = counted(graph, DESK["id"])

    assert (count.purchased, inside) == (10, None)


def test_a_group_that_graph_is_too_busy_for_is_asked_for_again() -> None:
    busy = (429, {"Retry-After": "3"}, {"error": {"code": "TooManyRequests"}})
    graph = FakeGraph({TENANT: tenant(DESK, g1=[1])}, item_answers={f"/groups/{DESK['id']}": [busy]})

    assert counted(graph, DESK["id"])[1] == 1
    assert graph.batches[1] == [f"/groups/{DESK['id']}"]


def test_a_group_that_graph_stays_too_busy_for_is_a_failed_read() -> None:
    busy = (503, {}, {"error": {"code": "serviceNotAvailable"}})
    graph = FakeGraph({TENANT: tenant(DESK)}, item_answers={f"/groups/{DESK['id']}": [busy] * 5})

    outcome = source(graph).read_with_groups(TENANT, DAY, (DESK["id"],))

    assert isinstance(outcome, ReadFailure)
    assert outcome.kind is FailureKind.READ_FAILED


@pytest.mark.parametrize("body", [{}, {"value": "x"}, {"value": [{"id": 7}]}], ids=str)
def test_members_that_cannot_be_understood_are_a_failed_read(body: Json) -> None:
    path = f"/groups/{DESK['id']}/transitiveMembers"
    graph = FakeGraph({TENANT: tenant(DESK)}, item_answers={path: [(200, {}, body)]})

    assert isinstance(source(graph).read_with_groups(TENANT, DAY, (DESK["id"],)), ReadFailure)


def test_many_groups_take_one_call_for_every_twenty() -> None:
    rows = [group_row(number, f"Team {number}") for number in range(1, 31)]
    graph = FakeGraph({TENANT: tenant(*rows)})

    counted(graph, *(row["displayName"] for row in rows))

    assert graph.calls == [BATCH] * 4
    assert max(map(len, graph.batches)) == 20


# ---- everybody who holds a licence ---------------------------------------------------------------------------------


def licensed(made: FakeTenant) -> Reading:
    outcome = source(FakeGraph({TENANT: made})).read(TENANT, DAY)
    assert isinstance(outcome, Reading)
    return outcome


def test_everybody_with_a_licence_is_counted_once_whatever_they_hold() -> None:
    made = small_tenant()
    made.skus.append(sku_row("4b9405b0-7788-4568-add1-99614e613b69", "EXCHANGESTANDARD", consumed=2))
    made.users += [user_row(3, "4b9405b0-7788-4568-add1-99614e613b69", userType="Guest")]
    made.users[0]["assignedLicenses"].append({"skuId": "4b9405b0-7788-4568-add1-99614e613b69"})
    made.users[1]["accountEnabled"] = False

    count = licensed(made).counts[-1]

    assert (count.sku, count.name, count.free) == ("licensed-users", "Licensed users", True)
    assert quantity_of([count], QuantityRule(Basis.ASSIGNED)) == 3
    assert quantity_of([count], QuantityRule(Basis.ASSIGNED_ACTIVE)) == 1


def test_who_only_holds_what_microsoft_gives_away_is_no_licensed_user() -> None:
    made = small_tenant()
    made.skus[1]["consumedUnits"] = 2
    made.users.append(user_row(3, FLOW_FREE))

    assert licensed(made).counts[-1].assigned == 2


def test_who_only_holds_a_trial_is_no_licensed_user() -> None:
    trial = "4b9405b0-7788-4568-add1-99614e613b69"
    made = small_tenant()
    made.skus.append(sku_row(trial, "EXCHANGESTANDARD", enabled=25, consumed=1))
    made.subscriptions.append(subscription_row(2, trial, "EXCHANGESTANDARD", quantity=25, isTrial=True))
    made.users.append(user_row(3, trial))
    assert licensed(made).counts[-1].assigned == 2

    made.skus[-1]["prepaidUnits"]["enabled"] = 30
    assert not licensed(made).scope.covers("licensed-users")


def test_while_the_list_of_users_lags_behind_nobody_knows_how_many_are_licensed() -> None:
    made = small_tenant()
    made.skus[0]["consumedUnits"] = 3

    outcome = licensed(made)

    assert [count.sku for count in outcome.counts] == [SPB, FLOW_FREE]
    assert not outcome.scope.covers("licensed-users")
    assert outcome.scope.covers(SPB)
