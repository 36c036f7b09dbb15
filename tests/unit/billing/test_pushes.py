"""Pushes come together to the same standing counts whatever order they arrive in, and old ones are not believed."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.billing.counting.pushes import Contradiction, Push, Pushed, PushedCount, reading_of, repeats, taken
from shared.billing.counts import ReadFailure, Reading, Scope

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
DAY = date(2026, 11, 21)
AGE = timedelta(hours=26)


def push(minute: int, *, complete: bool = False, key: str | None = None, **counts: int) -> Push:
    at = NOON + timedelta(minutes=minute)
    told = tuple(PushedCount(sku, Decimal(quantity), at) for sku, quantity in counts.items())
    content = f"{minute}/{complete}/{sorted(counts.items())}"
    return Push(key or content, content, at, told, complete)


def after(*pushes: Push) -> Pushed:
    standing = Pushed("alder")
    for each in pushes:
        standing, _ = taken(standing, each)
    return standing


def quantities(standing: Pushed) -> dict[str, Decimal]:
    return {sku: count.quantity for sku, count in standing.counts.items()}


def read(standing: Pushed | None, now: datetime = NOON + timedelta(hours=1)) -> Reading | ReadFailure:
    return reading_of("pushed:rmm", "alder", standing, now=now, age=AGE, day=DAY)


def test_pushes_of_different_skus_stand_side_by_side() -> None:
    assert quantities(after(push(0, workstation=5), push(1, server=2))) == {"workstation": 5, "server": 2}


def test_of_one_sku_the_latest_time_counts_whatever_its_case() -> None:
    assert quantities(after(push(1, workstation=5), push(0, Workstation=9))) == {"workstation": 5}


def test_a_complete_push_ends_what_it_leaves_out() -> None:
    assert quantities(after(push(0, workstation=5, server=2), push(1, complete=True, workstation=6))) == {
        "workstation": 6
    }


def test_an_older_count_does_not_come_back_after_a_complete_push() -> None:
    standing = after(push(5, complete=True, workstation=6))
    standing, older = taken(standing, push(3, server=2))

    assert quantities(standing) == {"workstation": 6}
    assert older == 1


def test_a_complete_push_with_nothing_says_that_there_is_nothing() -> None:
    reading = read(after(push(0, workstation=5), push(1, complete=True)))

    assert isinstance(reading, Reading)
    assert (reading.counts, reading.scope) == ((), Scope())


@given(
    st.lists(
        st.tuples(st.booleans(), st.dictionaries(st.sampled_from("abc"), st.integers(0, 3), max_size=3)),
        min_size=1,
        max_size=4,
    )
)
def test_the_order_of_arrival_does_not_matter(contents: list[tuple[bool, dict[str, int]]]) -> None:
    pushes = [push(minute, complete=complete, **counts) for minute, (complete, counts) in enumerate(contents)]
    standings = [after(*order) for order in permutations(pushes)]

    assert all(quantities(each) == quantities(standings[0]) for each in standings)
    assert len({each.complete_at for each in standings}) == 1
    assert all(read(each) == read(standings[0]) for each in standings)


def test_the_same_push_is_known_again_and_its_key_is_not_for_another() -> None:
    standing = after(push(0, key="a", workstation=5))

    assert repeats(standing, push(0, key="a", workstation=5))
    assert not repeats(standing, push(0, key="b", workstation=5))
    with pytest.raises(Contradiction, match="key"):
        repeats(standing, push(1, key="a", workstation=5))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (push(0, workstation=5), push(0, workstation=6)),
        (push(0, complete=True, workstation=5), push(0, server=1)),
        (push(0, server=1), push(0, complete=True, workstation=5)),
    ],
)
def test_two_pushes_of_one_time_may_not_contradict_each_other(first: Push, second: Push) -> None:
    with pytest.raises(Contradiction, match="same time"):
        after(first, second)


def test_two_pushes_of_one_time_that_agree_are_fine() -> None:
    assert quantities(after(push(0, workstation=5), push(0, key="b", workstation=5, server=1))) == {
        "workstation": 5,
        "server": 1,
    }


def test_a_partial_push_is_authoritative_for_its_skus_only() -> None:
    reading = read(after(push(0, workstation=5, server=0)))

    assert isinstance(reading, Reading)
    assert {count.sku: count.purchased for count in reading.counts} == {"workstation": 5, "server": 0}
    assert reading.scope == Scope(frozenset({"workstation", "server"}))


def test_a_push_speaks_of_its_skus_whatever_their_case() -> None:
    reading = read(after(push(0, **{"Backup GB": 5})))

    assert isinstance(reading, Reading)
    assert [reading.scope.covers(sku) for sku in ("backup gb", "Backup GB ", "backup")] == [True, True, False]


def test_what_is_told_for_a_time_to_come_is_unknown_and_not_zero() -> None:
    standing = after(push(0, complete=True, workstation=5, server=2), push(15, workstation=7))
    reading = read(standing, NOON)

    assert isinstance(reading, Reading)
    assert {count.sku: count.purchased for count in reading.counts} == {"server": 2}
    assert [reading.scope.covers(sku) for sku in ("workstation", "server", "anything")] == [False, True, True]


@pytest.mark.parametrize(("hours", "believed"), [(0, True), (26, True), (26.01, False), (-0.1, True), (-0.2, False)])
def test_a_push_is_believed_for_its_hours_and_not_before_its_time(hours: float, believed: bool) -> None:
    for standing in (after(push(0, workstation=5)), after(push(0, complete=True, workstation=5))):
        assert isinstance(read(standing, NOON + timedelta(hours=hours)), Reading) is believed


def test_an_old_push_is_a_failure_that_says_when_it_was() -> None:
    failure = read(after(push(0, workstation=5)), NOON + timedelta(hours=40))

    assert isinstance(failure, ReadFailure)
    assert "2026-11-21 12:00 UTC" in failure.reason
    assert "26 hours" in failure.reason


def test_what_was_pushed_lately_is_told_beside_what_is_too_old() -> None:
    standing = after(push(0, complete=True, workstation=5, server=2), push(60 * 20, server=3))
    reading = read(standing, NOON + timedelta(hours=30))

    assert isinstance(reading, Reading)
    assert {count.sku: count.purchased for count in reading.counts} == {"server": 3}
    assert reading.scope == Scope(frozenset({"server"}))


def test_nothing_was_ever_pushed() -> None:
    failure = read(None)

    assert isinstance(failure, ReadFailure)
    assert "ever" in failure.reason


def test_only_the_last_keys_are_remembered() -> None:
    standing = after(*(push(minute, key=f"k{minute}", workstation=minute) for minute in range(120)))

    assert [key for key, _ in standing.keys] == [f"k{minute}" for minute in range(70, 120)]
