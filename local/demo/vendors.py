"""One company that buys from every vendor: what its RMM pushes, and storage that is billed by the GB, among it.

Another one pays for storage by the range of GB that it reaches.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from local.demo.desk import Host
from local.demo.night import Json
from local.sandbox.world import Msp
from local.sandbox.world.vendors import AGENTS, RANGES, STORAGE, VendorProduct
from shared.sync.ports import Ports

#: The pushed source as its settings call it, and the customer as the script does.
RMM, SITE = AGENTS.source.partition(":")[2], "main-office"
_GB = 1024**3
_BY_GB = {"divide_by": _GB, "rounding": "up"}
_RANGES = {"kind": "package", "bands": [{"upto": 1000, "price": 95}, {"upto": 5000, "price": 320}, {"price": 900}]}
_VENDORS = {
    "microsoft365": "Microsoft 365",
    "pax8": "Pax8",
    "huntress": "Huntress",
    "cove": "Cove",
    AGENTS.source: "pushed by a script",
}


@dataclass
class Rmm:
    """What the RMM of one company knows, and the key with which its script pushes that.

    `ranged` is the company whose storage is billed by ranges, None where there is none.
    """

    company: int
    ranged: int | None = None
    agents: int = 24
    key: str = field(default_factory=lambda: secrets.token_hex(24), repr=False)

    def settings(self) -> dict[str, str]:
        return {"PUSHED_KEYS": f"{RMM}={self.key}"}

    def push(self, host: Host, at: datetime) -> None:
        """What the script does every evening."""
        counts = [{"sku": AGENTS.sku, "quantity": self.agents, "name": AGENTS.name}]
        push = {"key": f"evening of {at:%Y-%m-%d}", "at": at.isoformat(), "counts": counts, "complete": True}
        host.push(RMM, SITE, self.key, push)

    def added_to(self, rules: Json) -> Json:
        """The made-up MSP's rules, with what this company has of the RMM and of storage."""
        storage = _profile(STORAGE, _BY_GB) | {"arrears": "highest"}
        ranges = _profile(RANGES, _BY_GB) | {"arrears": "highest", "price": _RANGES}
        policies = [
            each for each in rules["policies"] if (each["source"], each["sku"]) != (STORAGE.source, STORAGE.sku)
        ]
        link = {"source": AGENTS.source, "customer": SITE}
        return rules | {
            "profiles": [*rules["profiles"], _profile(AGENTS), storage, ranges],
            "policies": [*policies, _policy(AGENTS), _policy(STORAGE)],
            "companies": [
                _with_ranges(_with_link(each, link, self.company), self.ranged) for each in rules["companies"]
            ],
        }


@dataclass(frozen=True)
class Sold:
    """A line of ours as it stands in Manage: whose counts it bills, and whether on every invoice or on one."""

    vendor: str
    text: str
    quantity: Decimal
    price: Decimal
    standing: bool

    @property
    def amount(self) -> Decimal:
        return self.quantity * self.price


@dataclass(frozen=True)
class Combined:
    """An agreement and what is sold on it."""

    company: str
    agreement: int
    lines: tuple[Sold, ...]


def buyer(msp: Msp) -> int:
    """The company with the most vendors, the first of several."""
    vendors: Counter[int] = Counter()
    for linked in msp.linked:
        has = (account.of_company(linked.company) for account in (msp.huntress, msp.cove, msp.pax8))
        vendors[linked.company] = sum(map(bool, has))
    return min(vendors, key=lambda company: (-vendors[company], company))


def ranged(msp: Msp) -> int | None:
    """Another company whose storage is counted, the last of several."""
    found = (linked.company for linked in msp.linked if msp.cove.of_company(linked.company))
    return max((company for company in found if company != buyer(msp)), default=None)


def most_combined(ports: Ports, msp: Msp, additions: Mapping[int, Json]) -> Combined | None:
    """The agreement with lines of the most vendors; None where TrueUp has no line yet."""
    stamped = {addition.get("serialNumber"): addition for addition in additions.values()}
    found = [each for linked in msp.linked for each in _agreements(ports, linked.company, linked.name, stamped)]
    return max(found, key=lambda each: (len({line.vendor for line in each.lines}), -each.agreement), default=None)


def _agreements(ports: Ports, company: int, name: str, stamped: Mapping[str, Json]) -> Iterable[Combined]:
    lines: dict[int, list[Sold]] = {}
    for stamp, row in ports.company_state.load(company).ledger.items():
        addition = stamped.get(stamp)
        if addition is not None and addition["quantity"]:
            lines.setdefault(addition["agreementId"], []).append(_sold(row.key.bill_item, addition))
    for agreement, sold in lines.items():
        yield Combined(
            name, agreement, tuple(sorted(sold, key=lambda line: (line.vendor, not line.standing, line.text)))
        )


def _sold(bill_item: str, addition: Json) -> Sold:
    source = bill_item.partition("/")[0]
    return Sold(
        _VENDORS.get(source, source),
        addition["invoiceDescription"],
        Decimal(str(addition["quantity"])),
        Decimal(str(addition["unitPrice"])),
        not addition.get("cancelledDate"),
    )


def _profile(product: VendorProduct, quantity: Json | None = None) -> Json:
    return {
        "id": product.profile,
        "name": product.name,
        "product": product.product,
        "agreement_types": [product.agreement_type],
        "quantity": quantity or {},
        "price": {"kind": "product"},
    }


def _policy(product: VendorProduct) -> Json:
    return {"source": product.source, "sku": product.sku, "profile": product.profile}


def _with_link(company: Json, link: Json, wanted: int) -> Json:
    return company | {"links": [*company["links"], link]} if company["company"] == wanted else company


def _with_ranges(company: Json, wanted: int | None) -> Json:
    licence = {"source": RANGES.source, "sku": RANGES.sku, "profile": RANGES.profile}
    return company | {"licences": [*company.get("licences", []), licence]} if company["company"] == wanted else company
