"""The first steps: what is connected, what comes next, and who still has to consent. Nobody outside is asked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from shared.billing.rules import Mode
from shared.environment import ShownSetting
from shared.sync.checkup import Check, check_alarms, check_connection, check_stored, connections
from shared.sync.consents import consents
from shared.sync.ports import Ports
from shared.sync.shapes import setup as shapes


class _Kind(NamedTuple):
    """One thing that can be connected: the beginning of its settings' names, those it needs, and the guide to it."""

    name: str
    prefix: str
    needs: tuple[str, ...]
    guide: str


KINDS = {
    "storage": _Kind("Storage", "AzureWebJobsStorage", ("AzureWebJobsStorage__accountName",), "docs/deploy.md"),
    "manage": _Kind(
        "ConnectWise Manage",
        "MANAGE_",
        ("MANAGE_SITE", "MANAGE_COMPANY", "MANAGE_PUBLIC_KEY", "MANAGE_PRIVATE_KEY", "MANAGE_CLIENT_ID"),
        "docs/connect-manage.md",
    ),
    "microsoft365": _Kind(
        "Microsoft 365",
        "MICROSOFT_",
        ("MICROSOFT_PARTNER_TENANTS", "MICROSOFT_CLIENT_ID", "MICROSOFT_CREDENTIAL"),
        "docs/connect-microsoft365.md",
    ),
    "azure": _Kind("Azure", "MICROSOFT_AZURE_", ("MICROSOFT_AZURE_CURRENCY",), "docs/connect-azure.md"),
    "pax8": _Kind("Pax8", "PAX8_", ("PAX8_CLIENT_ID", "PAX8_CLIENT_SECRET"), "docs/connect-pax8.md"),
    "huntress": _Kind(
        "Huntress", "HUNTRESS_", ("HUNTRESS_PUBLIC_KEY", "HUNTRESS_PRIVATE_KEY"), "docs/connect-huntress.md"
    ),
    "cove": _Kind("Cove", "COVE_", ("COVE_PARTNER", "COVE_USERNAME", "COVE_TOKEN"), "docs/connect-cove.md"),
    "pushed": _Kind("Pushed counts", "PUSHED_", ("PUSHED_KEYS",), "docs/pushed-counts.md"),
    "mail": _Kind("Mail", "NOTICE_SMTP", ("NOTICE_SMTP", "NOTICE_SMTP_FROM"), "docs/notices.md"),
}


def first_steps(ports: Ports, *, settings: bool) -> shapes.FirstSteps:
    """Everything that the page of the first steps shows; the values of settings only where `settings` says so."""
    return {
        "steps": list(_steps(ports)),
        "connections": list(_connections(ports, settings)),
        "other_settings": [_setting(each) for each in _others(ports)] if settings else [],
        "consents": consents(ports),
        "checks": [_check(check) for check in (*check_stored(ports), check_alarms(ports))],
    }


def tested(ports: Ports, connection: str) -> shapes.Tested:
    """What one connection says to a small question that only reads. Raises `Gone` for one that is not there."""
    check = check_connection(ports, connection)
    return {"connection": connection, "name": _connected(ports)[connection], "problems": list(check.problems)}


def _steps(ports: Ports) -> Iterator[shapes.Step]:
    """In the order in which an MSP goes them; `path` is the page for it."""
    rules, rows = ports.rules.load(), ports.companies.all()
    linked = [row for row in rows if any(not link.removed for link in row.links)]
    runs = ports.runs.headers(1)
    writing = [row for row in linked if row.mode is not Mode.OBSERVE]
    waiting = sum(row.waiting for row in writing)
    seen = f"the last run is {runs[0].id}" if runs else "nothing was looked at yet"
    modes = f"{len(writing)} of {len(linked)} companies are in mode approve or auto"
    decided = f"{waiting} groups of changes wait" if waiting else "nothing waits"
    yield _step("Connect a vendor", bool(ports.sources), f"{len(ports.sources)} connected", "setup")
    yield _step("Link companies to customers", bool(linked), f"{len(linked)} companies", "mapping")
    yield _step("Make billing profiles", bool(rules.profiles), f"{len(rules.profiles)} profiles", "profiles")
    yield _step(
        "Say which profile bills which SKU", bool(rules.policies), f"{len(rules.policies)} SKU policies", "mapping"
    )
    yield _step("Look at every company once", bool(runs), seen, "runs")
    yield _step("Let TrueUp write, company by company", bool(writing), modes, "companies")
    yield _step("Approve what waits", bool(writing) and not waiting, decided, "approvals")


def _step(text: str, done: bool, now: str, page: str) -> shapes.Step:
    return {"text": text, "done": done, "now": now, "path": f"/console/{page}"}


def _connections(ports: Ports, settings: bool) -> Iterator[shapes.Connection]:
    """What is connected, each with its settings, then what could be."""
    there = _connected(ports)
    for id_, name in there.items():
        kind = KINDS[id_ if id_ in KINDS else "pushed"]
        shown = [_setting(each) for each in _of(ports, kind)] if settings else []
        yield {"id": id_, "name": name, "connected": True, "needs": [], "guide": kind.guide, "settings": shown}
    pushed = any(name not in KINDS for name in ports.sources)
    for id_, kind in KINDS.items():
        if id_ not in there and not (id_ == "pushed" and pushed):
            needs = list(kind.needs)
            yield {
                "id": id_,
                "name": kind.name,
                "connected": False,
                "needs": needs,
                "guide": kind.guide,
                "settings": [],
            }


def _connected(ports: Ports) -> dict[str, str]:
    """The systems, and what tells people: id and name."""
    return connections(ports) | {id_: KINDS[id_].name for id_ in ports.channels}


def _of(ports: Ports, kind: _Kind) -> list[ShownSetting]:
    return [each for each in ports.settings if each.name.startswith(kind.prefix)]


def _others(ports: Ports) -> list[ShownSetting]:
    prefixes = tuple(kind.prefix for kind in KINDS.values())
    return [each for each in ports.settings if not each.name.startswith(prefixes)]


def _setting(setting: ShownSetting) -> shapes.Setting:
    return {"name": setting.name, "meaning": setting.meaning, "value": setting.value}


def _check(check: Check) -> shapes.Check:
    return {"name": check.name, "problems": list(check.problems), "warnings": list(check.warnings)}
