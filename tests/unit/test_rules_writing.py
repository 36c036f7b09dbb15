"""Writing rules: what is written is read back the same, by us and by any reader of YAML."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from shared.billing.contact_rules import ContactMode, Existing
from shared.billing.limits import Guards, ReductionLimit
from shared.billing.profiles import BillingProfile
from shared.billing.rules import CompanyLink, CompanyRules, LicenceLink, Rules
from shared.rules.document import RulesDocument
from shared.rules.parts import STATUSES
from shared.rules.reading import RulesProblem, read_rules
from shared.rules.values import from_values, to_values
from shared.rules.writing import write_rules

EXAMPLE = (Path(__file__).parents[2] / "docs/rules.example.yaml").read_text(encoding="utf-8")

LETTERS = st.characters(exclude_categories=("Cc", "Cs"))
TEXT = st.text(LETTERS, min_size=1, max_size=12).filter(lambda text: text.strip()) | st.sampled_from(
    ["null", "~", "yes", "365", "1e3", "2026-12-01", "- a", "a: b", "# a", '"', "\\", "{}", "*a", "Smith & Sons", "a b"]
)
NUMBER = st.decimals(min_value=0, max_value=10**6, places=2) | st.decimals(min_value=0, max_value=9, places=5)
PERCENTAGE = st.decimals(min_value=0, max_value=100, places=1)
WHOLE = st.integers(min_value=0, max_value=1000)
HEALTH = {"board": "Service Desk", "services": ["Exchange Online"], "ticket": {"company": "2", "type": "Incident"}}
KEPT = st.integers(min_value=60, max_value=4000)
DAY = st.dates(min_value=date(2020, 1, 1), max_value=date(2040, 1, 1))
INVOICE_TEXT = st.sampled_from(["", "{product}: {quantity}\n{users}", "50 % off\n\n", " \u00a0\u2028# {users}", "é🐻"])
SKUS = ["sku-a", "sku-b", "SKU-C", "4b9405b0-7788-4568-add1-99614e613b69"]

POSITIVE = NUMBER.filter(lambda number: number > 0)
NAMED = {name: st.lists(TEXT, max_size=2) for name in ("departments", "offices", "domains", "groups")}
KINDS = st.lists(st.sampled_from(["disabled", "guests"]), max_size=2)
ONLY = st.fixed_dictionaries({}, optional=NAMED)
WITHOUT = st.fixed_dictionaries({}, optional={**NAMED, "accounts": KINDS})
USERS = st.fixed_dictionaries({}, optional={"only": ONLY, "without": WITHOUT})
CHARGED = {
    "include_grace": st.booleans(),
    "include_foreign": st.booleans(),
    "include_trials": st.booleans(),
    "multiply_by": POSITIVE,
    "included": NUMBER,
    "minimum": NUMBER,
    "minimum_always": st.booleans(),
    "rounding_step": POSITIVE,
}
COUNTED = st.fixed_dictionaries(
    {
        "basis": st.sampled_from(["purchased", "greater"]),
        "without_subscriptions": st.lists(TEXT, max_size=2),
        "without_statuses": st.lists(st.sampled_from(STATUSES), max_size=2),
    }
) | st.fixed_dictionaries({"basis": st.sampled_from(["assigned", "assigned-active"]), "users": USERS})
ROUNDED = st.fixed_dictionaries(
    {"rounding": st.sampled_from(["up", "down", "nearest"]), "divide_by": POSITIVE}
) | st.just({"rounding": "none"})
QUANTITY = st.tuples(COUNTED, st.fixed_dictionaries(CHARGED), ROUNDED).map(
    lambda parts: {**parts[0], **parts[1], **parts[2]}
)
PRICE = st.sampled_from([{"kind": "keep"}, {"kind": "product"}]) | NUMBER.map(
    lambda amount: {"kind": "custom", "amount": amount, "below_cost": "refuse"}
)
PRORATION = st.fixed_dictionaries(
    {
        "rule": st.sampled_from(["none", "full", "computed"]),
        "start_day": st.sampled_from(["excluded", "included"]),
        "first_sync": st.sampled_from(["next-period", "prorate", "full-period"]),
        "always_split": st.booleans(),
        "dated": st.sampled_from(["vendor", "count"]),
    }
)
LIMITS = {"percent": PERCENTAGE, "small": NUMBER, "units": NUMBER, "money": NUMBER}


def profiles(ids: list[str]) -> st.SearchStrategy:
    return st.tuples(
        *(
            st.fixed_dictionaries(
                {"id": st.just(id), "name": TEXT, "product": TEXT, "quantity": QUANTITY, "price": PRICE},
                optional={
                    "agreement_types": st.lists(TEXT, max_size=2),
                    "bill_option": st.sampled_from(["Billable", "DoNotBill", "NoCharge"]),
                    "proration": PRORATION,
                    "taxable": st.booleans(),
                    "invoice_text": INVOICE_TEXT,
                    "replaces": st.lists(TEXT, max_size=2),
                    "update_only": st.booleans(),
                    "combine": st.booleans(),
                    "drift": st.sampled_from(["ask", "restore", "accept"]),
                    "counted_on": st.sampled_from(["night", "before-invoice"]),
                },
            )
            for id in ids
        )
    )


def policies(ids: list[str]) -> st.SearchStrategy:
    def policy(sku: str) -> st.SearchStrategy:
        billed = st.sampled_from(ids).map(lambda id: {"profile": id})
        choice = billed | st.just({"do_not_bill": True})
        return choice.map(lambda fields: {"source": "microsoft365", "sku": sku} | fields)

    return st.lists(st.sampled_from(SKUS), unique=True).flatmap(lambda skus: st.tuples(*map(policy, skus)))


def licence(sku: str, ids: list[str]) -> st.SearchStrategy:
    return st.fixed_dictionaries(
        {"source": st.just("microsoft365"), "sku": st.just(sku), "profile": st.sampled_from(ids)},
        optional={
            "agreement": st.integers(min_value=1, max_value=10**6),
            "price": NUMBER,
            "quantity": NUMBER,
            "start": DAY,
            "do_not_bill_until": DAY,
            "part": st.sampled_from(["sales", "the-rest", "2"]),
            "users": USERS,
        },
    ) | st.just({"source": "microsoft365", "sku": sku, "do_not_bill": True})


def company(number: int, ids: list[str]) -> st.SearchStrategy:
    links = st.tuples(
        *(
            st.fixed_dictionaries(
                {"source": st.just("microsoft365"), "customer": st.just(f"tenant-{number}-{position}")},
                optional={"users": USERS},
            )
            for position in range(2)
        )
    )
    return st.fixed_dictionaries(
        {
            "company": st.just(number),
            "name": TEXT,
            "links": links,
            "licences": st.lists(st.sampled_from(SKUS), unique=True).flatmap(
                lambda skus: st.tuples(*(licence(sku, ids) for sku in skus))
            ),
        },
        optional={
            "mode": st.sampled_from(["observe", "auto"]),
            "adopt_marked": st.booleans(),
            "guards": st.fixed_dictionaries(
                {},
                optional={
                    "all_to_zero": st.booleans(),
                    "reduction": st.fixed_dictionaries({}, optional=LIMITS),
                    "changes_per_day": WHOLE,
                    "invoiced_at_once": WHOLE,
                    "ends_within_days": WHOLE,
                },
            ),
        },
    )


@st.composite
def documents(draw: st.DrawFn) -> RulesDocument:
    ids = draw(st.lists(TEXT.map(str.strip), min_size=1, max_size=3, unique_by=str.casefold))
    numbers = draw(st.lists(st.integers(min_value=1, max_value=10**9), max_size=3, unique=True))
    jobs = [{"job": "nightly"}, {"job": "hourly", "sources": ["cove", "pushed:rmm"]}]
    crons = ["0 2 * * *", "*/15 8-18 * * 1-5", "30 4 1,15 * *"]
    return RulesDocument.model_validate(
        {
            "guards": draw(
                st.fixed_dictionaries(
                    {
                        "all_to_zero": st.booleans(),
                        "reduction": st.fixed_dictionaries(LIMITS),
                        "changes_per_day": WHOLE,
                        "invoiced_at_once": WHOLE,
                        "ends_within_days": WHOLE,
                    }
                )
            ),
            "fleet": draw(st.fixed_dictionaries({"percent": PERCENTAGE, "after": WHOLE})),
            "adoptable_marks": draw(st.lists(TEXT, max_size=3)),
            "retention": {"history_days": draw(KEPT), "runs_days": draw(KEPT)},
            "people": [
                {"name": f"{position}@x", draw(st.sampled_from(["only", "without"])): [number]}
                for position, number in enumerate(numbers)
            ],
            "contacts": {
                "companies": [{"company": number, "mode": draw(st.sampled_from(ContactMode))} for number in numbers],
                "existing": draw(st.sampled_from(Existing)),
                "left_percent": draw(WHOLE),
            },
            "schedules": [
                {"id": f"{position}", "cron": cron, **draw(st.sampled_from(jobs))}
                for position, cron in enumerate(draw(st.lists(st.sampled_from(crons), max_size=2)))
            ],
            **draw(st.sampled_from([{}, {"service_health": HEALTH}])),
            "counted_on": draw(st.sampled_from(["night", "before-invoice"])),
            "profiles": draw(profiles(ids)),
            "policies": draw(policies(ids)),
            "companies": [draw(company(number, ids)) for number in numbers],
        }
    )


@given(documents())
@settings(max_examples=60)
def test_what_is_written_is_read_back_the_same(document):
    assert read_rules(write_rules(document)) == document


@given(documents())
@settings(max_examples=60)
def test_values_survive_the_way_through_a_document(document):
    msp, companies = to_values(from_values(*to_values(document, version=4)), version=4)

    again, companies_again = to_values(from_values(msp, companies), version=4)

    original, original_companies = to_values(document, version=4)
    assert (msp.profiles, msp.counted_on) == (original.profiles, original.counted_on)
    assert set(msp.policies) == set(original.policies)
    assert msp.contacts == original.contacts
    assert msp.service_health == original.service_health
    assert (msp.guards, msp.fleet, msp.schedules, msp.adoptable_marks, msp.retention, msp.people) == (
        original.guards,
        original.fleet,
        original.schedules,
        original.adoptable_marks,
        original.retention,
        original.people,
    )
    assert [(one.company, one.guards, one.mode, set(one.licences)) for one in companies] == [
        (one.company, one.guards, one.mode, set(one.licences))
        for one in sorted(original_companies, key=lambda one: one.company)
    ]
    assert (again, companies_again) == (msp, companies)


@given(documents(), st.randoms(use_true_random=False))
@settings(max_examples=30)
def test_the_order_in_which_values_come_does_not_change_the_text(document: RulesDocument, order: random.Random):
    msp, companies = to_values(document, version=1)
    shuffled_profiles, shuffled_policies = list(msp.profiles.items()), list(msp.policies)
    for items in (shuffled_profiles, shuffled_policies, companies):
        order.shuffle(items)

    shuffled = replace(msp, profiles=dict(shuffled_profiles), policies=tuple(shuffled_policies))

    assert write_rules(from_values(shuffled, companies)) == write_rules(from_values(*to_values(document, version=1)))


@pytest.mark.parametrize("name", ["365", "yes", "null", "1e3", "2026-12-01", "0x1F", "off", "~", "Smith & Sons"])
def test_any_other_reader_of_yaml_finds_text_where_text_was_written(name):
    profile = BillingProfile(id="one", name=name, product=name)

    text = write_rules(from_values(Rules(1, profiles={"one": profile}), []))

    written = YAML(typ="safe", pure=True).load(text)["profiles"][0]
    assert (written["name"], written["product"]) == (name, name)


def test_the_text_says_what_each_section_may_hold():
    text = write_rules(RulesDocument())

    for words in (
        "purchased | assigned | assigned-active | greater",
        "keep",
        "{product}",
        "observe | approve | auto",
        "do_not_bill: true",
    ):
        assert words in text
    assert read_rules(text) == RulesDocument()


def test_the_example_is_read_back_the_same():
    document = read_rules(EXAMPLE)

    assert read_rules(write_rules(document)) == document


def test_a_company_is_written_with_only_the_limits_in_which_it_differs():
    msp = Rules(1)
    company = CompanyRules(250, "Alder & Finch", guards=Guards(ReductionLimit(units=Decimal(40))))

    text = write_rules(from_values(msp, [company]))

    assert "    guards: {reduction: {units: 40}}\n" in text
    assert to_values(read_rules(text), version=1) == (msp, [company])


def test_values_that_no_document_may_hold_are_refused_with_their_place():
    company = CompanyRules(
        250,
        "Alder & Finch",
        links=(CompanyLink("microsoft365", "t"),),
        licences=(LicenceLink("microsoft365", "a", price=Decimal(-1)),),
    )

    with pytest.raises(RulesProblem) as raised:
        from_values(Rules(1), [company])

    assert raised.value.problems == [
        'companies[0].licences[0].price: must be a number such as 25.00, not "-1"',
    ]
