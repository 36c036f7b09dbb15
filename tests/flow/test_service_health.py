"""Open issues of customers' services: one ticket each and company, one for all where many have it, none left behind."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest

from shared.billing.subscribers import ServiceHealth, TicketRule
from shared.errors import NotPermitted, Retryable, TrueUpError
from shared.health import ServiceIssue
from shared.notices.health import BELIEVED_FOR, MOST_IN_A_ROW, look_at_services
from shared.notices.issues import UNHEARD
from shared.state.company_state import MSP
from tests import builders as b
from tests.fakes.house import FakeSource, Killed
from tests.fakes.notices import FakeTicket, NoticeHouse

RULE = ServiceHealth("Service Desk", TicketRule(company=2, at_customer=True), together_from=3)
BEGAN = datetime(2026, 11, 21, 1, tzinfo=UTC)
DELAYED = ServiceIssue(
    "EX1001",
    "Mail is delayed",
    "Exchange Online",
    status="service degradation",
    impact="Some users wait.",
    began=BEGAN,
    news="We are looking into it.",
    news_at=BEGAN,
)
TENANTS = (250, 251, 252, 253)


@dataclass
class HealthyVendor(FakeSource):
    """Microsoft 365 that tells each tenant of issues."""

    issues: dict[str, list[ServiceIssue]] = field(default_factory=dict)
    away: dict[str, TrueUpError] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def open_issues(self, customer: str) -> list[ServiceIssue]:
        self.asked.append(customer)
        if customer in self.away:
            raise self.away[customer]
        return self.issues.get(customer, [])


class HealthHouse(NoticeHouse):
    """Four companies with a tenant each, and tickets of their services' issues."""

    def __init__(self, rule: ServiceHealth | None = RULE, companies: tuple[int, ...] = TENANTS) -> None:
        super().__init__()
        self.source = self.vendor = HealthyVendor()
        self.ports = self._new_process(self.ports.limits)
        self.rules(replace(b.rules(), service_health=rule))
        for company in companies:
            self.company(company, [b.count(10)], [b.addition(company + 8000, 10)])
        self.look()

    def look(self) -> None:
        look_at_services(self.notices)

    def hour(self, hours: float = 1) -> None:
        """Time goes by, then the timer fires."""
        self.clock.pass_by(hours=hours)
        self.look()

    def have(self, issue: ServiceIssue, *companies: int) -> None:
        """Exactly these companies have it now, and nothing else."""
        self.vendor.issues = {f"tenant-{company}": [issue] for company in companies}

    def open_tickets(self) -> list[tuple[int, str]]:
        """Whose tickets are open, and of which issue."""
        told = [it.new for it in self.tickets.all.values() if it.status != "Closed"]
        return sorted((new.company, new.summary.split()[0]) for new in told)

    def findings(self) -> dict[tuple[str, str], str]:
        standing = self.ports.company_state.load(MSP).findings
        return {key: found.finding.text for key, found in standing.items()}


@pytest.fixture
def house() -> HealthHouse:
    return HealthHouse()


def only(house: HealthHouse) -> FakeTicket:
    (ticket,) = house.tickets.all.values()
    return ticket


def test_an_issue_of_one_customer_is_one_ticket_of_its_company_with_what_microsoft_says(house):
    house.have(DELAYED, 250)
    house.hour()

    new = only(house).new
    assert (new.company, new.board, new.summary) == (
        250,
        "Service Desk",
        "EX1001 Exchange Online, Company 250: Mail is delayed",
    )
    assert "Incident EX1001 of Microsoft 365: Exchange Online" in new.text
    assert "Open since 21 Nov 2026, 01:00 (UTC), service degradation." in new.text
    assert "Impact: Some users wait." in new.text
    assert "We are looking into it." in new.text


def test_each_customer_is_asked_once_an_hour_and_nothing_new_writes_nothing(house):
    house.have(DELAYED, 250)
    house.hour()
    writes = house.tickets.writes
    house.vendor.asked.clear()

    for _ in range(24):
        house.hour(1 / 12)

    assert len(house.vendor.asked) == 2 * len(TENANTS)
    assert house.tickets.writes == writes


def test_without_the_rule_nobody_is_asked():
    house = HealthHouse(rule=None)
    house.have(DELAYED, 250)
    house.hour(24)

    assert house.vendor.asked == []
    assert house.tickets.all == {}


def test_news_are_noted_once_and_the_ticket_is_closed_when_the_issue_is(house):
    house.have(DELAYED, 250)
    house.hour()
    house.have(replace(DELAYED, news="A fix is on its way.", news_at=BEGAN + timedelta(hours=2)), 250)
    house.hour()
    house.hour()
    (note,) = only(house).notes
    assert "A fix is on its way." in note

    house.have(DELAYED)
    house.hour()
    house.hour()

    assert only(house).status == "Closed"
    assert only(house).notes[1].startswith("Microsoft does not report this as open any more.")
    assert len(only(house).notes) == 2


def test_an_issue_that_comes_back_opens_its_ticket_again(house):
    for companies in [(250,), (), (250,)]:
        house.have(DELAYED, *companies)
        house.hour()

    assert only(house).status == "New"


@pytest.mark.parametrize(
    ("issue", "told"),
    [
        (DELAYED, True),
        (replace(DELAYED, service="Microsoft Teams"), False),
        (replace(DELAYED, service="exchange online"), True),
        (replace(DELAYED, service="Microsoft 365 suite", feature_group="Exchange Online Protection"), True),
        (replace(DELAYED, advisory=True), False),
    ],
)
def test_only_issues_of_chosen_services_become_tickets(issue, told):
    house = HealthHouse(replace(RULE, advisories=False))
    house.have(issue, 250)
    house.hour()

    assert bool(house.tickets.all) is told


