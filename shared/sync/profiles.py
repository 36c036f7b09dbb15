"""Billing profiles for people: the list, one with its worked example, and saving one."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

from shared.billing.planning.example import Example, Invoice, Scene, worked
from shared.billing.profiles import BillingProfile
from shared.clock import business_date
from shared.errors import Gone, TrueUpError
from shared.rules.editing import Edit, Section, policy
from shared.rules.single import FieldsProblem, fields_of, profile_of
from shared.sync.approvals import Person
from shared.sync.currency import house_currency
from shared.sync.offers import proposal
from shared.sync.ports import Ports
from shared.sync.rule_edits import Edited, edit_rules
from shared.sync.shapes import mapping as shapes
from shared.sync.unfinished import edition_before_reading

__all__ = ["FieldsProblem", "profile_of"]

log = logging.getLogger(__name__)

#: A person waits for the form, and can type a type as well.
_TYPES_SECONDS = 5.0
#: Units that an example may count: it makes a user for each where users are billed.
MOST_UNITS = 5000
_TOO_LARGE = Example(
    (), (), (f"The example would count more than {MOST_UNITS} users: count fewer units, or divide by less.",)
)


def profiles(ports: Ports) -> shapes.Profiles:
    """Every profile in short, with the SKUs that policies bill by it; `edition` is that of the rules."""
    edition = edition_before_reading(ports)
    rules = ports.rules.load()
    return {
        "edition": edition,
        "profiles": [
            {
                "id": profile.id,
                "name": profile.name,
                "product": profile.product,
                "basis": profile.quantity.basis.value,
                "price": profile.price.kind.value,
                "proration": profile.proration.rule.value,
                "skus": sorted(f"{each.source} {each.sku}" for each in rules.policies if each.profile == profile.id),
            }
            for profile in sorted(rules.profiles.values(), key=lambda each: (each.name.casefold(), each.id))
        ],
    }


def profile_fields(ports: Ports, profile: str) -> dict[str, Any]:
    """A profile's fields as they stand in the rules. Raises `Gone` for one that is not there."""
    found = ports.rules.load().profiles.get(profile)
    if found is None:
        raise Gone(f"there is no profile {profile[:80]!r}", remedy="GET /console/api/profiles lists them.")
    return fields_of(found)


def proposed_fields(ports: Ports, new: Mapping[str, Any], source: str, sku: str, product: str) -> dict[str, Any]:
    """The fields of a profile that would bill a SKU, by this product if one is named; else they are those of `new`."""
    told = proposal(ports, source, sku)["profile"] | ({"product": product} if product else {})
    try:
        return fields_of(profile_of({**new, **told, "price": {**new["price"], **told["price"]}}))
    except FieldsProblem:
        return {**new, "name": told["name"], "product": told["product"]}


def save_profile(
    ports: Ports, fields: Mapping[str, Any], person: Person, edition: int, sku: tuple[str, str] | None = None
) -> Edited:
    """Puts a profile into the rules, whether it is new or not; `edition` is that of the rules that the person saw.

    With a `sku` (source, id) a policy has it billed by the profile from then on, in the same change.

    Raises `FieldsProblem` for what is wrong with its fields, `EditProblem` for what does not fit the other rules, and
    `Refused` when somebody else changed them since.
    """
    whole = fields_of(profile_of(fields))
    edits = [Edit(Section.PROFILES, whole)]
    if sku is not None:
        edits.append(policy(*sku, whole["id"]))
    return edit_rules(ports, edits, person, expected=edition)


def agreement_types(ports: Ports) -> list[str]:
    """The types of agreements to choose among, asked of Manage now; none where it does not tell them in time."""
    try:
        with ports.manage.deadline(_TYPES_SECONDS):
            return ports.manage.agreement_types()
    except TrueUpError as error:
        log.warning("the types of agreements are not known: %s", error)
        return []


def ordinary_scene(ports: Ports) -> Scene:
    """Two seats more on the tenth of this month."""
    day = business_date(ports.clock).replace(day=10)
    return Scene(day, Decimal(8), Decimal(10), Decimal("25.00"))


def example(ports: Ports, profile: BillingProfile, scene: Scene) -> shapes.Example:
    """The worked example as plain values; amounts are in `currency`, in which the MSP bills, where that is just one.

    A profile that does not say when it is counted is counted as the MSP's rules say. Where more than `MOST_UNITS` users
    would be made up nothing is worked out, and a finding says so.
    """
    counted_on = ports.rules.load().when_counted(profile)
    told = worked(replace(profile, counted_on=counted_on), scene) if _is_small(profile, scene) else _TOO_LARGE
    return {
        "day": scene.day.isoformat(),
        "currency": house_currency(ports),
        "sentences": [{"day": day.isoformat(), "text": text} for day, text in told.sentences],
        "invoices": [_invoice(each) for each in told.invoices],
        "findings": list(told.findings),
    }


def _is_small(profile: BillingProfile, scene: Scene) -> bool:
    """Whether it makes up no more users than it may: one for each unit of the count, before anything is divided."""
    rule = profile.quantity
    return not rule.bills_users or max(scene.before, scene.after) * rule.divide_by <= MOST_UNITS


def _invoice(invoice: Invoice) -> shapes.ExampleInvoice:
    return {
        "from": _day(invoice.period.start),
        "to": _day(invoice.period.end),
        "lines": [
            {
                "text": line.text,
                "quantity": float(line.quantity),
                "unit_price": float(line.unit_price),
                "amount": float(line.amount),
            }
            for line in invoice.lines
        ],
        "total": float(invoice.total),
    }


def _day(day: date) -> str:
    return day.isoformat()
