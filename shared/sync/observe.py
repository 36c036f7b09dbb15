"""Gather what is known about one company tonight: every source, its agreements, the additions that matter."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from shared.billing.agreements import Addition, Agreement, Recap
from shared.billing.counting.groups import groups_named
from shared.billing.counts import FailureKind, ReadFailure, Reading
from shared.billing.limits import CompareForecast, Guards
from shared.billing.lines import LedgerRow, canonical
from shared.billing.planning.elsewhere import rows_elsewhere
from shared.billing.planning.planner import Facts
from shared.billing.rules import CompanyLink, CompanyRules, Rules
from shared.errors import Gone, NotPermitted
from shared.state.companies import CompanyRow
from shared.state.company_state import CompanyState, OwnRules
from shared.sync.fleets import read_customer
from shared.sync.moments import moments_since
from shared.sync.ports import Ports
from shared.sync.vendor_invoices import counts_at_invoices

log = logging.getLogger(__name__)

#: So long after its last day an ended line of ours is still looked at, on an agreement that is active.
_REMEMBERED = timedelta(days=60)


@dataclass(frozen=True, slots=True)
class Observation:
    """The facts for the planner, and in words which sources could not be read."""

    facts: Facts
    failures: tuple[str, ...]


def company_rules(row: CompanyRow, state: CompanyState | OwnRules) -> CompanyRules:
    """A company's own rules: part stands in its row, which lists all companies, part with its state."""
    return CompanyRules(
        row.id,
        row.name,
        row.mode,
        row.links,
        state.licences,
        state.adopt_marked,
        state.guards,
        state.billed_through,
    )


def night_of(day: date) -> str:
    """The id of the run that is the night of a business day."""
    return f"{day.isoformat()}-nightly"


def observe(
    ports: Ports,
    company: CompanyRules,
    state: CompanyState,
    rules: Rules,
    as_of: date,
    *,
    live: bool,
    night: str | None,
) -> Observation:
    """Reads every linked source, then Manage. A source that fails is a failed reading; Manage failing raises.

    `live` asks every source now; else what the night has read of a fleet will do. `night` names the night's run at its
    first look at the company, when Manage's forecasts can be compared: later ones know what the run wrote meanwhile.
    """
    sharing = tuple(ports.companies.company_rules(other) for other in state.sharing)
    groups = groups_named(rules, (company, *sharing))
    readings = tuple(_read(ports, link, as_of, groups, live=live) for link in company.linked)
    agreements = tuple(ports.manage.agreements(company.company))
    additions = _additions_that_matter(ports, company, state, agreements, as_of)
    facts = Facts(
        as_of=as_of,
        rules=rules,
        company=company,
        readings=readings,
        agreements=agreements,
        additions=additions,
        products=ports.manage.products(_products(rules, company)),
        ledger=tuple(state.ledger.values()),
        seats=state.seats,
        last_counted=_last_counted(state),
        invoiced=state.invoiced,
        last_subscriptions=_last_subscriptions(state),
        last_read=_last_read(state),
        sharing=sharing,
        recaps=_recaps(ports, company.guards or rules.guards, night),
        choices={subject: made.choice for subject, made in state.choices.items()},
        retroactive=ports.retroactive,
        prorate_start_day=ports.prorate_start_day,
        at_invoices=counts_at_invoices(ports, company, rules),
        counted=state.counted.items,
        moments=moments_since(ports, company, state.seats, rules, as_of),
    )
    failures = tuple(reading.reason for reading in readings if isinstance(reading, ReadFailure))
    return Observation(facts, failures)


def warn_of_unread(run: str, company: int, readings: Iterable[Reading | ReadFailure]) -> None:
    """One line of the log for each reading that failed, with which the vendor can be asked about it."""
    for reading in readings:
        if isinstance(reading, ReadFailure):
            log.warning(
                "company %s in run %s: %s was not read (%s, request %s): %s",
                company,
                run,
                reading.source,
                reading.kind,
                reading.request_id,
                reading.reason,
            )


def unread_active(ports: Ports, facts: Facts) -> dict[int, tuple[Addition, ...]]:
    """The additions of the active agreements that were left out at first."""
    missing = [agreement.id for agreement in facts.agreements if _is_active(agreement)]
    return {
        agreement: tuple(ports.manage.additions(agreement)) for agreement in missing if agreement not in facts.additions
    }


