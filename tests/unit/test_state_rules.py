"""The rules in versions: whole or not at all, pinned, pruned."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from shared.billing.limits import Guards, ReductionLimit
from shared.billing.profiles import BillingProfile, PriceKind, PriceRule, QuantityRule
from shared.billing.rules import CompanyLink, CompanyRules, Mode, Rules, Schedule, SkuPolicy
from shared.errors import Gone, Refused, Retryable
from shared.state.documents import STORED
from shared.state.edits import CompanyEdit, RulesEntry, Unfinished
from shared.state.records import Signature
from shared.state.rows import Changed
from shared.state.rules import KEPT_VERSIONS, RulesStore
from tests.fakes.tables import InMemoryTables

PROFILES = {
    name: BillingProfile(
        name,
        f"{name} seats",
        f"M365/{name}",
        ("Cloud Subscriptions",),
        QuantityRule(included=Decimal("1.5")),
        PriceRule(PriceKind.CUSTOM, Decimal("20.10000")),
        taxable=False,
    )
    for name in ("zebra", "adder")
}


def rules(version: int = 0, policies: int = 3) -> Rules:
    return Rules(
        version,
        PROFILES,
        tuple(SkuPolicy("microsoft365", f"sku/{policies - number}", "zebra") for number in range(policies)),
        Guards(ReductionLimit(money=Decimal("99.99")), all_to_zero=False),
        (Schedule("nightly", "nightly", "0 2 * * *"), Schedule("backup", "nightly", "0 3 * * 0")),
        ("Unite",),
    )


@pytest.fixture
def tables() -> InMemoryTables:
    return InMemoryTables()


def test_before_the_first_import_the_rules_are_empty_at_version_0(tables: InMemoryTables) -> None:
    assert RulesStore(tables).load() == Rules(0)
    assert RulesStore(tables).load(0) == Rules(0)


def test_rules_come_back_as_saved_in_the_authors_order_with_the_next_version(tables: InMemoryTables) -> None:
    assert RulesStore(tables).save(rules(policies=250), expected=0) == 1
    loaded = RulesStore(tables).load()
    assert loaded == rules(1, policies=250)
    assert list(loaded.profiles) == ["zebra", "adder"]


def test_a_version_already_loaded_costs_nothing_and_the_one_in_force_one_round_trip(tables: InMemoryTables) -> None:
    RulesStore(tables).save(rules(), expected=0)
    store = RulesStore(tables)
    store.load()
    tables.calls.clear()
    store.load(1)
    assert tables.round_trips == 0
    store.load()
    assert tables.round_trips == 1


def test_a_run_keeps_the_version_it_pinned_until_three_newer_ones_are_saved(tables: InMemoryTables) -> None:
    store = RulesStore(tables)
    for version in range(KEPT_VERSIONS):
        store.save(rules(policies=version + 1), expected=version)
    assert RulesStore(tables).load(1) == rules(1, policies=1)
    store.save(rules(policies=9), expected=KEPT_VERSIONS)
    with pytest.raises(Gone, match="version 1 of the rules is not kept") as gone:
        RulesStore(tables).load(1)
    assert "new run" in gone.value.remedy
    assert RulesStore(tables).load(2) == rules(2, policies=2)


def test_old_versions_and_dead_saves_do_not_pile_up(tables: InMemoryTables) -> None:
    store = RulesStore(tables)
    for version in range(KEPT_VERSIONS + 9):
        fail(tables, "before", "transact", 2)
        with pytest.raises(Retryable):
            store.save(rules(), expected=version)
        tables.fault = None
        store.save(rules(), expected=version)
    per_version = 1 + 3 + 2 + 2
    assert len(tables.rows("Rules", "rules")) <= 1 + per_version * (KEPT_VERSIONS + 2)


def test_the_second_of_two_people_is_told_and_changes_nothing(tables: InMemoryTables) -> None:
    RulesStore(tables).save(rules(), expected=0)
    with pytest.raises(Changed, match="at version 1, not 0") as changed:
        RulesStore(tables).save(Rules(0), expected=0)
    assert "Export the rules again" in changed.value.remedy
    assert RulesStore(tables).load() == rules(1)


def test_a_save_overtaken_just_before_its_switch_changes_nothing_and_cleans_up(tables: InMemoryTables) -> None:
    RulesStore(tables).save(rules(), expected=0)
    transactions: list[str] = []

    def overtake(moment: str, operation: str, _table: str) -> None:
        transactions.append(operation)
        if (
            moment == "before" and transactions.count("transact") > 2
        ):  # the switch: before and after the rows came first
            tables.fault = None
            RulesStore(tables).save(rules(policies=1), expected=1)

    tables.fault = overtake
    with pytest.raises(Changed, match="at version 2, not 1"):
        RulesStore(tables).save(rules(policies=7), expected=1)
    assert RulesStore(tables).load() == rules(2, policies=1)
    assert RulesStore(tables).load(1) == rules(1)
    assert len(tables.rows("Rules", "rules")) == 1 + (1 + 3 + 2 + 2) + (1 + 1 + 2 + 2)


#: 155 rows take two transactions; the third switches the head.
@pytest.mark.parametrize(("operation", "time"), [("get", 1), ("query", 1), *(("transact", time) for time in (1, 2, 3))])
@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_save_that_dies_leaves_the_old_version_or_the_new_one_whole(
    tables: InMemoryTables, operation: str, time: int, moment: str
) -> None:
    RulesStore(tables).save(rules(), expected=0)
    fail(tables, moment, operation, time)
    with pytest.raises(Retryable):
        RulesStore(tables).save(rules(policies=150), expected=1, entry=change(2))
    tables.fault = None
    took_effect = (moment, operation, time) == ("after", "transact", 3)
    assert RulesStore(tables).load() == (rules(2, policies=150) if took_effect else rules(1))
    assert RulesStore(tables).history(9) == ([change(2)] if took_effect else [])


def test_every_change_makes_an_edition_and_stands_in_the_history_newest_first(tables: InMemoryTables) -> None:
    store = RulesStore(tables)
    store.save(rules(), expected=0, edition=0, entry=change(1))
    store.note(change(2), edition=1)
    store.note(change(3), edition=2)
    assert (store.head().version, store.head().edition) == (1, 3)
    assert store.history(2) == [change(3), change(2)]
    assert store.history(9, before=2) == [change(1)]
    assert store.load() == rules(1)


def edits(edition: int, *companies: int) -> list[CompanyEdit]:
    links = (CompanyLink("pax8", "alder"),)
    own = {"links": links, "guards": Guards(all_to_zero=False), "billed_through": {7: date(2026, 11, 30)}}
    return [
        CompanyEdit(CompanyRules(each, f"Company {each}", Mode.AUTO, **own), (9,), keep_mode=True, edition=edition)
        for each in companies
    ]


def test_what_an_edit_makes_of_companies_is_kept_until_it_is_done_and_no_other_is_made(tables: InMemoryTables) -> None:
    store = RulesStore(tables)
    store.save(rules(), expected=0, edition=0, entry=change(1), companies=edits(1, 5, 6))
    unfinished = store.head().unfinished
    assert store.history(9) == [replace(change(1), done=False)]
    assert store.companies(unfinished) == edits(1, 5, 6)
    for change_it in (lambda: store.note(change(2), edition=1), lambda: store.save(rules(), expected=1)):
        with pytest.raises(Changed, match="not in force for every company") as refused:
            change_it()
        assert "by itself" in refused.value.remedy

    for _ in range(2):
        RulesStore(tables).finish(unfinished)
    assert (store.head().unfinished, store.history(9)) == (None, [change(1)])
    with pytest.raises(Changed, match="finished while it was read"):
        store.companies(unfinished)
    store.note(change(2), edition=1, companies=edits(2, 5))
    store.finish(unfinished)
    assert store.head().unfinished == Unfinished(2, "edit-2", 1)


def test_what_edits_that_died_before_they_were_decided_have_stored_does_not_pile_up(tables: InMemoryTables) -> None:
    store = RulesStore(tables)
    for edition in range(1, 30):
        fail(tables, "before", "transact", 2)
        with pytest.raises(Retryable):
            store.note(change(edition), edition=edition - 1, companies=edits(edition, 5, 6, 7))
        tables.fault = None
        store.note(replace(change(edition), id="again"), edition=edition - 1, companies=edits(edition, 5))
        store.finish(store.head().unfinished)
    assert len([row for row in tables.rows("Rules", "rules") if row.row.startswith("edit|")]) <= 3


def test_a_change_of_what_somebody_else_has_changed_meanwhile_is_refused(tables: InMemoryTables) -> None:
    store = RulesStore(tables)
    store.save(rules(), expected=0, edition=0)
    with pytest.raises(Changed, match="edition 1, not 0"):
        store.note(change(1), edition=0)
    with pytest.raises(Changed, match="edition 1, not 0"):
        store.save(rules(1), expected=1, edition=0)
    assert (store.head().edition, store.history(9)) == (1, [])


def test_rules_of_a_newer_trueup_are_refused(tables: InMemoryTables) -> None:
    tables.put("Rules", "rules", "head", {"schema": STORED + 1, "json": "{}"})
    with pytest.raises(Refused, match="newer TrueUp"):
        RulesStore(tables).load()


def change(edition: int) -> RulesEntry:
    signed = Signature("pat@birchline.example", datetime(2026, 11, 21, 9, edition, tzinfo=UTC))
    return RulesEntry(f"edit-{edition}", signed, "console", edition, 1, ("policy pax8 x: removed",))


def fail(tables: InMemoryTables, moment: str, operation: str, time: int = 1) -> None:
    seen: list[str] = []

    def fault(when: str, what: str, _table: str) -> None:
        if (when, what) == (moment, operation):
            seen.append(what)
            if len(seen) == time:
                raise Retryable("the answer got lost")

    tables.fault = fault
