"""Every SKU that was seen anywhere, whether a rule says how to bill it, and what no rule speaks of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from decimal import Decimal

from shared.billing.lines import canonical
from shared.billing.rules import LicenceLink, Rules
from shared.rules.editing import Edit, Section, policy
from shared.state.companies import CompanyRow
from shared.state.ignored import IgnoredSku
from shared.state.overview import Licence
from shared.state.records import Signature
from shared.sync.approvals import Person, sign
from shared.sync.ports import Ports
from shared.sync.rule_edits import Edited, edit_rules

#: So many companies' rows are read at once.
_AT_ONCE = 8

#: A SKU at a source: (source, sku in canonical form).
SkuKey = tuple[str, str]
#: A SKU at one company: (company, source, sku).
SkuHere = tuple[int, str, str]


@dataclass(frozen=True, slots=True)
class Sku:
    """One SKU over all companies.

    `purchased` and `assigned` are in units of the SKU; None where no vendor tells. `cost` is what all of them cost the
    MSP in a month, by currency, where the vendor tells a monthly price. `policy` says that the rules have one;
    `profile` is that of the policy, None where it says do not bill. `own` counts companies with a choice of their own.
    """

    source: str
    sku: str
    name: str
    companies: int
    purchased: Decimal
    assigned: Decimal | None
    cost: dict[str, Decimal]
    free: bool
    policy: bool
    profile: str | None
    own: int


@dataclass(frozen=True, slots=True)
class Unmapped:
    """What a company has and no rule says how to bill. `ignored` says who hid it."""

    company: int
    company_name: str
    licence: Licence
    ignored: Signature | None = None


@dataclass(frozen=True, slots=True)
class Skus:
    """All SKUs by source and name, at an edition of the rules, with the profiles that can bill them."""

    edition: int
    skus: tuple[Sku, ...]
    unmapped: tuple[Unmapped, ...]
    ignored: tuple[Unmapped, ...]
    profiles: tuple[tuple[str, str], ...]


@dataclass(slots=True)
class _Seen:
    """What one company has, and its own choices."""

    row: CompanyRow
    licences: Sequence[Licence]
    own: Sequence[LicenceLink]


@dataclass(slots=True)
class _Total:
    name: str = ""
    companies: set[int] = field(default_factory=set)
    purchased: Decimal = Decimal(0)
    assigned: Decimal | None = None
    cost: dict[str, Decimal] = field(default_factory=dict)
    free: bool = True
    own: set[int] = field(default_factory=set)


def skus(ports: Ports) -> Skus:
    """Made from what the last look at each company saw; SKUs that only a policy names are there too."""
    head = ports.rules.head()
    rules, rows = ports.rules.load(head.version), ports.companies.all()
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        seen = list(pool.map(lambda row: _seen(ports, row), (row for row in rows if row.links)))
    unmapped = [each for one in seen for each in _unmapped(one, rules)]
    profiles = sorted((profile.name, profile.id) for profile in rules.profiles.values())
    return Skus(
        head.edition,
        tuple(_totals(seen, rules)),
        tuple(sorted((each for each in unmapped if each.ignored is None), key=_by_company)),
        tuple(sorted((each for each in unmapped if each.ignored is not None), key=_by_company)),
        tuple((id_, name) for name, id_ in profiles),
    )


def assign(
    ports: Ports, wanted: Sequence[SkuKey], profile: str | None, person: Person, expected: int | None = None
) -> Edited:
    """Has SKUs billed by a profile at every company that makes no choice of its own, or nowhere (None).

    Raises as `edit_rules` does.
    """
    return edit_rules(ports, [policy(source, sku, profile) for source, sku in wanted], person, expected=expected)


def unassign(ports: Ports, wanted: Sequence[SkuKey], person: Person, expected: int | None = None) -> Edited:
    """Takes the policies of SKUs away: nothing says any more how to bill them, and lines of ours are left alone."""
    edits = [Edit(Section.POLICIES, {"source": source, "sku": sku}, drop=True) for source, sku in wanted]
    return edit_rules(ports, edits, person, expected=expected)


def bill_here(
    ports: Ports, company: int, source: str, sku: str, profile: str | None, person: Person, expected: int | None = None
) -> Edited:
    """Has a SKU billed by a profile at one company, or not billed there (None)."""
    return edit_rules(ports, [here(company, source, sku, profile)], person, expected=expected)


def here(company: int, source: str, sku: str, profile: str | None) -> Edit:
    """The edit that has a SKU billed by a profile at one company, or not billed there (None)."""
    fields = {"source": source, "sku": sku, "profile": profile, "do_not_bill": profile is None}
    return Edit(Section.LICENCES, fields, company)


def ignore(ports: Ports, what: Iterable[SkuHere], person: Person) -> None:
    """Hides these; the next look at their companies finds them no more. Nothing is billed or ended because of it.

    Raises `Gone` for a company that is not known.
    """
    signed = sign(ports, person)
    for company, keys in _by_companies(what).items():
        ports.companies.change_ignored(company, add=[IgnoredSku(*key, signed) for key in sorted(keys)])


def restore(ports: Ports, what: Iterable[SkuHere]) -> None:
    """Shows these again. Raises `Gone` for a company that is not known."""
    for company, keys in _by_companies(what).items():
        ports.companies.change_ignored(company, drop=keys)


def _by_companies(what: Iterable[SkuHere]) -> dict[int, set[SkuKey]]:
    found: dict[int, set[SkuKey]] = {}
    for company, source, sku in what:
        found.setdefault(company, set()).add((source, canonical(sku)))
    return found


def _seen(ports: Ports, row: CompanyRow) -> _Seen:
    own = ports.company_state.own_rules(row.id)
    return _Seen(row, ports.company_state.overview(row.id).licences, own.licences)


def _totals(seen: Iterable[_Seen], rules: Rules) -> list[Sku]:
    totals: dict[SkuKey, _Total] = {(each.source, canonical(each.sku)): _Total(free=False) for each in rules.policies}
    for one in seen:
        for licence in one.licences:
            _add(totals.setdefault((licence.source, canonical(licence.sku)), _Total()), one.row.id, licence)
        for link in one.own:
            total = totals.setdefault((link.source, canonical(link.sku)), _Total(free=False))
            total.own.add(one.row.id)
    return [_sku(key, totals[key], rules) for key in sorted(totals, key=lambda key: (key[0], totals[key].name, key[1]))]


def _add(total: _Total, company: int, licence: Licence) -> None:
    total.name = total.name or licence.name
    total.companies.add(company)
    total.purchased += licence.purchased
    if licence.assigned is not None:
        total.assigned = (total.assigned or Decimal(0)) + licence.assigned
    if licence.cost is not None and licence.cost.period == "month" and licence.cost.currency is not None:
        spent = total.cost.get(licence.cost.currency, Decimal(0))
        total.cost[licence.cost.currency] = spent + licence.cost.amount * licence.purchased
    total.free = total.free and licence.free


def _sku(key: SkuKey, total: _Total, rules: Rules) -> Sku:
    found = rules.policy_for(*key)
    return Sku(
        source=key[0],
        sku=key[1],
        name=total.name or key[1],
        companies=len(total.companies),
        purchased=total.purchased,
        assigned=total.assigned,
        cost=total.cost,
        free=total.free,
        policy=found is not None,
        profile=found.profile if found is not None else None,
        own=len(total.own),
    )


def _unmapped(one: _Seen, rules: Rules) -> Iterable[Unmapped]:
    ignored = {each.key: each.signed for each in one.row.ignored}
    for licence in one.licences:
        if not licence.free and _is_bought(licence) and not _is_mapped(licence, one.own, rules):
            signed = ignored.get((licence.source, canonical(licence.sku)))
            yield Unmapped(one.row.id, one.row.name, licence, signed)


def _is_mapped(licence: Licence, own: Iterable[LicenceLink], rules: Rules) -> bool:
    sku, customer = canonical(licence.sku), canonical(licence.customer)
    return rules.policy_for(licence.source, licence.sku) is not None or any(
        link.source == licence.source
        and canonical(link.sku) == sku
        and (link.customer is None or canonical(link.customer) == customer)
        for link in own
    )


def _is_bought(licence: Licence) -> bool:
    paid = licence.bought is None or any(not each.trial for each in licence.bought)
    return paid and (licence.purchased > 0 or licence.grace > 0)


def _by_company(each: Unmapped) -> tuple[str, int, str, str]:
    return each.company_name.casefold(), each.company, each.licence.source, each.licence.name
