"""The rules document: what is read from it, and what is said about everything that is wrong with one."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel
from ruamel.yaml import YAML

from shared.billing.counts import AccountKind
from shared.billing.limits import CompareForecast, Guards, IncreaseLimit, ReductionLimit
from shared.billing.profiles import Basis, BillOption, PriceKind, PriceRule, QuantityRule, Rounding
from shared.billing.rules import CompanyLink, LicenceLink, Mode, Rules, Schedule, SkuPolicy
from shared.billing.users import Traits, Users
from shared.errors import Misconfigured
from shared.rules.document import SOURCE_WORDS, RulesDocument
from shared.rules.problems import sentence_of
from shared.rules.reading import RulesProblem, read_rules
from shared.rules.values import to_values

EXAMPLE = (Path(__file__).parents[2] / "docs/rules.example.yaml").read_text(encoding="utf-8")

BUSINESS_PREMIUM = "cbdc14ab-d96c-4c30-b9f4-6ada7cdc1d46"
TEAMS_PHONE = "e43b5b99-8dfb-405f-9987-dc307f34bcbd"
POWER_BI = "f8a1db68-be16-40ed-86d5-cb42ce701560"

TWO_PROFILES = """\
profiles:
  - {id: one, name: One, product: P1}
  - {id: two, name: Two, product: P2}
