"""Tickets of ConnectWise Manage, as far as TrueUp reads and writes them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Ticket:
    """A ticket as it stands. `stamp` is its external reference, by which we find our own."""

    id: int
    stamp: str
    closed: bool


@dataclass(frozen=True, slots=True)
class NewTicket:
    """A ticket to open: names of board, status, type and priority as Manage knows them, "" for the board's own.

    `summary` has at most 100 characters. Nobody is mailed.
    """

    stamp: str
    summary: str
    text: str
    company: int
    board: str
    status: str
    type: str = ""
    priority: str = ""
