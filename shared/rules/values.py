"""Between the document and the values with which the core computes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from decimal import Decimal
from typing import Any

from pydantic import ValidationError

from shared.billing import limits, profiles, rules
from shared.billing.contact_rules import ContactRules
from shared.billing.subscribers import ServiceHealth, Subscriber, TicketRule
from shared.billing.users import Traits, Users
from shared.rules import document as doc
from shared.rules.contacts import Contacts
from shared.rules.notices import ServiceHealth as HealthPart
from shared.rules.notices import Subscriber as Told
from shared.rules.notices import Ticket
from shared.rules.parts import Users as UsersPart
from shared.rules.problems import RulesProblem, sentence_of
from shared.rules.tree import written


def to_values(document: doc.RulesDocument, version: int) -> tuple[rules.Rules, list[rules.CompanyRules]]:
    """The MSP-wide rules at this version, and each company's own; limits a company leaves out are the MSP's."""
    guards = limits.Guards(
        reduction=limits.ReductionLimit(**document.guards.reduction.model_dump()),
        increase=limits.IncreaseLimit(**document.guards.increase.model_dump()),
        all_to_zero=document.guards.all_to_zero,
        changes_per_day=document.guards.changes_per_day,
        invoiced_at_once=document.guards.invoiced_at_once,
        ends_within_days=document.guards.ends_within_days,
        compare_forecast=document.guards.compare_forecast,
    )
    return (
        rules.Rules(
            version=version,
            profiles={profile.id: _profile(profile) for profile in document.profiles},
            policies=tuple(rules.SkuPolicy(item.source, item.sku, item.profile) for item in document.policies),
            guards=guards,
            fleet=limits.FleetLimit(**document.fleet.model_dump()),
            schedules=tuple(rules.Schedule(**item.model_dump()) for item in document.schedules),
            adoptable_marks=document.adoptable_marks,
            approvals=limits.Approvals(**document.approvals.model_dump()),
            retention=rules.Retention(**document.retention.model_dump()),
            subscribers=tuple(_subscriber(item) for item in document.notices),
            people=tuple(rules.Remit(**item.model_dump()) for item in document.people),
            contacts=_contacts(document.contacts),
            service_health=None if document.service_health is None else _health(document.service_health),
            counted_on=document.counted_on,
        ),
        [_company(company, guards) for company in document.companies],
    )


def from_values(msp: rules.Rules, companies: Iterable[rules.CompanyRules]) -> doc.RulesDocument:
    """The document that gives these values, in a stable order whatever order they come in.

    Raises `RulesProblem` for values that no document may hold.
    """
    try:
        return doc.RulesDocument.model_validate(document_fields(msp, companies))
    except ValidationError as error:
        found = error.errors(include_url=False)
        raise RulesProblem([f"{written(details['loc'])}: {sentence_of(details)}" for details in found]) from None


def document_fields(msp: rules.Rules, companies: Iterable[rules.CompanyRules]) -> dict[str, Any]:
    """The fields of the document that gives these values, in a stable order; nobody has checked them."""
    return {
        "guards": _fields(msp.guards),
        "adoptable_marks": msp.adoptable_marks,
        "fleet": _fields(msp.fleet),
        "approvals": _fields(msp.approvals),
        "retention": _fields(msp.retention),
        "counted_on": msp.counted_on,
        "people": [_fields(item) for item in sorted(msp.people, key=lambda item: item.name)],
        "contacts": _fields(msp.contacts)
        | {
            "companies": [
                {"company": company, "mode": mode} for company, mode in sorted(msp.contacts.companies.items())
            ]
        },
        "schedules": [_fields(item) for item in sorted(msp.schedules, key=lambda item: item.id)],
        "notices": [_fields(item) for item in sorted(msp.subscribers, key=lambda item: item.id)],
        "service_health": None if msp.service_health is None else _fields(msp.service_health),
        "profiles": [_fields(item) for item in sorted(msp.profiles.values(), key=lambda item: item.id)],
        "policies": [
            _fields(item) | {"do_not_bill": item.profile is None}
            for item in sorted(msp.policies, key=lambda item: (item.source, item.sku))
        ],
        "companies": [_company_fields(item, msp.guards) for item in sorted(companies, key=lambda item: item.company)],
    }


def _profile(profile: doc.Profile) -> profiles.BillingProfile:
    given = profile.model_dump()
    given["quantity"] = profiles.QuantityRule(**given["quantity"] | {"users": _users(profile.quantity.users)})
    bands = tuple(profiles.Band(**band) for band in given["price"].pop("bands"))
    given["price"] = profiles.PriceRule(**given["price"], bands=bands)
    given["proration"] = profiles.Proration(**given["proration"])
    return profiles.BillingProfile(**given)


def _subscriber(item: Told) -> Subscriber:
    ticket = None if item.ticket is None else _ticket(item.ticket)
    return Subscriber(**item.model_dump() | {"ticket": ticket})


def _contacts(item: Contacts) -> ContactRules:
    companies = {each.company: each.mode for each in item.companies}
    return ContactRules(**item.model_dump() | {"companies": companies, "users": _users(item.users)})


def _health(item: HealthPart) -> ServiceHealth:
    return ServiceHealth(**item.model_dump() | {"ticket": _ticket(item.ticket)})


def _ticket(item: Ticket) -> TicketRule:
    return TicketRule(**item.model_dump(exclude_none=True))


def _users(users: UsersPart) -> Users:
    return Users(Traits(**users.only.model_dump()), Traits(**users.without.model_dump()))


def _company(company: doc.Company, guards: limits.Guards) -> rules.CompanyRules:
    return rules.CompanyRules(
        company=company.company,
        name=company.name,
        mode=company.mode,
        links=tuple(
            rules.CompanyLink(link.source, link.customer, _users(link.users), link.removed) for link in company.links
        ),
        licences=tuple(
            rules.LicenceLink(**licence.model_dump() | {"users": _users(licence.users)}) for licence in company.licences
        ),
        adopt_marked=company.adopt_marked,
        guards=None if company.guards is None else _override(guards, company.guards),
        billed_through={item.agreement: item.day for item in company.billed_through},
    )


def _override(guards: limits.Guards, own: doc.CompanyGuards) -> limits.Guards:
    reduction: Mapping[str, Decimal] = own.reduction.model_dump(exclude_none=True)
    increase: Mapping[str, Decimal] = own.increase.model_dump(exclude_none=True)
    single: Mapping[str, Any] = own.model_dump(exclude={"reduction", "increase"}, exclude_none=True)
    return replace(
        guards,
        reduction=replace(guards.reduction, **reduction),
        increase=replace(guards.increase, **increase),
        **single,
    )


def _company_fields(company: rules.CompanyRules, guards: limits.Guards) -> dict[str, Any]:
    parts = _fields(company)
    parts["links"] = [_fields(link) for link in sorted(company.links, key=lambda link: (link.source, link.customer))]
    parts["licences"] = [
        _fields(item)
        for item in sorted(
            company.licences, key=lambda item: (item.source, item.sku, item.customer or "", item.part or "")
        )
    ]
    parts["billed_through"] = [
        {"agreement": agreement, "day": day} for agreement, day in sorted(company.billed_through.items())
    ]
    if company.guards is not None:
        own, msp = _fields(company.guards), _fields(guards)
        limits = {name: _difference(own[name], msp[name]) for name in ("reduction", "increase")}
        parts["guards"] = _difference(own, msp) | {name: given for name, given in limits.items() if given}
    return parts


def _difference(own: Mapping[str, Any], msp: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in own.items() if value != msp[name]}


def _fields(value: Any) -> dict[str, Any]:
    """A dataclass as a mapping; dataclasses in its fields too, and those in lists there."""
    return {item.name: _plain(getattr(value, item.name)) for item in fields(value)}


def _plain(part: Any) -> Any:
    if isinstance(part, tuple):
        return tuple(_plain(entry) for entry in part)
    if isinstance(part, TicketRule):
        return {name: value for name, value in _fields(part).items() if value != ""}
    return _fields(part) if hasattr(part, "__dataclass_fields__") else part
