"""An edit of the rules is in force whole or not at all, wherever its worker dies and whoever comes next."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal

import pytest

from shared.billing.findings import FindingKind
from shared.billing.rules import LicenceLink, Remit
from shared.errors import Incomplete, Refused, Retryable
from shared.rules.editing import Edit, Section
from shared.state.company_state import MSP
from shared.state.copies import restore_copy, write_copy
from shared.state.records import Outcome
from shared.state.rows import Changed, Row
from shared.state.rules import KEPT_VERSIONS
from shared.sync import approvals, rule_history, rulebook, undo
from shared.sync.approvals import Person
from shared.sync.night import nightly
from shared.sync.rule_edits import edit_rules
from shared.sync.unfinished import ONLY_PLANNED, finish_edit
from tests import builders as b
from tests.fakes.app import app_for
from tests.fakes.browser import Browser
from tests.fakes.house import House, Killed
from tests.fakes.tables import InMemoryTables
from tests.flow.test_console import ADMIN, PLATFORM

PAT = Person("pat@birchline.example", "203.0.113.7")
KIM = Person("kim@birchline.example")
COMPANIES = (1, 2, 3)

Billed = dict[int, list[tuple[Decimal, Decimal]]]


def licence(company: int, **fields: object) -> Edit:
    return Edit(Section.LICENCES, {"source": b.SOURCE, "sku": b.PREMIUM, **fields}, company)


def price(amount: str) -> Edit:
    return Edit(Section.PROFILES, {"id": "premium", "price": {"kind": "custom", "amount": amount}})


def priced_house() -> House:
    """20.00 a seat: company 1 is not billed, company 2 has ten seats, company 3 has four."""
    house = House()
    house.rules(b.rules(b.profile()))
    house.company(1, [b.count(5)], licences=(LicenceLink(b.SOURCE, b.PREMIUM, do_not_bill=True),))
    house.company(2, [b.count(10)])
    house.company(3, [b.count(4)])
    edit_rules(house.ports, [price("20")], PAT)
    return house


#: 25.00 a seat from now on, for company 1 too, and nothing for company 2.
DEARER = [price("25"), licence(1, do_not_bill=None, price="12.50"), licence(2, do_not_bill=True)]
OLD: Billed = {1: [], 2: [(Decimal(10), Decimal(20))], 3: [(Decimal(4), Decimal(20))]}
NEW: Billed = {1: [(Decimal(5), Decimal("12.5"))], 2: [], 3: [(Decimal(4), Decimal(25))]}


def billed(house: House) -> Billed:
    """What stands in Manage: quantity and price of each line, by company."""
    found: Billed = {company: [] for company in COMPANIES}
    for line in house.manage.lines.values():
        if line.cancelled_date is None:
            found[line.agreement_id - 1000].append((line.quantity, line.unit_price))
    return found


def in_force(house: House) -> tuple[object, ...]:
    """The price of the profile, and the own words of companies 1 and 2."""
    own = [house.ports.companies.company_rules(company).licences[0] for company in (1, 2)]
    amount = house.ports.rules.load().profiles["premium"].price.amount
    return amount, *((each.price, each.do_not_bill) for each in own)


NEW_RULES = (Decimal(25), (Decimal("12.5"), False), (None, True))


def a_night(house: House) -> None:
    house.work_until_done(nightly(house.ports).partition(":")[0])


def whole(house: House) -> list[bool]:
    return [entry["whole"] for entry in rule_history.page(house.ports, 50, None)["entries"]]


def every_death(make: Callable[[], House], edit: Callable[[House], object]) -> Sequence[House]:
    """A house for each outside effect of an edit, whose worker died before it."""
    undisturbed = make()
    begun = undisturbed.fate.steps
    edit(undisturbed)
    houses = []
    for death in range(1, undisturbed.fate.steps - begun + 1):
        house = make()
        house.fate.die_at = house.fate.steps + death
        with pytest.raises(Killed):
            edit(house)
        house.revive()
        houses.append(house)
    return houses


def dearer(house: House) -> object:
    return edit_rules(house.ports, DEARER, PAT)


def test_wherever_an_edit_dies_the_night_bills_what_the_old_rules_or_the_new_ones_bill():
    """Half of it would bill company 2 with 10 × 25.00, which neither of them does."""
    seen = []
    for house in every_death(priced_house, dearer):
        a_night(house)
        place = f"died before {house.fate.log[0]}"
        assert billed(house) in (OLD, NEW), place
        assert all(whole(house)), place
        assert len(whole(house)) == (1 if billed(house) == OLD else 2), place
        seen.append(billed(house) == NEW)

        edit_rules(house.ports, DEARER, PAT)
        assert (in_force(house), len(whole(house))) == (NEW_RULES, 2), place
    assert {*seen} == {False, True}
    assert seen == sorted(seen), "what is decided stays decided"


def test_a_run_that_began_before_bills_every_company_by_the_old_rules_or_by_the_new_ones():
    for house in every_death(_house_with_a_run_begun, dearer):
        house.work_until_done("2026-11-21-nightly")
        for company, lines in billed(house).items():
            assert lines in (OLD[company], NEW[company])
        house.clock.pass_by(days=1)
        a_night(house)
        assert billed(house) in (OLD, NEW)


def _house_with_a_run_begun() -> House:
    house = priced_house()
    nightly(house.ports)
    return house


def test_a_run_that_goes_on_while_so_many_edits_come_that_its_rules_are_not_kept_bills_by_those_in_force():
    house = _house_with_a_run_begun()
    for dollars in range(21, 21 + KEPT_VERSIONS):
        edit_rules(house.ports, [price(str(dollars))], PAT)
    house.revive()  # what a process has loaded before it keeps
    house.work_until_done("2026-11-21-nightly")
    last = Decimal(20 + KEPT_VERSIONS)
    assert billed(house) == {1: [], 2: [(Decimal(10), last)], 3: [(Decimal(4), last)]}
    assert [house.kinds(company) for company in COMPANIES] == [[], [], []]


def test_whoever_finishes_an_edit_may_die_too_and_the_next_one_finishes_it():
    def unfinished() -> House:
        house = priced_house()
        die_when_decided(house, DEARER)
        return house

    for house in every_death(unfinished, lambda house: finish_edit(house.ports)):
        house.sync(2)
        assert house.ports.companies.company_rules(1).licences[0].price == Decimal("12.50")
        assert all(whole(house))


def die_when_decided(house: House, edits: Sequence[Edit]) -> None:
    """The worker dies with the first row of a company: the edit is decided, and in force for nobody."""

    def fault(moment: str, operation: str, table: str) -> None:
        if moment == "before":
            if table == "CompanyState" and operation == "replace":
                house.fate.dead = True
            house.fate.step(f"{operation} {table}")

    house.tables.fault = fault
    with pytest.raises(Killed):
        edit_rules(house.ports, edits, PAT)
    house.tables.fault = house._table_step
    house.revive()


def moving_house() -> House:
    house = House()
    house.rules(b.rules(b.profile()))
    for company in COMPANIES:
        house.company(company, [b.count(5)])
    house.count(3, b.count(7))
    return house


def move(house: House) -> object:
    return edit_rules(
        house.ports,
        [
            Edit(Section.LINKS, {"source": b.SOURCE, "customer": "tenant-3", "removed": True}, 3),
            Edit(Section.LINKS, {"source": b.SOURCE, "customer": "tenant-3"}, 2),
        ],
        PAT,
    )


def test_a_customer_that_moves_to_another_company_is_billed_once_wherever_the_worker_dies():
    moved = []
    for house in every_death(moving_house, move):
        a_night(house)
        quantities = {company: sum(quantity for quantity, _ in lines) for company, lines in billed(house).items()}
        assert quantities in ({1: 5, 2: 5, 3: 7}, {1: 5, 2: 12, 3: 0})
        moved.append(quantities[3] == 0)
    assert {*moved} == {False, True}


DOCUMENT = """\
profiles:
  - {id: premium, name: Premium, product: M365-BP, price: {kind: custom, amount: 25}}