"""


def problems(text: str) -> list[str]:
    """What is wrong with the document; empty when nothing is."""
    try:
        read_rules(text)
    except RulesProblem as error:
        return error.problems
    return []


def profile(field: str) -> str:
    """A document of one profile with one more field, which stands on line 4."""
    return f"profiles:\n  - {{id: one, name: One, product: P1,\n      # here it comes\n      {field}}}\n"


# --- the example ---------------------------------------------------------------------------------------------------


def test_the_example_is_a_whole_and_valid_document():
    msp, companies = to_values(read_rules(EXAMPLE), version=7)

    premium = msp.profiles["business-premium"]
    assert msp.version == 7
    assert premium.agreement_types == ("Managed Services", "Cloud Services")
    assert premium.invoice_text == "{product}: {quantity}\n{users}"
    assert premium.taxable is True
    assert premium.replaces == ("M365-BP-OLD",)
    assert msp.profiles["copilot"].quantity == QuantityRule(
        basis=Basis.ASSIGNED_ACTIVE,
        users=Users(
            Traits(departments=("Sales", "Service"), offices=("Harbour Lane",)),
            Traits(domains=("harbour-training.example",), groups=("d2f0a6c1-7a64-4d0e-9b0c-5f0b8a3c1e27",)),
        ),
    )
    without_guests = Users(without=Traits(accounts=(AccountKind.GUESTS,)))
    assert msp.profiles["phone-numbers"].quantity == QuantityRule(Basis.ASSIGNED, users=without_guests)
    assert msp.profiles["awareness-training"].quantity == QuantityRule(
        basis=Basis.ASSIGNED, divide_by=Decimal(25), rounding=Rounding.UP
    )
    assert msp.profiles["teams-phone"].quantity == QuantityRule(basis=Basis.GREATER, minimum=Decimal(5))
    assert msp.profiles["exchange-1"].price == PriceRule(PriceKind.CUSTOM, Decimal("4.75"))
    assert msp.profiles["power-bi"].bill_option is BillOption.NO_CHARGE
    assert msp.profiles["power-bi"].taxable is None
    assert msp.policy_for("microsoft365", POWER_BI) == SkuPolicy("microsoft365", POWER_BI, profile=None)
    assert [(schedule.cron, schedule.sources) for schedule in msp.schedules] == [
        ("0 2 * * *", ()),
        ("30 * * * *", ("cove",)),
    ]
    assert [(company.company, company.mode) for company in companies] == [
        (250, Mode.OBSERVE),
        (261, Mode.AUTO),
        (270, Mode.OBSERVE),
        (271, Mode.OBSERVE),
    ]
    assert companies[1].adopt_marked is True
    assert LicenceLink("microsoft365", TEAMS_PHONE, quantity=Decimal(8)) in companies[1].licences
    joinery = Users(Traits(domains=("joinery.example",)))
    assert [link.users for company in companies[2:] for link in company.links] == [joinery, Users(without=joinery.only)]
    assert [(licence.part, licence.users.only.departments) for licence in companies[2].licences] == [
        ("workshop", ("Workshop",)),
        ("rest", ()),
    ]
    assert companies[1].licences[0].start == date(2026, 12, 1)
    assert companies[1].licences[0].price == Decimal("24.50")


def test_a_company_inherits_the_guards_it_does_not_name():
    msp, companies = to_values(read_rules(EXAMPLE.replace("money: 500", "money: 800")), version=1)

    limit = ReductionLimit(percent=Decimal(50), units=Decimal(40), money=Decimal(800))
    assert msp.guards.reduction.units == Decimal(25)
    assert companies[0].guards is None
    increase = IncreaseLimit(Decimal(10), Decimal(50))
    assert msp.guards.changes_per_day == 200
    assert companies[1].guards == Guards(
        limit,
        increase,
        all_to_zero=False,
        changes_per_day=300,
        invoiced_at_once=3,
        ends_within_days=60,
        compare_forecast=CompareForecast.NONE,
    )


def test_the_example_shows_every_field_of_the_document():
    shown: set[tuple[type[BaseModel], str]] = set()
    _collect(RulesDocument, YAML(typ="safe", pure=True).load(EXAMPLE), shown)

    wanted = {(model, name) for model in _models(RulesDocument) for name in model.model_fields}
    missing = {f"{model.__name__}.{name}" for model, name in wanted - shown}
    # A company's own limits are shown by two of them; all four are explained above them.
    assert missing == {"CompanyReduction.small", "CompanyReduction.money"}


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((model for part in get_args(annotation) if (model := _model_in(part))), None)


def _models(model: type[BaseModel]) -> set[type[BaseModel]]:
    inner = [found for field in model.model_fields.values() if (found := _model_in(field.annotation))]
    return {model}.union(*(_models(found) for found in inner))


def _collect(model: type[BaseModel], written: dict[str, Any], shown: set[tuple[type[BaseModel], str]]) -> None:
    for name, value in written.items():
        shown.add((model, name))
        inner = _model_in(model.model_fields[name].annotation)
        for item in value if isinstance(value, list) else [value]:
            if inner and isinstance(item, dict):
                _collect(inner, item, shown)


# --- what is understood --------------------------------------------------------------------------------------------


def test_a_document_with_only_profiles_has_the_careful_defaults():
    msp, companies = to_values(read_rules(TWO_PROFILES), version=3)

    nightly = Schedule("nightly", "nightly", "0 2 * * *")
    assert msp == Rules(3, profiles=msp.profiles, schedules=(nightly,))
    assert companies == []


def test_ids_of_vendors_are_trimmed_and_written_in_lower_case():
    document = read_rules(
        TWO_PROFILES
        + f'policies: [{{source: Microsoft365, sku: " {BUSINESS_PREMIUM.upper()} ", profile: one}}]\n'
        + "companies: [{company: 1, name: A, links: [{source: microsoft365, customer: ABC-1}]}]\n"
    )

    msp, companies = to_values(document, version=1)

    assert msp.policy_for("microsoft365", BUSINESS_PREMIUM) is not None
    assert companies[0].links == (CompanyLink("microsoft365", "abc-1"),)


def test_numbers_are_taken_from_their_text_and_never_through_a_float():
    document = read_rules(profile("price: {kind: custom, amount: 0.10000}, quantity: {included: 123456789012.30001}"))

    assert str(document.profiles[0].price.amount) == "0.10000"
    assert document.profiles[0].quantity.included == Decimal("123456789012.30001")


def test_words_that_yaml_takes_for_something_else_are_text_where_text_belongs():
    document = read_rules("profiles: [{id: 365, name: yes, product: 2026-12-01}]")

    assert (document.profiles[0].id, document.profiles[0].name) == ("365", "yes")
    assert document.profiles[0].product == "2026-12-01"


def test_a_field_without_a_value_is_left_out():
    assert read_rules("profiles:\nguards:\n  reduction:\n") == RulesDocument()


def test_a_byte_order_mark_and_windows_line_ends_do_no_harm():
    assert read_rules("\ufeff" + TWO_PROFILES.replace("\n", "\r\n")) == read_rules(TWO_PROFILES)


def test_two_companies_may_share_a_customer_where_only_one_bills_each_sku():
    text = TWO_PROFILES + (
        "policies:\n"
        "  - {source: microsoft365, sku: a, profile: one}\n"
        "  - {source: microsoft365, sku: b, profile: two}\n"
        "  - {source: microsoft365, sku: c, do_not_bill: true}\n"
        "companies:\n"
        "  - company: 1\n"
        "    name: A\n"
        "    links: [{source: microsoft365, customer: t}]\n"
        "    licences: [{source: microsoft365, sku: a, do_not_bill: true}]\n"
        "  - company: 2\n"
        "    name: B\n"
        "    links: [{source: microsoft365, customer: t}]\n"
        "    licences: [{source: microsoft365, customer: t, sku: b, do_not_bill: true}]\n"
    )

    assert problems(text) == []
    assert problems(text.replace("sku: b, do_not_bill: true", "sku: b, do_not_bill_until: 2027-01-01")) == [
        "line 15, companies[1].links[0]: the customer is also linked at companies[0].links[0] (line 11), and these "
        "SKUs would be billed twice: b; remove a link, give them do_not_bill: true at one of the companies, or give "
        "both links users that never meet"
    ]


# --- what is refused -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "problem"),
    [
        (
            "price: {kind: custom, amount: abc}",
            'line 4, profiles[0].price.amount: must be a number such as 25.00, not "abc"',
        ),
        (
            "price: {kind: custom, amount: -1}",
            'line 4, profiles[0].price.amount: must be a number such as 25.00, not "-1"',
        ),
        (
            "price: {kind: custom, amount: 1e3}",
            'line 4, profiles[0].price.amount: must be a number such as 25.00, not "1e3"',
        ),
        (
            "price: {kind: custom, amount: .nan}",
            'line 4, profiles[0].price.amount: must be a number such as 25.00, not ".nan"',
        ),
        (
            "price: {kind: custom, amount: 0.123456}",
            'line 4, profiles[0].price.amount: must have at most 5 decimals, not "0.123456"',
        ),
        (
            "price: {kind: custom, amount: [1]}",
            "line 4, profiles[0].price.amount: must be a number such as 25.00, not a list",
        ),
        ("quantity: {divide_by: 0}", 'line 4, profiles[0].quantity.divide_by: must be a number above 0, not "0"'),
        (
            "quantity: {users: {only: {departments: [Sales]}}}",
            "line 4, profiles[0].quantity: has users, which basis purchased does not count; write basis: assigned",
        ),
        (
            "quantity: {basis: greater, users: {without: {domains: [alder.example]}}}",
            "line 4, profiles[0].quantity: has users, which basis greater does not count; write basis: assigned",
        ),
        (
            "quantity: {basis: assigned-active, without_subscriptions: [s1]}",
            "line 4, profiles[0].quantity: has without_subscriptions, which basis assigned-active does not count; "
            "leave it out",
        ),
        (
            "quantity: {basis: assigned, without_statuses: [PendingManual]}",
            "line 4, profiles[0].quantity: has without_statuses, which basis assigned does not count; leave it out",
        ),
        (
            "quantity: {without_statuses: [PendingManual, PendingManul]}",
            "line 4, profiles[0].quantity.without_statuses[1]: must be one of enabled, warning, suspended, lockedout, "
            "deleted, Active, Cancelled, PendingManual, PendingAutomated, PendingCancel, WaitingForDetails, Trial, "
            'Converted, PendingActivation, Activated, not "pendingmanul"',
        ),
        (
            "quantity: {divide_by: 3}",
            "line 4, profiles[0].quantity: has divide_by without rounding; Manage takes no endless decimals, write "
            "rounding: up",
        ),
        (
            "quantity: {basis: assigned, users: {only: {floors: [3]}}}",
            "line 4, profiles[0].quantity.users.only.floors: is not known here; allowed are departments, offices, "
            "domains, groups, accounts",
        ),
        (
            "quantity: {basis: assigned, users: {without: {accounts: [guest]}}}",
            'line 4, profiles[0].quantity.users.without.accounts[0]: must be one of disabled, guests, not "guest"',
        ),
        (
            "quantity: {basis: assigned-active, users: {only: {accounts: [guests]}}}",
            "line 4, profiles[0].quantity: has users.only.accounts, which basis assigned-active leaves out; write "
            "basis: assigned",
        ),
        (
            "quantity: {basis: assigned}, split: true",
            "line 2, profiles[0]: has split, but basis assigned counts no subscriptions; use purchased",
        ),
        (
            "quantity: {minimum: 5, minimum_always: true}, split: true",
            "line 2, profiles[0]: has split and minimum_always; the line of a subscription that is gone would never "
            "end",
        ),
        ("combine: true, split: true", "line 2, profiles[0]: has both combine and split; keep one of them"),
        ("price: {kind: custom}", "line 4, profiles[0].price: needs an amount with kind custom, such as amount: 25.00"),
        (
            "price: {amount: 2}",
            "line 4, profiles[0].price: has an amount, which kind keep does not use; write kind: custom or leave it "
            "out",
        ),
        (
            "price: {kind: free}",
            "line 4, profiles[0].price.kind: must be one of keep, product, custom, cost, retail, tiered, volume, "
            'package, not "free"',
        ),
        (
            "price: {kind: package, bands: [{upto: 100, price: 25}, {price: 60}]}",
            "line 2, profiles[0]: has a price of kind package, which bills usage only; write arrears: highest or last "
            "beside it",
        ),
        (
            "price: {kind: volume, bands: [{upto: 100, price: 2, product: S}, {price: 1, product: M}]}",
            "line 2, profiles[0]: has a product in a band of kind volume, which bills usage only; write arrears: "
            "highest or last beside it, or kind: tiered",
        ),
        (
            "arrears: highest",
            "line 2, profiles[0]: bills usage in arrears, which needs a price of one of these kinds: product, custom, "
            "cost, retail, tiered, volume, package",
        ),
        ("price: keep", 'line 4, profiles[0].price: must be fields with values, not "keep"'),
        (
            "bill_option: billable",
            'line 4, profiles[0].bill_option: must be one of Billable, DoNotBill, NoCharge, not "billable"',
        ),
        ("taxable: yes", 'line 4, profiles[0].taxable: must be true or false, not "yes"'),
        ("replaces: P9", 'line 4, profiles[0].replaces: must be a list, not "P9"'),
        ("replaces: [{a: b}]", "line 4, profiles[0].replaces[0]: must be text, not a mapping"),
        ("replaces: [~]", "line 4, profiles[0].replaces[0]: must be text, not nothing"),
        ("invoice_text: [a]", "line 4, profiles[0].invoice_text: must be text, not a list"),
        ('replaces: [""]', 'line 4, profiles[0].replaces[0]: must be one line of 1 to 200 characters, not ""'),
        (
            'invoice_text: "{product} {price}"',
            "line 4, profiles[0].invoice_text: has braces around something else than {product}, {quantity}, {users}",
        ),
        (
            'invoice_text: "{product"',
            "line 4, profiles[0].invoice_text: has braces around something else than {product}, {quantity}, {users}",
        ),
        (
            'invoice_text: "a\\tb"',
            "line 4, profiles[0].invoice_text: must be text of at most 4000 characters without tabs and control "
            "characters",
        ),
        (
            "quantitty: {}",
            "line 4, profiles[0].quantitty: is not known here; allowed are id, name, product, agreement_types, "
            "quantity, price, proration, bill_option, taxable, invoice_text, replaces, update_only, combine, "
            "split, drift, commitment_floor, arrears, counted_on",
        ),
        ("name: Again", "line 4, profiles[0].name: stands twice; first on line 2"),
    ],
)
def test_a_wrong_field_of_a_profile_is_named_with_its_line(field, problem):
    assert problems(profile(field)) == [problem]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "line 1: the document is empty; docs/rules.example.yaml shows a whole one"),
        ("# only a remark\n", "line 1: the document is empty; docs/rules.example.yaml shows a whole one"),
        ("- a\n", "line 1: must be fields with values, not a list"),
        ("profiles:\n  - {id: [1\npolicies: []\n", "line 3: is not YAML: expected ',' or ']', but got ':'"),
        ("profiles: []\n\tpolicies: []\n", "line 2: is not YAML: found character '\\t' that cannot start any token"),
        ("profiles: []\n# bell \x07\n", "line 2: is not YAML: it holds a control character"),
        ("profiles: []\n---\nprofiles: []\n", "line 2: is not YAML: but found another document"),
        ("[" * 5000, "line 1: is nested too deeply to be rules"),
        (
            "guards:\n  reduction: &limits {percent: 3}\n",
            "line 2, guards.reduction: uses an anchor or is nested too deeply; write the values out where they belong",
        ),
        ("? [profiles]\n: []\n", "line 1: has a key that is not a word"),
        (
            "profile: []\n",
            "line 1, profile: is not known here; allowed are guards, fleet, adoptable_marks, approvals, retention, "
            "people, contacts, schedules, notices, service_health, counted_on, profiles, policies, companies",
        ),
        (
            "profiles:\n\n  - id: one\n    name: One\n",
            "line 3, profiles[0].product: is missing; identifier of the product in Manage's catalog",
        ),
        (
            "profiles: [{name: One, product: P}]",
            "line 1, profiles[0].id: is missing; a short name of your own, such as business-premium",
        ),
        (
            "companies: [{company: 1, name: A, links: [{source: microsoft365}]}]",
            "line 1, companies[0].links[0].customer: is missing; the vendor's id of the customer",
        ),
        (
            "policies: [{sku: a, do_not_bill: true}]",
            f"line 1, policies[0].source: is missing; one of {SOURCE_WORDS}",
        ),
        (
            "guards:\n  reduction:\n    percent: 101\n",
            'line 3, guards.reduction.percent: must be a percentage from 0 to 100, not "101"',
        ),
        (
            "adoptable_marks: [tu1-S]",
            "line 1, adoptable_marks[0]: must be the mark of another tool; TU1- is TrueUp's own",
        ),
        (
            "approvals: {expire_days: 0}",
            'line 1, approvals.expire_days: must be a whole number of days from 1 to 365, not "0"',
        ),
        (
            'schedules: [{id: a, job: nightly, cron: "0 0 2 * * *"}]',
            'line 1, schedules[0].cron: must be five cron fields such as 0 2 * * *, not "0 0 2 * * *"',
        ),
        (
            'schedules: [{id: a, job: nightly, cron: "61 2 * * *"}]',
            'line 1, schedules[0].cron: must be five cron fields such as 0 2 * * *, not "61 2 * * *"',
        ),
        (
            'schedules: [{id: a, job: nightly, cron: "@daily"}]',
            'line 1, schedules[0].cron: must be five cron fields such as 0 2 * * *, not "@daily"',
        ),
        (
            'schedules: [{id: a, job: nightly, cron: "0 0 30 2 *"}]',
            'line 1, schedules[0].cron: must be five cron fields that come due one day; "0 0 30 2 *" never does',
        ),
        (
            "profiles: [{id: a, name: A, product: P, counted_on: vendor-invoice}]\n"
            "policies:\n  - {source: huntress, sku: edr, profile: a}\n  - {source: cove, sku: w, profile: a}\n",
            'line 4, policies[1].profile: "a" bills on the vendor\'s invoice, which only huntress tells',
        ),
        (
            "profiles:\n - {id: a, name: A, product: P, arrears: last, counted_on: vendor-invoice}",
            "line 2, profiles[0]: has both arrears and counted_on: vendor-invoice; keep one of them",
        ),
        (
            "profiles:\n - {id: a, name: A, product: P, arrears: last, counted_on: before-invoice}",
            "line 2, profiles[0]: has both arrears and counted_on: before-invoice; keep one of them",
        ),
        (
            "counted_on: vendor-invoice",
            "line 1, counted_on: must be night or before-invoice: not every vendor invoices; say vendor-invoice in "
            "profiles",
        ),
        (
            "profiles:\n - {id: a, name: A, product: P, arrears: last, update_only: true, price: {kind: product}}",
            "line 2, profiles[0]: has both arrears and update_only, but usage takes a new line each period; "
            "keep one of them",
        ),
        (
            'schedules: [{id: a, job: hourly, cron: "0 * * * *"}]',
            "line 1, schedules[0]: needs sources: the ones that it reads, such as [cove]",
        ),
        (
            'schedules: [{id: a, job: nightly, cron: "0 2 * * *", sources: [cove]}]',
            "line 1, schedules[0]: has sources, which only the job hourly takes; profiles say when counts are billed: "
            "counted_on",
        ),
        (
            'schedules: [{id: a, job: hourly, cron: "0 * * * *", sources: [microsoft365]}]',
            "line 1, schedules[0]: names microsoft365, which is read tenant by tenant and at night only",
        ),
        (
            'schedules: [{id: a, job: weekly, cron: "0 2 * * *"}]',
            'line 1, schedules[0].job: must be one of nightly, hourly, contacts, not "weekly"',
        ),
        (
            "policies:\n  - {source: microsft365, sku: a, do_not_bill: true}\n",
            f'line 2, policies[0].source: must be one of {SOURCE_WORDS}, not "microsft365"',
        ),
        (
            "policies:\n  - {source: microsoft365, sku: a}\n",
            "line 2, policies[0]: needs exactly one of profile and do_not_bill: true",
        ),
        (
            "companies: [{company: Alder, name: A}]",
            'line 1, companies[0].company: must be the number of a Manage record, such as 250, not "Alder"',
        ),
        (
            "retention: {runs_days: 1.5}",
            'line 1, retention.runs_days: must be a whole number of days such as 730, not "1.5"',
        ),
        (
            "people: [{name: robin, only: [7], without: [8]}]",
            "line 1, people[0]: needs either only or without with companies; whoever is not listed sees all of them",
        ),
        (
            "people: [{name: robin, only: []}]",
            "line 1, people[0]: needs either only or without with companies; whoever is not listed sees all of them",
        ),
        (
            "people: [{name: robin, only: [7]}, {name: Robin, without: [8]}]",
            "line 1, people[1]: has the same name as people[0] (line 1); keep one of them",
        ),
        (
            "retention: {history_days: 30}",
            "line 1, retention.history_days: must be at least 60 days: what was done in these can be undone",
        ),
        (
            "companies: [{company: 0, name: A}]",
            'line 1, companies[0].company: must be the number of a Manage record, such as 250, not "0"',
        ),
        (
            "companies: [{company: 1, name: A, mode: ask}]",
            'line 1, companies[0].mode: must be one of observe, approve, auto, not "ask"',
        ),
    ],
)
def test_a_wrong_document_is_explained_with_its_line(text, problem):
    assert problems(text) == [problem]


@pytest.mark.parametrize(
    ("rest", "problem"),
    [
        (
            "  - {id: ONE, name: Other, product: P3}\n",
            "line 4, profiles[2]: has the same id as profiles[0] (line 2); keep one of them",
        ),
        (
            "policies:\n  - {source: microsoft365, sku: a, profile: three}\n",
            'line 5, policies[0].profile: there is no profile "three"; there are one, two',
        ),
        (
            "policies:\n"
            "  - {source: microsoft365, sku: a, profile: one}\n"
            "  - {source: microsoft365, sku: A, profile: two}\n",
            "line 6, policies[1]: has the same source and sku as policies[0] (line 5); keep one of them",
        ),
        (
            "policies:\n  - {source: microsoft365, sku: a, profile: one, do_not_bill: true}\n",
            "line 5, policies[0]: needs exactly one of profile and do_not_bill: true",
        ),
        (
            'schedules:\n  - {id: a, job: nightly, cron: "0 2 * * *"}\n  - {id: a, job: nightly, cron: "0 3 * * *"}\n',
            "line 6, schedules[1]: has the same id as schedules[0] (line 5); keep one of them",
        ),
        (
            "companies:\n  - {company: 1, name: A}\n  - {company: 1, name: B}\n",
            "line 6, companies[1]: has the same company as companies[0] (line 5); keep one of them",
        ),
    ],
)
def test_what_does_not_fit_together_is_named_with_both_lines(rest, problem):
    assert problems(TWO_PROFILES + rest) == [problem]


@pytest.mark.parametrize(
    ("field", "problem"),
    [
        ("", None),
        ("licences: [{source: microsoft365, sku: a, profile: one}]", None),
        (
            "licences: [{source: microsoft365, sku: a, profile: one}, "
            "{source: microsoft365, sku: a, profile: two, customer: t}]",
            None,
        ),
        (
            "licences: [{source: microsoft365, sku: a, profile: one}, "
            "{source: microsoft365, sku: A, do_not_bill: true}]",
            "line 8, companies[0].licences[1]: has the same source and sku as companies[0].licences[0] (line 8); keep "
            "one of them",
        ),
        (
            "licences: [{source: microsoft365, sku: a, profile: three}]",
            'line 8, companies[0].licences[0].profile: there is no profile "three"; there are one, two',
        ),
        (
            "licences: [{source: microsoft365, sku: a, price: 3.00}]",
            "line 8, companies[0].licences[0]: has no profile, and no policy gives this SKU one; name a profile",
        ),
        (
            "licences: [{source: microsoft365, sku: a, do_not_bill_until: 2027-01-01}]",
            "line 8, companies[0].licences[0]: has no profile, and no policy gives this SKU one; name a profile",
        ),
        (
            "licences: [{source: microsoft365, sku: a, do_not_bill: true, do_not_bill_until: 2027-01-01}]",
            "line 8, companies[0].licences[0]: has both do_not_bill, which is for ever, and do_not_bill_until; keep "
            "one of them",
        ),
        ("licences: [{source: microsoft365, sku: a, do_not_bill: true}]", None),
        (
            "licences: [{source: microsoft365, sku: a, profile: one, customer: u}]",
            "line 8, companies[0].licences[0].customer: is not among the company's links",
        ),
        (
            "licences: [{source: microsoft365, sku: a, profile: one, start: 2026-02-30}]",
            'line 8, companies[0].licences[0].start: must be a date such as 2026-12-01, not "2026-02-30"',
        ),
        (
            "licences: [{source: microsoft365, sku: a, profile: one, start: 20261201}]",
            'line 8, companies[0].licences[0].start: must be a date such as 2026-12-01, not "20261201"',
        ),
        (
            "licences: [{source: microsoft365, sku: a, profile: one, part: No 1}]",
            "line 8, companies[0].licences[0].part: must be a short name of letters, digits and hyphens such as sales, "
            'not "No 1"',
        ),
        (
            "licences: [{source: microsoft365, sku: a, profile: one, part: x, users: {only: {departments: [Sales]}}}, "
            "{source: microsoft365, sku: a, profile: one, part: y, users: {without: {departments: [sales]}}}]",
            None,
        ),
        (
            "licences: [{source: microsoft365, sku: a, profile: one, part: x, users: {only: {departments: [Sales]}}}, "
            "{source: microsoft365, sku: a, profile: two}]",
            "line 8, companies[0].licences[1]: counts the same users as companies[0].licences[0] (line 8); give both "
            "users whose departments, offices or domains never meet, or leave out with one (without) what the other "
            "counts (only)",
        ),
        (
            "guards: {reduction: {units: many}}",
            'line 8, companies[0].guards.reduction.units: must be a number such as 25.00, not "many"',
        ),
        (
            "guards: {reduction: {unit: 3}}",
            "line 8, companies[0].guards.reduction.unit: is not known here; allowed are percent, small, units, money",
        ),
    ],
)
def test_a_company_is_checked_against_its_links_and_the_rules(field, problem):
    company = "companies:\n  - company: 1\n    name: A\n    links: [{source: microsoft365, customer: t}]\n"

    assert problems(f"{TWO_PROFILES}{company}    {field}\n") == ([problem] if problem else [])


def test_a_fixed_quantity_is_not_billed_per_subscription():
    text = (
        "profiles: [{id: one, name: One, product: P1, split: true}]\n"
        "companies:\n"
        "  - company: 1\n"
        "    name: A\n"
        "    links: [{source: microsoft365, customer: t}]\n"
        "    licences: [{source: microsoft365, sku: a, profile: one, quantity: 8}]\n"
    )

    assert problems(text) == [
        "line 6, companies[0].licences[0]: cannot be billed: its licence link fixes a quantity, which its profile "
        "would bill per subscription; leave one of them out"
    ]
    assert problems(text.replace("split: true", "split: false")) == []


@pytest.mark.parametrize(
    ("users", "other", "twice"),
    [
        ("only: {domains: [a.example]}", "only: {domains: [b.example]}", False),
        ("only: {domains: [a.example]}", "without: {domains: [a.example]}", False),
        ("only: {domains: [a.example]}", "only: {offices: [Mill Road]}", True),
        ("only: {groups: [a]}", "only: {groups: [b]}", True),
        ("only: {domains: [a.example]}", "", True),
    ],
)
def test_companies_share_a_customer_only_with_users_that_never_meet(users, other, twice):
    text = (
        TWO_PROFILES
        + "policies: [{source: microsoft365, sku: a, profile: one}, {source: microsoft365, sku: b, profile: one}]\n"
        + "companies:\n"
        + f"  - {{company: 1, name: A, links: [{{source: microsoft365, customer: t, users: {{{users}}}}}]}}\n"
        + f"  - {{company: 2, name: B, links: [{{source: microsoft365, customer: T, users: {{{other}}}}}]}}\n"
    )
    problem = (
        "line 7, companies[1].links[0]: the customer is also linked at companies[0].links[0] (line 6), and these SKUs "
        "would be billed twice: a, b; remove a link, give them do_not_bill: true at one of the companies, or give both "
        "links users that never meet"
    )

    assert problems(text) == ([problem] if twice else [])


def test_a_licence_at_a_source_that_the_company_is_not_linked_to_is_refused():
    text = (
        TWO_PROFILES + "companies: [{company: 1, name: A, licences: [{source: microsoft365, sku: a, profile: one}]}]\n"
    )

    assert problems(text) == [
        "line 4, companies[0].licences[0].source: the company has no link to a customer at microsoft365; add one under "
        "links"
    ]


def test_a_customer_linked_twice_within_one_company_is_one_problem():
    policies = "policies: [{source: microsoft365, sku: a, profile: one}]\n"
    link = "{source: microsoft365, customer: t}"

    assert problems(f"{TWO_PROFILES}{policies}companies: [{{company: 1, name: A, links: [{link}, {link}]}}]\n") == [
        "line 5, companies[0].links[1]: has the same source and customer as companies[0].links[0] (line 5); keep one "
        "of them"
    ]


def test_everything_that_is_wrong_is_said_at_once_in_the_order_of_the_lines():
    text = (
        "guards: {all_to_zero: maybe}\n"
        "profiles:\n"
        "  - {id: one, name: One, product: P1, price: {kind: custom, amount: abc}}\n"
        "policies:\n"
        "  - {source: microsoft365, sku: a, profile: tow}\n"
        "companies:\n"
        "  - {company: 1, name: A, colour: red}\n"
    )

    with pytest.raises(RulesProblem) as raised:
        read_rules(text)

    assert [problem.partition(":")[0] for problem in raised.value.problems] == [
        "line 1, guards.all_to_zero",
        "line 3, profiles[0].price.amount",
        "line 5, policies[0].profile",
        "line 7, companies[0].colour",
    ]
    assert isinstance(raised.value, Misconfigured)
    assert raised.value.system == "rules"
    assert "rules.example.yaml" in raised.value.remedy


def test_what_we_have_no_words_for_is_told_in_those_of_pydantic():
    details = {"type": "recursion_loop", "loc": ("profiles",), "msg": "Recursion error", "input": "x"}

    assert sentence_of(details) == 'Recursion error, not "x"'


def test_every_field_that_must_be_there_says_what_it_is():
    required = [
        field for model in _models(RulesDocument) for field in model.model_fields.values() if field.is_required()
    ]

    assert required
    assert all(field.description for field in required)


def test_a_long_value_is_shown_shortened():
    assert problems(profile("taxable: " + "x" * 100)) == [
        f'line 4, profiles[0].taxable: must be true or false, not "{"x" * 40}…"'
    ]


@pytest.mark.parametrize(
    ("source", "known"), [("pushed:rmm", True), ("pushed:", False), ("pushed", False), ("pushed:combined", False)]
)
def test_a_pushed_source_is_named_as_in_the_settings(source, known):
    policy = f'policies: [{{source: "{source}", sku: a, do_not_bill: true}}]'
    if known:
        assert read_rules(policy).policies[0].source == source
    else:
        assert problems(policy) == [f'line 1, policies[0].source: must be one of {SOURCE_WORDS}, not "{source}"']


# --- who is told ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("subscriber", "problem"),
    [
        ("channel: mail, to: [boss]", "needs to: 1 to 50 mail addresses"),
        ("channel: mail, to: []", "needs to: 1 to 50 mail addresses"),
        ("channel: teams, to: [boss@birchline.example]", "needs to: 1 to 50 names of NOTICE_TEAMS"),
        (
            "channel: teams, to: [desk], frequency: at-once, about: [changes]",
            "is told at once, which only findings are; changes comes in a digest",
        ),
        (
            "channel: teams, to: [desk], frequency: at-once, even_when_empty: true",
            "is told at once, so there is never nothing to tell; leave even_when_empty out",
        ),
    ],
)
def test_a_subscriber_that_nobody_can_tell_anything_is_refused(subscriber, problem):
    assert problems(f"notices: [{{id: desk, {subscriber}}}]") == [f"line 1, notices[0]: {problem}"]


def test_what_is_told_must_be_known_and_its_hour_be_one():
    found = problems("notices:\n- {id: a, channel: teams, to: [a],\n   hour: 24,\n   about: [gossip]}")

    assert found == [
        'line 3, notices[0].hour: must be an hour from 0 to 23, not "24"',
        "line 4, notices[0].about[0]: must be one of changes, waiting, failed, leak, or a kind of finding such as "
        'unmapped, not "gossip"',
    ]


def test_a_part_for_accounts_that_its_profile_leaves_out_is_refused_and_one_for_others_is_not():
    document = """
profiles:
  - {id: active, name: Active, product: P1, quantity: {basis: assigned-active}}
  - {id: held, name: Held, product: P2, quantity: {basis: assigned}}
policies:
  - {source: microsoft365, sku: s1, profile: active}
companies:
  - company: 1
    name: One
    links: [{source: microsoft365, customer: t1}]
    licences:
      - {source: microsoft365, sku: s1, part: guests, PROFILE users: {only: {accounts: [guests]}}}
"""
    (problem,) = problems(document.replace("PROFILE", ""))
    assert problem == (
        "line 12, companies[0].licences[0]: takes only accounts that profile active leaves out by basis "
        "assigned-active, so nobody would be counted; name a profile with basis: assigned"
    )
    assert problems(document.replace("PROFILE", "profile: held,")) == []
