"""The functions host: NCRONTAB as the platform reads it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from local.host.schedule import parse
from shared.errors import Misconfigured

SATURDAY = datetime(2026, 11, 21, 2, 0, 0, tzinfo=UTC)


def due(expression: str, times: int = 1) -> list[str]:
    schedule, moment, found = parse(expression, SATURDAY), SATURDAY, []
    for _ in range(times):
        moment = schedule.after(moment)
        found.append(moment.strftime("%Y-%m-%d %H:%M:%S"))
    return found


@pytest.mark.parametrize(
    ("expression", "times"),
    [
        ("* * * * * *", ["2026-11-21 02:00:01", "2026-11-21 02:00:02"]),
        ("0 */5 * * * *", ["2026-11-21 02:05:00", "2026-11-21 02:10:00"]),
        ("30 0 2 * * *", ["2026-11-21 02:00:30", "2026-11-22 02:00:30"]),
        (
            "0 5/20 * * * *",
            ["2026-11-21 02:05:00", "2026-11-21 02:25:00", "2026-11-21 02:45:00", "2026-11-21 03:05:00"],
        ),
        ("0 0 2 * * Mon-friday", ["2026-11-23 02:00:00", "2026-11-24 02:00:00"]),
        ("0 0 2 * * 0", ["2026-11-22 02:00:00"]),
        ("0 0 9,17 * jan *", ["2027-01-01 09:00:00", "2027-01-01 17:00:00"]),
    ],
)
def test_a_schedule_is_due_when_every_field_fits(expression: str, times: list[str]) -> None:
    assert due(expression, len(times)) == times


def test_day_and_weekday_must_both_fit() -> None:
    assert due("0 0 2 1 * Mon") == ["2027-02-01 02:00:00"]


def test_a_reversed_range_is_swapped() -> None:
    assert due("0 0 22-2 * * *") == ["2026-11-21 03:00:00"]


@pytest.mark.parametrize(
    ("expression", "complaint"),
    [
        ("0 2 * * *", "six fields"),
        ("@daily", "six fields"),
        ("0 0 2 * * 7", "weekday: 7 is not in 0-6"),
        ("0 0 24 * * *", "hour: 24 is not in 0-23"),
        ("0 0 2 L * *", "day: 'L' is not a number"),
        ("0 0 2 15W * *", "day: '15W'"),
        ("0 0 2 * * 1#2", "weekday: '1#2'"),
        ("0 0 2 ? * *", r"day: '\?'"),
        ("0 0 2 * Mo *", "month: 'Mo'"),
        ("0 */0 * * * *", "minute: a step"),
        ("0 , * * * *", "minute: ''"),
        ("0 0 2 30 2 *", "never due"),
    ],
)
def test_what_the_platform_refuses_is_refused(expression: str, complaint: str) -> None:
    with pytest.raises(Misconfigured, match=complaint):
        parse(expression, SATURDAY)
