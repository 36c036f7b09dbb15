"""The made-up MSP's customers at Cove: a tree of partners, and the devices that are backed up in it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from random import Random

ROOT_ID = 101
_FIRST_PARTNER, _FIRST_DEVICE = 2001, 700_001
_GB = 1024**3


class Kind(StrEnum):
    """What a device is. Those of Microsoft 365 hold a whole tenant; one that is NEW has never backed anything up."""

    SERVER = "physical-server"
    VIRTUAL = "virtual-server"
    WORKSTATION = "workstation"
    DOCUMENTS = "documents"
    MICROSOFT_365 = "microsoft365"
    NEW = "new"


class Recovery(StrEnum):
    NONE = "none"
    TESTING = "recovery-testing"
    STANDBY = "standby-image"


@dataclass(slots=True)
class BackupDevice:
    """One device; `used` and `selected` in bytes, `users` only of Microsoft 365."""

    id: int
    partner: int
    kind: Kind
    used: int = 0
    selected: int = 0
    users: int = 0
    recovery: Recovery = Recovery.NONE


@dataclass(slots=True)
class BackupPartner:
    """A node of the tree. `company` is the company in Manage whose rules link it, None where nobody has."""

    id: int
    name: str
    level: str
    parent: int
    state: str = "InProduction"
    company: int | None = None


@dataclass(slots=True)
class CoveTree:
    """The MSP at Cove, its API user, and everybody below it. Ids are never used twice."""

    name: str
    username: str
    token: str
    partners: dict[int, BackupPartner] = field(default_factory=dict)
    devices: dict[int, BackupDevice] = field(default_factory=dict)
    _added: int = 0

    def add_partner(self, name: str, level: str, parent: int = ROOT_ID, *, company: int | None = None) -> BackupPartner:
        number = _FIRST_PARTNER + len(self.partners)
        found = self.partners[number] = BackupPartner(number, name, level, parent, company=company)
        return found

    def add_device(self, partner: int, kind: Kind) -> BackupDevice:
        number = _FIRST_DEVICE + self._added
        self._added += 1
        found = self.devices[number] = BackupDevice(number, partner, kind)
        return found

    def of_company(self, company: int) -> list[BackupPartner]:
        return [item for item in self.partners.values() if item.company == company]

    def customers(self) -> list[BackupPartner]:
        return [item for item in self.partners.values() if item.level == "EndCustomer"]

    def devices_of(self, customer: int) -> list[BackupDevice]:
        """The devices of a customer and of its sites."""
        places = {customer, *(item.id for item in self.partners.values() if item.parent == customer)}
        return [device for device in self.devices.values() if device.partner in places]

    def counts_of(self, customer: int) -> dict[str, int]:
        """By SKU what a customer has; nothing of what has no units, and nothing while it is in trial."""
        if self.partners[customer].state == "InTrial":
            return {}
        counts: dict[str, int] = {}
        for device in self.devices_of(customer):
            for sku, units in _units(device).items():
                counts[sku] = counts.get(sku, 0) + units
        return {sku: units for sku, units in counts.items() if units}


def furnish(tree: CoveTree, rng: Random, customer: BackupPartner, users: int) -> None:
    """Gives a customer of this many users its devices, some of them at a site of their own."""
    place = customer.id
    if users > 20:
        place = tree.add_partner(f"{customer.name}, branch", "Site", customer.id).id
    kinds = [Kind.SERVER] * rng.randint(0, 1 + users // 40) + [Kind.VIRTUAL] * rng.randint(0, 1 + users // 15)
    kinds += [Kind.WORKSTATION] * rng.randint(0, 1 + users // 4) + [Kind.DOCUMENTS] * rng.randint(0, 1 + users // 10)
    kinds.append(Kind.NEW if rng.random() < 0.2 else Kind.WORKSTATION)
    for kind in kinds:
        device = tree.add_device(rng.choice((customer.id, place)), kind)
        if kind is not Kind.NEW:
            device.selected = rng.randint(5, 900) * _GB + rng.randrange(_GB)
            device.used = int(device.selected * rng.uniform(0.4, 2.0))
        if kind in (Kind.SERVER, Kind.VIRTUAL):
            device.recovery = rng.choices(list(Recovery), (70, 20, 10))[0]
    if rng.random() < 0.7:
        tenant = tree.add_device(customer.id, Kind.MICROSOFT_365)
        tenant.users, tenant.used = users, users * rng.randint(5, 60) * _GB


def _units(device: BackupDevice) -> dict[str, int]:
    match device.kind:
        case Kind.NEW:
            return {}
        case Kind.MICROSOFT_365:
            return {"m365-user": device.users}
        case kind:
            recovery = {} if device.recovery is Recovery.NONE else {device.recovery.value: 1}
            return {kind.value: 1, "used-storage": device.used, "selected-storage": device.selected, **recovery}
