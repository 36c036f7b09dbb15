"""One Manage instance: its records, what day it is there, and how it behaves where nobody knows."""

from __future__ import annotations

from dataclasses import dataclass, field

from local.sandbox.clock import Clock
from local.sandbox.manage.fields import FieldSet, Kind
from local.sandbox.manage.records import ManageRecords, Record
from local.sandbox.switches import Switches


@dataclass(frozen=True)
class Instance:
    """What the REST answers of one Manage depend on."""

    records: ManageRecords
    clock: Clock
    switches: Switches = field(default_factory=Switches)

    def with_unset_dates(self, view: Record, fields: FieldSet) -> Record:
        """The view as this instance shows unset dates: absent, or as empty strings."""
        if not self.switches.unset_dates_empty:
            return view
        return {**{name: "" for name, kind in fields.kinds.items() if kind is Kind.DATE}, **view}
