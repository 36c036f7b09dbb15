"""Which of the users who hold a licence are counted: by kind of account, department, office, domain and group."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from shared.billing.counts import AccountKind, Holder
from shared.billing.lines import canonical


@dataclass(frozen=True, slots=True)
class Traits:
    """What users may have in common, as the source tells it (groups: ids or names); compared trimmed and case-folded.

    `accounts` are kinds of them, `domains` those of their sign-in names.
    """

    departments: tuple[str, ...] = ()
    offices: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    accounts: tuple[AccountKind, ...] = ()

    def named(self) -> list[tuple[str, frozenset[str]]]:
        """The traits that name values, with these in canonical form."""
        given = [(trait, getattr(self, trait)) for trait in _TRAITS]
        return [(trait, frozenset(canonical(value) for value in values)) for trait, values in given if values]


#: What a user has of a trait.
_TRAITS = {
    "departments": "department",
    "offices": "office",
    "domains": "domain",
    "groups": "groups",
    "accounts": "accounts",
}


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

    @property
    def groups(self) -> tuple[str, ...]:
        """Every group that is named."""
        return (*self.only.groups, *self.without.groups)

    def among(self, holders: tuple[Holder, ...]) -> tuple[Holder, ...] | None:
        """Those of some users who are counted; None where that hangs on something the source did not tell of one."""
        holders = self._of_accounts(holders)
        only, without = (
            [(trait, values) for trait, values in traits.named() if trait != "accounts"]
            for traits in (self.only, self.without)
        )
        if not only and not without:
            return holders
        answers = [(holder, _is_taken(holder, only, without)) for holder in holders]
        if any(taken is None for _, taken in answers):
            return None
        return tuple(holder for holder, taken in answers if taken)

    def _of_accounts(self, holders: tuple[Holder, ...]) -> tuple[Holder, ...]:
        """Those whose kinds of account are taken: what every source tells, and what most filters ask for."""
        only, without = frozenset(self.only.accounts), frozenset(self.without.accounts)
        if only:
            holders = tuple(holder for holder in holders if not only.isdisjoint(holder.accounts))
        if without:
            holders = tuple(holder for holder in holders if not holder.accounts or without.isdisjoint(holder.accounts))
        return holders


EVERYBODY = Users()
#: Members whose accounts are enabled.
ACTIVE = Users(without=Traits(accounts=tuple(AccountKind)))


def taken_by_all(holders: tuple[Holder, ...] | None, filters: Iterable[Users]) -> tuple[Holder, ...] | None:
    """Those of some users whom every filter takes; None where that was not told."""
    for users in filters:
        holders = users.among(holders) if holders is not None else None
    return holders


#: A user may be in many groups and of several kinds of account but has one department, one office and one domain.
_SINGLE = frozenset({"departments", "offices", "domains"})


def are_disjoint(first: Iterable[Users], second: Iterable[Users]) -> bool:
    """Whether it is certain, whoever the users are, that nobody is among all of the first and all of the second.

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


def _is_taken(
    holder: Holder, only: list[tuple[str, frozenset[str]]], without: list[tuple[str, frozenset[str]]]
) -> bool | None:
    """None where it hangs on something that was not told; who is out anyway need not be told of."""
    has = [_has(holder, trait, values) for trait, values in only]
    lacks = [_has(holder, trait, values) for trait, values in without]
    if False in has or True in lacks:
        return False
    return None if None in has or None in lacks else True


def _has(holder: Holder, trait: str, values: frozenset[str]) -> bool | None:
    told = getattr(holder, _TRAITS[trait])
    if told is None:
        return None
    if not values.isdisjoint(canonical(value) for value in ((told,) if isinstance(told, str) else told)):
        return True
    return None if trait == "groups" and groups_not_told(holder, values) else False


def groups_not_told(holder: Holder, groups: Iterable[str]) -> list[str]:
    """Those of some groups of which the source did not tell whether the user is in them."""
    if holder.groups is not None and holder.groups_told is None:
        return []
    told = {canonical(group) for group in holder.groups_told or ()}
    return [group for group in groups if canonical(group) not in told]
