"""People are told: digests when they are due, findings at once, nothing lost and nothing twice by our doing."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from shared.billing.counts import FailureKind
from shared.billing.findings import FindingKind
from shared.billing.profiles import PriceKind, PriceRule
from shared.billing.rules import CompanyRules, Mode, SkuPolicy
from shared.billing.subscribers import Channel, Frequency, Language, Subscriber, Topic
from shared.errors import NotPermitted, Refused, Retryable
from shared.notices.languages import sentence_in
from shared.notices.places import place_of
from shared.state.company_state import MSP
from shared.sync import poison
from shared.sync.approvals import Person
from shared.sync.erasing import erase
from shared.sync.lanes import start_run
from shared.sync.msp import notice_customers
from shared.web.pages import frame
from tests import builders as b
from tests.fakes.notices import CLERK, DESK, NoticeHouse

WEEKLY = replace(CLERK, frequency=Frequency.WEEKLY)
MONTHLY = replace(CLERK, frequency=Frequency.MONTHLY)


@pytest.fixture
def house() -> NoticeHouse:
    return NoticeHouse(CLERK)


def raised(house: NoticeHouse, company: int = 250, *, mode: Mode = Mode.AUTO) -> None:
    """A company that used two seats more than it was billed for, looked at."""
    house.company(company, [b.count(12)], [b.addition(company + 8000, 10)], mode=mode)
    house.sync(company, run=f"run-{company}")


def test_a_change_is_told_once_by_its_sentence_with_what_it_comes_to(house):
    house.tell()
    raised(house)

    house.pass_days(1)
    house.pass_days(1)

    assert len(house.mail.taken) == 1
    text = house.mail.last.text
    assert "Company 250  https://trueup.test/console/companies/250" in text
    assert "12 instead of 10, 2 more" in text
    assert "+50.00 an invoice" in text
    assert house.mail.last.to == "clerk@birchline.example"
    assert house.mail.last.subject == "TrueUp, 11/22/2026: changed in ConnectWise Manage 1"


def test_what_happened_after_a_digest_is_told_in_the_next_one(house):
    raised(house)
    house.pass_days(1)
    raised(house, 251)

    house.pass_days(1)

    assert "Company 251" in house.mail.last.text
    assert "Company 250" not in house.mail.last.text


def test_a_digest_comes_at_its_hour_and_not_before(house):
    raised(house)
    house.tell()
    house.clock.time = house.clock.time.replace(hour=7, minute=59)
    house.tell()
    assert house.mail.taken == []

    house.clock.pass_by(minutes=5)
    house.tell()
    house.tell()

    assert len(house.mail.taken) == 1


@pytest.mark.parametrize(
    ("subscriber", "day"), [(WEEKLY, "2026-11-23"), (MONTHLY, "2026-12-01"), (replace(CLERK, hour=7), "2026-11-21")]
)
def test_a_digest_comes_on_its_day(subscriber, day):
    house = NoticeHouse(subscriber)
    raised(house)
    for _ in range(24 * 12):
        house.tell()
        if house.mail.taken:
            break
        house.clock.pass_by(hours=1)

    assert house.clock.time.date().isoformat() == day
    assert "2 more" in house.mail.last.text


@pytest.mark.parametrize(
    ("zone", "hour", "at", "first", "second"),
    [
        ("America/Chicago", 17, "2026-11-21T23:00", "11/21/2026", "11/22/2026"),
        ("Pacific/Auckland", 6, "2026-11-21T17:00", "11/22/2026", "11/23/2026"),
    ],
)
def test_a_digest_comes_at_its_hour_and_tells_days_as_they_are_where_the_msp_is(zone, hour, at, first, second):
    """It begins on the 21st at 02:00 UTC: the evening of the 20th in Chicago, the afternoon of the 21st in Auckland."""
    house = NoticeHouse(replace(CLERK, hour=hour))
    house.clock.zone = ZoneInfo(zone)
    house.ports = replace(house.ports, time_zone=house.clock.zone)
    house.company(250, [b.count(12, sku="unknown-sku", name="Visio")])
    house.sync(250)
    opened = house.clock.business_now()
    while not house.mail.taken:
        house.tell()
        house.clock.pass_by(minutes=30)
    assert f"{house.clock.time - timedelta(minutes=30):%Y-%m-%dT%H:%M}" == at
    assert house.mail.last.subject.startswith(f"TrueUp, {first}")

    house.clock.pass_by(days=1)
    house.tell()

    assert house.mail.last.subject.startswith(f"TrueUp, {second}")
    assert f"Open since {opened:%m/%d/%Y} (unmapped)" in house.mail.last.text


def test_a_customer_that_has_vanished_is_told_with_the_company_whose_lines_are_left_alone(house):
    house.company(250, [b.count(12)], [b.addition(8250, 10)])
    del house.source.counts["tenant-250"]
    notice_customers(house.ports, house.ports.companies.all())

    house.pass_days(1)

    assert "NEW AND VANISHED CUSTOMERS (1)" in house.mail.last.text
    assert "Company 250 (company 250) is linked to customer tenant-250, which" in house.mail.last.text
    assert "its lines are left alone" in house.mail.last.text


def test_nothing_is_sent_when_there_is_nothing_to_say_unless_somebody_asked(house):
    asked = replace(CLERK, id="boss", to=("boss@birchline.example",), even_when_empty=True)
    house.told_by(CLERK, asked)

    house.pass_days(1)

    assert [message.to for message in house.mail.taken] == ["boss@birchline.example"]
    assert house.mail.last.subject.endswith("nothing to tell")
    assert "There is nothing to tell" in house.mail.last.text


def test_what_waits_is_told_with_its_money_every_day_until_somebody_decides(house):
    raised(house, mode=Mode.APPROVE)

    house.pass_days(1)
    house.pass_days(1)

    assert len(house.mail.taken) == 2
    text = house.mail.last.text
    assert "WAITS FOR YOU (1)" in text
    assert "All of it: +50.00 an invoice." in text
    assert "https://trueup.test/console/approvals" in text
    assert "Waits since 11/21/2026." in text


def test_findings_are_told_with_what_to_do(house):
    house.company(250, [b.count(12, sku="unknown-sku", name="Visio")])
    house.sync(250)

    house.pass_days(1)

    finding = next(open_.finding for (kind, _), open_ in house.state(250).findings.items() if kind == "unmapped")
    assert "LICENCES THAT NOBODY BILLS OR USES" in house.mail.last.text
    assert finding.text in house.mail.last.text
    assert finding.remedy in house.mail.last.text


def test_a_customer_that_cannot_be_read_is_told_with_what_to_do(house):
    house.company(250, [b.count(12)], [b.addition(8250, 10)])
    house.source.failing["tenant-250"] = FailureKind.CONSENT_LOST
    house.sync(250)

    house.pass_days(1)

    assert "CUSTOMERS THAT COULD NOT BE READ (1)" in house.mail.last.text
    assert "Wait." in house.mail.last.text


def test_a_company_whose_failure_is_a_finding_is_told_once_with_the_finding(house):
    house.company(250, [b.count(12)], [b.addition(8250, 10)])
    house.source.failing["tenant-250"] = FailureKind.READ_FAILED
    house.sync(250)

    house.pass_days(1)

    assert house.mail.last.text.count("Company 250") == 1
    assert "COMPANIES THAT FAILED" not in house.mail.last.text


def test_who_hears_of_no_findings_is_told_which_companies_failed_and_why(house):
    def refuse(moment: str, method: str) -> None:
        raise NotPermitted("Manage answered 403 to the agreements", system="ConnectWise Manage")

    house.told_by(replace(CLERK, about=("failed",)))
    house.company(250, [b.count(12)], [b.addition(8250, 10)])
    house.manage.fault = refuse
    start_run(house.ports, "run", "nightly", [250])
    house.work_until_done("run")

    house.pass_days(1)

    assert "COMPANIES THAT FAILED (1)" in house.mail.last.text
    assert "Manage answered 403 to the agreements" in house.mail.last.text


def test_what_to_do_about_several_entries_in_a_row_is_said_once(house):
    house.company(250, [b.count(12, sku=f"sku-{number}", name=f"Visio {number}") for number in range(3)])
    house.sync(250)

    house.pass_days(1)

    assert house.mail.last.text.count("Map this SKU") == 1
    assert all(f"- Visio {number}:" in house.mail.last.text for number in range(3))


def test_the_leak_of_the_month_counts_what_was_raised_what_waits_and_what_is_only_observed(house):
    raised(house, 250)
    raised(house, 251, mode=Mode.APPROVE)
    raised(house, 252, mode=Mode.OBSERVE)

    house.pass_days(1)

    leak = house.mail.last.text.partition("LEAK FOUND IN NOVEMBER 2026")[2]
    assert leak.count("+50.00") == 3


LEAK = (Topic.LEAK.value,)


def leak_of(text: str) -> str:
    return text.partition("LEAK FOUND IN ")[2].partition("\n\n--")[0]


@pytest.mark.parametrize("late", [0, 2, 20])
def test_a_monthly_digest_tells_the_leak_of_the_month_before_and_of_no_day_of_this_one(late):
    house = NoticeHouse(replace(MONTHLY, hour=8))
    house.tell()
    raised(house, 250)
    house.clock.time = house.clock.time.replace(month=12, day=1)
    raised(house, 251)
    house.clock.pass_by(hours=8, days=late)
    house.tell()

    assert leak_of(house.mail.last.text) == "NOVEMBER 2026\n- Raised, from then on [+50.00 an invoice]"
    assert house.mail.last.subject.endswith(", leak found in November 2026 +50.00 an invoice")


@pytest.mark.parametrize(
    ("frequency", "day", "told", "found"),
    [
        (Frequency.DAILY, (11, 30), "NOVEMBER", "- Raised, from then on [+50.00 an invoice]"),
        (Frequency.DAILY, (12, 1), "DECEMBER", "None was found."),
        (Frequency.WEEKLY, (11, 30), "NOVEMBER", "- Raised, from then on [+50.00 an invoice]"),
        (Frequency.WEEKLY, (12, 2), "NOVEMBER", "- Raised, from then on [+50.00 an invoice]"),
        (Frequency.WEEKLY, (12, 7), "DECEMBER", "None was found."),
    ],
)
def test_a_leak_is_told_in_the_month_in_which_it_was_found(frequency, day, told, found):
    """The weekly digest of 30 November, a Monday, is also one that a program that was away writes on Wednesday."""
    house = NoticeHouse(replace(CLERK, frequency=frequency, even_when_empty=True))
    house.tell()
    raised(house)
    month, day_of_month = day
    house.clock.time = house.clock.time.replace(month=month, day=day_of_month, hour=8)
    house.tell()

    assert leak_of(house.mail.last.text).splitlines() == [f"{told} 2026", found]


@pytest.mark.parametrize("subscriber", [replace(CLERK, about=LEAK), replace(WEEKLY, about=LEAK), WEEKLY])
def test_a_leak_at_companies_that_are_only_observed_is_sent_alone_with_its_sum(subscriber):
    house = NoticeHouse(subscriber)
    house.tell()
    raised(house, 250, mode=Mode.OBSERVE)
    raised(house, 251, mode=Mode.OBSERVE)

    house.pass_days(2)

    (message,) = house.mail.taken
    assert message.subject == "TrueUp, 11/23/2026: leak found in November 2026 +100.00 an invoice"
    assert "[+100.00 an invoice]" in message.text
    assert "nothing to tell" not in message.text


@pytest.mark.parametrize("subscriber", [CLERK, replace(CLERK, about=(*LEAK, "unmapped"))])
def test_a_leak_alone_is_not_sent_every_day_to_who_is_told_of_more(subscriber):
    house = NoticeHouse(subscriber)
    raised(house, mode=Mode.OBSERVE)

    house.pass_days(1)
    house.pass_days(1)

    assert house.mail.taken == []


@pytest.mark.parametrize("frequency", [Frequency.DAILY, Frequency.WEEKLY, Frequency.MONTHLY])
def test_where_no_leak_is_found_who_is_told_of_leaks_alone_is_sent_nothing(frequency):
    house = NoticeHouse(replace(CLERK, about=LEAK, frequency=frequency))
    house.company(250, [b.count(10)], [b.addition(8250, 10)], mode=Mode.OBSERVE)
    house.sync(250)

    house.pass_days(11)

    assert house.mail.taken == []


def test_who_is_told_of_some_companies_and_kinds_hears_of_no_others(house):
    some = replace(CLERK, about=("changes",), companies=(251,))
    house.told_by(some)
    raised(house, 250)
    raised(house, 251)
    house.company(252, [b.count(12, sku="unknown-sku", name="Visio")])
    house.sync(252)

    house.pass_days(1)

    assert "Company 251" in house.mail.last.text
    assert "Company 250" not in house.mail.last.text
    assert "Visio" not in house.mail.last.text
    assert "LEAK" not in house.mail.last.text


def test_names_of_users_are_shown_to_those_only_who_may_see_them(house):
    boss = replace(CLERK, id="boss", to=("boss@birchline.example",), users=True)
    rules = b.rules(b.profile(invoice_text="{users}", price=PriceRule(PriceKind.PRODUCT)))
    house.told_by(CLERK, boss, rules=rules)
    house.company(250, [b.count(12, holders=["Robin Ash"])])
    house.sync(250)

    house.pass_days(1)

    told = {message.to: message for message in house.mail.taken}
    assert "Robin Ash" in told["boss@birchline.example"].text
    assert "Robin Ash" in told["boss@birchline.example"].html
    assert "Robin Ash" not in told["clerk@birchline.example"].text + told["clerk@birchline.example"].html


def test_days_and_amounts_are_written_as_the_subscriber_reads_them(house):
    house.told_by(replace(CLERK, language=Language.DE_DE))
    raised(house)

    house.pass_days(1)

    sentence = "- Business Premium: from 01.12.2026 12 instead of 10, 2 more: +50,00 an invoice; TrueUp takes care"
    assert sentence in house.mail.last.text
    assert "[+50,00" not in house.mail.last.text.partition("LEAK")[0]
    assert not re.search(
        r"\d\.\d\d\b|Dec|Nov", house.mail.last.text.replace("22.11.2026", "").replace("01.12.2026", "")
    )
    assert house.mail.last.subject.startswith("TrueUp, 22.11.2026")


@pytest.mark.parametrize(
    ("language", "written"),
    [
        (
            Language.EN_US,
            "Box 2.5 TB: 1,234.5 more since 17 Feb 2027: 11 of 28 × 1,025.00 = 0.00125 each, v2.5.",
        ),
        (
            Language.DE_DE,
            "Box 2.5 TB: 1.234,5 more since 17.02.2027: 11 of 28 × 1.025,00 = 0,00125 each, v2.5.",
        ),
        (
            Language.NL_NL,
            "Box 2.5 TB: 1.234,5 more since 17-02-2027: 11 of 28 × 1.025,00 = 0,00125 each, v2.5.",
        ),
        (
            Language.FR_FR,
            "Box 2.5 TB: 1\u202f234,5 more since 17/02/2027: 11 of 28 × 1\u202f025,00 = 0,00125 each, v2.5.",
        ),
    ],
)
def test_a_sentence_of_the_plan_is_written_so_that_its_numbers_are_read_right(language, written):
    sentence = "Box 2.5 TB: 1234.5 more since 17 Feb 2027: 11 of 28 × 1025.00 = 0.00125 each, v2.5."

    assert sentence_in(language, sentence) == written


@pytest.mark.parametrize("sentence", ["Version 1.2.3 of 10.0.0.1 is away.", "It was due on 31 Feb 2027 or 2027-01-05."])
def test_what_is_neither_a_day_nor_an_amount_stays_as_it_is(sentence):
    assert sentence_in(Language.DE_DE, sentence) == sentence


def test_what_concerns_no_company_leads_to_the_page_of_the_console_that_is_about_it(house):
    house.source.counts["nobodys"] = ()
    notice_customers(house.ports, [])
    poison.note(house.ports, "no message of ours")
    house.source.broken = NotPermitted("it answered 401", system="Microsoft 365")
    notice_customers(house.ports, [])
    house.pass_days(1)

    for title, path in (place_of("customer-new"), place_of("poison"), place_of("consent-lost")):
        assert f"{title}  https://trueup.test/console{path}\n- " in house.mail.last.text
        assert f'<a href="https://trueup.test/console{path}"' in house.mail.last.html
    assert {(title, f"/console{path}") for title, path in map(place_of, FindingKind)} <= {
        (place.title, place.path) for place in frame._PLACES
    }


def test_what_a_customer_calls_itself_stays_text_in_html(house):
    house.company(250, [b.count(12)], [b.addition(8250, 10)])
    house.ports.companies.put_rules(replace(house.ports.companies.company_rules(250), name="<b>Ash & Sons</b>"))
    house.sync(250)

    house.pass_days(1)

    assert "&lt;b&gt;Ash &amp; Sons&lt;/b&gt;" in house.mail.last.html


def test_a_finding_is_told_at_once_and_once_while_it_is_open():
    house = NoticeHouse(DESK)
    house.company(250, [b.count(12)], [b.addition(8250, 10)])
    house.source.failing["tenant-250"] = FailureKind.READ_FAILED
    house.sync(250)
    house.tell()
    assert "Customers that could not be read" not in house.teams.last.text
    assert "It did not answer." in house.teams.last.text

    for _ in range(5):
        house.clock.pass_by(minutes=30)
        house.sync(250)
        house.tell()
    assert len(house.teams.taken) == 1

    house.source.failing.clear()
    house.sync(250)
    house.tell()
    house.source.failing["tenant-250"] = FailureKind.READ_FAILED
    house.sync(250)
    house.tell()
    assert len(house.teams.taken) == 2


def test_looking_for_new_findings_reads_no_company_that_nobody_has_looked_at_since():
    house = NoticeHouse(DESK)
    for company in range(250, 270):
        house.company(company, [b.count(10)], [b.addition(company + 8000, 10)])
        house.sync(company)
    house.tell()
    house.clock.pass_by(hours=1)
    house.tell()
    before = house.tables.round_trips

    house.clock.pass_by(minutes=5)
    house.tell()

    assert house.tables.round_trips - before <= 7


def test_a_channel_that_is_away_costs_no_notice_and_is_itself_a_finding_until_it_is_back(house):
    raised(house)
    house.mail.broken = Retryable("no connection could be made", system="mail server")
    house.pass_days(1)
    assert [kind for kind, _ in house.ports.company_state.load(MSP).findings] == ["notice-failed"]

    house.mail.broken = None
    house.clock.pass_by(minutes=10)
    house.tell()

    assert len(house.mail.taken) == 1
    assert house.ports.company_state.load(MSP).findings == {}


def test_a_channel_that_asks_for_time_is_given_it(house):
    raised(house)
    house.mail.broken = Retryable("too many requests", system="mail server", retry_after=3600)
    house.pass_days(1)
    for _ in range(11):
        house.clock.pass_by(minutes=5)
        house.tell()
    assert house.mail.tries["clerk@birchline.example"] == 1

    house.mail.broken = None
    house.clock.pass_by(minutes=5)
    house.tell()

    assert len(house.mail.taken) == 1


def test_an_address_that_is_refused_is_given_up_after_days_and_tried_ever_more_seldom(house):
    raised(house)
    house.mail.broken = Refused("the mail server answered 550 to the address", system="mail server")
    house.pass_days(1)
    for _ in range(5 * 24 * 12):
        house.clock.pass_by(minutes=5)
        house.tell()

    assert house.notices.notices.pending() == []
    assert 5 < house.mail.tries["clerk@birchline.example"] < 30
    assert "550" in house.notices.notices.sent("clerk")[0].failure


def test_one_address_that_does_not_work_keeps_no_other_from_being_told(house):
    house.told_by(CLERK, Subscriber("desk", Channel.TEAMS, ("service-desk",)))
    raised(house)
    house.mail.broken = Retryable("no connection could be made", system="mail server")

    house.pass_days(1)

    assert [message.to for message in house.teams.taken] == ["service-desk"]


def test_a_process_that_dies_anywhere_loses_no_digest_and_what_it_doubles_has_the_same_id():
    """The process dies once, before each outside effect in turn; a mail is only doubled where it was just taken."""
    steps = fates = 1
    while steps >= fates:
        house = NoticeHouse(CLERK)
        raised(house)
        house.tell()
        house.clock.time = house.clock.time.replace(hour=8)
        house.clock.pass_by(days=1)
        house.fate.steps, house.fate.die_at = 0, fates
        house.fate.log.clear()
        house.tell_until_done()
        steps, died_at = house.fate.steps, house.fate.log[fates - 1]
        ids = [message.id for message in house.mail.taken]
        assert len(set(ids)) == 1, died_at
        after_sending = "answer of post" in house.fate.log[:fates]
        assert len(ids) == 1 or (after_sending and len(ids) == 2), died_at
        fates += 1
    assert fates > 15


@pytest.mark.parametrize("subscriber", [DESK, replace(CLERK, frequency=Frequency.AT_ONCE)])
def test_a_process_that_dies_anywhere_loses_no_notice_at_once_and_doubles_one_only_with_the_same_id(subscriber):
    """The process dies once, before each outside effect in turn: neither Teams nor mail lets us look what is there."""
    fates, log = 1, [""]
    while fates <= len(log):
        house = NoticeHouse(subscriber)
        house.tell()
        house.company(250, [b.count(12)], [b.addition(8250, 10)])
        house.source.failing["tenant-250"] = FailureKind.READ_FAILED
        house.sync(250)
        house.fate.steps, house.fate.die_at = 0, fates
        house.fate.log.clear()
        house.tell_until_done(range(12))
        log = house.fate.log
        ids = [message.id for message in (*house.teams.taken, *house.mail.taken)]
        assert len(set(ids)) == 1, log[fates - 1]
        was_taken = "answer of post" in log[:fates]
        assert len(ids) == 1 or (was_taken and len(ids) == 2), log[fates - 1]
        fates += 1
    assert fates > 10


def test_two_ticks_at_once_write_one_digest(house):
    raised(house)
    house.tell()
    house.clock.time = house.clock.time.replace(hour=8)
    told_inside: list[int] = []

    def another_tick(moment: str, operation: str, table: str) -> None:
        if moment == "before" and (operation, table) == ("transact", "Notices") and not told_inside:
            told_inside.append(1)
            house.tell()

    house.tables.fault = another_tick
    house.tell()

    assert told_inside
    assert len(house.mail.taken) == 1


def test_what_was_sent_long_ago_is_forgotten(house):
    house.told_by(replace(CLERK, even_when_empty=True))
    for _ in range(95):
        house.pass_days(1)

    kept = house.notices.notices.sent("clerk")
    assert len(kept) <= 91
    assert min(each.made for each in kept) >= house.clock.time - timedelta(days=90)


def test_what_was_sent_to_somebody_who_is_told_nothing_any_more_is_forgotten_too(house):
    house.told_by(replace(CLERK, even_when_empty=True))
    house.pass_days(2)
    assert house.notices.notices.sent("clerk")
    house.told_by()

    house.pass_days(95)

    assert house.notices.notices.sent("clerk") == []


def test_what_was_told_at_once_long_ago_is_forgotten_too():
    house = NoticeHouse(DESK)
    house.company(250, [b.count(10)], [b.addition(8250, 10)])
    for _ in range(50):
        house.clock.pass_by(days=2)
        house.source.failing["tenant-250"] = FailureKind.READ_FAILED
        house.sync(250)
        house.tell()
        house.source.failing.clear()
        house.sync(250)
        house.tell()

    assert len(house.teams.taken) == 50
    assert len(house.notices.notices.sent("desk")) <= 47


def test_a_company_that_comes_back_after_it_was_erased_is_told_of_anew():
    house = NoticeHouse(DESK)
    house.company(250, [b.count(10)])
    linked = house.ports.companies.company_rules(250)
    house.source.failing["tenant-250"] = FailureKind.READ_FAILED
    for _ in range(2):
        house.sync(250)
        house.tell()
        house.ports.companies.put_rules(CompanyRules(250, "Alder & Finch"))
        erase(house.ports, 250, Person("boss@birchline.example"))
        house.clock.pass_by(hours=1)
        house.tell()
        house.ports.companies.put_rules(linked)

    assert len(house.teams.taken) == 2


def test_more_than_fits_is_counted_and_said(house):
    for company in range(1, 206):
        house.company(company, [b.count(12, sku="unknown-sku", name="Visio")])
        house.sync(company)

    house.pass_days(1)

    unmapped = sum(1 for company in range(1, 206) for kind in house.kinds(company) if kind == "unmapped")
    assert f"LICENCES THAT NOBODY BILLS OR USES ({unmapped})" in house.mail.last.text
    assert f"… and {unmapped - 200} more" in house.mail.last.text
    assert Decimal(unmapped) == 205


def test_a_change_of_the_last_minutes_is_told_once_in_the_next_digest(house):
    """What is written while a digest is made may or may not be seen by it, so it never tells it."""
    house.tell()
    house.clock.time = house.clock.time.replace(day=22, hour=7, minute=55)
    raised(house)
    house.clock.pass_by(minutes=5)
    house.tell()
    assert not any("12 instead of 10" in message.text for message in house.mail.taken)

    house.pass_days(1)
    house.pass_days(1)

    assert [message.text.count("12 instead of 10") for message in house.mail.taken] == [1]


def test_lines_that_are_taken_over_as_they_are_take_one_entry_of_a_company(house):
    standard = b.profile(id="standard", name="Microsoft 365 Business Standard", product="M365-BS")
    policies = [SkuPolicy(b.SOURCE, b.PREMIUM, "premium"), SkuPolicy(b.SOURCE, b.STANDARD, "standard")]
    house.told_by(CLERK, rules=b.rules(b.profile(), standard, policies=policies))
    counts = [b.count(10), b.count(5, sku=b.STANDARD, name="Business Standard")]
    lines = [b.addition(8250, 10), b.addition(8251, 5, product="M365-BS", product_id=89)]
    house.company(250, counts, lines)
    house.sync(250)

    house.pass_days(1)

    assert "CHANGED IN CONNECTWISE MANAGE (2)" in house.mail.last.text
    told = "2 lines are right; TrueUp takes care of them from now on: Business Premium; Business Standard."
    assert house.mail.last.text.count("- ") == house.mail.last.text.count(f"- {told}") == 1


def test_what_a_guard_holds_is_told_once_with_its_money(house):
    house.company(250, [b.count(2)], [b.addition(8250, 100)])
    house.sync(250)

    house.pass_days(1)

    assert "Held: " in house.mail.last.text
    assert "TO KNOW OR DECIDE" not in house.mail.last.text


def test_only_what_is_new_since_the_last_digest_is_called_so(house):
    house.company(250, [b.count(12, sku="unknown-sku", name="Visio")])
    house.sync(250)
    house.pass_days(1)
    assert "New (unmapped)." in house.mail.last.text

    house.pass_days(1)
    assert house.mail.last.subject == "TrueUp, 11/23/2026: nothing new, licences that nobody bills or uses 1"
    assert "Open since 11/21/2026 (unmapped)." in house.mail.last.text

    house.company(251, [b.count(12, sku="unknown-sku", name="Visio")])
    house.sync(251)
    house.pass_days(1)
    assert "licences that nobody bills or uses 2 (1 new)" in house.mail.last.subject


def test_sums_of_several_currencies_stand_beside_each_other_and_are_never_added_up(house):
    for company, currency in ((250, "USD"), (251, "EUR"), (252, "EUR")):
        house.company(company, [b.count(12)], [b.addition(company + 8000, 10)])
        for number, agreement in house.manage.agreements_.items():
            if agreement.company_id == company:
                house.manage.agreements_[number] = replace(agreement, currency=currency)
        house.sync(company, run=f"run-{company}")

    house.pass_days(1)

    assert "All of it: +100.00 EUR an invoice, +50.00 USD an invoice." in house.mail.last.text
    assert "from then on [+100.00 EUR an invoice, +50.00 USD an invoice]" in house.mail.last.text
    assert ">+50.00 USD an invoice</td>" in house.mail.last.html


def test_the_example_of_the_docs_is_what_the_program_says(house):
    """Print `told` and put it into the page when this fails on purpose."""
    for company, name, mode in ((250, "Alder & Finch", Mode.AUTO), (251, "Mill Road Joinery", Mode.APPROVE)):
        raised(house, company, mode=mode)
        house.ports.companies.put_rules(replace(house.ports.companies.company_rules(company), name=name))
    house.company(252, [b.count(12, sku="visio", name="Visio Plan 2")])
    house.ports.companies.put_rules(replace(house.ports.companies.company_rules(252), name="Harbour Dental"))
    house.sync(252)

    house.pass_days(1)

    told = house.mail.last.text.replace("https://trueup.test", "https://func-trueup.azurewebsites.net")
    page = (Path(__file__).parents[2] / "docs/notices.md").read_text(encoding="utf-8")
    assert told in page
