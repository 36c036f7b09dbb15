"""Findings: something a person should know or decide. The list of kinds is closed; extend it on purpose."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class FindingKind(StrEnum):
    """What kind of attention is needed.

    `foreign`: another partner sold it. `no-usage`: what is billed by its usage had none for a period. `unbilled`: usage
    that was read and that nothing bills any more. `write-failed`: Manage refused or did not carry out a change of ours.
    """

    UNMAPPED = "unmapped"
    UNASSIGNED = "unassigned"
    FOREIGN = "foreign"
    CONTROL_TOTAL = "control-total"
    AMBIGUOUS_AGREEMENT = "ambiguous-agreement"
    AGREEMENT_NOT_ACTIVE = "agreement-not-active"
    PRODUCT_MISSING = "product-missing"
    PRODUCT_INACTIVE = "product-inactive"
    CANDIDATES = "candidates"
    BLOCKED_CREATE = "blocked-create"
    STRAY = "stray"
    DRIFT = "drift"
    PAUSED = "paused"
    HELD = "held"
    STALE = "stale"
    PERIOD_MOVED = "period-moved"
    FORECAST_MISMATCH = "forecast-mismatch"
    CURRENCY = "currency"
    PRICE = "price"
    CALENDAR_UNSUPPORTED = "calendar-unsupported"
    PRORATE_UNAVAILABLE = "prorate-unavailable"
    READ_FAILED = "read-failed"
    NO_USAGE = "no-usage"
    UNBILLED = "unbilled"
    WRITE_FAILED = "write-failed"
    CONSENT_LOST = "consent-lost"
    CUSTOMER_GONE = "customer-gone"
    CUSTOMER_NEW = "customer-new"
    POISON = "poison"
    NOTICE_FAILED = "notice-failed"
    NIGHT_MISSING = "night-missing"
    BACKUP_MISSING = "backup-missing"
    QUEUE_STUCK = "queue-stuck"
    SECRET_ENDING = "secret-ending"
    RELATIONSHIP_ENDING = "relationship-ending"
    REFUSED = "refused"
    RULES_UNFINISHED = "rules-unfinished"
    SETTINGS = "settings"


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One thing to know or decide.

    `key` is stable: the same matter has the same kind and key every night, so it opens once and closes when it heals.
    `text` is a plain sentence, `remedy` says what to do. Neither holds a user's name.
    """

    kind: FindingKind
    key: str
    text: str
    remedy: str
