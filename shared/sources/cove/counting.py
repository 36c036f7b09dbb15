"""What a customer's devices add up to: devices by class, users, and storage in bytes.

The classes are those of the vendor's own billing: a server is virtual only where Cove says so, and a workstation whose
product is Documents is counted apart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from shared.billing.counts import Count, Reading, Scope
from shared.sources.cove.columns import (
    ACCOUNT_TYPE,
    OS_TYPE,
    PHYSICALITY,
    PRODUCT,
    PROTECTED_USERS,
    RECOVERY_TESTING,
    SELECTED_SIZE,
    USED_STORAGE,
)
from shared.sources.cove.parse import DEVICES, PARTNERS, SOURCE, SYSTEM, Device, Partner
from shared.sources.rows import broken

#: Values of the account type. A device that is not installed yet has the first one and is not billed.
NOT_INSTALLED, BACKUP_MANAGER, MICROSOFT_365 = "0", "1", "2"
_WORKSTATION, _SERVER = "1", "2"
_TESTING, _STANDBY = "1", "2"

#: What the columns say that tell what a device is; empty where they may be left out.
_KNOWN_VALUES = {
    ACCOUNT_TYPE: frozenset({NOT_INSTALLED, BACKUP_MANAGER, MICROSOFT_365}),
    OS_TYPE: frozenset({"", "0", _WORKSTATION, _SERVER}),
    RECOVERY_TESTING: frozenset({"", "0", _TESTING, _STANDBY}),
}

#: The columns that some device told, by account type.
Told = Mapping[str, frozenset[str]]


class Measure(NamedTuple):
    """One SKU of ours: the kind of device that it is counted on, the columns it needs, and what one device adds.

    `level` marks what goes up and down, of which the vendor bills the month's highest.
    """

    sku: str
    name: str
    kind: str
    needs: tuple[str, ...]
    units: Callable[[Device], Decimal]
    level: bool = False


def counted(customer: Partner, devices: Sequence[Device], told: Told, day: date) -> Reading:
    """The counts of one customer, complete within what was told.

    A customer in trial has nothing that is billed. Raises `Incomplete` where the customer does not say whether it is in
    trial, or a device not what it is.
    """
    if customer.trial is None:
        raise broken(SYSTEM, PARTNERS, "the customer's State is neither InProduction nor InTrial")
    billed = [] if customer.trial else devices
    for column, values in _KNOWN_VALUES.items():
        if any(device.text(column) not in values for device in billed):
            raise broken(SYSTEM, DEVICES, f"column {column} of a device has no value that we know")
    measures = [measure for measure in MEASURES if _is_told(measure, told)]
    counts = tuple(
        Count(SOURCE, customer.id, measure.sku, measure.name, units, level=measure.level)
        for measure in measures
        if (units := _sum(measure, billed))
    )
    return Reading(SOURCE, customer.id, day, counts, Scope(frozenset(measure.sku for measure in measures)))


def told_by(devices: Iterable[Device]) -> Told:
    """The columns that some device told, by what kind of device that was.

    A column that one device lacks is empty there. One that no device of a kind has was not told at all: the API user's
    role may not see it, or it has another name by now.
    """
    told: dict[str, set[str]] = {}
    for device in devices:
        told.setdefault(device.text(ACCOUNT_TYPE), set()).update(device.columns)
    return {kind: frozenset(columns) for kind, columns in told.items()}


def _is_told(measure: Measure, told: Told) -> bool:
    """Where there is no device of its kind, there is nothing that could have been left out."""
    return measure.kind not in told or told[measure.kind].issuperset(measure.needs)


def _sum(measure: Measure, devices: Iterable[Device]) -> Decimal:
    counted = (measure.units(device) for device in devices if device.text(ACCOUNT_TYPE) == measure.kind)
    return sum(counted, Decimal(0))


def _is_virtual(device: Device) -> bool:
    return device.text(PHYSICALITY).casefold() == "virtual"


def _is_documents(device: Device) -> bool:
    return "documents" in device.text(PRODUCT).casefold()


def _physical_server(device: Device) -> Decimal:
    return Decimal(device.text(OS_TYPE) == _SERVER and not _is_virtual(device))


def _virtual_server(device: Device) -> Decimal:
    return Decimal(device.text(OS_TYPE) == _SERVER and _is_virtual(device))


def _workstation(device: Device) -> Decimal:
    return Decimal(device.text(OS_TYPE) == _WORKSTATION and not _is_documents(device))


def _documents(device: Device) -> Decimal:
    return Decimal(device.text(OS_TYPE) == _WORKSTATION and _is_documents(device))


def _recovery_testing(device: Device) -> Decimal:
    return Decimal(device.text(RECOVERY_TESTING) == _TESTING)


def _standby_image(device: Device) -> Decimal:
    return Decimal(device.text(RECOVERY_TESTING) == _STANDBY)


def _of(code: str) -> Callable[[Device], Decimal]:
    return lambda device: device.number(code)


_SERVERS, _WORKSTATIONS, _RECOVERY = (OS_TYPE, PHYSICALITY), (OS_TYPE, PRODUCT), (RECOVERY_TESTING,)
_USERS, _USED, _SELECTED = (PROTECTED_USERS,), (USED_STORAGE,), (SELECTED_SIZE,)

MEASURES = (
    Measure("physical-server", "Cove physical servers", BACKUP_MANAGER, _SERVERS, _physical_server),
    Measure("virtual-server", "Cove virtual servers", BACKUP_MANAGER, _SERVERS, _virtual_server),
    Measure("workstation", "Cove workstations", BACKUP_MANAGER, _WORKSTATIONS, _workstation),
    Measure("documents", "Cove documents-only workstations", BACKUP_MANAGER, _WORKSTATIONS, _documents),
    Measure("m365-user", "Cove Microsoft 365 users", MICROSOFT_365, _USERS, _of(PROTECTED_USERS)),
    Measure("recovery-testing", "Cove devices with recovery testing", BACKUP_MANAGER, _RECOVERY, _recovery_testing),
    Measure("standby-image", "Cove devices with a standby image", BACKUP_MANAGER, _RECOVERY, _standby_image),
    Measure("used-storage", "Cove used storage, bytes", BACKUP_MANAGER, _USED, _of(USED_STORAGE), level=True),
    Measure("selected-storage", "Cove selected size, bytes", BACKUP_MANAGER, _SELECTED, _of(SELECTED_SIZE), level=True),
)
