"""What Microsoft exports for the two billing months that are not billed yet."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ExportKind:
    """One export: whose error it is, what it is called in sentences, and where it is begun."""

    system: str
    what: str
    begin: str


USAGE = ExportKind("Azure billing", "the usage export", "/reports/partners/billing/usage/unbilled/export")
LICENCES = ExportKind(
    "Microsoft billing", "the export of licence charges", "/reports/partners/billing/reconciliation/unbilled/export"
)
