"""What the bench makes of a night: every line that it promises, each against the limit of its budget."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

import pytest

from local.bench import nights
from local.bench.budgets import Measured
from shared.state.run_headers import RunHeader

START = datetime(2026, 12, 3, 1, 0, tzinfo=UTC)


def told(seconds: float = 62.5, written: int = 0, **calls: int) -> dict[str, Measured]:
    """The lines of a night of a thousand calls: 200 companies, 280 agreements to read, three direct tenants."""
    run = RunHeader("night", "nightly", None, 1, START, companies=200, written={"update": written})
    asked = Counter({"graph": 200, "manage": 480, "entra": 310, "pax8": 4, "huntress": 2, "cove": 4} | calls)
    customers = {"pax8": 60, "huntress": 90, "cove": 90}
    night = nights._Night(run, asked, 280, customers, 3, seconds)
    return {measured.name: measured for measured in nights._measures("quiet", night)}


def test_a_night_is_told_in_one_line_for_each_system_and_one_for_its_time() -> None:
    assert tuple(told()) == nights.measures("quiet")
    assert {measured.verdict for measured in told().values()} == {"ok"}


def test_calls_are_told_for_a_company_or_a_customer() -> None:
    assert (told()["graph-quiet"].value, told()["manage-quiet"].value) == (1, 2.4)
    assert told()["pax8-quiet"].value == pytest.approx(4 / 60)


@pytest.mark.parametrize(("system", "most"), [("graph", 211), ("manage", 504), ("pax8", 60), ("huntress", 90)])
def test_one_call_too_many_is_over(system: str, most: int) -> None:
    name = f"{system}-quiet"
    assert told(**{system: most})[name].verdict == "ok"
    assert told(**{system: most + 1})[name].verdict == "OVER"


def test_a_line_that_is_written_may_take_four_calls() -> None:
    assert told(manage=512)["manage-quiet"].verdict == "OVER"
    assert told(manage=512, written=2)["manage-quiet"].verdict == "ok"


def test_the_time_of_a_night_is_told_against_its_calls_in_eight_lanes() -> None:
    assert told(seconds=50.0)["night-quiet"].value == 1, "a thousand calls of 400 ms in eight lanes"
    assert told(seconds=62.5)["night-quiet"].verdict == "ok"
    assert told(seconds=62.6)["night-quiet"].verdict == "OVER"
