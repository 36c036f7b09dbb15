"""What a month costs: by hand for one size, and the page says what the command says."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path

from croniter import croniter

from local.cost import SIZES, Figures, Prices, month, table

ROOT = Path(__file__).parents[2]


def timer_runs_a_day() -> int:
    """How often the timers run in a day, by their schedules."""
    text = (ROOT / "functions/timers.py").read_text(encoding="utf-8")
    day, runs = 24 * 60 * 60, 0
    for schedule in re.findall(r'schedule="([^"]+)"', text):
        times = croniter(schedule, 0, second_at_beginning=True)
        while times.get_next() <= day:
            runs += 1
    return runs


def test_a_month_is_worked_out_from_its_figures_and_prices():
    prices = Prices(
        gigabyte_second=Decimal("0.01"),
        free_gigabyte_seconds=Decimal(1000),
        million_executions=Decimal(1_000_000),
        free_executions=Decimal(100),
        million_table_operations=Decimal(2_000_000),
        million_queue_operations=Decimal(3_000_000),
        gigabyte_of_logs=Decimal(4),
        free_gigabytes_of_logs=Decimal(0),
        alert=Decimal(5),
    )
    figures = Figures(
        calls=Decimal(3),
        trips=Decimal(7),
        own_seconds=Decimal("0.01"),
        call_seconds=Decimal("0.5"),
        trip_seconds=Decimal(0),
        log_bytes=Decimal(1_000_000_000),
        timer_trips=Decimal(1),
        alerts=2,
        timer_runs_a_day=100,
    )
    timers = 3000

    found = month(10, prices, figures)

    assert figures.company_seconds == Decimal("1.6")  # 1.51, billed in tenths
    assert found.executions == 300 + timers
    assert found.gigabyte_seconds == (300 * Decimal("1.6") + timers) * 2
    assert found.functions == (found.gigabyte_seconds - 1000) * Decimal("0.01") + found.executions - 100
    assert found.storage == (300 * 7 + timers) * 2 + 300 * 3 * 3
    assert found.logs == found.executions * 4
    assert found.alerts == 10
    assert found.night == 10 * (Decimal("0.032") + 1 + 14 + 9 + 4)
    assert found.total == found.functions + found.storage + found.logs + 10


def test_a_short_look_is_billed_as_a_second_and_what_is_free_costs_nothing():
    assert Figures(calls=Decimal(0), trips=Decimal(0)).company_seconds == 1
    assert month(0, Prices(alert=Decimal(0)), Figures(timer_trips=Decimal(0), timer_runs_a_day=1000)).total == 0


def test_the_page_shows_what_the_command_says():
    page = (ROOT / "docs/cost.md").read_text(encoding="utf-8")

    assert table(SIZES) in page
    assert f"| {Figures().timer_runs_a_day:,} |" in page
    assert f"| {Figures().company_seconds} s |" in page
    assert f"| rules for alerts | {Figures().alerts} |" in page


def test_timers_and_alerts_are_those_of_a_deployment():
    rules = re.findall(r"^    query: ", (ROOT / "infra/alerts.bicep").read_text(encoding="utf-8"), re.M)

    assert Figures().timer_runs_a_day == timer_runs_a_day()
    assert Figures().alerts == len(rules)
