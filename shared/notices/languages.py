"""Days and amounts as people of a country write them."""

from __future__ import annotations

import re
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


#: A day as `shared.billing.wording` speaks it, which reads well in English alone, and a number with decimals: neither a
#: version nor a part of a name.
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_SPOKEN = re.compile(rf"\b(\d{{1,2}}) ({'|'.join(_MONTHS)}) (\d{{4}})\b")
_DECIMALS = re.compile(r"(?<![\w.,])(\d+)\.(\d+)(?!\w|\.\d)")
#: The languages in which days of sentences read well as they are.
ENGLISH = frozenset({Language.EN_US, Language.EN_GB})


def day_in(language: Language, day: date) -> str:
    """A day: 11/21/2026, 21.11.2026."""
    return day.strftime(_MANNERS[language].day)


def money_in(language: Language, amount: Decimal, currency: str = "") -> str:
    """An amount with its sign and two decimals, and its currency where that is known: +1,234.50 USD, -1.234,50."""
    cents = amount.quantize(Decimal("0.01"), rounding=ROUND_HALF_UP)
    whole, _, fraction = f"{abs(cents):.2f}".partition(".")
    sign = "-" if cents < 0 else "+" if cents > 0 else ""
    return f"{sign}{_number(language, whole, fraction)} {currency}".rstrip()


def sentence_in(language: Language, sentence: str) -> str:
    """An English sentence with its days and amounts as they are written there.

    The name that it begins with, up to the first colon, stays as it is.
    """
    name, colon, told = sentence.partition(": ")
    if not colon:
        name, told = "", sentence
    if language not in ENGLISH:
        told = _SPOKEN.sub(lambda day: _numeric(language, day), told)
    return f"{name}{colon}{_DECIMALS.sub(lambda amount: _number(language, amount[1], amount[2]), told)}"


def _numeric(language: Language, spoken: re.Match[str]) -> str:
    try:
        return day_in(language, date(int(spoken[3]), _MONTHS.index(spoken[2]) + 1, int(spoken[1])))
    except ValueError:  # no day that there is
        return spoken[0]


def _number(language: Language, whole: str, fraction: str) -> str:
    manner = _MANNERS[language]
    return f"{int(whole):,}".replace(",", manner.thousands) + manner.decimal + fraction
