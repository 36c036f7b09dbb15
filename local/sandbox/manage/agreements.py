"""Agreements: the status that follows from their dates, and changing them."""

from __future__ import annotations

from datetime import date
from typing import Any

from local.sandbox.manage.fields import AGREEMENT
from local.sandbox.manage.instance import Instance
from local.sandbox.manage.records import Record, day_of
from local.sandbox.manage.writing import check, patched

#: Fields that the server maintains; what a client writes there is ignored.
DERIVED = frozenset({"id", "agreementStatus", "nextInvoiceDate"})


def status_on(agreement: Record, day: date) -> str:
    """Active, Cancelled, Expired or Inactive."""
    cancelled, start, end = (day_of(agreement, name) for name in ("dateCancelled", "startDate", "endDate"))
    if agreement.get("cancelledFlag") and (cancelled is None or cancelled <= day):
        return "Cancelled"
    if end is not None and end < day and not agreement.get("noEndingDateFlag"):
        return "Expired"
    return "Inactive" if start is not None and start > day else "Active"


def view(instance: Instance, agreement: Record) -> Record:
    """The agreement as it is answered today."""
    answered = {**agreement, "agreementStatus": status_on(agreement, instance.clock.today())}
    return instance.with_unset_dates(answered, AGREEMENT)


def change(agreement: Record, operations: Any, *, ignored: frozenset[str] = DERIVED) -> Record:
    """The agreement after PATCH operations, not stored yet."""
    changed, written = patched("agreement", AGREEMENT, agreement, operations)
    for name in written & ignored:
        changed[name] = agreement.get(name)
    check("agreement", changed, required=("name", "type", "company"), limits={"name": 100})
    return changed
