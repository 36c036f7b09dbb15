"""`/finance/agreementrecap/`: what an agreement was last invoiced and what comes next."""

from __future__ import annotations

from local.sandbox.manage import agreements
from local.sandbox.manage.instance import Instance
from local.sandbox.manage.invoices import draft_invoice
from local.sandbox.manage.records import Record, day_of


def view(instance: Instance, agreement: Record) -> Record:
    """The recap of one agreement. Amounts and dates of an invoice that does not exist are absent."""
    records, today = instance.records, instance.clock.today()
    answered: Record = {
        "id": agreement["id"],
        "name": agreement["name"],
        "companyName": agreement["company"].get("name", ""),
        "agreementStatus": agreements.status_on(agreement, today),
        "unbilledPeriods": 0,
    }
    invoices = records.of_parent("invoices", agreement["id"])
    if invoices:
        last = invoices[-1]
        answered["lastInvoiceDate"] = last["date"]
        answered["lastInvoiceNumber"] = last["invoiceNumber"]
        answered["lastInvoiceAmount"] = f"{last['total']:.2f}"
    draft = draft_invoice(records, instance.switches, agreement)
    if draft is not None:
        answered["nextInvoiceDate"] = agreement["nextInvoiceDate"]
        answered["nextInvoiceAmount"] = float(draft.total)
        answered["unbilledPeriods"] = int((day_of(agreement, "nextInvoiceDate") or today) <= today)
    return answered
