"""Faults on demand: what goes wrong, where, and how often.

A fault is one word of FAULTS, some with a number behind a colon: `latency:250` (milliseconds), `429:5` (seconds to
wait), `late-commit:1500` (milliseconds until the handler runs). Faults of CO_OPERATIVE are left to the handler, which
finds the word in `request["fault"]`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from random import Random
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, field_validator, model_validator

#: Answered without running the handler.
INSTEAD = frozenset({"429", "429-no-retry-after", "500-timeout", "502-html", "503-html", "reset-before"})
#: The handler runs, and its answer is lost, late or damaged.
AFTERWARDS = frozenset({"reset-after", "late-commit", "truncated", "html-200", "empty-body"})
#: The handler itself does something wrong.
CO_OPERATIVE = frozenset({"no-effect", "short-page", "empty-page", "endless", "wrong-counts", "expired-visa"})
FAULTS = INSTEAD | AFTERWARDS | CO_OPERATIVE | {"latency"}

#: The number behind the colon where none is given.
_NUMBERS = {"latency": None, "429": 1, "late-commit": 1000}


class Fault(BaseModel):
    """One rule: with neither `probability` nor `count` it always happens.

    `route` is a part of the path or of the route template (`/additions`, `/finance/agreements/{id}`); empty fits all.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    system: Literal["manage", "graph", "entra", "partnercenter", "pax8", "huntress", "cove", "teams"]
    fault: str
    method: str | None = None
    route: str = ""
    probability: float | None = Field(None, ge=0, le=1)
    count: int | None = Field(None, ge=1)

    @field_validator("fault")
    @classmethod
    def _known(cls, fault: str) -> str:
        word, colon, number = fault.partition(":")
        if word not in FAULTS:
            raise ValueError(f"there is no fault {word!r}; the faults are {', '.join(sorted(FAULTS))}")
        if colon and (word not in _NUMBERS or not number.isdigit()):
            raise ValueError(f"{fault!r}: only {', '.join(sorted(_NUMBERS))} take a number, and it must be whole")
        if word == "latency" and not colon:
            raise ValueError("latency needs its milliseconds, for example latency:250")
        return fault

    @model_validator(mode="after")
    def _one_measure(self) -> Fault:
        if self.probability is not None and self.count is not None:
            raise ValueError("give probability or count, not both")
        return self

    @property
    def word(self) -> str:
        return self.fault.partition(":")[0]

    @property
    def number(self) -> int:
        """Milliseconds, or seconds for 429."""
        number = self.fault.partition(":")[2]
        return int(number) if number else _NUMBERS.get(self.word) or 0

    def fits(self, system: str, method: str, routes: Iterable[str]) -> bool:
        if self.system != system or (self.method or method).upper() != method.upper():
            return False
        return any(_nameless(self.route) in _nameless(route) for route in routes)


_FAULTS = TypeAdapter(list[Fault])


class FaultBook:
    """The faults in force. Which requests a probability hits depends on the seed and the order of requests alone."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._rules: list[_Rule] = []

    def set(self, body: object) -> None:
        """Replaces all faults; an empty list clears. Raises pydantic's ValidationError for what is not understood."""
        faults = _FAULTS.validate_python(body)
        self._rules = [_Rule(fault, Random(f"fault/{self._seed}/{index}")) for index, fault in enumerate(faults)]

    def hits(self, system: str, method: str, *routes: str) -> list[Fault]:
        """What happens to this request: every latency that is due, and at most one other fault, the first that is."""
        found: list[Fault] = []
        for rule in self._rules:
            taken = rule.fault.word != "latency" and any(fault.word != "latency" for fault in found)
            if not taken and rule.fault.fits(system, method, routes) and rule.due():
                found.append(rule.fault)
        return found

    def item_fault(self, method: str, path: str) -> str | None:
        """The fault of one item of a Graph batch. Only rules that name a route reach into a batch."""
        for rule in self._rules:
            if rule.fault.route and rule.fault.fits("graph", method, [path]) and rule.due():
                return rule.fault.word
        return None


class _Rule:
    """A fault with what is left of it."""

    def __init__(self, fault: Fault, rng: Random) -> None:
        self.fault = fault
        self._rng = rng
        self._left = fault.count

    def due(self) -> bool:
        if self.fault.probability is not None:
            return self._rng.random() < self.fault.probability
        if self._left is None:
            return True
        self._left -= 1
        return self._left >= 0


def _nameless(route: str) -> str:
    """Templates are compared whatever the names of their parameters."""
    return re.sub(r"\{[^}]*\}", "{}", route).casefold()
