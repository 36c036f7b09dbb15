"""What a company has of each SKU, and how it is billed: by which profile, on which agreement, and who says so."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from decimal import Decimal

from shared.billing.agreements import Addition
from shared.billing.counting.feeds import item_id, subscription_id
from shared.billing.counts import Money
from shared.billing.lines import canonical
from shared.billing.planning.plan import Billed
from shared.billing.rules import LicenceLink, Rules
from shared.state.company_state import CompanyState
from shared.state.overview import Bought, Licence, Overview
from shared.sync.shapes import desk as shapes


def licences(state: CompanyState, rules: Rules, as_of: date) -> list[shapes.Licence]:
    """Every licence with the bill items that it feeds. `state` says whether it is billed, not to be, or unmapped."""
    overview = state.overview
    return [_licence(one, _fed_by(one, overview), state, rules, as_of) for one in overview.licences]


def billed_for_nothing_told(state: CompanyState, rules: Rules, as_of: date) -> list[shapes.Billed]:
    """Bill items with lines of ours of which no source tells anything any more."""
    fed = {one.item for licence in state.overview.licences for one in _fed_by(licence, state.overview)}
    return [_billed(one, state, rules, as_of) for one in state.overview.billed if one.item not in fed]


def _fed_by(licence: Licence, overview: Overview) -> list[Billed]:
    count = (licence.source, canonical(licence.customer), canonical(licence.sku))
    return [one for one in overview.billed if count in one.feeds]


def _licence(licence: Licence, fed: list[Billed], state: CompanyState, rules: Rules, as_of: date) -> shapes.Licence:
    return {
        "source": licence.source,
        "customer": licence.customer,
        "sku": licence.sku,
        "name": licence.name,
        "state": _state(licence, fed),
        "free": licence.free,
        "purchased": float(licence.purchased),
        "grace": float(licence.grace),
        "assigned": _number(licence.assigned),
        "unused": _unused(licence),
        "users": licence.users,
        "cost": _money(licence.cost),
        "retail": _money(licence.retail),
        "subscriptions": [_bought(one) for one in licence.bought or ()],
        "billed": [_billed(one, state, rules, as_of) for one in fed],
    }


def _state(licence: Licence, fed: list[Billed]) -> str:
    if any(one.profile is not None for one in fed):
        return "billed"
    if any(one.unknown is None for one in fed):
        return "not-billed"
    return "free" if licence.free and not fed else "unmapped"


def _unused(licence: Licence) -> float | None:
    """Seats bought that nobody holds; None where the source does not tell, or nothing is bought by the seat."""
    if licence.assigned is None or licence.level:
        return None
    return float(max(licence.purchased + licence.grace - licence.assigned, Decimal(0)))


def _bought(one: Bought) -> shapes.Subscription:
    return {
        "id": one.id,
        "quantity": float(one.quantity),
        "status": one.status.value,
        "trial": one.trial,
        "owned": one.owned,
        "renews": _day(one.renews),
        "committed_until": _day(one.committed_until),
        "term": one.term,
        "auto_renews": one.auto_renews,
    }


def _billed(billed: Billed, state: CompanyState, rules: Rules, as_of: date) -> shapes.Billed:
    """`price` is the unit price of the line that stands, None where there is none or several differ."""
    profile = rules.profiles.get(billed.profile) if billed.profile is not None else None
    link = _link_of(billed.item, state.licences)
    lines = [line for line in state.overview.lines if line.id in billed.lines and _bills(line, as_of)]
    prices = {line.unit_price for line in lines}
    agreement = next((one for one in state.overview.agreements if one.id == billed.agreement), None)
    return {
        "item": billed.item,
        "name": billed.name,
        "profile": {"id": profile.id, "name": profile.name} if profile is not None else None,
        "by": "company" if billed.own else "policy",
        "agreement": {"id": agreement.id, "name": agreement.name} if agreement is not None else None,
        "currency": (agreement.currency or "") if agreement is not None else "",
        "quantity": _number(billed.quantity),
        "stands": float(sum((line.quantity for line in lines), Decimal(0))) if lines else None,
        "price": float(prices.pop()) if len(prices) == 1 else None,
        "not_before": _day(billed.not_before),
        "unknown": billed.unknown,
        "link": _told_link(link) if link is not None else None,
    }


def _bills(line: Addition, day: date) -> bool:
    return line.is_open(day)


def _link_of(item: str, links: Iterable[LicenceLink]) -> LicenceLink | None:
    """The company's own licence link behind a bill item, or behind the item that it is one subscription of."""
    ids = {item_id(link.source, link.sku, link.customer, link.part): link for link in links}
    return next((link for name, link in ids.items() if item == name or item.startswith(subscription_id(name))), None)


def _told_link(link: LicenceLink) -> shapes.LicenceLink:
    return {
        "source": link.source,
        "sku": link.sku,
        "customer": link.customer,
        "part": link.part,
        "profile": link.profile,
        "agreement": link.agreement,
        "product": link.product,
        "price": _number(link.price),
        "cost": _number(link.cost),
        "quantity": _number(link.quantity),
        "start": _day(link.start),
        "do_not_bill": link.do_not_bill,
        "do_not_bill_until": _day(link.do_not_bill_until),
        "waive_until": _day(link.waive_until),
    }


def _money(money: Money | None) -> shapes.Price | None:
    if money is None:
        return None
    return {"amount": float(money.amount), "period": money.period, "currency": money.currency or ""}


def _number(value: Decimal | None) -> float | None:
    return float(value) if value is not None else None


def _day(day: date | None) -> str | None:
    return day.isoformat() if day is not None else None
