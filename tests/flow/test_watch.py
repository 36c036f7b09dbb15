"""The watch: what nobody would notice by itself is a finding and told at once, also when the store is what fails."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import date, timedelta

import pytest

from shared.billing.counts import FailureKind, Relationship
from shared.billing.findings import FindingKind
from shared.billing.limits import Guards
from shared.billing.rules import Mode, Schedule
from shared.billing.subscribers import Channel, Frequency, Language, Subscriber, TicketRule
from shared.billing.wording import spoken
from shared.errors import NotPermitted, Retryable, TrueUpError
from shared.notices.alarm import Alarm
from shared.notices.outbox import GIVEN_UP_AFTER
from shared.notices.watch import WATCHED, watch
from shared.queues import SyncMessage
from shared.state.backups import BackupRecordStore, Backups
from shared.state.company_state import MSP
from shared.sync import night, poison
from shared.sync.approvals import Person
from shared.sync.desk.billing import change_mode
from shared.sync.msp import notice_customers
from shared.sync.unfinished import finish_edit
from tests import builders as b
from tests.fakes.house import FakeSource
from tests.fakes.notices import BOARD, NoticeHouse
from tests.flow.test_backups import FakeBlobs, Whole

NIGHTLY = Schedule("nightly", "nightly", "0 2 * * *")
DESK = "desk@birchline.example"
ALERTS = ((Channel.TEAMS, "service-desk"),)


@dataclass
class WatchedHouse(NoticeHouse):
    """Whom the settings tell of alerts, and the timers as the platform fires them."""

    secrets: dict[str, date] = field(default_factory=dict)

    def __post_init__(self) -> None:
        NoticeHouse.__init__(self, alerts=ALERTS, secrets_end=self.secrets)
        self.rules(b.rules(schedules=(NIGHTLY,)))
        self.alarm = Alarm()

    def round(self) -> None:
        self.alarm.go_round(self.notices)

    def hours(self, hours: int, *, nights: bool = True) -> None:
        """Ticks, rounds and work for so long."""
        for _ in range(hours * 2):
            self.clock.pass_by(minutes=30)
            if nights:
                night.tick(self.ports)
                for header in self.ports.runs.open_headers():
                    self.work_until_done(header.id)
            self.round()

    def kinds_of_msp(self) -> list[str]:
        return sorted(kind for kind, _ in self.ports.company_state.load(MSP).findings)


REFUSAL = NotPermitted("it answered 401", system="the other side", status=401, remedy="Set the key anew.")


@pytest.fixture
def house() -> WatchedHouse:
    house = WatchedHouse()
    house.company(250, [b.count(10)], [b.addition(8250, 10)])
    return house


def test_nights_that_end_are_nothing_to_tell(house):
    house.hours(72)

    assert house.kinds_of_msp() == []
    assert house.teams.taken == []


def test_a_night_that_does_not_come_is_told_at_once_and_closes_with_the_next_one(house):
    house.hours(25)
    last = house.ports.runs.headers(1)[0]

    house.hours(27, nights=False)

    assert house.kinds_of_msp() == ["night-missing"]
    assert house.clock.now() - last.ended >= timedelta(hours=26)
    assert len(house.teams.taken) == 1
    assert "The night of 23 Nov 2026 has not been finished" in house.teams.last.text

    house.hours(2)
    assert house.kinds_of_msp() == []


def test_a_night_that_starts_and_does_not_end_is_told_too(house):
    house.hours(25)
    for _ in range(60):
        house.clock.pass_by(minutes=30)
        night.tick(house.ports)
        house.round()

    assert house.kinds_of_msp() == ["night-missing", "queue-stuck"]


def test_a_deployment_that_has_not_come_to_its_first_night_misses_none(house):
    house.clock.pass_by(hours=1)
    night.tick(house.ports)
    house.round()
    house.clock.pass_by(hours=20)
    house.round()

    assert house.kinds_of_msp() == []


def test_a_queue_that_nobody_works_on_is_told(house):
    house.queue.send(SyncMessage("run", 250, "claim", None, 1))
    house.round()
    assert house.kinds_of_msp() == []

    house.clock.pass_by(minutes=61)
    house.round()

    assert house.kinds_of_msp() == ["queue-stuck"]
    assert "nobody takes it" in house.teams.last.text


def test_messages_that_nobody_can_work_on_are_told(house):
    poison.note(house.ports, "no message of ours")

    house.round()

    assert "could not be worked on" in house.teams.last.text


def an_edit_that_nobody_can_finish(house: WatchedHouse) -> None:
    def away(moment: str, operation: str, table: str) -> None:
        if (moment, operation, table) == ("before", "replace", "CompanyState"):
            raise Retryable("the store is away")

    house.tables.fault = away
    with pytest.raises(Retryable):
        change_mode(house.ports, 250, Mode.APPROVE, Person("pat@birchline.example"))
    house.tables.fault = None
    house.tables.put("CompanyState", "250", "rules|", {"schema": 99, "json": "{}"})
    finish_edit(house.ports)


def test_a_change_of_the_rules_that_cannot_be_in_force_for_every_company_is_told(house):
    """Also where that company's own findings can not be read."""
    house.rules(replace(house.ports.rules.load(), subscribers=(Subscriber("daily", Channel.MAIL, (DESK,)),)))

    an_edit_that_nobody_can_finish(house)

    house.round()
    assert "not in force for every company: company 250" in house.teams.last.text
    house.hours(24)
    digest = house.mail.last.text
    assert "not in force for every company: company 250" in digest
    assert digest.count("a company's rules was written by a newer TrueUp") == 2


