"""Our callback entries in Manage: there, as they should be, and never anybody else's."""

from __future__ import annotations

from collections.abc import Sequence

from shared.billing.findings import Finding, FindingKind
from shared.callbacks import CallbackEntry
from shared.errors import Incomplete, Retryable, TrueUpError
from shared.state.callbacks import Registration
from shared.sync.msp import settle
from shared.sync.ports import Ports

#: What Manage is asked to tell of. Not of products: each of their edits would concern every company billed for them,
#: and a new price counts from the next invoice on, long after the next night.
TYPES = ("agreement", "company")

_LEVEL = "owner"
_KEY = "callbacks"


def keep_registered(ports: Ports) -> list[Finding]:
    """Registers what is missing, and again what somebody changed. What Manage refuses is a finding that heals."""
    if ports.callback_url is None:
        return []
    known = ports.callbacks.registration()
    found: list[Finding] = []
    try:
        entries = _repaired(ports, ports.callback_url, known)
    except TrueUpError as error:
        found = [_failure(error)]
    else:
        _remember(ports, known, entries)
    return settle(ports, lambda key: key[1] == _KEY, found)


def remove(ports: Ports) -> int:
    """Deletes every entry of ours and answers how many. With the setting in place the next night registers anew."""
    ours = _ours(ports, ports.callbacks.registration())
    for entry in ours:
        ports.manage.delete_callback(entry.id)
    ports.callbacks.keep_registration(Registration({}))
    return len(ours)


def _repaired(ports: Ports, address: str, known: Registration) -> list[CallbackEntry]:
    """Our entries as they stand when everything is as it should be."""
    kept: dict[str, CallbackEntry] = {}
    for entry in _ours(ports, known):
        if _is_sound(entry, address) and entry.type not in kept:
            kept[entry.type] = entry
        else:
            ports.manage.delete_callback(entry.id)
    for type_ in TYPES:
        if type_ not in kept:
            # Manage appends the record's id; its customers expect it to be asked for.
            kept[type_] = ports.manage.register_callback(f"{address}?recordId=", type_)
    return list(kept.values())


def _ours(ports: Ports, known: Registration) -> list[CallbackEntry]:
    """The entries that lead to us, or that we made when our address was another one."""
    return [
        entry
        for entry in ports.manage.callbacks()
        if _address(entry) == ports.callback_url or known.entries.get(entry.id) == entry.url
    ]


def _is_sound(entry: CallbackEntry, address: str) -> bool:
    return entry.type in TYPES and entry.level == _LEVEL and entry.active and _address(entry) == address


def _address(entry: CallbackEntry) -> str:
    return entry.url.partition("?")[0]


def _remember(ports: Ports, known: Registration, entries: Sequence[CallbackEntry]) -> None:
    member = next((entry.member for entry in entries if entry.member), "")
    registration = Registration({entry.id: entry.url for entry in entries}, member)
    if registration != known:
        ports.callbacks.keep_registration(registration)


def _failure(error: TrueUpError) -> Finding:
    passing = isinstance(error, Retryable | Incomplete)
    return Finding(
        FindingKind.READ_FAILED if passing else FindingKind.SETTINGS,
        _KEY,
        f"Manage was not made to tell of changes, so that they are seen at night only: {error}.",
        error.remedy or "Try again.",
    )
