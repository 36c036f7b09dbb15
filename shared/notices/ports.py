"""What telling people needs of the world, beside the ports of the flows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Protocol, runtime_checkable

from shared.billing.subscribers import Channel
from shared.state.health import HealthStore
from shared.state.notices import NoticeStore
from shared.state.tickets import TicketStore
from shared.sync.ports import Ports
from shared.tickets import NewTicket, Ticket


@dataclass(frozen=True, slots=True)
class Message:
    """One notice on its way. `id` is the same however often it is sent; `to` is an address or name of the channel."""

    id: str
    to: str
    subject: str
    text: str
    html: str


class Post(Protocol):
    """A channel: takes a message along, or raises a `TrueUpError`."""

    def send(self, message: Message, /) -> None:
        """Sends it. Returns once the other side has taken it."""


@runtime_checkable
class CheckedPost(Post, Protocol):
    """A channel that can be asked whether it would take a message. Who only takes what is posted cannot."""

    def check(self) -> None:
        """Asks without sending anything. Raises the `TrueUpError` that a message would meet, as far as it shows."""


class Tickets(Protocol):
    """Tickets of ConnectWise Manage. Every method may raise `TrueUpError`; a list is complete or an error."""

    def stamped(self, stamp: str, /) -> list[Ticket]: ...

    def ticket(self, ticket_id: int, /) -> Ticket: ...

    def open(self, new: NewTicket, /) -> Ticket: ...

    def notes(self, ticket_id: int, /) -> list[str]: ...

    def add_note(self, ticket_id: int, text: str, /) -> None: ...

    def set_status(self, ticket_id: int, status: str, /, *, closed: bool) -> None: ...


@dataclass(frozen=True, slots=True)
class NoticePorts:
    """Everything outside that telling people may touch.

    `posts` are the channels that are set up. `console` is the address of the console, "" where links cannot be given.
    `alerts` are who is told when nothing else works: channel and address. `secrets_end` is the last day of each secret
    and certificate of which it is known, by its name.
    """

    flows: Ports
    notices: NoticeStore
    tickets: Tickets
    ticket_rows: TicketStore
    health: HealthStore
    posts: Mapping[Channel, Post] = field(default_factory=dict)
    console: str = ""
    alerts: tuple[tuple[Channel, str], ...] = ()
    secrets_end: Mapping[str, date] = field(default_factory=dict)
