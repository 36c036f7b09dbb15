"""Who is told what, as the rules document says it."""

from __future__ import annotations

import re
from typing import Annotated, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from shared.billing.findings import FindingKind
from shared.billing.subscribers import Channel, Frequency, Language, TicketRule, Topic
from shared.billing.subscribers import ServiceHealth as HealthValues
from shared.billing.subscribers import Subscriber as Values
from shared.rules.parts import Part
from shared.rules.scalars import Days, PartId, RecordId, Text, Whole, YesOrNo, shown, wrong

#: Something, one @, a domain; nothing that could become another header or address.
_ADDRESS = re.compile(r"[^\s@<>,;:\"()\[\]\\]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,30}")
#: Each is a row of the one transaction that writes a notice.
_MOST_ADDRESSES = 50
_TOPICS = ", ".join(Topic)


def _about(word: str) -> str:
    if word not in set(Topic) | set(FindingKind):
        raise wrong(f'must be one of {_TOPICS}, or a kind of finding such as unmapped, not "{word}"')
    return word


def _hour(value: object) -> int:
    if isinstance(value, bool) or not re.fullmatch(r"1?[0-9]|2[0-3]", str(value)):
        raise wrong(f"must be an hour from 0 to 23, not {shown(value)}")
    return int(str(value))


class Ticket(Part):
    """Mirrors `shared.billing.subscribers.TicketRule`."""

    company: RecordId = Field(description="Manage's record number of your own company")
    status: Text = TicketRule(0).status
    closed: Text = TicketRule(0).closed
    type: Text | None = None
    priority: Text | None = None
    at_customer: YesOrNo = False
    close_healed: YesOrNo = True
    respect_days: Days = TicketRule(0).respect_days


class HealthTicket(Ticket):
    """An issue is the customer's own affair, unless the MSP says otherwise."""

    at_customer: YesOrNo = True


_HEALTH = HealthValues("", TicketRule(0))


class ServiceHealth(Part):
    """Mirrors `shared.billing.subscribers.ServiceHealth`, which says what the fields mean."""

    board: Text = Field(description="the name of a service board")
    ticket: HealthTicket = Field(description="{company: …}, Manage's record number of your own company")
    services: tuple[Text, ...] = _HEALTH.services
    advisories: YesOrNo = _HEALTH.advisories
    together_from: Whole = _HEALTH.together_from

    @model_validator(mode="after")
    def _says_what_and_when(self) -> Self:
        if not self.services:
            raise wrong("needs services such as [Exchange Online]; to open no tickets leave service_health out")
        if self.together_from < 2:
            raise wrong("has together_from below 2; an issue of one company is a ticket of its own")
        return self


class Subscriber(Part):
    """Mirrors `shared.billing.subscribers.Subscriber`, which says what the fields mean."""

    id: PartId = Field(description="a short name of your own")
    channel: Channel = Field(description=f"one of {', '.join(Channel)}")
    to: tuple[Text, ...] = Field(description="a list of mail addresses, of names of NOTICE_TEAMS, or one board")
    frequency: Frequency = Frequency.DAILY
    hour: Annotated[int, BeforeValidator(_hour)] = Values("", Channel.MAIL, ()).hour
    about: tuple[Annotated[Text, AfterValidator(_about)], ...] = ()
    companies: tuple[RecordId, ...] = ()
    owners: tuple[Text, ...] = ()
    language: Language = Language.EN_US
    users: YesOrNo = False
    even_when_empty: YesOrNo = False
    ticket: Ticket | None = None

    @model_validator(mode="after")
    def _can_be_reached(self) -> Self:
        if self.channel is Channel.TICKET:
            return self
        form, what = (_ADDRESS, "mail addresses") if self.channel is Channel.MAIL else (_NAME, "names of NOTICE_TEAMS")
        if not 0 < len(self.to) <= _MOST_ADDRESSES or not all(form.fullmatch(each) for each in self.to):
            raise wrong(f"needs to: 1 to {_MOST_ADDRESSES} {what}")
        return self

    @model_validator(mode="after")
    def _tickets_have_a_board(self) -> Self:
        is_ticket = self.channel is Channel.TICKET
        if is_ticket != (self.ticket is not None):
            raise wrong("needs both channel: ticket and ticket: {company: …}, or none of them")
        if is_ticket and (len(self.to) != 1 or self.frequency is not Frequency.AT_ONCE):
            raise wrong("opens tickets, which needs to: [the board] and frequency: at-once")
        return self

    @model_validator(mode="after")
    def _at_once_are_findings(self) -> Self:
        topics = [word for word in self.about if word in set(Topic)]
        if self.frequency is Frequency.AT_ONCE and topics:
            raise wrong(f"is told at once, which only findings are; {topics[0]} comes in a digest")
        if self.frequency is Frequency.AT_ONCE and self.even_when_empty:
            raise wrong("is told at once, so there is never nothing to tell; leave even_when_empty out")
        return self
