"""How days, quantities and money read in sentences. One place, so that plan, history and reports say it alike."""

from __future__ import annotations

from datetime import date
from decimal import ROUND_HALF_UP, Decimal

_CENT = Decimal("0.01")


def spoken(day: date) -> str:
    """A day as a person writes it: 1 Dec 2026."""
    return f"{day.day} {day:%b %Y}"


def number(quantity: Decimal) -> str:
    """A quantity without trailing zeros: 12, 2.5."""
    text = format(quantity.normalize(), "f")
    return "0" if text in ("-0", "") else text


def money(amount: Decimal) -> str:
    """An amount with at least two decimals, a price with as many as it has: 25.00, 0.00125."""
    exponent = amount.as_tuple().exponent
    if isinstance(exponent, int) and exponent < -2 and amount != amount.quantize(_CENT):
        return format(amount.normalize(), "f")
    return format(amount.quantize(_CENT, rounding=ROUND_HALF_UP), "f")


def signed(amount: Decimal) -> str:
    """An amount with its sign: +50.00, -12.50."""
    return f"+{money(amount)}" if amount > 0 else money(amount)
