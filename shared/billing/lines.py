"""Lines: what an addition says, which bill item it belongs to, and the stamp that proves that it is ours.

Line keys and identities are schema: stamps written with them stand in Manage for years. Do not change them.
"""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass, fields, replace
from datetime import date
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from operator import attrgetter

from shared.billing.agreements import Addition, FieldValue

PREFIX = "TU1-"
#: A stamp tells the year by two digits, of this century.
FIRST_STAMPED_YEAR = 2000
#: So the bands begin whose lines bill one package, however many units it holds.
PACKAGE = "package-"
#: One-off lines of one bill item for one day: more readings than that do not change the count in a day.
MOST_A_DAY = 20
_STAMP = re.compile(r"TU1-[A-Z]-(\d{6})-[a-z2-7]{26}")


class LineKind(StrEnum):
    """What a line is for; the value is its letter in the stamp.

    A standing line bills every period from its effective date on. An adopted one has a letter of its own: that its
    price is the one it was adopted with must survive the loss of the store. A one-off line bills once what a period
    owes beyond the standing line.
    """

    STANDING = "S"
    ADOPTED = "A"
    ONE_OFF = "O"


@dataclass(frozen=True, slots=True, order=True)
class LineKey:
    """Names the lines of one kind of one bill item on one agreement, whatever product or date they have.

    `band` holds the bounds of a tiered price's band, or names a package; it is empty for every other price.
    """

    company: int
    agreement: int
    bill_item: str
    kind: str = "standing"
    band: str = ""

    def __str__(self) -> str:
        name = f"{self.company}/{self.agreement}/{canonical(self.bill_item)}/{self.kind}"
        return f"{name}/{self.band}" if self.band else name

    @property
    def is_standing(self) -> bool:
        return self.kind == "standing"

    @property
    def is_package(self) -> bool:
        """Whether a line bills one package, not so many units."""
        return self.band.startswith(PACKAGE)

    def for_usage(self) -> LineKey:
        """Names the record of the item's usage in arrears, which is one for all bands."""
        return LineKey(self.company, self.agreement, self.bill_item, "usage")

    def for_one_off(self) -> LineKey:
        return LineKey(self.company, self.agreement, self.bill_item, "one-off", self.band)


@lru_cache(maxsize=65536)
def canonical(text: str) -> str:
    """Ids are compared and hashed trimmed and case-folded."""
    return text.strip().casefold()


@lru_cache(maxsize=65536)
def names_standing_line(line: str, bill_item: str) -> bool:
    """Whether a line key, as text, is that of a standing line of a bill item, wherever it stands."""
    _, _, name = line.split("/", 2)
    whole = f"{canonical(bill_item)}/standing"
    return name == whole or name.startswith(f"{whole}/")


@lru_cache(maxsize=65536)
def bill_item_of(line: str) -> str:
    """The bill item, its id in canonical form, of a standing line or usage that a line key, as text, names."""
    _, _, name = line.split("/", 2)
    item, _, kind = name.rpartition("/")
    return item if kind in ("standing", "usage") else item.rpartition("/")[0]


def is_usage(line: str) -> bool:
    """Whether a line key, as text, is that of any bill item's usage in arrears."""
    return line.endswith("/usage")


def stamp_of(key: LineKey, product_id: int, effective: date, kind: LineKind = LineKind.STANDING) -> str:
    """The serial number of the standing line with this identity (39 characters; Manage allows 50).

    Identity = line key + product id + effective date. The date stands in the stamp, so that the line is still found
    after somebody moved its effective date.
    """
    return _stamp(f"{key}/{product_id}/{effective.isoformat()}", effective, kind)


def one_off_stamp(key: LineKey, product_id: int, day: date, number: int) -> str:
    """The serial number of a one-off line. Identity = line key + product id + the day since which + number that day.

    The day lies in the period that the line is for, so that even after the loss of the store it tells which one.
    """
    return _stamp(f"{key.for_one_off()}/{product_id}/{day.isoformat()}/{number}", day, LineKind.ONE_OFF)


@lru_cache(maxsize=65536)
def _stamp(identity: str, day: date, kind: LineKind) -> str:
    digest = base64.b32encode(hashlib.sha256(identity.encode()).digest()).decode().lower()[:26]
    return f"{PREFIX}{kind.value}-{day:%y%m%d}-{digest}"


