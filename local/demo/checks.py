"""What must hold of each night, looked at from outside: each check answers sentences about what does not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from local.demo.night import Json, Night

OUR_STAMP = "TU1-"


def problems(night: Night, adoptable_marks: Sequence[str]) -> list[str]:
    """Everything that was not as it should be. `adoptable_marks` begin serial numbers that may be taken over."""
    found = [*_ended(night), *_counted(night), *_kept_off(night, adoptable_marks), *_own(night)]
    return [f"{night.name}: {problem}" for problem in found]


def _ended(night: Night) -> Iterator[str]:
    if not night.run["ended"]:
        yield "the run did not end"
    if len(night.rows) != night.run["companies"]:
        yield f"the run has {len(night.rows)} rows for {night.run['companies']} companies"
    without = [row["company"] for row in night.rows if not row["outcome"]]
    if without:
        yield f"companies {_listed(without)} have no outcome"


def _counted(night: Night) -> Iterator[str]:
    """What TrueUp says it wrote is what Manage was asked to write."""
    said = night.reached.total()
    if said != night.writes_counted:
        yield f"TrueUp says that it wrote {said} times, and Manage was asked to write {night.writes_counted} times"


def _kept_off(night: Night, adoptable_marks: Sequence[str]) -> Iterator[str]:
    """Only lines of ours were written: stamped before, or new, or adoptable and adopted."""
    for before, after in night.changed():
        number = (before or after or {})["id"]
        if after is None and not _stamp(before).startswith(OUR_STAMP):
            yield f"addition {number} is gone, and it was not ours"
        elif after is not None and not _stamp(after).startswith(OUR_STAMP):
            yield f"addition {number} was changed, and it is not ours"
        elif before is not None and not _may_be_ours(_stamp(before), adoptable_marks):
            yield f"addition {number} was taken over although it carried the mark {_stamp(before)!r}"


def _own(night: Night) -> Iterator[str]:
    """What is asked of this night in particular."""
    match night.name:
        case "observe" | "quiet":
            yield from _wrote_nothing(night)
        case "applied":
            yield from _wrote_its_plan(night)
        case "moved":
            yield from _wrote_its_plan(night)
            if not night.reached.total():
                yield "seats had moved, and nothing was written"


def _wrote_nothing(night: Night) -> Iterator[str]:
    if night.reached.total():
        yield f"{night.reached.total()} changes were written, and none should be"
    if any(night.changed()):
        yield "additions are not what they were before"


def _wrote_its_plan(night: Night) -> Iterator[str]:
    for row in night.rows:
        expected: Counter[str] = Counter(row.get("planned", {}))
        expected -= night.held(row["company"])
        written: Counter[str] = Counter(row.get("written", {}))
        if written != expected:
            yield f"company {row['company']} was to be written {_told(expected)}, and {_told(written)} was written"


def _stamp(addition: Json | None) -> str:
    return str((addition or {}).get("serialNumber") or "").strip()


def _may_be_ours(stamp: str, adoptable_marks: Sequence[str]) -> bool:
    marks = (OUR_STAMP, *adoptable_marks)
    return not stamp or stamp.casefold().startswith(tuple(mark.casefold() for mark in marks))


def _told(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items())) or "nothing"


def _listed(companies: list[int]) -> str:
    return ", ".join(map(str, companies))
