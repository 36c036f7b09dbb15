"""Counts as they were when a vendor invoiced the MSP, for profiles that bill on the vendor's invoice.

The night that first sees a new invoice takes what it has read of the fleet, and its lines say that until the next one.
"""

from __future__ import annotations

import logging
from datetime import date, timedelta

from shared.billing.counts import Reading, VendorInvoice
from shared.billing.findings import Finding, FindingKind
from shared.billing.lines import canonical
from shared.billing.profiles import CountedOn
from shared.billing.rules import CompanyRules, Rules
from shared.billing.wording import spoken
from shared.clock import business_date
from shared.errors import Retryable, TrueUpError
from shared.sources.protocol import InvoicingSource
from shared.state.vendor_invoices import SeenInvoice
from shared.sync.msp import settle
from shared.sync.ports import Ports

log = logging.getLogger(__name__)

#: Stands for an invoice where a vendor told of none, with the day on which that was first so.
_NONE_YET = ""
#: Begins the keys of findings about a vendor's invoices.
_ABOUT = "invoice/"

#: So many days a customer that could not be read when the invoice appeared is still counted for it; also how old an
#: invoice may be that is the first we ever see.
LATE = timedelta(days=3)
#: After so long without a new invoice a person has to look: a month, and some days.
OVERDUE = timedelta(days=38)


def take_counts(ports: Ports) -> None:
    """Looks for new invoices of the vendors and takes tonight's readings for them, once for each customer.

    A vendor that is down for a night is no trouble: lines stay as they are, and the next night asks. One that refuses
    to tell is a finding, and so is an invoice that does not come for long.
    """
    is_wanted, day = bills_on_invoices(ports.rules.load()), business_date(ports.clock)
    found: list[Finding] = []
    for source in ports.sources.values():
        if is_wanted and isinstance(source, InvoicingSource):
            found += _looked(ports, source, day)
    settle(ports, lambda key: key[1].startswith(_ABOUT), found)


def _looked(ports: Ports, source: InvoicingSource, day: date) -> list[Finding]:
    """Takes counts where there is a new invoice, and says what stands in the way."""
    try:
        _take(ports, source, day)
    except Retryable as error:
        log.warning("the invoices of %s could not be read: %s", source.name, error)
    except TrueUpError as error:
        return [_refused(source.name, error)]
    return _overdue(source.name, ports.vendor_invoices.newest(source.name), day)


def counts_at_invoices(ports: Ports, company: CompanyRules, rules: Rules) -> tuple[Reading, ...]:
    """What the company's customers had when the newest invoices of their vendors appeared."""
    if not bills_on_invoices(rules):
        return ()
    found: list[Reading] = []
    for link in company.linked:
        if not isinstance(ports.sources.get(link.source), InvoicingSource):
            continue
        seen, taken = (
            ports.vendor_invoices.newest(link.source),
            ports.vendor_invoices.reading(link.source, link.customer),
        )
        if seen is not None and taken is not None and taken.invoice == seen.invoice.id:
            found.append(taken.reading)
    return tuple(found)


def bills_on_invoices(rules: Rules) -> bool:
    return any(profile.counted_on is CountedOn.VENDOR_INVOICE for profile in rules.profiles.values())


def _refused(source: str, error: TrueUpError) -> Finding:
    """That no invoice will ever be seen unless a person does something."""
    return Finding(
        FindingKind.READ_FAILED,
        f"{_ABOUT}{source}",
        f"The invoices of {source} to you could not be read: {error} What is counted on them stays as it is.",
        f"{error.remedy} Or have the profiles counted every night.".strip(),
    )


def _overdue(source: str, seen: SeenInvoice | None, day: date) -> list[Finding]:
    """That what is billed by a vendor's invoices is billed by counts of long ago."""
    if seen is None or day - seen.invoice.day <= OVERDUE:
        return []
    newest = f"made its newest invoice to you on {spoken(seen.invoice.day)}"
    told = newest if seen.invoice.id else f"has told of no invoice to you since {spoken(seen.invoice.day)}"
    return [
        Finding(
            FindingKind.READ_FAILED,
            f"{_ABOUT}{source}",
            f"{source} {told}; what is counted on its invoice stays as it is until the next one.",
            "Look at the vendor whether it has invoiced you and our key may see that; else have the profiles counted "
            "every night.",
        )
    ]


def _take(ports: Ports, source: InvoicingSource, day: date) -> None:
    invoice = source.newest_invoice()
    if invoice is None:
        if ports.vendor_invoices.newest(source.name) is None:
            ports.vendor_invoices.see(source.name, SeenInvoice(VendorInvoice(_NONE_YET, day), None))
        return
    appeared = _seen(ports, source.name, invoice, day).appeared
    if appeared is None or day > appeared + LATE:
        return
    done = ports.vendor_invoices.taken(source.name)
    readings = [
        reading
        for reading in ports.readings.of(source.name).values()
        if reading.day == day and done.get(canonical(reading.customer)) != invoice.id
    ]
    ports.vendor_invoices.take(source.name, readings, invoice.id)
    log.info("invoice %s of %s: %s customers are counted for it", invoice.id, source.name, len(readings))


def _seen(ports: Ports, source: str, invoice: VendorInvoice, day: date) -> SeenInvoice:
    """The newest invoice as it is remembered. One that is older than what was seen already is none that is new."""
    standing = ports.vendor_invoices.newest(source)
    if standing is not None and standing.invoice.id != _NONE_YET and invoice.day <= standing.invoice.day:
        return standing if standing.invoice.id == invoice.id else SeenInvoice(invoice, None)
    # Where it told of none before, one of an earlier day was there already, and only now may be seen.
    is_new = invoice.day >= (day - LATE if standing is None else min(standing.invoice.day, day - LATE))
    seen = SeenInvoice(invoice, day if is_new else None)
    ports.vendor_invoices.see(source, seen)
    return seen
