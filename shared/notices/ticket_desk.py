"""The steps that bring one ticket up to date.

Every step looks before it adds anything, so that a worker that dies anywhere leaves no ticket and no note twice: a
ticket is found by its stamp, a note by its mark.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from shared.billing.subscribers import Subscriber, TicketRule
from shared.errors import Gone
from shared.notices.looking import mark_of
from shared.notices.picture import without_request
from shared.notices.ports import NoticePorts
from shared.state.tickets import TicketRow
from shared.tickets import NewTicket

log = logging.getLogger(__name__)

#: A ticket whose opening was begun may still appear for so long; until then none is opened again.
SETTLES_WITHIN = timedelta(minutes=10)
#: What `told` says of a ticket that says that its finding healed.
HEALED = "healed"


@dataclass(frozen=True, slots=True)
class Desk:
    """Works on the tickets of one subscriber. Steps answer the row as it stands then, None where it must wait."""

    ports: NoticePorts
    subscriber: Subscriber
    rule: TicketRule

    @property
    def now(self) -> datetime:
        return self.ports.flows.clock.now()

    def open(self, row: TicketRow) -> TicketRow | None:
        """Looks for the ticket by its stamp, and opens one where there is none."""
        if row.begun is not None and self.now - row.begun < SETTLES_WITHIN:
            return None
        standing = self.ports.tickets.stamped(row.stamp)
        if standing:
            # What it tells is only known where it is the one that we had begun.
            told = HEALED if standing[0].closed else row.told if row.begun is not None else ""
            return self._save(row, ticket=standing[0].id, told=told, begun=None)
        if not row.open:
            self.ports.ticket_rows.remove(row)
            return None
        begun = self._save(row, begun=self.now, told=text_mark(row))
        opened = self.ports.tickets.open(self._new(begun))
        return self._save(begun, ticket=opened.id, begun=None)

    def note(self, row: TicketRow) -> TicketRow:
        """Tells what has changed, unless a person has closed the ticket."""
        if self._is_closed(row):
            return self._left_alone(row)
        self._tell(row, row.text)
        return self._save(row, told=text_mark(row), turn=row.turn + 1)

    def heal(self, row: TicketRow) -> TicketRow:
        """Tells that it has healed, or how else it ended, and closes the ticket where the rule says so.

        That a person had closed it before stays known: the finding may come back while that is still respected.
        """
        ticket, left_alone = _known(row), row.left_alone
        try:
            if not self.ports.tickets.ticket(ticket).closed:
                left_alone = None
                self._tell(row, row.ending)
                if self.rule.close_healed:
                    self.ports.tickets.set_status(ticket, self.rule.closed, closed=True)
            elif not self._is_told(row, row.ending):  # or a worker of ours closed it, and died
                left_alone = left_alone or self.now
        except Gone:
            log.info("ticket %s was deleted by a person", ticket)
            left_alone = left_alone or self.now
        return self._save(row, told=HEALED, turn=row.turn + 1, left_alone=left_alone)

    def reopen(self, row: TicketRow) -> TicketRow:
        """The finding came back, or a person's closing was respected for long enough."""
        ticket = _known(row)
        try:
            if self.ports.tickets.ticket(ticket).closed:
                self.ports.tickets.set_status(ticket, self.rule.status, closed=False)
            self._tell(row, f"This is open {'again' if row.told == HEALED else 'still'}. {row.text}")
        except Gone:
            return self._save(row, ticket=None, told="", left_alone=None)
        return self._save(row, told=text_mark(row), turn=row.turn + 1, left_alone=None)

    def look(self, row: TicketRow) -> TicketRow:
        """Whether a person has closed the ticket, or opened it again."""
        return self._left_alone(row) if self._is_closed(row) else self._save(row, left_alone=None)

    def _left_alone(self, row: TicketRow) -> TicketRow:
        return self._save(row, left_alone=row.left_alone or self.now)

    def _is_closed(self, row: TicketRow) -> bool:
        """Whether a person has closed the ticket; one that was deleted is as good as closed."""
        try:
            return self.ports.tickets.ticket(_known(row)).closed
        except Gone:
            return True

    def _tell(self, row: TicketRow, text: str) -> None:
        """Adds a note unless it is there already: `turn` grows once it is known to be."""
        if not self._is_told(row, text):
            self.ports.tickets.add_note(_known(row), f"{text}\n\n{_mark(row, text)}")

    def _is_told(self, row: TicketRow, text: str) -> bool:
        return any(_mark(row, text) in note for note in self.ports.tickets.notes(_known(row)))

    def _new(self, row: TicketRow) -> NewTicket:
        rule, board = self.rule, self.subscriber.to[0]
        company = row.company if rule.at_customer and row.company is not None else rule.company
        return NewTicket(row.stamp, row.summary, row.text, company, board, rule.status, rule.type, rule.priority)

    def _save(self, row: TicketRow, **values: object) -> TicketRow:
        return self.ports.ticket_rows.save(replace(row, looked=self.now, wait_until=None, **values))  # type: ignore[arg-type]


def text_mark(row: TicketRow) -> str:
    """A digest of what the ticket should tell."""
    return mark_of(without_request(row.text))


def _mark(row: TicketRow, text: str) -> str:
    """What a note of ours is known by."""
    return f"[TrueUp {mark_of(row.stamp, str(row.turn), without_request(text))}]"


def _known(row: TicketRow) -> int:
    assert row.ticket is not None, "only a ticket that is known is written to"
    return row.ticket
