"""Days and amounts as people of a country write them."""

from __future__ import annotations

from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import NamedTuple

from shared.billing.subscribers import Language


class _Manner(NamedTuple):
    day: str
    thousands: str
    decimal: str


_NO_BREAK = "\u202f"
_MANNERS = {
    Language.EN_US: _Manner("%m/%d/%Y", ",", "."),
    Language.EN_GB: _Manner("%d/%m/%Y", ",", "."),
    Language.DE_DE: _Manner("%d.%m.%Y", ".", ","),
    Language.FR_FR: _Manner("%d/%m/%Y", _NO_BREAK, ","),
    Language.NL_NL: _Manner("%d-%m-%Y", ".", ","),
}


def day_in(language: Language, day: date) -> str:
    """A day: 11/21/2026, 21.11.2026."""
    return day.strftime(_MANNERS[language].day)


def money_in(language: Language, amount: Decimal, currency: str = "") -> str:
    """An amount with its sign and two decimals, and its currency where that is known: +1,234.50 USD, -1.234,50."""
    cents = amount.quantize(Decimal("0.01"), rounding=ROUND_HALF_UP)
    manner = _MANNERS[language]
    whole, _, fraction = f"{abs(cents):,.2f}".partition(".")
    sign = "-" if cents < 0 else "+" if cents > 0 else ""
    return f"{sign}{whole.replace(',', manner.thousands)}{manner.decimal}{fraction} {currency}".rstrip()
