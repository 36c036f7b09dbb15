"""One night as the demo saw it: what TrueUp said, what Manage had before and after, what was asked of whom."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any, Literal

Json = dict[str, Any]
Name = Literal["observe", "applied", "quiet", "moved"]

#: What a change does to an addition, as runs count it; a removed copy ends.
WRITTEN_AS = {"create": "created", "update": "updated", "end": "ended", "delete": "ended"}
KINDS = ("created", "updated", "ended")


@dataclass(frozen=True)
class Told:
    """A change as it is told to a person. `monthly` is its effect on each invoice."""

    company: str
    kind: str
    monthly: Decimal
    sentence: str


@dataclass(frozen=True)
class Night:
    """`run` is the ended run with its rows, `details` the companies of interest afterwards, by id.

    `findings` are those open afterwards by kind, the MSP's own among them, and `examples` one of each in words; `calls`
    is what the sandbox counted; `before` and `after` are every addition by id; `written` is what was written, in words;
    `seconds` how long it took.
    """

    name: Name
    day: date
    run: Json
    details: Mapping[int, Json]
    findings: Mapping[str, int]
    examples: Mapping[str, str]
    calls: Json
    before: Mapping[int, Json]
    after: Mapping[int, Json]
    seconds: float
    written: tuple[Told, ...] = field(default=())

    @property
    def rows(self) -> list[Json]:
        rows: list[Json] = self.run["rows"]
        return rows

    @property
    def planned(self) -> Counter[str]:
        """Changes planned, by what they do to an addition."""
        return _added_up(row.get("planned", {}) for row in self.rows)

    @property
    def reached(self) -> Counter[str]:
        """Changes that reached Manage."""
        return _added_up(row.get("written", {}) for row in self.rows)

    @property
    def monthly_delta(self) -> Decimal:
        """What the planned changes add to each month's invoices."""
        return sum((Decimal(str(row.get("monthly_delta", 0))) for row in self.rows), Decimal(0))

    @property
    def writes_counted(self) -> int:
        """Requests to Manage that were not reads, as the sandbox counted them."""
        return sum(
            call["count"] for call in self.calls["calls"] if call["system"] == "manage" and call["method"] != "GET"
        )

    def held(self, company: int) -> Counter[str]:
        """Changes of a company that wait for a person."""
        groups = self.details[company]["plan"]["groups"] if company in self.details else []
        return Counter(WRITTEN_AS[change["kind"]] for group in groups if group["held"] for change in group["changes"])

    def changed(self) -> Iterator[tuple[Json | None, Json | None]]:
        """Every addition that is not what it was: before and after, None where there was or is none."""
        for addition in sorted(self.before.keys() | self.after.keys()):
            before, after = self.before.get(addition), self.after.get(addition)
            if before != after:
                yield before, after


def waiting(detail: Json) -> list[Told]:
    """The changes that a company's plan holds, in words."""
    return [
        Told(detail["name"], change["kind"], Decimal(str(change["monthly"])), change["sentence"])
        for group in detail["plan"]["groups"]
        for change in group["changes"]
    ]


def _added_up(counts: Iterable[Mapping[str, int]]) -> Counter[str]:
    total: Counter[str] = Counter()
    for each in counts:
        total.update(each)
    return total
