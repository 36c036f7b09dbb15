"""Channels that remember what they were given, and the fake house with people who are told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from shared.billing.rules import Rules
from shared.billing.subscribers import Channel, Frequency, Subscriber, TicketRule
from shared.errors import Gone, Refused, TrueUpError
from shared.notices.ports import Message, NoticePorts
from shared.notices.telling import tell
from shared.state.health import HealthStore
from shared.state.notices import NoticeStore
from shared.state.tickets import TicketStore
from shared.tickets import NewTicket, Ticket
from tests import builders as b
from tests.fakes.house import Fate, House, Killed

CLERK = Subscriber("clerk", Channel.MAIL, ("clerk@birchline.example",))
BOARD = Subscriber("board", Channel.TICKET, ("Service Desk",), Frequency.AT_ONCE, ticket=TicketRule(company=2))
DESK = Subscriber("desk", Channel.TEAMS, ("service-desk",), Frequency.AT_ONCE)


#: The statuses of the board that close a ticket.
CLOSED = ("Closed", "Done")

T = TypeVar("T")


class FakePost:
    """A channel. `broken` is raised until it is mended; the process may die before and after a message is taken."""

    def __init__(self, fate: Fate) -> None:
        self._fate = fate
        self.taken: list[Message] = []
        self.broken: TrueUpError | None = None
        self.tries: Counter[str] = Counter()

    def send(self, message: Message) -> None:
        self._fate.step("post")
        self.tries[message.to] += 1
        if self.broken is not None:
            raise self.broken
        self.taken.append(message)
        self._fate.step("answer of post")

    @property
    def last(self) -> Message:
        return self.taken[-1]


@dataclass
class FakeTicket:
    """One ticket as a person sees it."""

    new: NewTicket
    status: str
    notes: list[str] = field(default_factory=list)


class FakeTickets:
    """The service board in memory: it knows no uniqueness, twice is two tickets. Dies before and after every call.

    `fault` may raise before or after a call took effect.
    """

    def __init__(self, fate: Fate) -> None:
        self._fate = fate
        self.all: dict[int, FakeTicket] = {}
        self.fault: Callable[[str, str], None] = lambda moment, method: None
        self.calls: Counter[str] = Counter()

    def stamped(self, stamp: str) -> list[Ticket]:
        return self._call("stamped", lambda: [self._seen(id_) for id_, it in self.all.items() if it.new.stamp == stamp])

    def ticket(self, ticket_id: int) -> Ticket:
        return self._call("ticket", lambda: self._seen(ticket_id))

    def open(self, new: NewTicket) -> Ticket:
        def opened() -> Ticket:
            if new.board != "Service Desk":
                raise Refused("the board does not exist", system="ConnectWise Manage")
            number = 100 + len(self.all)
            self.all[number] = FakeTicket(new, new.status)
            return self._seen(number)

        return self._call("open", opened)

    def notes(self, ticket_id: int) -> list[str]:
        return self._call("notes", lambda: list(self.all[ticket_id].notes))

    def add_note(self, ticket_id: int, text: str) -> None:
        self._call("add_note", lambda: self.all[ticket_id].notes.append(text))

    def set_status(self, ticket_id: int, status: str, *, closed: bool) -> None:
        def change() -> None:
            self.all[ticket_id].status = status

        self._call("set_status", change)

    @property
    def writes(self) -> int:
        return self.calls["open"] + self.calls["add_note"] + self.calls["set_status"]

    def _seen(self, ticket_id: int) -> Ticket:
        if ticket_id not in self.all:
            raise Gone("the ticket is not there", system="ConnectWise Manage")
        return Ticket(ticket_id, self.all[ticket_id].new.stamp, self.all[ticket_id].status in CLOSED)

    def _call(self, method: str, work: Callable[[], T]) -> T:
        self._fate.step(f"tickets.{method}")
        self.calls[method] += 1
        self.fault("before", method)
        result = work()
        self.fault("after", method)
        self._fate.step(f"answer of tickets.{method}")
        return result


class NoticeHouse(House):
    """The house, with a mail and a Teams channel. It begins on 21 Nov 2026 at 02:00 UTC."""

    def __init__(self, *subscribers: Subscriber, **parts: object) -> None:
        super().__init__()
        self.mail = FakePost(self.fate)
        self.teams = FakePost(self.fate)
        self.tickets = FakeTickets(self.fate)
        self._parts = parts
        self.told_by(*subscribers)

    def told_by(self, *subscribers: Subscriber, rules: Rules | None = None) -> None:
        self.rules(replace(rules or b.rules(), subscribers=subscribers))

    @property
    def notices(self) -> NoticePorts:
        posts = {Channel.MAIL: self.mail, Channel.TEAMS: self.teams}
        told = NoticeStore(self.tables)
        rows = TicketStore(self.tables)
        health = HealthStore(self.tables)
        return NoticePorts(
            self.ports, told, self.tickets, rows, health, posts, console="https://trueup.test/console", **self._parts
        )  # type: ignore[arg-type]

    def tell(self) -> int:
        return tell(self.notices)

    def pass_days(self, days: int, *, hour: int = 8) -> None:
        """Ticks until so many days later, at that hour."""
        self.tell()
        self.clock.time = self.clock.time.replace(hour=hour, minute=0)
        self.clock.pass_by(days=days)
        self.tell()

    def tell_until_done(self, ticks: Sequence[int] = range(40)) -> None:
        """Ticks as the platform does, five minutes apart, with a new process after each kill."""
        for _ in ticks:
            try:
                self.tell()
            except Killed:
                self.revive()
            self.clock.pass_by(minutes=5)