@pytest.mark.parametrize(("end", "told"), [("2026-12-22", None), ("2026-12-21", "ends on"), ("2026-11-20", "ended on")])
def test_a_secret_that_ends_is_told_a_month_before(end, told):
    house = WatchedHouse(secrets={"pax8": date.fromisoformat(end)})

    house.round()

    assert house.kinds_of_msp() == (["secret-ending"] if told else [])
    assert not told or f"pax8 {told} {spoken(date.fromisoformat(end))}" in house.teams.last.text


@pytest.mark.parametrize("who", ["manage", "source"])
def test_manage_or_a_vendor_that_refuses_us_is_told_within_the_hour_and_closes_when_it_answers(house, who):
    house.round()
    if who == "source":
        house.source.broken = REFUSAL
    else:
        house.manage.fault = refuse
    house.clock.pass_by(hours=1)
    house.round()

    assert house.kinds_of_msp() == ["refused"]
    assert "401" in house.teams.last.text

    house.source.broken, house.manage.fault = None, lambda moment, method: None
    house.clock.pass_by(hours=1)
    house.round()
    assert house.kinds_of_msp() == []


def refuse(moment: str, method: str) -> None:
    raise NotPermitted("it answered 401", system="ConnectWise Manage", status=401)


def test_an_agreement_of_ours_that_ends_within_a_month_is_told(house):
    house.sync(250)
    ending = replace(house.manage.agreements_[1250], end_date=house.clock.now().date() + timedelta(days=20))
    house.manage.agreements_[1250] = ending
    house.sync(250)

    house.round()

    assert Guards().ends_within_days == 30
    assert "agreement-not-active" in house.teams.last.text


def test_a_store_that_is_away_rings_the_alarm_once_an_hour_until_it_is_back(house):
    house.round()

    def away(moment: str, operation: str, table: str) -> None:
        raise Retryable("the storage account answered 503", system="storage", remedy="Wait.")

    house.tables.fault = away
    for _ in range(24):
        house.round()
        house.clock.pass_by(minutes=5)
    assert [message.subject for message in house.teams.taken] == ["TrueUp cannot reach its storage"] * 2
    assert "the storage account answered 503" in house.teams.last.text

    house.tables.fault = None
    house.round()
    assert len(house.teams.taken) == 2