policies:
  - {source: microsoft365, sku: cbdc14ab-d96c-4c30-b9f4-6ada7cdc1d46, profile: premium}
companies:
  - company: 1
    name: Company 1
    mode: auto
    links: [{source: microsoft365, customer: tenant-1}]
    licences: [{source: microsoft365, sku: cbdc14ab-d96c-4c30-b9f4-6ada7cdc1d46, price: 12.50}]
  - company: 2
    name: Company 2
    mode: auto
    links: [{source: microsoft365, customer: tenant-2}]
    licences: [{source: microsoft365, sku: cbdc14ab-d96c-4c30-b9f4-6ada7cdc1d46, do_not_bill: true}]
  - company: 3
    name: Company 3
    mode: auto
    links: [{source: microsoft365, customer: tenant-3}]
"""


def test_an_import_is_in_force_whole_or_not_at_all_wherever_it_dies():
    imported = []
    for house in every_death(priced_house, lambda house: rulebook.import_rules(house.ports, DOCUMENT)):
        a_night(house)
        assert billed(house) in (OLD, NEW)
        imported.append(billed(house) == NEW)
        rulebook.import_rules(house.ports, DOCUMENT)
        assert in_force(house) == NEW_RULES
    assert {*imported} == {False, True}


def test_a_later_edit_finishes_the_unfinished_one_first_and_a_late_worker_takes_nothing_back():
    house = priced_house()
    others = iter([[licence(1, price="30")]])

    def fault(moment: str, operation: str, table: str) -> None:
        if (moment, operation, table) == ("before", "replace", "CompanyState"):
            for edits in others:  # while this worker is about to write the first company, somebody else edits it
                edit_rules(house.ports, edits, KIM)

    house.tables.fault = fault
    edit_rules(house.ports, DEARER, PAT)

    a_night(house)
    assert billed(house) == {**NEW, 1: [(Decimal(5), Decimal(30))]}
    history = rule_history.page(house.ports, 2, None)["entries"]
    assert [(entry["by"], entry["whole"]) for entry in history] == [(KIM.name, True), (PAT.name, True)]


def test_what_was_stored_by_an_edit_overtaken_before_it_was_decided_is_in_force_for_nobody():
    house = priced_house()
    others = iter([[price("30")]])
    writes = []

    def fault(moment: str, operation: str, table: str) -> None:
        if (moment, operation, table) == ("before", "transact", "Rules"):
            writes.append(operation)
            if len(writes) == 2:  # after what the edit stores, before its decisive write
                for edits in others:
                    edit_rules(house.ports, edits, KIM)

    house.tables.fault = fault
    with pytest.raises(Retryable, match="somebody else"):
        edit_rules(house.ports, [licence(2, do_not_bill=True)], PAT)
    a_night(house)
    assert billed(house) == {1: [], 2: [(Decimal(10), Decimal(30))], 3: [(Decimal(4), Decimal(30))]}
    assert not [row for row in house.tables.rows("Rules", "rules") if row.row.startswith("edit|")]


class CopiedTables(InMemoryTables):
    """A store that can be copied. `meanwhile` happens once, when the copy comes to the rules."""

    meanwhile: Callable[[], object] | None = None

    def tables(self) -> list[str]:
        return sorted({table for table, _ in self._partitions})

    def pages(self, table: str) -> Iterator[list[Row]]:
        if table == "Rules" and self.meanwhile is not None:
            happens, self.meanwhile = self.meanwhile, None
            happens()
        for each, partition in sorted(self._partitions):
            if each == table:
                yield self.rows(table, partition)


def copied_house() -> House:
    house = priced_house()
    store = CopiedTables()
    store._partitions = house.tables._partitions
    return on_store(house, store)


def on_store(house: House, store: CopiedTables) -> House:
    house.tables = store
    house.ports = house._new_process(house.ports.limits)
    return house


def test_a_copy_during_which_the_rules_are_edited_is_not_whole_and_is_never_restored(tmp_path):
    house, file = copied_house(), tmp_path / "copy.jsonl.gz"
    house.tables.meanwhile = lambda: edit_rules(house.ports, DEARER, PAT)
    with pytest.raises(Changed, match="the rules were changed"):
        write_copy(house.tables, file)
    with pytest.raises(Incomplete, match="not a whole copy"):
        restore_copy(CopiedTables(), file)


def test_an_edit_that_is_unfinished_in_a_copy_is_finished_after_it_is_restored(tmp_path):
    house, restored, file = copied_house(), CopiedTables(), tmp_path / "copy.jsonl.gz"
    die_when_decided(house, DEARER)
    write_copy(house.tables, file)
    restore_copy(restored, file)
    a_night(on_store(house, restored))
    assert (in_force(house), billed(house)) == (NEW_RULES, NEW)


def stuck_house() -> tuple[House, Row]:
    """Billed by the old rules; an edit is decided, and company 3's own rules can neither be read nor written."""
    house = priced_house()
    edit_rules(house.ports, [Edit(Section.COMPANIES, {"company": 1, "mode": "approve"}), licence(3, price="20")], PAT)
    a_night(house)
    house.clock.pass_by(days=1)
    house.count(2, b.count(11, customer="tenant-2"))
    die_when_decided(house, [price("25"), licence(1, do_not_bill=None, price="12.50"), licence(3, price="26")])
    (sound,) = [row for row in house.tables.rows("CompanyState", "3") if row.row == "rules|"]
    house.tables.put("CompanyState", "3", "rules|", {"schema": 99, "json": "{}"})
    return house, sound


