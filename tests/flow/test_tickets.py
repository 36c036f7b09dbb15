"""Once per finding: one ticket, whatever dies in between, closed when it heals and opened again when it comes back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from shared.billing.agreements import Company
from shared.billing.counts import FailureKind
from shared.billing.subscribers import Language, TicketRule
from shared.errors import OutcomeUnknown, Retryable
from shared.state.company_state import MSP, Put, StateKind
from shared.sync.msp import notice_customers
from tests import builders as b
from tests.fakes.house import Killed
from tests.fakes.notices import BOARD, FakeTicket, NoticeHouse

READING = replace(BOARD, about=("read-failed", "unmapped"))


def a_house(**rule: object) -> NoticeHouse:
    """A company that cannot be read; a ticket for each finding of that kind."""
    house = NoticeHouse(replace(READING, ticket=TicketRule(company=2, **rule)))  # type: ignore[arg-type]
    house.company(250, [b.count(10)], [b.addition(8250, 10)])
    house.company(251, [b.count(10)], [b.addition(8251, 10)])
    fails(house)
    return house


@pytest.fixture
def house() -> NoticeHouse:
    return a_house()


def fails(house: NoticeHouse) -> None:
    house.source.failing["tenant-250"] = FailureKind.READ_FAILED
    house.sync(250)
    house.sync(251)


def heals(house: NoticeHouse) -> None:
    house.source.failing.clear()
    house.sync(250)


def only(house: NoticeHouse) -> FakeTicket:
    (ticket,) = house.tickets.all.values()
    return ticket


def test_a_finding_becomes_one_ticket_of_the_msp_that_says_what_to_do(house):
    house.tell()

    new = only(house).new
    assert (new.company, new.board, new.status) == (2, "Service Desk", "New")
    assert new.summary.startswith("TrueUp, Company 250: ")
    assert len(new.summary) <= 100
    assert "It did not answer." in new.text
    assert "Wait." in new.text
    assert "https://trueup.test/console/companies/250" in new.text


def test_looking_again_writes_nothing(house):
    house.tell()
    before = house.tickets.writes

    for _ in range(40):
        house.clock.pass_by(hours=6)
        house.sync(250)
        house.tell()

    assert house.tickets.writes == before
    assert house.tickets.calls["ticket"] <= 12


def test_the_id_of_a_request_is_no_news(house):
    house.tell()
    for night in range(3):
        state = house.state(250)
        (key,) = [key for key in state.findings if key[0] == "read-failed"]
        opened = state.findings[key]
        again = replace(opened.finding, text=f"It did not answer. (request req-{night}-of-this-night)")
        house.ports.company_state.commit(250, [Put(StateKind.FINDING, key, replace(opened, finding=again))])
        house.clock.pass_by(minutes=1)
        house.ports.companies.release(
            house.ports.companies.take_lease(250, "me", 60, house.clock.now()),
            outcome="failed",
            run="run",
            now=house.clock.now(),
        )
        house.tell()

    assert len(only(house).notes) <= 1


def test_a_ticket_is_the_customers_where_the_rule_says_so():
    house = a_house(at_customer=True)
    house.tell()

    assert only(house).new.company == 250


def test_a_ticket_has_the_type_priority_and_statuses_that_the_rule_names():
    house = a_house(type="Billing", priority="Priority 2", status="In Progress", closed="Done")
    house.tell()
    assert (only(house).new.type, only(house).new.priority) == ("Billing", "Priority 2")
    assert only(house).status == "In Progress"

    heals(house)
    house.tell()
    assert only(house).status == "Done"

    fails(house)
    house.tell()
    assert only(house).status == "In Progress"


def test_what_changes_is_noted_once(house):
    house.tell()
    house.ports.companies.put_rules(replace(house.ports.companies.company_rules(250), name="Alder & Finch"))
    house.sync(250)

    house.tell()
    house.tell()

    (note,) = only(house).notes
    assert note.startswith("Alder & Finch: ")


def test_a_ticket_closes_when_its_finding_heals(house):
    house.tell()
    heals(house)

    house.tell()
    house.tell()

    assert only(house).status == "Closed"
    assert [note.partition("\n")[0] for note in only(house).notes] == ["This has healed."]


def test_a_ticket_stays_open_where_the_rule_says_so_but_tells_that_it_healed():
    house = a_house(close_healed=False)
    house.tell()
    heals(house)

    house.tell()
    house.tell()

    assert only(house).status == "New"
    assert len(only(house).notes) == 1


def test_a_finding_that_comes_back_opens_its_ticket_again_and_no_second_one(house):
    for _ in range(3):
        house.tell()
        heals(house)
        house.tell()
        fails(house)
    house.tell()

    assert only(house).status == "New"
    assert [note.split(".")[0] for note in only(house).notes] == ["This has healed", "This is open again"] * 3


def test_a_finding_that_comes_back_after_its_row_is_forgotten_finds_its_ticket_again(house):
    house.tell()
    heals(house)
    house.tell()
    house.clock.pass_by(days=91)
    house.tell()
    assert house.notices.ticket_rows.of("board") == {}

    fails(house)
    house.tell()

    assert only(house).status == "New"


def test_a_persons_closing_is_respected_for_a_week_and_then_the_ticket_is_open_again(house):
    house.tell()
    only(house).status = "Closed"

    for _ in range(7):
        house.clock.pass_by(days=1)
        house.tell()
        assert only(house).status == "Closed"
    house.clock.pass_by(days=1)
    house.tell()

    assert only(house).status == "New"
    assert only(house).notes[0].startswith("This is open still.")


@pytest.mark.parametrize("noticed", [True, False])
@pytest.mark.parametrize("how", ["closed", "deleted"])
def test_a_persons_closing_is_respected_also_when_the_finding_heals_and_comes_back(how, noticed):
    """Whether TrueUp had seen it closed before it healed, or sees it only then."""
    house = a_house(respect_days=3)
    house.tell()
    stamp = only(house).new.stamp
    if how == "closed":
        only(house).status = "Closed"
    else:
        house.tickets.all.clear()
    house.clock.pass_by(hours=25 if noticed else 1)
    house.tell()

    for _ in range(4):
        heals(house)
        house.tell()
        fails(house)
        house.tell()
        assert [it.status for it in house.tickets.all.values()] in ([], ["Closed"])
        house.clock.pass_by(hours=11)
        house.tell()
    house.clock.pass_by(days=1, hours=5)
    house.tell()

    assert (only(house).new.stamp, only(house).status) == (stamp, "New")
    assert all(note.startswith("This is open again.") for note in only(house).notes)


def test_a_ticket_that_a_person_opens_again_while_its_finding_is_back_says_so(house):
    house.tell()
    only(house).status = "Closed"
    heals(house)
    house.tell()
    fails(house)
    house.tell()
    assert only(house).notes == []

    only(house).status = "In Progress"
    house.clock.pass_by(days=1, hours=1)
    house.tell()

    assert only(house).status == "In Progress"
    assert [note.split(".")[0] for note in only(house).notes] == ["This is open again"]


def test_a_ticket_that_a_person_closed_and_opened_again_is_told_of_changes_again(house):
    house.tell()
    only(house).status = "Closed"
    house.clock.pass_by(days=1, hours=1)
    house.tell()
    only(house).status = "In Progress"
    house.clock.pass_by(days=1, hours=1)
    house.tell()
    house.ports.companies.put_rules(replace(house.ports.companies.company_rules(250), name="Alder & Finch"))
    house.sync(250)
    house.tell()

    assert only(house).status == "In Progress"
    assert len(only(house).notes) == 1


def test_a_ticket_that_a_person_deleted_is_not_missed_for_a_week(house):
    house.tell()
    house.tickets.all.clear()
    for _ in range(7):
        house.clock.pass_by(days=1)
        house.tell()
    assert house.tickets.all == {}

    house.clock.pass_by(days=2)
    house.tell()

    assert only(house).status == "New"


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_create_whose_outcome_is_unknown_is_looked_for_and_never_doubled(house, moment):
    def lost(when: str, method: str) -> None:
        if (when, method) == (moment, "open") and house.tickets.calls["open"] == 1:
            raise OutcomeUnknown("no answer", system="ConnectWise Manage")

    house.tickets.fault = lost
    house.tell()
    house.tell()
    assert house.tickets.calls["open"] == 1

    house.clock.pass_by(minutes=11)
    house.tell()

    assert len(house.tickets.all) == 1


@pytest.mark.parametrize("then", ["nothing", "changes", "heals", "heals and comes back", "comes back"])
def test_a_process_that_dies_anywhere_leaves_one_ticket_and_no_note_twice(then):
    """It dies once, before each outside effect in turn, while a ticket is opened, noted, closed or opened again."""
    undisturbed = story(then, die_at=None)
    fates = 1
    while True:
        house = story(then, die_at=fates)
        died = house.fate.log[fates - 1] if fates <= len(house.fate.log) else "nowhere"
        assert said(house) == said(undisturbed), f"{then}: died before step {fates}, {died}"
        if died == "nowhere":
            break
        fates += 1
    assert fates > 10


def story(then: str, die_at: int | None) -> NoticeHouse:
    house = a_house()
    if then != "nothing":
        house.tell()
    if then == "changes":
        house.ports.companies.put_rules(replace(house.ports.companies.company_rules(250), name="Alder & Finch"))
        house.sync(250)
    if then in ("heals", "heals and comes back", "comes back"):
        heals(house)
    if then == "comes back":
        house.tell()
        fails(house)
    house.fate.steps = 0
    house.fate.log.clear()
    house.fate.die_at = die_at
    for look in range(12):
        if then == "heals and comes back" and look == 8:
            house.fate.die_at = None  # what was closed here was closed by us, whoever died over it
            fails(house)
        try:
            house.tell()
        except Killed:
            house.revive()
        house.clock.pass_by(minutes=5)
    return house


def said(house: NoticeHouse) -> list[tuple[str, str, list[str]]]:
    return [(it.new.stamp, it.status, it.notes) for it in house.tickets.all.values()]


def test_manage_that_is_away_is_a_finding_and_the_ticket_is_opened_when_it_is_back(house):
    def away(when: str, method: str) -> None:
        raise Retryable("no connection could be made", system="ConnectWise Manage")

    house.tickets.fault = away
    house.tell()
    assert ("notice-failed", "board/tickets") in house.ports.company_state.load(MSP).findings

    house.tickets.fault = lambda when, method: None
    house.clock.pass_by(minutes=5)
    house.tell()

    assert only(house).status == "New"
    assert house.ports.company_state.load(MSP).findings == {}


def test_a_board_that_does_not_exist_is_a_finding_and_is_not_asked_for_at_every_tick(house):
    house.told_by(replace(READING, to=("No Such Board",)))
    for _ in range(12):
        house.tell()
        house.clock.pass_by(minutes=4)
    assert house.tickets.calls["open"] == 1

    house.told_by(READING)
    house.clock.pass_by(hours=1)
    house.tell()

    assert only(house).status == "New"


NOT_TOLD = "This subscriber is not told of it any more."


@pytest.mark.parametrize("narrowed", [{"companies": (251,)}, {"owners": ("Jan",)}, {"about": ("unmapped",)}])
def test_a_ticket_ends_when_its_subscriber_is_not_told_of_the_finding_any_more_and_goes_on_when_it_is_again(narrowed):
    """Jan has company 251. That it healed is not said: it did not."""
    house = a_house()
    house.manage.companies_ = [Company(251, "C251", "Company 251", owners=("Jan",))]
    house.tell()
    house.told_by(replace(READING, **narrowed))

    house.tell()
    house.tell()

    assert only(house).status == "Closed"
    assert [note.partition("\n")[0] for note in only(house).notes] == [NOT_TOLD]

    house.told_by(READING)
    house.sync(250)
    house.tell()
    assert only(house).status == "New"
    heals(house)
    house.tell()
    assert [note.partition("\n")[0] for note in only(house).notes[2:]] == ["This has healed."]


def test_a_ticket_about_the_msp_ends_when_its_subscriber_is_told_of_some_companies_only(house):
    house.told_by(replace(BOARD, about=("customer-new",)))
    house.source.counts["unknown"] = ()
    notice_customers(house.ports, house.ports.companies.all())
    house.tell()

    house.told_by(replace(BOARD, about=("customer-new",), companies=(250,)))
    house.tell()

    assert only(house).status == "Closed"
    assert only(house).notes[0].startswith(NOT_TOLD)


def test_an_owner_whom_manage_does_not_know_ends_no_ticket(house):
    house.tell()
    house.clock.pass_by(hours=1)
    house.told_by(replace(READING, owners=("Jann",)))

    house.tell()

    assert (only(house).status, only(house).notes) == ("New", [])


def test_an_open_ticket_in_english_is_not_told_of_an_amount_that_is_only_written_otherwise(house):
    state = house.state(250)
    (key,) = [key for key in state.findings if key[0] == "read-failed"]
    opened = state.findings[key]
    text = "Box: 1234.50 more since 1 Dec 2026."
    house.ports.company_state.commit(
        250, [Put(StateKind.FINDING, key, replace(opened, finding=replace(opened.finding, text=text)))]
    )
    house.tell()
    house.told_by(replace(READING, language=Language.EN_GB))
    house.sync(251)
    house.tell()

    assert text in only(house).new.text
    assert only(house).notes == []


def test_a_ticket_about_the_msp_itself_has_its_company(house):
    house.told_by(replace(BOARD, about=("customer-new",), ticket=TicketRule(company=2, at_customer=True)))
    house.source.counts["unknown"] = ()
    notice_customers(house.ports, house.ports.companies.all())
    house.tell()

    assert only(house).new.company == 2