def test_a_watch_that_breaks_off_keeps_nobody_from_being_told_and_rings_the_alarm(house):
    house.told_by(Subscriber("desk", Channel.MAIL, (DESK,), Frequency.AT_ONCE))
    house.round()
    house.company(251, [b.count(12, sku="unknown-sku", name="Visio")])
    house.sync(251)
    house.queue.broken = NotPermitted("queue sync: no", system="storage", remedy="Give the role.")
    house.round()

    assert "Visio" in house.mail.last.text
    assert house.teams.last.subject == "TrueUp cannot watch itself"
    assert "queue sync: no" in house.teams.last.text
    assert "Give the role." in house.teams.last.text


def test_a_store_that_goes_away_while_the_watch_is_broken_rings_at_once(house):
    house.round()
    house.queue.broken = NotPermitted("queue sync: no", system="storage", remedy="Give the role.")
    house.round()
    house.clock.pass_by(minutes=5)

    def away(moment: str, operation: str, table: str) -> None:
        raise Retryable("the storage account answered 503", system="storage")

    house.tables.fault = away
    for _ in range(2):
        house.round()

    subjects = [message.subject for message in house.teams.taken]
    assert subjects == ["TrueUp cannot watch itself", "TrueUp cannot reach its storage"]
    assert len({message.id for message in house.teams.taken}) == 2


def test_an_alarm_that_reaches_nobody_is_tried_again_by_the_next_round(house):
    def away(moment: str, operation: str, table: str) -> None:
        raise Retryable("the storage account answered 503", system="storage")

    house.tables.fault = away
    house.teams.broken = Retryable("no answer", system="Teams")
    house.round()
    house.teams.broken = None
    house.clock.pass_by(minutes=5)
    house.round()

    assert len(house.teams.taken) == 1


def test_findings_of_one_company_that_matter_to_no_alert_are_not_told_there(house):
    house.company(251, [b.count(12, sku="unknown-sku", name="Visio")])
    house.sync(251)

    house.round()

    assert house.teams.taken == []


def test_an_alert_whose_channel_is_broken_reaches_the_others_as_a_finding():
    house = WatchedHouse(secrets={"pax8": date(2026, 11, 22)})
    house._parts["alerts"] = (*ALERTS, (Channel.MAIL, DESK))
    house.teams.broken = Retryable("no answer", system="Teams")

    house.round()
    house.round()

    assert any("did not go out by teams" in message.text for message in house.mail.taken)
    assert timedelta(days=3) == GIVEN_UP_AFTER
    watch(house.notices)


@dataclass
class RelatedSource(FakeSource):
    """A vendor whose relationships with customers end."""

    ending: dict[str, date | None] = field(default_factory=dict)
    over: set[str] = field(default_factory=set)
    silent: TrueUpError | None = None

    def relationships(self) -> list[Relationship]:
        if self.silent is not None:
            raise self.silent
        return [
            Relationship(self.name, customer, "Alder Dental", ends, customer in self.over)
            for customer, ends in self.ending.items()
        ]


def with_relationships(*ends: date | None) -> tuple[WatchedHouse, RelatedSource]:
    """Companies whose relationships end then, after the first round of the watch."""
    house = WatchedHouse()
    house.source = related = RelatedSource()
    house.ports = house._new_process(house.ports.limits)
    for company, last in enumerate(ends, start=250):
        house.company(company, [b.count(10)], [b.addition(company + 8000, 10)])
        related.ending[f"tenant-{company}"] = last
    house.round()
    return house, related


def an_hour_later(house: WatchedHouse) -> list[str]:
    house.clock.pass_by(hours=1)
    house.round()
    return house.kinds_of_msp()


def test_a_relationship_with_a_linked_customer_that_ends_within_a_month_is_told_and_stays_while_nobody_tells():
    house, related = with_relationships(date(2026, 12, 21), date(2026, 12, 22), None)
    related.ending["of-nobody"] = date(2026, 11, 22)
    assert an_hour_later(house) == ["relationship-ending"]
    assert "ends on 21 Dec 2026; Company 250" in house.teams.last.text

    related.silent = Retryable("no answer", system="Microsoft 365")
    assert an_hour_later(house) == ["relationship-ending"]

    related.silent, related.ending["tenant-250"] = None, date(2027, 12, 21)
    assert an_hour_later(house) == []


