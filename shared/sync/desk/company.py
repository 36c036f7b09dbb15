"""One company whole: links, licences, agreements before and after the plan, findings with their choices.

It shows what the last look saw; nobody outside is asked.
"""

from __future__ import annotations

from collections.abc import Iterable

from shared.billing.agreements import Addition
from shared.billing.counting.feeds import item_rules
from shared.billing.findings import FindingKind
from shared.billing.lines import LineValues, canonical, has_our_prefix
from shared.billing.planning.choices import ABOUT_OTHERS, subject_of_stray
from shared.billing.planning.plan import Group
from shared.billing.rules import CompanyLink, Rules
from shared.clock import business_date
from shared.errors import Gone
from shared.state.companies import CompanyRow
from shared.state.company_state import CompanyState
from shared.state.records import OpenFinding, Verdict
from shared.sync import views
from shared.sync.consents import consent_url, is_lost
from shared.sync.desk.agreements import agreements, currencies, line
from shared.sync.desk.licences import billed_for_nothing_told, licences
from shared.sync.observe import company_rules
from shared.sync.ports import Ports
from shared.sync.shapes import desk as shapes


def company(ports: Ports, number: int) -> shapes.Company:
    """Everything that is shown of a company but its history. Raises `Gone` for an unknown id."""
    row = ports.companies.get(number)
    if row is None:
        raise Gone(f"company {number} is not known", remedy="Add the company to the rules and import them.")
    state = ports.company_state.load(number)
    rules = ports.rules.load()
    as_of = business_date(ports.clock)
    groups = state.plan.groups if state.plan is not None else ()
    changes = [change for group in groups if not _is_rejected(group, state) for change in group.changes]
    return {
        **views.company_of(row, state, texts=True),
        "waiting": row.waiting,
        "links": [_link(ports, link, state) for link in row.links],
        "licences": licences(state, rules, as_of),
        "items": billed_for_nothing_told(state, rules, as_of),
        "agreements": agreements(state, changes, as_of),
        "findings": findings_of(row, state, rules),
    }


def _is_rejected(group: Group, state: CompanyState) -> bool:
    decision = state.decisions.get(group.hash)
    return decision is not None and decision.verdict is Verdict.REJECTED


def _link(ports: Ports, link: CompanyLink, state: CompanyState) -> shapes.Link:
    """`day` is that of the last reading, None before the first; `failure` says why the newest attempt failed.

    `consent` is where the customer's administrator consents, where that is what is missing.
    """
    lost = not link.removed and is_lost(state, link.source, link.customer)
    notes = [note for note in state.readings.values() if note.source == link.source]
    note = next((note for note in notes if canonical(note.customer) == canonical(link.customer)), None)
    return {
        "source": link.source,
        "customer": link.customer,
        "removed": link.removed,
        "some_users": not link.users.is_everybody,
        "day": note.day.isoformat() if note is not None and note.skus else None,
        "failure": note.failure if note is not None else None,
        "consent": consent_url(ports, link.source, link.customer) if lost else None,
    }


def findings_of(row: CompanyRow, state: CompanyState, rules: Rules) -> list[shapes.CompanyFinding]:
    """The open findings of a company, each with what can be chosen about it."""
    return [_finding(state.findings[key], row, state, rules) for key in sorted(state.findings)]


def _finding(open_: OpenFinding, row: CompanyRow, state: CompanyState, rules: Rules) -> shapes.CompanyFinding:
    """`lines` are the additions of which a choice about the finding names one or several; without any there is none.

    `edited` are lines of ours that a person changed: what TrueUp `wrote`, and what they say `now`.
    """
    told, key = views.finding(open_), open_.finding.key
    found: Iterable[Addition] = ()
    if open_.finding.kind is FindingKind.STRAY:
        found = [each for each in state.overview.lines if subject_of_stray(each.id) == key]
    elif ABOUT_OTHERS & set(told["choices"]):
        found = _others(key, row, state, rules)
        told["choices"] = told["choices"] if found else []
    money = currencies(state)
    edited = _edited(key, state) if open_.finding.kind is FindingKind.DRIFT else []
    return {
        **told,
        "lines": [{**line(each), "currency": money.get(each.agreement_id, "")} for each in found],
        "edited": [{**each, "currency": money.get(each["agreement"], "")} for each in edited],
    }


def _edited(item: str, state: CompanyState) -> list[shapes.EditedLine]:
    lines = {each.id: each for each in state.overview.lines}
    found = [
        (row, lines[row.addition_id])
        for row in state.ledger.values()
        if canonical(row.key.bill_item) == item and row.addition_id in lines
    ]
    return [
        {
            "addition": row.addition_id,
            "agreement": row.key.agreement,
            "product": row.product,
            "wrote": _values(row.values),
            "now": _values(LineValues.of(now)),
        }
        for row, now in found
        if row.values != LineValues.of(now)
    ]


def _values(said: LineValues) -> shapes.LineSaid:
    return {
        "quantity": float(said.quantity),
        "unit_price": float(said.unit_price),
        "effective_date": said.effective_date.isoformat() if said.effective_date is not None else None,
        "cancelled_date": said.cancelled_date.isoformat() if said.cancelled_date is not None else None,
    }


def _others(item: str, row: CompanyRow, state: CompanyState, rules: Rules) -> list[Addition]:
    """Lines that are not ours and bill what a bill item would be billed by."""
    rule = next((rule for rule in item_rules(rules, company_rules(row, state)) if rule.id == item), None)
    profile = rule.profile if rule is not None else None
    if profile is None:
        return []
    products = {product.casefold() for product in (*profile.products, *profile.replaces)}
    return [each for each in state.overview.lines if each.product.casefold() in products and not has_our_prefix(each)]
