"""The budgets, and how a measurement is told beside its limit."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Measured:
    """One measurement against its limit, both in `unit`. `remark` says what it was measured on."""

    name: str
    value: float
    limit: float
    unit: str
    remark: str

    @property
    def ratio(self) -> float:
        return self.value / self.limit

    @property
    def verdict(self) -> str:
        return "ok" if self.value <= self.limit else "OVER"

    def __str__(self) -> str:
        measured, limit = (f"{number:.2f} {self.unit}".strip() for number in (self.value, self.limit))
        return f"{self.name:<16}{measured:>18}{limit:>18}{self.ratio:>8.2f}  {self.verdict:<5} {self.remark}"


HEAD = f"{'name':<16}{'measured':>18}{'limit':>18}{'ratio':>8}  "