def test_while_an_edit_cannot_be_in_force_for_every_company_all_of_them_are_only_planned():
    house, sound = stuck_house()
    writes = house.manage.writes
    a_night(house)
    rows = {row.company: row.report for row in house.ports.runs.rows("2026-11-22-nightly")}
    assert (rows[2].outcome, rows[2].note) == (Outcome.PLANNED, ONLY_PLANNED)
    (waiting,) = house.state(1).waiting
    approved = approvals.approve(house.ports, 1, [waiting], PAT)
    assert (approved.report.outcome, house.manage.writes) == (Outcome.PLANNED, writes)

    (told,) = [each.finding for each in house.state(MSP).findings.values()]
    assert told.kind is FindingKind.RULES_UNFINISHED
    assert "company 3: " in told.text
    assert "newer TrueUp" in told.text
    with pytest.raises(Refused, match="not in force for every company"):
        edit_rules(house.ports, [licence(2, price="1")], PAT)
    with pytest.raises(Refused, match="not in force for every company"):
        rulebook.import_rules(house.ports, DOCUMENT)

    visitor = Browser(app_for(house.ports, PLATFORM), ADMIN)
    for page in ("/console/setup", "/console/approvals"):
        assert "company 3: state: a company's rules was written by a newer TrueUp" in visitor.get(page).words

    house.tables.put("CompanyState", "3", "rules|", sound.values)
    house.clock.pass_by(days=1)
    a_night(house)
    assert billed(house) == {
        1: [(Decimal(5), Decimal("12.5"))],
        2: [(Decimal(11), Decimal(25))],
        3: [(Decimal(4), Decimal(26))],
    }
    assert (house.state(MSP).findings, whole(house)) == ({}, [True, True, True])


