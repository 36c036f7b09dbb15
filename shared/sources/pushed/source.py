"""What was pushed, as a source of counts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from typing import Protocol

from shared.billing.counting.pushes import Pushed, reading_of
from shared.billing.counts import Customer, ReadFailure, Reading
from shared.errors import TrueUpError
from shared.sources.customers import by_name
from shared.sources.failures import failed, problems_of
from shared.sources.pushed.settings import PREFIX


class PushedCounts(Protocol):
    """Where pushes are kept, by the source's name in rules."""

    def get(self, source: str, customer: str) -> Pushed | None: ...

    def all(self, source: str) -> Sequence[Pushed]: ...


class PushedSource:
    """Reads what was pushed to one name (`shared.sources.protocol.Source`).

    `now` is the business clock; a push older than `age` is a failed reading, never a current one.
    """

    def __init__(self, name: str, counts: PushedCounts, now: Callable[[], datetime], age: timedelta) -> None:
        self._name = f"{PREFIX}{name}"
        self._counts = counts
        self._now = now
        self._age = age

    @property
    def name(self) -> str:
        return self._name

    def check(self) -> list[str]:
        """Whether the store answers; that nothing was pushed lately is told of each customer when it is read."""
        return problems_of(lambda: self._counts.all(self._name))

    def customers(self) -> list[Customer]:
        """Everybody for whom something was ever pushed."""
        return by_name(
            Customer(self._name, each.customer, each.name or each.customer) for each in self._counts.all(self._name)
        )

    def read(self, customer: str, day: date) -> Reading | ReadFailure:
        """What stands of the pushes for one customer, with the SKUs that it is complete for as its scope."""
        try:
            pushed = self._counts.get(self._name, customer)
            return reading_of(self._name, customer, pushed, now=self._now(), age=self._age, day=day)
        except TrueUpError as error:
            return failed(self._name, customer, error)
