"""A company's contacts for people: what would be made, changed and let go, and what a person should know."""

from __future__ import annotations

from shared.contacts.plan import Change
from shared.sync.company import Synced
from shared.sync.contacts.look import Look
from shared.sync.shapes import people as shapes


def shown(look: Look) -> shapes.Contacts:
    """`held` says why deactivations wait, `leaving` is their mark for `release`. `kept` counts contacts kept.

    `in_doubt` counts users of whose last write it is not known whether it happened: they are left alone until it is.
    """
    kept = look.kept.values()
    return {
        "company": look.company,
        "name": look.name,
        "mode": look.mode.value,
        "changes": [_change(change) for change in look.plan.changes],
        "notes": [{"name": each.name, "text": each.text, "contact": each.contact} for each in look.plan.notes],
        "held": look.plan.held,
        "leaving": look.plan.leaving,
        "kept": sum(row.contact is not None and not row.deactivated for row in kept),
        "in_doubt": len(look.resolved.in_doubt),
        "unread": [
            {"customer": one.customer, "problem": str(one.error), "remedy": one.error.remedy}
            for one in look.unread
            if one.error is not None
        ],
    }


def done(synced: Synced) -> shapes.ContactsDone:
    """What came of keeping a company's contacts."""
    report = synced.report
    return {"outcome": report.outcome.value, "note": report.note, "written": report.written, "planned": report.planned}


def _change(change: Change) -> shapes.ContactChange:
    return {
        "kind": change.kind.value,
        "name": change.name,
        "contact": change.contact,
        "fields": [
            {"field": name.value, "before": change.before.get(name, ""), "after": value}
            for name, value in change.after.items()
        ],
    }
