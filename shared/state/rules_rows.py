"""One version of the MSP-wide rules as rows of its own: what is held once, one for each profile, policy and so on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from shared.billing.contact_rules import NO_CONTACTS, ContactRules
from shared.billing.limits import Approvals, FleetLimit, Guards
from shared.billing.profiles import BillingProfile, CountedOn
from shared.billing.rules import Remit, Retention, Rules, Schedule, SkuPolicy
from shared.billing.subscribers import ServiceHealth, Subscriber
from shared.errors import Refused
from shared.state.documents import Document, key_parts, row_key
from shared.state.rows import Row


@dataclass(frozen=True, slots=True)
class General:
    """What the rules hold once."""

    guards: Guards
    adoptable_marks: tuple[str, ...]
    approvals: Approvals = field(default_factory=Approvals)
    fleet: FleetLimit = field(default_factory=FleetLimit)
    retention: Retention = field(default_factory=Retention)
    people: tuple[Remit, ...] = ()
    service_health: ServiceHealth | None = None
    counted_on: CountedOn = CountedOn.NIGHT
    contacts: ContactRules = NO_CONTACTS


_DOCUMENTS: dict[str, Document[Any]] = {
    "general": Document("rules", General),
    "policy": Document("SKU policy", SkuPolicy),
    "profile": Document("billing profile", BillingProfile),
    "schedule": Document("schedule", Schedule),
    "subscriber": Document("subscriber", Subscriber),
}


def rows_of_rules(rules: Rules) -> Iterator[tuple[str, dict[str, Any]]]:
    """One row per profile, policy, schedule and subscriber, keyed by its place, because their order is the author's."""
    general = General(
        rules.guards,
        rules.adoptable_marks,
        rules.approvals,
        rules.fleet,
        rules.retention,
        rules.people,
        rules.service_health,
        rules.counted_on,
        rules.contacts,
    )
    parts: dict[str, Sequence[Any]] = {
        "general": [general],
        "policy": rules.policies,
        "profile": list(rules.profiles.values()),
        "schedule": rules.schedules,
        "subscriber": rules.subscribers,
    }
    for kind, values in parts.items():
        for place, value in enumerate(values):
            yield row_key(kind, f"{place:06d}"), _DOCUMENTS[kind].encode(value)


def rules_of(version: int, rows: Sequence[Row]) -> Rules:
    """The rules in the rows of a version. Raises `Refused` for rows that a newer TrueUp wrote."""
    found: dict[str, list[Any]] = {kind: [] for kind in _DOCUMENTS}
    for row in rows:
        kind = key_parts(row.row)[2]
        if kind not in found:
            raise Refused(
                f"the rules hold a row of unknown kind {kind!r}",
                system="state",
                remedy="It was written by a newer TrueUp: deploy that one again.",
            )
        found[kind].append(_DOCUMENTS[kind].decode(row.values))
    (general,) = found["general"]
    return Rules(
        version=version,
        profiles={profile.id: profile for profile in found["profile"]},
        policies=tuple(found["policy"]),
        guards=general.guards,
        schedules=tuple(found["schedule"]),
        adoptable_marks=general.adoptable_marks,
        approvals=general.approvals,
        fleet=general.fleet,
        retention=general.retention,
        subscribers=tuple(found["subscriber"]),
        people=general.people,
        service_health=general.service_health,
        counted_on=general.counted_on,
        contacts=general.contacts,
    )
