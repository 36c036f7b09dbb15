"""The limits that hold changes back: guards of a company, of a run over all of them, and how long approvals last."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class ReductionLimit:
    """A reduction of one bill item is held when it goes *beyond* any of these.

    `percent` (of the highest quantity of the last 30 days) is not asked for reductions of up to `small` units;
    `units` is in units, `money` in currency per billing cycle.
    """

    percent: Decimal = Decimal(30)
    small: Decimal = Decimal(3)
    units: Decimal = Decimal(25)
    money: Decimal = Decimal(500)


@dataclass(frozen=True, slots=True)
class IncreaseLimit:
    """An increase of an item by more than `small` units is held when it goes *beyond* `factor` times what stood.

    What stood is the highest quantity of the last 30 days. Usage in arrears is held likewise: a level is measured
    against the most of the month before its period, what the vendor dates against the whole period before.
    """

    factor: Decimal = Decimal(5)
    small: Decimal = Decimal(25)


class CompareForecast(StrEnum):
    """Which agreements' next invoices are compared with Manage's own forecast.

    That its forecast is without taxes is not documented: `untaxed` leaves agreements out that charge them.
    """

    NONE = "none"
    UNTAXED = "untaxed"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class Guards:
    """What holds a plan for a person to look at.

    More than `changes_per_day` changes of one company in one business day, those written already included, are held.
    So is an agreement of which more than `invoiced_at_once` periods were invoiced between two looks. An agreement with
    lines of ours is told of `ends_within_days` before it ends. `compare_forecast` holds nothing either: it only tells.
    """

    reduction: ReductionLimit = ReductionLimit()
    increase: IncreaseLimit = IncreaseLimit()
    all_to_zero: bool = True
    changes_per_day: int = 200
    invoiced_at_once: int = 1
    ends_within_days: int = 30
    compare_forecast: CompareForecast = CompareForecast.UNTAXED


@dataclass(frozen=True, slots=True)
class Approvals:
    """How long a group waits, and a decision about one holds, before a person must look again. In days."""

    expire_days: int = 14


@dataclass(frozen=True, slots=True)
class FleetLimit:
    """A run is only planned for a source once more than `percent` of its companies reduce or are held for that source.

    Asked as soon as `after` companies with the source are done.
    """

    percent: Decimal = Decimal(20)
    after: int = 20
