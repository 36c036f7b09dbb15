"""The made-up MSP's books in Manage: catalog, companies and their agreements."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from random import Random

from local.sandbox.manage.contacts import add_contact_departments
from local.sandbox.manage.records import ManageRecords, Record, day_text
from local.sandbox.manage.tickets import add_service_board
from local.sandbox.world.model import Tenant
from local.sandbox.world.names import slug
from local.sandbox.world.skus import AGREEMENT_TYPES, BACKUP, BLOCK_HOURS, CLOUD, MANAGED, OTHER_PRODUCTS, SKUS
from local.sandbox.world.vendors import AGENTS, RANGES, STORAGE, VENDOR_PRODUCTS

#: The members of the MSP who look after its customers, in turn.
_MANAGERS = (
    {"id": 151, "identifier": "MReyes", "name": "Mara Reyes"},
    {"id": 152, "identifier": "JBlum", "name": "Jonas Blum"},
)
_FIRST_IDS = {"companies": 250, "agreements": 501, "additions": 9001, "catalog": 81}
_CURRENCY = {"id": 1, "name": "US Dollar", "currencyCode": "USD", "symbol": "$"}


class Calendar(StrEnum):
    """How a company's cloud agreement is billed; everything but USUAL is more than TrueUp writes to."""

    USUAL = "usual"
    QUARTERLY = "quarterly"
    CONTRACT = "contract"
    FUTURE = "future"
    EXPIRED = "expired"
    CHILD = "child"
    TWICE = "twice"  # two active agreements of the same type


@dataclass(slots=True)
class Books:
    """Writes one MSP's records. `today` decides which dates lie behind and which ahead."""

    records: ManageRecords
    today: date
    catalog: dict[str, Record] = field(default_factory=dict)
    types: dict[str, Record] = field(default_factory=dict)
    cycles: dict[str, Record] = field(default_factory=dict)

    def add(self, collection: str, record: Record) -> Record:
        """Stores a record; ids begin where an MSP that has been in business for a while would be."""
        if not self.records.collections[collection] and collection in _FIRST_IDS:
            record = {"id": _FIRST_IDS[collection], **record}
        now = datetime(self.today.year, self.today.month, self.today.day, 2, tzinfo=UTC)
        return self.records.add(collection, record, now=now)

    def set_up(self) -> None:
        """Agreement types, billing cycles, the API member, a service board and the catalog."""
        for name in AGREEMENT_TYPES:
            self.types[name] = self.add("agreementTypes", {"name": name, "defaultFlag": False, "inactiveFlag": False})
        for option in ("Monthly", "Quarterly", "SemiAnnual", "Yearly", "NotRecurring"):
            self.cycles[option] = self.add("billingCycles", {"name": option, "billingOptions": option})
        self.add("members", {"identifier": "trueup", "firstName": "TrueUp", "lastName": "API"})
        add_service_board(self.add)
        add_contact_departments(self.add)
        for name, category in (("Subscriptions", "Cloud"), ("Backup", "Cloud"), ("Labor", "Services")):
            self.add("subcategories", {"name": name, "category": {"name": category}, "inactiveFlag": False})
        for name in ("Software", "Service"):
            self.add("productTypes", {"name": name, "inactiveFlag": False})
        for name in ("Each", "Gigabyte"):
            self.add("unitsOfMeasure", {"name": name, "inactiveFlag": False})
        for sku in SKUS.values():
            self._catalog_item(sku.product, sku.name, sku.price, sku.cost)
        for other in OTHER_PRODUCTS:
            self._catalog_item(other.product, other.description, other.price, other.cost)
        for sold in (*VENDOR_PRODUCTS, AGENTS, STORAGE, RANGES):
            self._catalog_item(sold.product, sold.name, sold.price, sold.cost)

    def _catalog_item(self, identifier: str, description: str, price: Decimal, cost: Decimal) -> None:
        self.catalog[identifier] = self.add(
            "catalog",
            {
                "identifier": identifier,
                "description": description,
                "customerDescription": description,
                "inactiveFlag": False,
                "subcategory": {"id": 1, "name": "Subscriptions"},
                "type": {"id": 1, "name": "Software"},
                "productClass": "Agreement",
                "unitOfMeasure": {"id": 1, "name": "Each"},
                "price": float(price),
                "cost": float(cost),
                "taxableFlag": True,
                "serializedFlag": False,
                "recurringFlag": True,
            },
        )

    def company(self, name: str) -> Record:
        number = len(self.records.collections["companies"])
        record = {
            "identifier": f"{slug(name)[:20]}{number}",
            "name": name,
            "status": {"id": 1, "name": "Active"},
            "deletedFlag": False,
            "website": f"https://www.{slug(name)}.example/" if number % 3 else "",
            "territoryManager": dict(_MANAGERS[number % len(_MANAGERS)]),
        }
        return self.add("companies", record)

    def agreement(self, company: Record, kind: str, started: date, **changes: object) -> Record:
        """An agreement billed monthly, next on the first of next month; `changes` overrides fields."""
        record = {
            "name": kind,
            "type": _reference(self.types[kind]),
            "company": _reference(company),
            "startDate": day_text(started),
            "noEndingDateFlag": True,
            "cancelledFlag": False,
            "agreementStatus": "Active",
            "billingCycle": _reference(self.cycles["Monthly"]),
            "invoicingCycle": "CalendarYear",
            "periodType": "Current",
            "billStartDate": day_text(started),
            "nextInvoiceDate": day_text(first_of_next_month(self.today)),
            "billAmount": 0.0,
            "taxable": True,
            "prorateFlag": False,
            "invoiceProratedAdditionsFlag": False,
            "autoInvoiceFlag": False,
            "currency": dict(_CURRENCY),
            **changes,
        }
        return self.add("agreements", record)

    def addition(
        self, agreement: Record, product: str, quantity: float, price: Decimal, *, serial_number: str = ""
    ) -> Record:
        item = self.catalog[product]
        record = {
            "agreementId": agreement["id"],
            "product": {"id": item["id"], "identifier": product},
            "quantity": float(quantity),
            "lessIncluded": 0.0,
            "unitPrice": float(price),
            "unitCost": item["cost"],
            "billCustomer": "Billable",
            "effectiveDate": agreement["startDate"],
            "taxableFlag": True,
            "invoiceDescription": item["customerDescription"],
        }
        if serial_number:
            record["serialNumber"] = serial_number
        return self.add("additions", record)


