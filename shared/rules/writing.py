"""Writing the rules document as commented YAML that a person edits and `read_rules` reads back the same."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from enum import Enum
from typing import Any

from pydantic import BaseModel

from shared.rules.document import JOBS, SOURCE_WORDS, Company, CompanyGuards, Person, Policy, RulesDocument
from shared.rules.parts import Traits, Users

_HEAD = "# How TrueUp bills. `python dev.py rules import FILE` reads it; rules.example.yaml explains every field."

#: What stands above each section.
_SECTIONS = {
    "guards": "What holds a plan until a person has looked: a reduction or an increase beyond its limits.\n"
    "# compare_forecast only tells: none | untaxed | all agreements are compared with Manage's forecast.",
    "fleet": "Once more than percent of the companies of a run (after or more) reduce, the rest is only planned.",
    "adoptable_marks": "Beginnings of other tools' serial numbers; such lines may be adopted where a company says so.",
    "approvals": "So many days a group waits for a person, and an approval for its write, before it is planned anew.",
    "retention": "For how many days the history of companies and rules, and the runs are kept, 60 at least.",
    "people": "Who sees and decides about some companies only: only or without their numbers. Administrators see all.",
    "contacts": (
        "Which users become contacts in Manage. mode: none | observe | auto; companies: [{company: 250, mode: none}];\n"
        "# users: {only: …, without: …}. existing: leave | fill | overwrite what people made;\n"
        "# edited: leave | overwrite; left: leave | deactivate. The job contacts does it."
    ),
    "schedules": (
        f"Five cron fields in the MSP's own time zone. Jobs: {', '.join(JOBS)}. hourly only reads its sources,\n"
        "# for what is billed in arrears."
    ),
    "notices": (
        "Who is told what. channel: mail | teams | ticket, to: addresses, names of NOTICE_TEAMS or a board.\n"
        "# frequency: at-once |\n"
        "# daily | weekly | monthly, at a local hour. about: changes, waiting, failed, leak and kinds of findings;\n"
        "# none: everything. companies, owners (territory managers or territories in Manage):\n"
        "# none: all. users: true shows invoice texts with the names of users."
    ),
    "service_health": (
        "Issues of customers' Microsoft 365 services as tickets; left out: none. services: as Microsoft names them.\n"
        "# advisories: false leaves out issues with which the service works. One of together_from companies or\n"
        "# more is one ticket of your own company."
    ),
    "counted_on": "When profiles are counted that say nothing of their own: night | before-invoice.",
    "profiles": (
        "How to bill a product. basis: purchased | assigned | assigned-active | greater. users: {only: …, without: …}\n"
        "# by departments, offices, domains, groups, accounts: [disabled, guests].\n"
        "# rounding: none | up | down | nearest. price: {kind: keep} | {kind: product} |\n"
        "# {kind: custom, amount: 25.00} | {kind: cost, markup: 20} | {kind: retail} |\n"
        "# {kind: tiered, bands: [{upto: 10, price: 5}, {price: 4}]} | {kind: volume, bands: …} |\n"
        "# {kind: package, bands: …} of usage only; per: cycle | month;\n"
        "# below_cost: allow | refuse a price below what a unit costs.\n"
        "# bill_option: Billable | DoNotBill | NoCharge.\n"
        "# proration: rule: none | full | computed | manage; start_day: excluded | included;\n"
        "# first_sync: next-period | prorate | full-period; always_split: true | false; decrease: keep | credit.\n"
        "# dated: vendor | count. arrears: last | highest bills usage once its period is over.\n"
        "# counted_on: night | vendor-invoice | before-invoice, the day before the agreement's next invoice.\n"
        "# drift, when a person edits our line: ask | restore | accept.\n"
        "# invoice_text may hold {product}, {quantity} and {users}."
    ),
    "policies": f"MSP-wide: which profile bills a SKU, or do_not_bill: true. Sources: {SOURCE_WORDS}.",
    "companies": (
        "company is Manage's record number. mode: observe | approve | auto. A licence overrides the policy for its\n"
        "# SKU with profile, agreement, price, quantity, start, do_not_bill, do_not_bill_until, waive_until;\n"
        "# customer narrows it to one. guards holds only what differs from the MSP's. billed_through names the last\n"
        "# invoiced day of an agreement where Manage's own dates say something else."
    ),
}

# Text that every YAML reader takes as text when it stands without quotes.
_PLAIN = re.compile(r"[A-Za-z]([A-Za-z0-9 ._/&+()-]*[A-Za-z0-9)])?")
_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_NOT_TEXT = {"true", "false", "null", "yes", "no", "on", "off", "y", "n"}


def write_rules(document: RulesDocument) -> str:
    """YAML of the document, in its own order: the same document always gives the same text."""
    lines = [_HEAD]
    for name, remark in _SECTIONS.items():
        lines += ["", f"# {remark}", *_section(name, getattr(document, name))]
    return "\n".join(lines) + "\n"


def _section(name: str, value: Any) -> list[str]:
    if value is None:
        return []
    if isinstance(value, BaseModel):
        return [f"{name}:", *(f"  {field}: {_flow(part)}" for field, part in _given(value).items())]
    if not value or not isinstance(value[0], BaseModel):
        return [f"{name}: {_flow(value)}"]
    if isinstance(value[0], Policy):
        return [f"{name}:", *(f"  - {_flow(policy)}" for policy in value)]
    return [f"{name}:", *(line for item in value for line in _item(item))]


def _item(item: BaseModel) -> list[str]:
    """One entry of a list, a field a line; links and licences one a line too."""
    lines: list[str] = []
    for field, part in _given(item).items():
        if isinstance(item, Company) and field in ("links", "licences", "billed_through") and part:
            lines += [f"{field}:", *(f"  - {_flow(entry)}" for entry in part)]
        else:
            lines.append(f"{field}: {_flow(part)}")
    first, *rest = lines
    return [f"  - {first}", *(f"    {line}" for line in rest)]


def _given(part: BaseModel) -> dict[str, Any]:
    """The fields to write: none that is left out, no limits that say nothing, and no switch that is usually off."""
    fields = {name: getattr(part, name) for name in type(part).model_fields}
    return {
        name: value
        for name, value in fields.items()
        if value is not None
        and not (name in ("do_not_bill", "removed") and value is False)
        and not (isinstance(part, CompanyGuards) and isinstance(value, BaseModel) and not _given(value))
        and value not in (Users(), Traits())
        and not (isinstance(part, Traits | Person) and value == ())
    }


def _flow(value: Any) -> str:
    """A value on one line."""
    match value:
        case BaseModel():
            return "{" + ", ".join(f"{name}: {_flow(part)}" for name, part in _given(value).items()) + "}"
        case tuple():
            return "[" + ", ".join(_flow(item) for item in value) + "]"
        case bool():
            return "true" if value else "false"
        case Enum():
            return str(value.value)
        case Decimal():
            return f"{value:f}"
        case date():
            return value.isoformat()
    return str(value) if isinstance(value, int) else _scalar(str(value))


def _scalar(text: str) -> str:
    if _GUID.fullmatch(text) or (_PLAIN.fullmatch(text) and text.casefold() not in _NOT_TEXT):
        return text
    return '"' + "".join(_escaped(character) for character in text) + '"'


def _escaped(character: str) -> str:
    if character in '"\\':
        return "\\" + character
    if character == "\n":
        return "\\n"
    return character if character.isprintable() else f"\\U{ord(character):08x}"