@pytest.mark.parametrize("told", ["ended", "nothing"])
def test_a_relationship_that_has_ended_does_not_heal_but_is_told_anew(told):
    """Whether the vendor says that it has ended, or does not name it any more."""
    house, related = with_relationships(date(2026, 12, 21))
    assert an_hour_later(house) == ["relationship-ending"]

    if told == "ended":
        related.over.add("tenant-250")
    else:
        del related.ending["tenant-250"]
    for _ in range(3):
        assert an_hour_later(house) == ["relationship-ending"]
    assert len(house.teams.taken) == 2
    assert "has ended; Company 250" in house.teams.last.text

    related.over.clear()
    related.ending["tenant-250"] = date(2027, 12, 21)
    assert an_hour_later(house) == []


def test_a_relationship_that_ended_unannounced_is_told_until_the_customer_is_not_linked_any_more():
    house, related = with_relationships(date(2027, 12, 21))
    assert an_hour_later(house) == []
    related.over.add("tenant-250")
    assert an_hour_later(house) == ["relationship-ending"]

    row = house.ports.companies.company_rules(250)
    house.ports.companies.put_rules(replace(row, links=tuple(replace(each, removed=True) for each in row.links)))

    assert an_hour_later(house) == []


def test_a_linked_customer_that_is_not_listed_any_more_is_told_at_once(house):
    del house.source.counts["tenant-250"]
    notice_customers(house.ports, house.ports.companies.all())

    house.round()

    assert house.kinds_of_msp() == ["customer-gone"]
    assert "does not list any more" in house.teams.last.text


def test_a_customer_whose_consent_is_lost_is_told_at_once(house):
    house.source.failing["tenant-250"] = FailureKind.CONSENT_LOST
    house.sync(250)

    house.round()

    assert "consent-lost" in house.teams.last.text


# Every condition that there is, one by one


def no_night_ends(house: WatchedHouse, _: RelatedSource) -> None:
    house.hours(25)
    house.hours(27, nights=False)


def no_backup_is_made(house: WatchedHouse, _: RelatedSource) -> None:
    made = Backups(Whole(), FakeBlobs(house), 3, BackupRecordStore(house.tables))
    house.ports = replace(house.ports, backups=made)
    house.round()
    house.clock.pass_by(hours=49)


def nobody_takes_a_message(house: WatchedHouse, _: RelatedSource) -> None:
    house.queue.send(SyncMessage("run", 250, "claim", None, 1))
    house.clock.pass_by(minutes=61)


def nobody_can_work_on_a_message(house: WatchedHouse, _: RelatedSource) -> None:
    poison.note(house.ports, "no message of ours")


def a_certificate_ends(house: WatchedHouse, _: RelatedSource) -> None:
    house._parts["secrets_end"] = {"microsoft365": date(2026, 12, 21)}


def manage_refuses_us(house: WatchedHouse, _: RelatedSource) -> None:
    house.manage.fault = refuse
    house.clock.pass_by(hours=1)


def a_vendor_refuses_us(house: WatchedHouse, source: RelatedSource) -> None:
    source.broken = REFUSAL
    house.clock.pass_by(hours=1)


def consent_is_lost(house: WatchedHouse, source: RelatedSource) -> None:
    source.failing["tenant-250"] = FailureKind.CONSENT_LOST
    house.sync(250)


def a_relationship_ends_soon(house: WatchedHouse, source: RelatedSource) -> None:
    source.ending["tenant-250"] = date(2026, 12, 21)
    house.clock.pass_by(hours=1)


def a_relationship_is_lost(house: WatchedHouse, source: RelatedSource) -> None:
    source.over.add("tenant-250")
    house.clock.pass_by(hours=1)


def a_customer_is_gone(house: WatchedHouse, source: RelatedSource) -> None:
    del source.counts["tenant-250"]
    notice_customers(house.ports, house.ports.companies.all())


