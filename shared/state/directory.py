"""What there is to map: lists of customers and companies, customers ignored, products about to be created."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from shared.billing.agreements import Company
from shared.billing.counts import Customer
from shared.billing.lines import canonical
from shared.state.documents import Document, key_parts, row_key
from shared.state.records import Signature
from shared.state.tables import TableAccess

TABLE = "Directory"
_CUSTOMERS, _COMPANIES, _IGNORED, _UPLOADS = "customers", "companies", "ignored", "uploads"
_PRODUCTS = "products"

#: What is ignored: a customer (source, id). Older versions kept a SKU at one company here too: (company, source, sku).
Ignorable = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Customers:
    """A source's customers, and when they were listed (UTC, by the business clock)."""

    customers: tuple[Customer, ...]
    at: datetime


@dataclass(frozen=True, slots=True)
class Companies:
    """Manage's companies, and when they were listed (UTC, by the business clock).

    `mail_domains` are those of the addresses of their contacts, by company.
    """

    companies: tuple[Company, ...]
    at: datetime
    mail_domains: dict[int, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Upload:
    """Edits of the rules that wait for the person who uploaded them to confirm; `edits` is their JSON."""

    edits: str
    signed: Signature


@dataclass(frozen=True, slots=True)
class ProductAsked:
    """A product of Manage that is about to be created; while this stands, nobody knows whether it was."""

    identifier: str
    what: str
    signed: Signature


_CUSTOMERS_DOCUMENT = Document("list of customers", Customers)
_COMPANIES_DOCUMENT = Document("list of companies", Companies)
_UPLOAD_DOCUMENT = Document("upload", Upload)
_IGNORED_DOCUMENT = Document("ignored", Signature)
_PRODUCT_DOCUMENT = Document("product asked for", ProductAsked)


class DirectoryStore:
    """The newest list of each source and of Manage, and who ignored what. Nothing here bills or is billed."""

    def __init__(self, tables: TableAccess) -> None:
        self._tables = tables

    def customers(self) -> dict[str, Customers]:
        """The lists, by source."""
        rows = self._tables.query(TABLE, _CUSTOMERS)
        return {key_parts(row.row)[0]: _CUSTOMERS_DOCUMENT.decode(row.values) for row in rows}

    def keep_customers(self, source: str, customers: Iterable[Customer], at: datetime) -> None:
        values = _CUSTOMERS_DOCUMENT.encode(Customers(tuple(customers), at))
        self._tables.put(TABLE, _CUSTOMERS, row_key(source), values)

    def companies(self) -> Companies | None:
        row = self._tables.get(TABLE, _COMPANIES, _COMPANIES)
        return None if row is None else _COMPANIES_DOCUMENT.decode(row.values)

    def keep_companies(
        self, companies: Iterable[Company], at: datetime, mail_domains: Mapping[int, Iterable[str]] | None = None
    ) -> None:
        """Keeps the list; without `mail_domains` those that were known stay."""
        before = self.companies() if mail_domains is None else None
        known = before.mail_domains if before is not None else mail_domains or {}
        domains = {company: tuple(each) for company, each in known.items()}
        values = _COMPANIES_DOCUMENT.encode(Companies(tuple(companies), at, domains))
        self._tables.put(TABLE, _COMPANIES, _COMPANIES, values)

    def ignored(self) -> Mapping[Ignorable, Signature]:
        """Everything that is ignored, and who said so."""
        rows = self._tables.query(TABLE, _IGNORED)
        return {tuple(key_parts(row.row)): _IGNORED_DOCUMENT.decode(row.values) for row in rows}

    def ignore(self, what: Ignorable, signed: Signature) -> None:
        self._tables.put(TABLE, _IGNORED, row_key(*what), _IGNORED_DOCUMENT.encode(signed))

    def restore(self, what: Ignorable) -> None:
        self._tables.delete(TABLE, _IGNORED, row_key(*what))

    def product_asked(self, identifier: str) -> ProductAsked | None:
        """What was asked for with this identifier, whatever its case, and nobody knows the end of."""
        row = self._tables.get(TABLE, _PRODUCTS, _product_key(identifier))
        return None if row is None else _PRODUCT_DOCUMENT.decode(row.values)

    def products_asked(self) -> list[ProductAsked]:
        """Everything that was asked for and nobody knows the end of."""
        return [_PRODUCT_DOCUMENT.decode(row.values) for row in self._tables.query(TABLE, _PRODUCTS)]

    def ask_for_product(self, asked: ProductAsked, *, instead: ProductAsked | None) -> None:
        """Notes what is about to be created. Raises `AlreadyThere` or `Changed` where somebody else does just that;
        `instead` is what stood there before.
        """
        key, values = _product_key(asked.identifier), _PRODUCT_DOCUMENT.encode(asked)
        row = self._tables.get(TABLE, _PRODUCTS, key) if instead is not None else None
        if row is None or _PRODUCT_DOCUMENT.decode(row.values) != instead:
            self._tables.insert(TABLE, _PRODUCTS, key, values)
        else:
            self._tables.replace(TABLE, row, values)

    def forget_product(self, identifier: str) -> None:
        self._tables.delete(TABLE, _PRODUCTS, _product_key(identifier))

    def keep_upload(self, hash_: str, upload: Upload) -> None:
        """Keeps what was uploaded, by the hash of what it would change."""
        self._tables.put(TABLE, _UPLOADS, row_key(hash_), _UPLOAD_DOCUMENT.encode(upload))

    def upload(self, hash_: str) -> Upload | None:
        row = self._tables.get(TABLE, _UPLOADS, row_key(hash_))
        return None if row is None else _UPLOAD_DOCUMENT.decode(row.values)

    def drop_upload(self, hash_: str) -> None:
        self._tables.delete(TABLE, _UPLOADS, row_key(hash_))

    def forget_uploads(self, before: datetime) -> None:
        """Removes what nobody confirmed."""
        for row in list(self._tables.query(TABLE, _UPLOADS)):
            if _UPLOAD_DOCUMENT.decode(row.values).signed.at < before:
                self._tables.delete(TABLE, _UPLOADS, row.row)


def _product_key(identifier: str) -> str:
    return row_key(canonical(identifier))
