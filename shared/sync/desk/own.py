"""A company's own choices: how a licence is billed there instead of by policy, its guards, what is billed already."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from shared.billing.calendar import Unsupported, calendar_of
from shared.billing.lines import canonical
from shared.billing.rules import LicenceLink, Rules
from shared.clock import business_date
from shared.errors import Refused
from shared.rules.editing import Edit, Section
from shared.rules.single import check_company, check_licence, licence_fields, msp_fields, own_fields
from shared.state.company_state import CompanyState
from shared.sync.approvals import Person
from shared.sync.company import Synced
from shared.sync.desk.billing import Sold, known, look_again
from shared.sync.desk.licences import licences
from shared.sync.observe import company_rules
from shared.sync.ports import Ports
from shared.sync.rule_edits import edit_rules
from shared.sync.shapes import own as shapes
from shared.sync.shapes.desk import Billed, ProfileName
from shared.sync.unfinished import edition_before_reading

#: What a licence link is found by; everything else is a choice.
_KEY = ("source", "sku", "customer", "part")
_NOTHING: tuple[Any, ...] = (None, "", [], ())
#: What is chosen by *do not bill*, not with the other fields.
_NOT_BILLED = ("do_not_bill", "do_not_bill_until")


@dataclass(frozen=True, slots=True)
class Chosen:
    """What a choice changed of the rules, in sentences; none where everything stood so already.

    `synced` is what the look at the company came to, None where another worker is at it: its next look goes by it.
    """

    what: tuple[str, ...] = ()
    synced: Synced | None = None


def own_choice(ports: Ports, company: int, sold: Sold) -> shapes.OwnChoice:
    """How a SKU is billed at a company: the fields of its licence link, what the policy says, and what there is to
    choose among. `standing` says whether there is such a link. Raises `Gone` for a company that is not known.
    """
    edition = edition_before_reading(ports)
    row, state, rules = known(ports, company), ports.company_state.load(company), ports.rules.load()
    link = _standing(state, sold)
    policy = rules.policy_for(sold.source, sold.sku)
    return {
        "edition": edition,
        "company": {"id": row.id, "name": row.name},
        "source": sold.source,
        "sku": sold.sku,
        "customer": sold.customer,
        "part": sold.part,
        "name": _name(state, sold),
        "standing": link is not None,
        "fields": licence_fields(link or _bare(sold)),
        "policy": {"profile": _profile(rules, policy.profile)} if policy is not None else None,
        "billed": _billed(state, rules, sold, business_date(ports.clock)),
        "customers": [each.customer for each in row.links if each.source == sold.source and not each.removed],
        "profiles": [
            {"id": each.id, "name": each.name, "product": each.product, "price": each.price.kind.value}
            for each in sorted(rules.profiles.values(), key=lambda each: (each.name.casefold(), each.id))
        ],
        "agreements": [
            {
                "id": each.id,
                "name": each.name,
                "type": each.type,
                "status": each.agreement_status,
                "currency": each.currency or "",
            }
            for each in state.overview.agreements
        ],
    }


def save_choice(
    ports: Ports, company: int, sold: Sold, fields: Mapping[str, Any], person: Person, expected: int | None = None
) -> Chosen:
    """Has a SKU billed at a company as these fields say; one that is left out is that of the policy and profile.

    Whether it is billed at all stays. Where nothing is chosen any more, the licence link goes. Raises `FieldsProblem`
    for what is wrong with the fields, `EditProblem` for what does not fit the other rules, and `Refused` when somebody
    else changed them since the edition that the person saw.
    """
    state = ports.company_state.load(known(ports, company).id)
    standing = _standing(state, sold)
    nothing = dict.fromkeys(set(licence_fields(_bare(sold))) - set(_NOT_BILLED))
    wanted = {**nothing, **fields, **sold.key}
    kept = {name: getattr(standing, name) for name in _NOT_BILLED} if standing is not None else {}
    whole = {name: value for name, value in {**kept, **wanted}.items() if value is not None}
    check_licence(whole)
    chooses = sold.customer or sold.part or any(kept.values()) or _says_something(fields)
    if not chooses and standing is None:
        return Chosen()
    return _chosen(ports, company, str(sold), Edit(Section.LICENCES, wanted, company, not chooses), person, expected)


def drop_choice(ports: Ports, company: int, sold: Sold, person: Person, expected: int | None = None) -> Chosen:
    """Takes everything back that the company chose of its own for a SKU: the policy holds, if there is one."""
    edit = Edit(Section.LICENCES, sold.key, known(ports, company).id, drop=True)
    return _chosen(ports, company, str(sold), edit, person, expected)


def own_rules(ports: Ports, company: int) -> shapes.OwnRules:
    """What a company's own rules say beside its licences, and what holds where they say nothing.

    `agreements` are those whose billing can be said to be further on than TrueUp reads in Manage: `day` is the last
    invoiced day that a person named, `read` that which TrueUp reads, None where it cannot.
    """
    edition = edition_before_reading(ports)
    row, state, rules = known(ports, company), ports.company_state.load(company), ports.rules.load()
    fields = own_fields(company_rules(row, state), rules)
    return {
        "edition": edition,
        "company": {"id": row.id, "name": row.name},
        "adopt_marked": fields["adopt_marked"],
        "marks": list(rules.adoptable_marks),
        "guards": fields["guards"] or {},
        "msp_guards": msp_fields(rules)["guards"],
        "agreements": _invoiced(state, business_date(ports.clock)),
    }


def save_own(
    ports: Ports, company: int, fields: Mapping[str, Any], person: Person, expected: int | None = None
) -> Chosen:
    """Changes `adopt_marked`, `billed_through` (agreements with their days, all of them) or `guards` of a company.

    What is left out stays; raises as `save_choice` does.
    """
    unknown = sorted(set(fields) - {"adopt_marked", "billed_through", "guards"})
    if unknown:
        raise Refused(f"{unknown[0]} is not chosen here", remedy="Name adopt_marked, billed_through or guards.")
    check_company({name: value for name, value in fields.items() if value is not None})
    edit = Edit(Section.COMPANIES, {"company": known(ports, company).id, **fields})
    return _chosen(ports, company, "", edit, person, expected)


def _chosen(ports: Ports, company: int, about: str, edit: Edit, person: Person, expected: int | None) -> Chosen:
    done = edit_rules(ports, [edit], person, expected=expected)
    if not done.what:
        return Chosen()
    told = [str(each).removeprefix(f"{each.entry}: ") for each in done.what]
    return Chosen(
        tuple(map(str, done.what)),
        look_again(ports, company, ": ".join(filter(None, (about, "; ".join(told)))), person),
    )


def _standing(state: CompanyState, sold: Sold) -> LicenceLink | None:
    wanted = _key(_bare(sold))
    return next((link for link in state.licences if _key(link) == wanted), None)


def _key(link: LicenceLink) -> tuple[str, ...]:
    return tuple(canonical(getattr(link, name) or "") for name in _KEY)


def _told_key(link: Mapping[str, object]) -> tuple[str, ...]:
    return tuple(canonical(str(link[name] or "")) for name in _KEY)


def _bare(sold: Sold) -> LicenceLink:
    return LicenceLink(sold.source, sold.sku, sold.customer, part=sold.part)


def _says_something(fields: Mapping[str, Any]) -> bool:
    """Whether any field holds more than an empty value, however deep; a quantity of 0 is one."""
    values = fields.values()
    return any(
        _says_something(value) if isinstance(value, Mapping) else value not in _NOTHING
        for value in values
        if value is not False
    )


def _name(state: CompanyState, sold: Sold) -> str:
    seen = (each.name for each in state.overview.licences if _is_of(each.source, each.sku, sold))
    return next(seen, sold.sku)


def _is_of(source: str, sku: str, sold: Sold) -> bool:
    return source == sold.source and canonical(sku) == canonical(sold.sku)


def _billed(state: CompanyState, rules: Rules, sold: Sold, as_of: date) -> list[Billed]:
    """How it is billed now, as the last look saw it: by its own link, where there is one, or by the policy."""
    found = [each for each in licences(state, rules, as_of) if _is_of(each["source"], each["sku"], sold)]
    items = {item["item"]: item for each in found for item in each["billed"]}.values()
    if _standing(state, sold) is None:
        return [item for item in items if item["link"] is None]
    wanted = _key(_bare(sold))
    return [item for item in items if item["link"] is not None and wanted == _told_key(item["link"])]


def _profile(rules: Rules, profile: str | None) -> ProfileName | None:
    """The profile that a policy names; None where it says *do not bill*."""
    found = rules.profiles.get(profile) if profile is not None else None
    return {"id": found.id, "name": found.name} if found is not None else None


def _invoiced(state: CompanyState, as_of: date) -> list[shapes.InvoicedAgreement]:
    """The active agreements, and those of which a person has named a day."""
    names = {each.id: each for each in state.overview.agreements}
    wanted = {each.id for each in names.values() if each.agreement_status == "Active"} | set(state.billed_through)
    told: list[shapes.InvoicedAgreement] = []
    for number in sorted(wanted):
        agreement, day = names.get(number), state.billed_through.get(number)
        calendar = calendar_of(agreement, as_of) if agreement is not None else None
        read = None
        if calendar is not None and not isinstance(calendar, Unsupported):
            read = calendar.first_uninvoiced.day_before.isoformat()
        told.append(
            {
                "id": number,
                "name": agreement.name if agreement is not None else f"Agreement {number}",
                "day": day.isoformat() if day is not None else None,
                "read": read,
            }
        )
    return told
