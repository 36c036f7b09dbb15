"""What is remembered of companies, where it can be read: of one that cannot be, the others are told all the same."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from shared.errors import Retryable, TrueUpError
from shared.state.companies import CompanyRow
from shared.state.company_state import CompanyState
from shared.sync.ports import Ports
from shared.sync.shapes import desk as shapes

log = logging.getLogger(__name__)

#: So many companies are read at once: nearly all of it is waiting for the store.
_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A company of which what is remembered cannot be read, and why."""

    company: int
    name: str
    why: str


def told(unreadable: Sequence[Unreadable]) -> list[shapes.Unreadable]:
    """For people and programs."""
    return [{"company": each.company, "name": each.name, "why": each.why} for each in unreadable]


def readable_state(ports: Ports, company: int) -> CompanyState | str:
    """What is remembered of a company, or why its rows can not be read: then there is more to tell of the others.

    Raises `Retryable` when the store does not answer.
    """
    try:
        return ports.company_state.load(company)
    except Retryable:
        raise
    except TrueUpError as error:
        log.error("what is remembered of company %s: %s", company, error)
        return f"{error}. {error.remedy}".strip()


def readable_states(
    ports: Ports, rows: Sequence[CompanyRow]
) -> tuple[list[tuple[CompanyRow, CompanyState]], list[Unreadable]]:
    """The companies with their state, in their order, and those of which it cannot be read.

    Raises `Retryable` when the store does not answer.
    """
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        states = list(pool.map(lambda row: readable_state(ports, row.id), rows))
    found = [(row, state) for row, state in zip(rows, states, strict=True) if isinstance(state, CompanyState)]
    unreadable = [
        Unreadable(row.id, row.name, state) for row, state in zip(rows, states, strict=True) if isinstance(state, str)
    ]
    return found, unreadable