def everywhere(
    ports: Ports,
    state: CompanyState,
    agreements: Iterable[Agreement],
    additions: Mapping[int, tuple[Addition, ...]],
    as_of: date,
) -> Mapping[int, tuple[Addition, ...]]:
    """The additions with those of agreements that are another company's by now, where lines of ours bill or were begun.

    Only there it shows what became of them. An agreement that is gone has none; one that may not be read is left out.
    """
    ours = {agreement.id for agreement in agreements}
    wanted = {row.key.agreement for row in rows_elsewhere(state.ledger.values(), ours, as_of)}
    wanted |= {intent.change.key.agreement for intent in state.intents.values()} - additions.keys()
    read = {agreement: _additions_elsewhere(ports, agreement) for agreement in sorted(wanted)}
    return {**additions, **{agreement: found for agreement, found in read.items() if found is not None}}


def _additions_elsewhere(ports: Ports, agreement: int) -> tuple[Addition, ...] | None:
    try:
        return tuple(ports.manage.additions(agreement))
    except Gone:
        return ()
    except NotPermitted as error:
        log.warning("the additions of agreement %s, which is another company's: %s", agreement, error)
        return None


def _recaps(ports: Ports, guards: Guards, night: str | None) -> Mapping[int, Recap]:
    if night is None or guards.compare_forecast is CompareForecast.NONE:
        return {}
    return ports.manage.recaps(night)


def _read(
    ports: Ports, link: CompanyLink, as_of: date, groups: Mapping[tuple[str, str], tuple[str, ...]], *, live: bool
) -> Reading | ReadFailure:
    source = ports.sources.get(link.source)
    if source is None:
        return ReadFailure(
            link.source,
            link.customer,
            FailureKind.READ_FAILED,
            f"The source {link.source} is not connected.",
            f"Set the settings of {link.source}, or remove the company's link to it.",
        )
    named = groups.get((link.source, canonical(link.customer)), ())
    return read_customer(ports, source, link.customer, as_of, live=live, groups=named)


def _additions_that_matter(
    ports: Ports, company: CompanyRules, state: CompanyState, agreements: tuple[Agreement, ...], as_of: date
) -> dict[int, tuple[Addition, ...]]:
    """The agreements where lines of ours stand or were begun; all active ones once a week and while we know of none.

    An agreement that is not active any more is read as long as the ledger says that a line of ours bills there; where
    our last one ended, an active agreement is read for a while longer and then once a week.
    """
    active = {agreement.id for agreement in agreements if _is_active(agreement)}
    ours = {row.key.agreement for row in state.ledger.values() if _matters(row, active, as_of)}
    ours |= {intent.change.key.agreement for intent in state.intents.values()}
    if not (state.ledger or state.intents) or company.company % 7 == as_of.weekday():
        ours |= active
    known = {agreement.id for agreement in agreements}
    return {agreement: tuple(ports.manage.additions(agreement)) for agreement in sorted(ours & known)}


def _matters(row: LedgerRow, active: Collection[int], as_of: date) -> bool:
    last_day = row.values.cancelled_date
    if last_day is None or last_day >= as_of:
        return True
    return row.key.agreement in active and last_day >= as_of - _REMEMBERED


def _products(rules: Rules, company: CompanyRules) -> list[str]:
    own = {licence.product for licence in company.licences if licence.product is not None}
    return sorted(own | {product for profile in rules.profiles.values() for product in profile.products})


def _last_counted(state: CompanyState) -> dict[tuple[str, str], frozenset[str]]:
    """The SKUs that the last complete reading of each customer told of, were it of none: in doubt it had some."""
    return {
        (note.source, canonical(note.customer)): frozenset(canonical(sku) for sku in note.skus)
        for note in state.readings.values()
        if note.day > date.min
    }


def _last_subscriptions(state: CompanyState) -> dict[tuple[str, str], frozenset[str]]:
    """The subscriptions that it told of, where that was remembered."""
    return {
        (note.source, canonical(note.customer)): frozenset(note.subscriptions)
        for note in state.readings.values()
        if note.subscriptions is not None
    }


def _last_read(state: CompanyState) -> dict[tuple[str, str], date]:
    """The days of the last complete readings."""
    return {
        (note.source, canonical(note.customer)): note.day for note in state.readings.values() if note.day > date.min
    }


def _is_active(agreement: Agreement) -> bool:
    return agreement.agreement_status == "Active"