def test_who_is_told_of_some_companies_does_not_read_which_others_an_edit_waits_for():
    house, _ = stuck_house()
    sam = Person("sam@birchline.example", remit=Remit("sam@birchline.example", only=(2,)))
    with pytest.raises(Refused, match="Edition 4 of the rules is not in force for every company") as told:
        edit_rules(house.ports, [licence(2, do_not_bill=True)], sam)
    assert "company 3" not in f"{told.value} {told.value.remedy}"


def test_what_a_night_wrote_can_be_undone_while_an_edit_is_unfinished():
    house, _ = stuck_house()
    (held,) = undo.undo(house.ports, 2, "2026-11-21-nightly", PAT).held
    assert billed(house)[2] == [(Decimal(10), Decimal(20))]
    undo.undo(house.ports, 2, "2026-11-21-nightly", PAT, confirmed=[held.hash])
    assert billed(house)[2] == []


def test_an_edit_whose_store_went_away_is_put_in_force_by_the_watchdog_and_says_so():
    house = priced_house()

    def fault(moment: str, operation: str, table: str) -> None:
        if (moment, operation, table) == ("before", "replace", "CompanyState"):
            raise Retryable("the store is away", system="storage")

    house.tables.fault = fault
    with pytest.raises(Retryable, match="stored, but not in force for every company yet") as told:
        edit_rules(house.ports, DEARER, PAT)
    assert "by itself" in told.value.remedy
    with pytest.raises(Retryable):
        house.sync(2)
    house.tables.fault = None
    finish_edit(house.ports)
    assert (in_force(house), whole(house)) == (NEW_RULES, [True, True])