def an_agreement_ends_with_lines_of_ours(house: WatchedHouse, _: RelatedSource) -> None:
    house.sync(250)
    last = house.clock.now().date() + timedelta(days=20)
    house.manage.agreements_[1250] = replace(house.manage.agreements_[1250], end_date=last)
    house.sync(250)


def a_notice_does_not_go_out(house: WatchedHouse, _: RelatedSource) -> None:
    house.told_by(Subscriber("boss", Channel.MAIL, (DESK,), Frequency.AT_ONCE))
    house.company(251, [b.count(12, sku="unknown-sku", name="Visio")])
    house.sync(251)
    house.mail.broken = Retryable("no connection could be made", system="mail server")
    house.round()


def an_edit_is_not_finished(house: WatchedHouse, _: RelatedSource) -> None:
    an_edit_that_nobody_can_finish(house)


CONDITIONS = [
    (no_night_ends, FindingKind.NIGHT_MISSING),
    (no_backup_is_made, FindingKind.BACKUP_MISSING),
    (nobody_takes_a_message, FindingKind.QUEUE_STUCK),
    (nobody_can_work_on_a_message, FindingKind.POISON),
    (a_certificate_ends, FindingKind.SECRET_ENDING),
    (manage_refuses_us, FindingKind.REFUSED),
    (a_vendor_refuses_us, FindingKind.REFUSED),
    (consent_is_lost, FindingKind.CONSENT_LOST),
    (a_relationship_ends_soon, FindingKind.RELATIONSHIP_ENDING),
    (a_relationship_is_lost, FindingKind.RELATIONSHIP_ENDING),
    (a_customer_is_gone, FindingKind.CUSTOMER_GONE),
    (an_agreement_ends_with_lines_of_ours, FindingKind.AGREEMENT_NOT_ACTIVE),
    (a_notice_does_not_go_out, FindingKind.NOTICE_FAILED),
    (an_edit_is_not_finished, FindingKind.RULES_UNFINISHED),
]


@pytest.mark.parametrize(("provoke", "kind"), CONDITIONS, ids=[provoke.__name__ for provoke, _ in CONDITIONS])
def test_each_condition_is_a_finding_and_told_at_once_and_once(provoke, kind):
    """Where Table Storage is what fails, the alarm rings instead: above."""
    house, source = with_relationships(date(2027, 12, 21))
    assert house.teams.taken == []

    provoke(house, source)
    for _ in range(3):
        house.round()
        house.clock.pass_by(minutes=5)

    found = [told for told, _ in house.ports.company_state.load(MSP).findings]
    with suppress(TrueUpError):  # a company whose rows cannot be read has its finding at the MSP
        found += [told for told, _ in house.state(250).findings]
    assert kind in found
    told = [message.text for message in house.teams.taken]
    assert sum(text.count(f"({kind.value})") for text in told) == 1


@pytest.mark.parametrize(
    ("provoke", "said"),
    [
        (no_night_ends, "The night of 23.11.2026 has not been finished;"),
        (a_certificate_ends, "microsoft365 ends on 21.12.2026;"),
        (a_relationship_ends_soon, "ends on 21.12.2026;"),
    ],
)
def test_days_of_the_watch_are_written_as_who_is_told_reads_them(provoke, said):
    """In a message and in a ticket alike."""
    house, source = with_relationships(date(2027, 12, 21))
    german = Subscriber("kontor", Channel.MAIL, (DESK,), Frequency.AT_ONCE, language=Language.DE_DE)
    board = replace(BOARD, language=Language.DE_DE, ticket=TicketRule(company=2))
    house.rules(b.rules(schedules=(NIGHTLY,), subscribers=(german, board)))
    house.round()

    provoke(house, source)
    house.round()

    assert any(said in message.text for message in house.mail.taken)
    assert any(said in ticket.new.text for ticket in house.tickets.all.values())


def test_nothing_that_the_alerts_are_told_of_is_left_out_above():
    assert {kind for _, kind in CONDITIONS} == set(WATCHED)