def open_company(
    books: Books, rng: Random, name: str, tenant: Tenant, calendar: Calendar
) -> tuple[Record, dict[str, Record]]:
    """A company and its agreements by type: always cloud subscriptions, up to three in all."""
    company = books.company(name)
    started = _past_month(rng, books.today)
    wanted = {CLOUD}
    if SKUS["DEF-P1"].id in tenant.skus() or calendar is Calendar.CHILD or rng.random() < 0.5:
        wanted.add(MANAGED)
    wanted |= {kind for kind, share in ((BACKUP, 0.25), (BLOCK_HOURS, 0.15)) if rng.random() < share}
    agreements = {kind: books.agreement(company, kind, started) for kind in (MANAGED, BACKUP) if kind in wanted}
    if BLOCK_HOURS in wanted and len(agreements) < 2:
        never = _reference(books.cycles["NotRecurring"])
        agreements[BLOCK_HOURS] = books.agreement(company, BLOCK_HOURS, started, billingCycle=never)
    changes = _calendar_changes(books, calendar, agreements)
    agreements[CLOUD] = books.agreement(company, CLOUD, started, **changes)
    if calendar is Calendar.TWICE:
        books.agreement(company, CLOUD, books.today.replace(day=1), name=f"{CLOUD} (new)")
    return company, agreements


def _calendar_changes(books: Books, calendar: Calendar, agreements: dict[str, Record]) -> Record:
    today = books.today
    match calendar:
        case Calendar.QUARTERLY:
            last_month = today.replace(month=(today.month - 1) // 3 * 3 + 3, day=1)
            return {
                "billingCycle": _reference(books.cycles["Quarterly"]),
                "nextInvoiceDate": day_text(first_of_next_month(last_month)),
            }
        case Calendar.CONTRACT:
            month = first_of_next_month(today) if today.day > 15 else today.replace(day=1)
            anchor = date(today.year - 1, 1, 15)
            return {
                "invoicingCycle": "ContractYear",
                "billStartDate": day_text(anchor),
                "startDate": day_text(anchor),
                "nextInvoiceDate": day_text(month.replace(day=15)),
            }
        case Calendar.FUTURE:
            return {"periodType": "Future"}
        case Calendar.EXPIRED:
            ended = today.replace(day=1) - timedelta(days=1)
            return {"noEndingDateFlag": False, "endDate": day_text(ended), "agreementStatus": "Expired"}
        case Calendar.CHILD:
            return {"parentAgreement": _reference(agreements[MANAGED])}
        case _:
            return {}


def first_of_next_month(day: date) -> date:
    return date(day.year + day.month // 12, day.month % 12 + 1, 1)


def _past_month(rng: Random, today: date) -> date:
    """The first of a month, two months to four years ago."""
    months = today.year * 12 + today.month - 1 - rng.randint(2, 48)
    return date(months // 12, months % 12 + 1, 1)


def _reference(record: Record) -> Record:
    return {key: record[key] for key in ("id", "identifier", "name") if key in record}
