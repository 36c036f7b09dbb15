"""Which of the users who hold a licence are counted: by department, office, domain and group."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields

from shared.billing.counts import Holder
from shared.billing.lines import canonical


@dataclass(frozen=True, slots=True)
class Traits:
    """What users may have in common, as the source tells it (groups: ids or names); compared trimmed and case-folded.

    `domains` are those of their sign-in names.
    """

    departments: tuple[str, ...] = ()
    offices: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()

    def named(self) -> Iterator[tuple[str, frozenset[str]]]:
        """The traits that name values, with these in canonical form."""
        for trait in fields(self):
            values = getattr(self, trait.name)
            if values:
                yield trait.name, frozenset(canonical(value) for value in values)


@dataclass(frozen=True, slots=True)
class Users:
    """Which users are counted; neither half named counts everybody.

    `only`: those who have one of the values of every trait named there. `without`: none who has any value named there.
    """

    only: Traits = Traits()
    without: Traits = Traits()

    @property
    def is_everybody(self) -> bool:
        return self == EVERYBODY

    def takes(self, holder: Holder) -> bool | None:
        """Whether a user is counted; None where that hangs on something the source did not tell of this user."""
        told = _told(holder)
        answers = [_has(told[trait], values) for trait, values in self.only.named()]
        answers += [_lacks(told[trait], values) for trait, values in self.without.named()]
        if False in answers:
            return False
        return None if None in answers else True


EVERYBODY = Users()

#: A user may be in many groups but has one department, one office and one domain.
_SINGLE = frozenset({"departments", "offices", "domains"})


def are_disjoint(first: Iterable[Users], second: Iterable[Users]) -> bool:
    """Whether it is certain, whoever the users are, that nobody is taken by all of the first and all of the second.

    Proof is one trait: values that never meet, or that the one counts only and the other leaves out.
    """
    others = tuple(second)
    return any(_never_both(one, other) for one in first for other in others)


def _never_both(one: Users, other: Users) -> bool:
    ones, others = dict(one.only.named()), dict(other.only.named())
    apart = any(ones[trait].isdisjoint(others[trait]) for trait in _SINGLE & ones.keys() & others.keys())
    return apart or _leaves_out(other, ones) or _leaves_out(one, others)


def _leaves_out(users: Users, only: dict[str, frozenset[str]]) -> bool:
    """Whether these users leave out everybody who has one of the values."""
    without = dict(users.without.named())
    return any(only[trait] <= without[trait] for trait in only.keys() & without.keys())


def _told(holder: Holder) -> dict[str, frozenset[str] | None]:
    return {
        "departments": _one(holder.department),
        "offices": _one(holder.office),
        "domains": _one(holder.domain),
        "groups": None if holder.groups is None else frozenset(canonical(group) for group in holder.groups),
    }


def _one(value: str | None) -> frozenset[str] | None:
    return None if value is None else frozenset({canonical(value)})


def _has(told: frozenset[str] | None, values: frozenset[str]) -> bool | None:
    return None if told is None else not told.isdisjoint(values)


def _lacks(told: frozenset[str] | None, values: frozenset[str]) -> bool | None:
    return None if told is None else told.isdisjoint(values)
