"""Takes a push of counts: who may, what stands afterwards. Pushing never changes an agreement; the next run looks."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass

from shared.billing.counting.pushes import AHEAD, Contradiction, Push, Pushed, repeats, taken
from shared.errors import Refused
from shared.sync.ports import Ports

#: Compared with where there is no such source, so that asking takes as long as for one that there is.
_NOBODY = ("",)


@dataclass(frozen=True, slots=True)
class Accepted:
    """What a push did: counts that now stand, those that are older than what stood, or that it was taken before."""

    stored: int = 0
    older: int = 0
    repeated: bool = False


def may_push(ports: Ports, source: str, key: str) -> bool:
    """Whether this is a key of the pushed source; takes as long for a wrong one as for a right one."""
    given = hashlib.sha256(key.encode()).digest()
    known = ports.push_keys.get(source, _NOBODY)
    matches = [hmac.compare_digest(hashlib.sha256(each.encode()).digest(), given) for each in known]
    return any(matches) and source in ports.push_keys


def accept(ports: Ports, source: str, customer: str, push: Push) -> Accepted:
    """Stores a push. The same push again changes nothing.

    Raises `Refused` when its time is ahead of ours or too long ago to count, or it contradicts an earlier one.
    """
    _check_time(ports, push)
    result = Accepted()

    def change(standing: Pushed) -> Pushed:
        nonlocal result
        stands, result = _after(standing, customer, push)
        return stands

    ports.pushes.update(_name(source), customer, change)
    return result


def accept_all(ports: Ports, source: str, pushes: Mapping[str, Push]) -> dict[str, Accepted]:
    """Stores the pushes of several customers. Raises as `accept` does, before anything is stored."""
    for customer, push in pushes.items():
        _check_time(ports, push)
        _after(ports.pushes.get(_name(source), customer) or Pushed(customer), customer, push)
    return {customer: accept(ports, source, customer, push) for customer, push in pushes.items()}


def _name(source: str) -> str:
    """The source as rules name it."""
    return f"pushed:{source}"


def _after(standing: Pushed, customer: str, push: Push) -> tuple[Pushed, Accepted]:
    """What stands after a push, and what it did."""
    try:
        if repeats(standing, push):
            return standing, Accepted(repeated=True)
        stands, older = taken(standing, push)
    except Contradiction as contradiction:
        raise Refused(
            f"the push for {customer!r} was not taken: {contradiction}",
            remedy="Send it with a key of its own and the time at which the counts were taken.",
        ) from None
    return stands, Accepted(len(push.counts) - older, older)


def _check_time(ports: Ports, push: Push) -> None:
    now = ports.clock.business_now()
    if push.at - now > AHEAD:
        raise Refused(
            "the time of the push lies in the future", remedy="Set the clock of the machine that pushes, or its zone."
        )
    if now - push.at > ports.push_age:
        hours = int(ports.push_age.total_seconds() // 3600)
        raise Refused(
            f"the counts are more than {hours} hours old, so they would count for nothing",
            remedy="Take them again and push them at once.",
        )