def test_an_issue_that_many_have_is_one_ticket_of_the_msp_that_names_them(house):
    house.have(DELAYED, 250, 251, 252)
    house.hour()

    new = only(house).new
    assert new.company == 2
    assert new.summary == "EX1001 Exchange Online, several customers: Mail is delayed"
    assert "Customers that have it (3): Company 250, Company 251, Company 252." in new.text


def test_an_issue_that_spreads_moves_into_one_ticket_and_the_others_say_so(house):
    house.have(DELAYED, 250, 251)
    house.hour()
    assert house.open_tickets() == [(250, "EX1001"), (251, "EX1001")]

    house.have(DELAYED, *TENANTS)
    house.hour()

    assert house.open_tickets() == [(2, "EX1001")]
    moved = [it.notes for it in house.tickets.all.values() if it.new.company != 2]
    assert all(notes[0].startswith("Several customers have EX1001 by now") for notes in moved)


def test_an_issue_that_fades_stays_one_ticket_until_nobody_has_it(house):
    for companies in [(250, 251, 252), (250,)]:
        house.have(DELAYED, *companies)
        house.hour()
    assert house.open_tickets() == [(2, "EX1001")]

    house.have(DELAYED)
    house.hour()

    assert house.open_tickets() == []
    assert len(house.tickets.all) == 1


def test_a_customer_that_cannot_be_read_keeps_its_ticket_and_harms_no_other(house):
    house.have(DELAYED, 250, 251)
    house.hour()
    house.vendor.away["tenant-250"] = NotPermitted("Graph answered 403", system="Microsoft 365")
    house.vendor.issues.clear()
    house.hour()

    assert house.open_tickets() == [(250, "EX1001")]
    assert "Company 250" in house.findings()["consent-lost", "service-health"]

    house.vendor.away.clear()
    house.hour()
    assert house.open_tickets() == []
    assert house.findings() == {}


def test_what_was_told_long_ago_is_not_believed_for_ever(house):
    house.have(DELAYED, 250)
    house.hour()
    house.vendor.away["tenant-250"] = Retryable("no answer", system="Microsoft 365")
    house.hour()
    assert house.findings() == {}

    for _ in range(BELIEVED_FOR.days + 1):
        house.hour(24)

    assert house.open_tickets() == []
    assert [UNHEARD in notes[-1] for _, _, notes in said(house)] == [True]
    assert "could not be read for a day" in house.findings()["read-failed", "service-health"]


def test_a_vendor_that_is_away_is_not_asked_for_every_customer_and_who_waits_longest_is_asked_first():
    companies = tuple(range(250, 250 + 3 * MOST_IN_A_ROW))
    house = HealthHouse(companies=companies)
    house.vendor.away = {f"tenant-{company}": Retryable("no answer", system="Microsoft 365") for company in companies}
    for looks in (1, 2, 3):
        house.hour()
        assert len(house.vendor.asked) == looks * MOST_IN_A_ROW

    assert sorted(house.vendor.asked) == [f"tenant-{company}" for company in companies]


def test_a_customer_that_is_not_linked_any_more_is_asked_no_more_and_its_ticket_closed(house):
    house.have(DELAYED, 250)
    house.hour()
    known = house.ports.companies.company_rules(250)
    house.ports.companies.put_rules(replace(known, links=(replace(known.links[0], removed=True),)))
    house.vendor.asked.clear()
    house.hour()

    assert "tenant-250" not in house.vendor.asked
    assert house.open_tickets() == []
    assert [UNHEARD in notes[-1] for _, _, notes in said(house)] == [True]


@pytest.mark.parametrize("then", ["begins", "has news", "spreads", "ends"])
def test_a_process_that_dies_anywhere_leaves_one_ticket_and_no_note_twice(then):
    """It dies once, before each outside effect in turn."""
    undisturbed, fate = said(story(then, None)), 1
    while True:
        house = story(then, die_at=fate)
        died = house.fate.log[fate - 1] if fate <= len(house.fate.log) else "nowhere"
        assert said(house) == undisturbed, f"{then}: died before step {fate}, {died}"
        if died == "nowhere":
            break
        fate += 1
    assert fate > 5


def story(then: str, die_at: int | None) -> HealthHouse:
    house = HealthHouse()
    if then != "begins":
        house.have(DELAYED, 250, 251)
        house.hour()
    news = replace(DELAYED, news="A fix is on its way.", news_at=BEGAN + timedelta(hours=2))
    changes = {"begins": (DELAYED, 250, 251), "has news": (news, 250, 251), "spreads": (DELAYED, *TENANTS)}
    house.have(*changes.get(then, (DELAYED,)))
    house.fate.steps = 0
    house.fate.log.clear()
    house.fate.die_at = die_at
    house.clock.pass_by(hours=1)
    for _ in range(12):
        try:
            house.look()
        except Killed:
            house.revive()
        house.clock.pass_by(minutes=10)
    return house


def said(house: HealthHouse) -> list[tuple[int, str, list[str]]]:
    return sorted((it.new.company, it.status, it.notes) for it in house.tickets.all.values())


def test_what_was_told_of_refused_customers_closes_once_the_rules_leave_service_health_out(house):
    house.vendor.away = {"tenant-250": NotPermitted("Graph answered 403", system="Microsoft 365")}
    house.hour()
    assert house.findings() != {}

    house.rules(replace(b.rules(), service_health=None))
    house.hour()
    assert house.findings() == {}
