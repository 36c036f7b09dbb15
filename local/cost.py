"""`dev.py cost`: what a month costs in Azure, worked out from measured figures and list prices.

It is an estimate: what `dev.py bench` measured of a company, the platform's rules of rounding, and prices that anybody
can put in anew. docs/cost.md shows it, kept equal to this by a test.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

#: The sizes of MSP that docs/cost.md shows.
SIZES = (40, 500, 5000)
_DAYS = 30
_MILLION = Decimal(1_000_000)
_CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Prices:
    """List prices in US dollars without tax, and what is free in a month in each subscription."""

    gigabyte_second: Decimal = Decimal("0.000026")
    free_gigabyte_seconds: Decimal = Decimal(100_000)
    million_executions: Decimal = Decimal("0.40")
    free_executions: Decimal = Decimal(250_000)
    million_table_operations: Decimal = Decimal("0.036")
    million_queue_operations: Decimal = Decimal("0.40")
    gigabyte_of_logs: Decimal = Decimal("2.30")
    free_gigabytes_of_logs: Decimal = Decimal(5)
    alert: Decimal = Decimal("0.50")


@dataclass(frozen=True, slots=True)
class Figures:
    """One look at a company in a quiet night, and the app around it.

    `calls`, `trips` (to the tables) and `own_seconds` are the bench's `graph-quiet` with `manage-quiet`, `tables` and
    `cpu`, before what it takes off; the seconds of a call and of a trip are what its nights assume of systems, and a
    guess of the tables.
    """

    calls: Decimal = Decimal("3.54")
    trips: Decimal = Decimal(11)
    own_seconds: Decimal = Decimal("0.039")
    call_seconds: Decimal = Decimal("0.4")
    trip_seconds: Decimal = Decimal("0.01")
    #: A message is put, taken and deleted.
    queue_operations: Decimal = Decimal(3)
    #: What the platform records of an execution, and our own lines.
    log_bytes: Decimal = Decimal(5_000)
    timer_trips: Decimal = Decimal(6)
    instance_gigabytes: Decimal = Decimal(2)
    alerts: int = 5
    timer_runs_a_day: int = 1608

    @property
    def company_seconds(self) -> Decimal:
        """What is billed of one look: at least a second, then in steps of a tenth."""
        spent = self.calls * self.call_seconds + self.trips * self.trip_seconds + self.own_seconds
        return max(Decimal(1), Decimal(math.ceil(spent * 10)) / 10)


@dataclass(frozen=True, slots=True)
class Month:
    """A month of nights over so many companies; money in US dollars."""

    companies: int
    executions: Decimal
    gigabyte_seconds: Decimal
    functions: Decimal
    storage: Decimal
    logs: Decimal
    alerts: Decimal
    night: Decimal

    @property
    def total(self) -> Decimal:
        return self.functions + self.storage + self.logs + self.alerts


def month(companies: int, prices: Prices | None = None, figures: Figures | None = None) -> Month:
    """One night a day, nobody at the console. `night` is what one night adds where nothing is free any more."""
    price, figure = prices or Prices(), figures or Figures()
    looks, timers = Decimal(companies * _DAYS), Decimal(figure.timer_runs_a_day * _DAYS)
    executions = looks + timers
    gigabyte_seconds = (looks * figure.company_seconds + timers) * figure.instance_gigabytes
    table = (looks * figure.trips + timers * figure.timer_trips) * price.million_table_operations / _MILLION
    queue = looks * figure.queue_operations * price.million_queue_operations / _MILLION
    logs = executions * figure.log_bytes / 1_000_000_000
    a_look = (
        figure.company_seconds * figure.instance_gigabytes * price.gigabyte_second
        + price.million_executions / _MILLION
        + figure.trips * price.million_table_operations / _MILLION
        + figure.queue_operations * price.million_queue_operations / _MILLION
        + figure.log_bytes * price.gigabyte_of_logs / 1_000_000_000
    )
    return Month(
        companies,
        executions,
        gigabyte_seconds,
        max(gigabyte_seconds - price.free_gigabyte_seconds, Decimal(0)) * price.gigabyte_second
        + max(executions - price.free_executions, Decimal(0)) * price.million_executions / _MILLION,
        table + queue,
        max(logs - price.free_gigabytes_of_logs, Decimal(0)) * price.gigabyte_of_logs,
        figure.alerts * price.alert,
        a_look * companies,
    )


def table(sizes: Sequence[int]) -> str:
    """The months as a table in Markdown."""
    heads = ("companies", "executions", "GB-s", "functions", "storage", "logs", "alerts", "a month", "a night more")
    lines = [f"| {' | '.join(heads)} |", f"|{' ---: |' * len(heads)}"]
    for each in map(month, sizes):
        money = [each.functions, each.storage, each.logs, each.alerts, each.total, each.night]
        cells = [f"{each.companies:,}", f"{each.executions:,.0f}", f"{each.gigabyte_seconds:,.0f}"]
        lines.append("| " + " | ".join([*cells, *(str(_cents(amount)) for amount in money)]) + " |")
    return "\n".join(lines)


def cost(sizes: Sequence[int]) -> int:
    """Prints the table."""
    print(table(sizes))
    return 0


def _cents(amount: Decimal) -> Decimal:
    return amount.quantize(_CENT, ROUND_HALF_UP)
