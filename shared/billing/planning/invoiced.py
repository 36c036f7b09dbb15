"""How far agreements are invoiced and in what currency, from look to look: a jump is told, never guessed about.

From one look to the next an agreement is invoiced by one period, or as many as its guards allow. When its first period
not yet invoiced moves back, invoices were undone; when it moves on further, or while lines were being written, nobody
knows which quantities those invoices took. Its lines are then left alone until a person says what was billed. So they
are when it is billed in another currency, in which no price means what it meant, until a person confirms that.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from shared.billing.agreements import Agreement
from shared.billing.calendar import BillingCalendar, Unsupported
from shared.billing.planning.choices import Choices, is_confirmed
from shared.billing.rules import CompanyRules, Mode
from shared.billing.wording import spoken


@dataclass(frozen=True, slots=True)
class Invoiced:
    """How far an agreement was invoiced at the last look: up to the day before `first_uninvoiced`.

    `writing`: lines of ours were about to be written, and that this went without an invoice in between is not known.
    `currency` is the one it was billed in, None where Manage did not tell.
    """

    agreement: int
    first_uninvoiced: date
    writing: bool = False
    currency: str | None = None


def why_in_doubt(calendar: BillingCalendar, seen: Invoiced | None, at_once: int) -> str | None:
    """What is odd about how far an agreement is invoiced now, as a clause that completes "because …"; None if nothing.

    `seen` is None where the agreement was not looked at before; one look may find `at_once` periods invoiced.
    """
    first = calendar.first_uninvoiced
    if seen is None or first.start == seen.first_uninvoiced:
        return None
    moved = f"it was invoiced until {_last(seen.first_uninvoiced)}, now it is until {spoken(first.day_before)}"
    if first.start < seen.first_uninvoiced:
        return f"{moved}: invoices were undone"
    if seen.writing:
        return f"{moved}: the invoice was made while lines of ours were being written"
    new = sum(1 for _ in calendar.from_until(calendar.period_of(seen.first_uninvoiced), first))
    if new > at_once:
        return f"{moved}: {new} periods since the last look, more than {at_once}"
    return None


def why_other_currency(
    agreement: Agreement, seen: Invoiced | None, company: CompanyRules, choices: Choices
) -> str | None:
    """That its lines have prices in another currency, as a clause that completes "because …"; None if they have not."""
    if seen is None or seen.currency is None or agreement.currency == seen.currency:
        return None
    if company.mode is Mode.OBSERVE or is_confirmed(choices, agreement):
        return None
    return (
        f"it was billed in {seen.currency} and now is in {agreement.currency or 'a currency that Manage does not tell'}"
    )


def is_watched(company: CompanyRules, agreement: int) -> bool:
    """Whether jumps matter there: not while a company is only observed, nor where a person says what was billed."""
    return company.mode is not Mode.OBSERVE and agreement not in company.billed_through


def seen_tonight(
    agreements: Iterable[Agreement],
    company: CompanyRules,
    billed: Iterable[int],
    calendars: Mapping[int, BillingCalendar | Unsupported],
    seen: Mapping[int, Invoiced],
    at_once: int,
    choices: Choices,
) -> tuple[Invoiced, ...]:
    """What is new to remember, by agreement. `billed` are the agreements that lines of ours stand on.

    An agreement in doubt keeps what was known of it before; one whose currency is in doubt keeps that.
    """
    ours = set(billed)
    found: list[Invoiced] = []
    for agreement in sorted(agreements, key=lambda agreement: agreement.id):
        calendar = calendars[agreement.id]
        if isinstance(calendar, Unsupported) or agreement.agreement_status != "Active":
            continue
        before = seen.get(agreement.id)
        watched = agreement.id in ours and is_watched(company, agreement.id)
        if watched and why_in_doubt(calendar, before, at_once) is not None:
            continue
        doubted = agreement.id in ours and why_other_currency(agreement, before, company, choices) is not None
        currency = before.currency if doubted and before is not None else agreement.currency
        now = Invoiced(agreement.id, calendar.first_uninvoiced.start, currency=currency)
        if now != before:
            found.append(now)
    return tuple(found)


def _last(first_uninvoiced: date) -> str:
    return spoken(date.fromordinal(first_uninvoiced.toordinal() - 1))
