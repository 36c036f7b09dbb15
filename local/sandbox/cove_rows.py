"""Cove's columns of a device, in the spellings in which its answers have been seen."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from local.sandbox.world.cove import BackupDevice, BackupPartner, CoveTree, Kind, Recovery

Row = dict[str, Any]

_ACCOUNT_TYPES = {Kind.MICROSOFT_365: 2, Kind.NEW: 0}
_OS_TYPES = {Kind.SERVER: 2, Kind.VIRTUAL: 2, Kind.WORKSTATION: 1, Kind.DOCUMENTS: 1}
_PHYSICALITY = {Kind.VIRTUAL: "Virtual", Kind.NEW: "Undefined"}
_RECOVERY = {Recovery.NONE: 0, Recovery.TESTING: 1, Recovery.STANDBY: 2}

#: What is asked for by the old two letters stands under them in the answer, too.
_OLD_CODES = {
    "AU": "I0",
    "AN": "I1",
    "AR": "I8",
    "AT": "I59",
    "OT": "I32",
    "PN": "I10",
    "US": "I14",
    "T3": "D09F03",
    "TM": "D09F20",
}

_VALUES: dict[str, Callable[[BackupDevice], object]] = {
    "I0": lambda device: device.id,
    "I1": lambda device: f"device-{device.id}",
    "I10": lambda device: "Documents" if device.kind is Kind.DOCUMENTS else "All-In",
    "I14": lambda device: device.used or None,
    "I32": lambda device: _OS_TYPES.get(device.kind, 0),
    "I59": lambda device: _ACCOUNT_TYPES.get(device.kind, 1),
    "I80": lambda device: _RECOVERY[device.recovery] or None,
    "I81": lambda device: None if device.kind is Kind.MICROSOFT_365 else _PHYSICALITY.get(device.kind, "Physical"),
    "D09F03": lambda device: device.selected or None,
    "D09F20": lambda device: device.users or None,
}


class UnknownColumn(ValueError):
    """A column that this sandbox does not know; the real one refuses those that the role may not see."""


def device_row(tree: CoveTree, device: BackupDevice, columns: list[str]) -> Row:
    """The device with these columns. Empty ones are left out, and every third device spells statistics unpadded."""
    settings = []
    for code in columns:
        value = _value(tree, device, _OLD_CODES.get(code, code))
        if value is not None:
            settings.append({_spelt(code, unpadded=device.id % 3 == 0): str(value)})
    return {"AccountId": device.id, "PartnerId": device.partner, "Flags": [], "Settings": settings}


def partner_row(partner: BackupPartner) -> Row:
    return {
        "Id": partner.id,
        "Name": partner.name,
        "Level": partner.level,
        "ParentId": partner.parent,
        "State": partner.state,
        "ExternalCode": "" if partner.company is None else str(partner.company),
        "CreationTime": 1_700_000_000 + partner.id,
    }


def _value(tree: CoveTree, device: BackupDevice, code: str) -> object:
    if code == "I8":
        return tree.partners[device.partner].name if device.partner in tree.partners else tree.name
    if code not in _VALUES:
        raise UnknownColumn(code)
    return _VALUES[code](device)


def _spelt(code: str, *, unpadded: bool) -> str:
    return re.sub(r"([DF])0", r"\1", code) if unpadded and code.startswith("D") else code