def has_our_prefix(addition: Addition) -> bool:
    return addition.serial_number.strip().upper().startswith(PREFIX)


def stamped_date(serial_number: str) -> date | None:
    """The date that a well-formed stamp was written for; None for anything else."""
    match = _STAMP.fullmatch(serial_number.strip())
    if match is None:
        return None
    digits = match.group(1)
    try:
        return date(FIRST_STAMPED_YEAR + int(digits[:2]), int(digits[2:4]), int(digits[4:]))
    except ValueError:
        return None


def is_line_of(addition: Addition, key: LineKey) -> bool:
    """Whether the addition's stamp is the one that this line key, product and stamped date give."""
    day = stamped_date(addition.serial_number)
    if day is None or addition.agreement_id != key.agreement:
        return False
    stamp = addition.serial_number.strip()
    kind = LineKind(stamp[len(PREFIX)]) if stamp[len(PREFIX)] in set(LineKind) else None
    if kind is None or (kind is LineKind.ONE_OFF) is key.is_standing:
        return False
    if key.is_standing:
        return stamp == stamp_of(key, addition.product_id, day, kind)
    return any(stamp == one_off_stamp(key, addition.product_id, day, number) for number in range(1, MOST_A_DAY + 1))


def is_adopted(addition: Addition) -> bool:
    return addition.serial_number.strip().startswith(f"{PREFIX}{LineKind.ADOPTED.value}-")


@dataclass(frozen=True, slots=True)
class LineValues:
    """What an addition says, as far as TrueUp ever writes it. Prices are per billing cycle of the agreement.

    `taxable_flag` and `unit_cost` None on a new line leave Manage's default.
    """

    product_id: int
    quantity: Decimal
    unit_price: Decimal
    effective_date: date | None
    cancelled_date: date | None = None
    serial_number: str = ""
    bill_customer: str = "Billable"
    taxable_flag: bool | None = None
    invoice_description: str = ""
    unit_cost: Decimal | None = None

    @classmethod
    def of(cls, addition: Addition) -> LineValues:
        return cls(*_said_by(addition))

    def are_of(self, addition: Addition) -> bool:
        """Whether an addition says exactly these."""
        return bool(_said_by(self) == _said_by(addition))

    @property
    def is_ours(self) -> bool:
        """Whether it carries a stamp of TrueUp's."""
        return self.serial_number.strip().upper().startswith(PREFIX)

    def changed(self, **values: FieldValue) -> LineValues:
        """The same with these values; itself where it says them already."""
        for name, value in values.items():
            if getattr(self, name) != value:
                return replace(self, **values)  # type: ignore[arg-type]
        return self

    def monthly(self) -> Decimal:
        """What the line adds to one invoice, in the agreement's currency."""
        return self.quantity * self.unit_price if self.bill_customer == "Billable" else Decimal(0)


def difference(before: LineValues | None, after: LineValues) -> dict[str, FieldValue]:
    """The fields to send: for a new line all that are set, for a standing one those that differ."""
    names = [item.name for item in fields(LineValues)]
    if before is None:
        return {name: value for name in names if (value := getattr(after, name)) not in (None, "")}
    return {name: getattr(after, name) for name in names if getattr(after, name) != getattr(before, name)}


#: What an addition says of each of these values, in their order.
_said_by = attrgetter(*(item.name for item in fields(LineValues)))


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """The record of one line that we own: where it stands and what we last wrote there.

    `keeps_price` is set for adopted lines, whose price is a person's. `text_written` is the day on which we last
    wrote the invoice text.
    """

    stamp: str
    key: LineKey
    addition_id: int
    product: str
    values: LineValues
    keeps_price: bool = False
    text_written: date | None = None

    def bills_on(self, day: date) -> bool:
        """Whether the line, as TrueUp left it, bills anything on a day or later."""
        ends = self.values.cancelled_date
        return self.values.quantity != 0 and (ends is None or ends >= day)

    def was_made_another(self, line: Addition) -> bool:
        """Whether a person has made the line another one, as it stands now: of another product, without our stamp."""
        return line.serial_number.strip() != self.stamp.strip() and line.product_id != self.values.product_id

    def is_outlasted_by(self, line: Addition) -> bool:
        """Whether a person moved the end that we gave the line to a later day, or took it away."""
        ends = self.values.cancelled_date
        return ends is not None and (line.cancelled_date is None or line.cancelled_date > ends)
