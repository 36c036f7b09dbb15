"""The rooms and their arrows, the surface of the app, and what every process pays for importing it."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import combinations
from pathlib import Path

import pytest

from local.host.schedule import parse
from shared.billing.counts import SubscriptionStatus
from shared.bootstrap import make_ports
from shared.rules.document import INVOICING, JOBS, SOURCES
from shared.rules.parts import STATUSES
from shared.settings import load_settings
from shared.sources.pax8 import settings as pax8
from shared.sources.protocol import InvoicingSource
from shared.sync import night

REPOSITORY = Path(__file__).resolve().parents[2]
OURS = ("shared", "functions", "local", "tests", "dev", "function_app")

#: Which rooms of ours each room may import; a room may always import itself.
ARROWS = {
    "shared/errors.py": (),
    "shared/billing": (),
    "shared/contacts": ("shared.billing",),
    "shared/rules": ("shared.billing", "shared.errors"),
    "shared/sheets": ("shared.errors",),
    "shared/calls.py": (),
    "shared/http": ("shared.errors", "shared.calls"),
    "shared/health.py": (),
    "shared/sources": (
        "shared.billing",
        "shared.contacts",
        "shared.errors",
        "shared.http",
        "shared.calls",
        "shared.health",
    ),
    "shared/callbacks.py": (),
    "shared/tickets.py": (),
    "shared/version.py": (),
    "shared/catalog.py": (),
    "shared/manage": (
        "shared.billing",
        "shared.contacts",
        "shared.errors",
        "shared.http",
        "shared.callbacks",
        "shared.catalog",
        "shared.tickets",
    ),
    "shared/state": ("shared.billing", "shared.contacts", "shared.errors"),
    "shared/sync": (
        "shared.billing",
        "shared.contacts",
        "shared.errors",
        "shared.rules",
        "shared.sheets",
        "shared.state",
        "shared.sources.protocol",
        "shared.clock",
        "shared.environment",
        "shared.queues",
        "shared.callbacks",
        "shared.calls",
        "shared.catalog",
        "shared.version",
    ),
    "shared/web": ("shared.billing", "shared.errors", "shared.sync", "shared.version"),
    "shared/notices": (
        "shared.billing",
        "shared.errors",
        "shared.http",
        "shared.state",
        "shared.sync",
        "shared.clock",
        "shared.sources.protocol",
        "shared.tickets",
        "shared.health",
    ),
    "functions": (
        "shared.billing",
        "shared.errors",
        "shared.sync",
        "shared.notices",
        "shared.queues",
        "shared.bootstrap",
        "shared.given",
        "shared.web.answers",
        "shared.web.app",
        "shared.web.pages.errors",
    ),
    "function_app.py": ("functions",),
}

#: What each room may import of what others made; rooms that are not named may import anything.
THIRD_PARTY = {
    "shared/errors.py": (),
    "shared/billing": (),
    "shared/contacts": (),
    "shared/callbacks.py": (),
    "shared/calls.py": (),
    "shared/health.py": (),
    "shared/rules": ("pydantic", "pydantic_core", "ruamel", "croniter"),
    "shared/sheets": ("openpyxl",),
    "shared/http": ("requests", "urllib3"),
    "shared/manage": ("pydantic",),
    "shared/sync": ("croniter", "rapidfuzz", "typing_extensions"),
    "shared/notices": ("jinja2", "markupsafe", "croniter"),
    "shared/web": ("fastapi", "starlette", "jinja2", "markupsafe", "pydantic"),
    "functions": ("azure.functions", "pydantic"),
    "function_app.py": ("azure.functions",),
}

#: What only the composition root makes, by the room that has it.
ADAPTERS = {
    "ManageClient": "shared/manage",
    "CallbackReader": "shared/manage",
    "Microsoft365Source": "shared/sources/microsoft365",
    "AzureSource": "shared/sources/azure",
    "Pax8Source": "shared/sources/pax8",
    "HuntressSource": "shared/sources/huntress",
    "CoveSource": "shared/sources/cove",
    "PushedSource": "shared/sources/pushed",
    "SmtpPost": "shared/notices",
    "TeamsPost": "shared/notices",
    "GraphPost": "shared/notices",
    "Microsoft365Mailbox": "shared/sources/microsoft365",
    "AzureTables": "shared/state",
    "AzureBackups": "shared/state",
    "StorageQueue": "shared/queues.py",
    "SystemClock": "shared/clock.py",
    "SandboxClock": "shared/clock.py",
}

#: What opens a connection to somebody else.
REACHES = ("requests", "httpx", "smtplib", "socket", "urllib3", "urllib.request", "http.client", "aiohttp")
_OPENS = {
    *("get", "post", "put", "patch", "delete", "head", "request", "urlopen", "Session", "Client", "AsyncClient"),
    *("SMTP", "SMTP_SSL", "create_connection", "socket", "PoolManager", "HTTPConnection", "HTTPSConnection"),
}

#: Who does, beside Microsoft's own libraries, and what keeps each to places that the settings name.
REACHING = {
    "shared/http/wire.py": "addresses that its users were given; no redirect, no retry of the library",
    "shared/clock.py": "the sandbox on this machine; refused on Azure",
    "shared/sources/microsoft365/graph.py": "Graph's address; a list that goes on elsewhere is refused",
    "shared/sources/microsoft365/sku_names.py": "the address of its setting",
    "shared/sources/partner_billing/blobs.py": "files of Azure's storage that Graph names; others are refused",
    "shared/notices/channels/smtp.py": "the mail server of its setting",
}

#: Addresses that stand in the code: of whoever names none in the settings, and names of formats that nobody calls.
HOSTS = {
    *("login.microsoftonline.com", "graph.microsoft.com", "api.partnercenter.microsoft.com"),
    *("api.pax8.com", "api.huntress.io", "api.backup.management"),
    *("schemas.xmlsoap.org", "schemas.microsoft.com", "www.w3.org", "adaptivecards.io"),
}

SETTINGS = {
    "AzureWebJobsStorage": "UseDevelopmentStorage=true",
    "MANAGE_BASE_URL": "http://127.0.0.1:1/v4_6_release/apis/3.0",
    "MANAGE_COMPANY": "northbeam",
    "MANAGE_PUBLIC_KEY": "public",
    "MANAGE_PRIVATE_KEY": "private",
    "MANAGE_CLIENT_ID": "client",
    "MICROSOFT_PARTNER_TENANTS": "c2f0a6de-91b5-4d3e-8f27-6a40be1d7c93",
    "MICROSOFT_CLIENT_ID": "e94d7a01-62c8-4f3b-b1d5-07f9a8c2e6d4",
    "MICROSOFT_CREDENTIAL": "secret",
    "MICROSOFT_CLIENT_SECRET": "a secret",
    "MICROSOFT_AZURE_CURRENCY": "USD",
    "PAX8_CLIENT_ID": "client",
    "PAX8_CLIENT_SECRET": "a secret",
    "HUNTRESS_PUBLIC_KEY": "public",
    "HUNTRESS_PRIVATE_KEY": "private",
    "COVE_PARTNER": "Northbeam",
    "COVE_USERNAME": "api",
    "COVE_TOKEN": "token",
}


def modules(room: str) -> list[Path]:
    path = REPOSITORY / room
    found = [path] if path.is_file() else sorted(path.rglob("*.py"))
    assert found, f"there is no {room}"
    return found


def imports(module: Path) -> Iterator[str]:
    """Everything a module imports, wherever in it: `package.module.name`."""
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} imports relatively"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def outside(module: Path, room: str) -> list[str]:
    """What a module imports from outside its room and the standard library."""
    own = room.removesuffix(".py").replace("/", ".")
    foreign = [name for name in imports(module) if not is_within(name, own)]
    return [name for name in foreign if name.split(".")[0] not in sys.stdlib_module_names]


def is_within(name: str, *packages: str) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


@pytest.mark.parametrize("room", ARROWS)
def test_arrows_point_inwards_only(room: str) -> None:
    wrong = {
        f"{module.relative_to(REPOSITORY)} → {name}"
        for module in modules(room)
        for name in outside(module, room)
        if is_within(name, *OURS) and not is_within(name, *ARROWS[room])
    }
    assert wrong == set()


def test_in_the_core_planning_uses_what_is_counted_and_both_use_its_words() -> None:
    words = [module for module in modules("shared/billing") if module.parent == REPOSITORY / "shared/billing"]
    later = dict.fromkeys(words, ("shared.billing.counting", "shared.billing.planning"))
    later |= dict.fromkeys(modules("shared/billing/counting"), ("shared.billing.planning",))
    wrong = {
        f"{module.relative_to(REPOSITORY)} → {name}"
        for module, rooms in later.items()
        for name in imports(module)
        if is_within(name, *rooms)
    }
    assert wrong == set()


@pytest.mark.parametrize("room", THIRD_PARTY)
def test_a_room_uses_only_the_packages_it_is_known_for(room: str) -> None:
    wrong = {
        f"{module.relative_to(REPOSITORY)} → {name}"
        for module in modules(room)
        for name in outside(module, room)
        if not is_within(name, *OURS) and not is_within(name, *THIRD_PARTY[room])
    }
    assert wrong == set()


def test_only_the_composition_root_knows_concrete_adapters() -> None:
    wrong = {
        f"{module.relative_to(REPOSITORY)} → {name}"
        for module in deployed()
        for name in imports(module)
        if (room := ADAPTERS.get(name.split(".")[-1])) is not None
        and not is_in(module, room)
        and not is_in(module, "shared/bootstrap.py")
    }
    assert wrong == set()


def test_msgraph_is_imported_by_its_source_only_and_local_by_nobody() -> None:
    wrong = {
        f"{module.relative_to(REPOSITORY)} → {name}"
        for module in deployed()
        for name in imports(module)
        if is_within(name, "local", "tests", "dev")
        or (is_within(name, "msgraph", "kiota_http") and not is_in(module, "shared/sources/microsoft365"))
    }
    assert wrong == set()


def test_names_are_compared_only_where_people_map() -> None:
    """Links hold ids: no night takes a customer for a company because their names are alike."""
    comparing = {
        module
        for module in deployed()
        if any(is_within(name, "rapidfuzz", "shared.sync.mapping.matching") for name in imports(module))
    }
    assert comparing
    assert [module for module in comparing if not is_in(module, "shared/sync/mapping")] == []


def test_only_these_modules_open_connections_and_no_answer_sends_them_elsewhere() -> None:
    opened = {module: list(openings(module)) for module in deployed()}

    assert {module.relative_to(REPOSITORY).as_posix() for module, calls in opened.items() if calls} == set(REACHING)
    for module, calls in opened.items():
        for call in calls:
            given = {option.arg: ast.unparse(option.value) for option in call.keywords}
            assert given.get("follow_redirects", "False") == "False", module
            if ast.unparse(call.func).startswith("requests.") and not ast.unparse(call.func).endswith(".Session"):
                assert given.get("allow_redirects") == "False", module


def test_the_code_names_no_other_address_than_the_public_ones_of_vendors_that_settings_replace() -> None:
    found = {
        host
        for module in deployed()
        if not is_in(module, "shared/environment.py")  # examples of settings, for people
        for text in texts(module)
        for host in re.findall(r"https?://([\w.-]+)", text)
    }
    assert found == HOSTS


def openings(module: Path) -> Iterator[ast.Call]:
    for node in ast.walk(ast.parse(module.read_text())):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        if node.func.attr in _OPENS and ast.unparse(node.func.value) in REACHES:
            yield node


def texts(module: Path) -> Iterator[str]:
    """The strings of a module that are not docstrings."""
    tree = ast.parse(module.read_text())
    told = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in told:
            yield node.value


def deployed() -> list[Path]:
    return [module for room in ("shared", "functions", "function_app.py") for module in modules(room)]


def is_in(module: Path, room: str) -> bool:
    return module.is_relative_to(REPOSITORY / room)


def test_the_rules_know_exactly_the_jobs_and_sources_that_there_are() -> None:
    assert sorted(JOBS) == sorted(night.JOBS)
    sources = make_ports(load_settings(SETTINGS)).sources
    assert sorted(SOURCES) == sorted(sources)
    assert sorted(INVOICING) == sorted(name for name, source in sources.items() if isinstance(source, InvoicingSource))


def test_the_rules_know_exactly_the_statuses_that_subscriptions_have() -> None:
    assert {word.casefold() for word in STATUSES} == {*SubscriptionStatus, *pax8.STATUSES}


def test_one_worker_process_takes_one_company_at_a_time() -> None:
    queues = json.loads((REPOSITORY / "host.json").read_text())["extensions"]["queues"]
    wanted = {"batchSize": 1, "newBatchThreshold": 0, "visibilityTimeout": "00:00:30", "maxPollingInterval": "00:00:02"}
    assert {name: queues.get(name) for name in wanted} == wanted


# Importing the app in a process of its own, without any setting

INDEX = """
import json, sys
import function_app
triggers = [
    binding
    for function in function_app.app.get_functions()
    for binding in map(json.loads, function.get_raw_bindings())
    if binding["type"].endswith("Trigger")
]
print(json.dumps({"triggers": triggers, "modules": sorted(sys.modules)}))
"""


@pytest.fixture(scope="module")
def indexed() -> dict[str, list[object]]:
    """What a fresh interpreter with an empty environment finds in the app, and which modules that took."""
    done = subprocess.run(
        [sys.executable, "-c", INDEX], cwd=REPOSITORY, env={}, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, list[object]] = json.loads(done.stdout)
    return found


#: Vendors' SDKs, what makes pages and sheets, and the rules as a document: only who changes rules needs that.
LATER = (
    *("msgraph", "azure.identity", "azure.data", "azure.storage", "fastapi", "jinja2", "openpyxl"),
    *("shared.rules", "ruamel.yaml", "croniter"),
)


@pytest.mark.parametrize("package", LATER)
def test_importing_the_app_imports_nothing_heavy(indexed: dict[str, list[object]], package: str) -> None:
    assert "azure.functions" in indexed["modules"]
    assert package not in indexed["modules"]


def test_every_timer_has_a_schedule_that_the_platform_takes(indexed: dict[str, list[object]]) -> None:
    """The platform is stricter than cron, and a function whose schedule it does not take never runs."""
    schedules = [
        trigger["schedule"]
        for trigger in indexed["triggers"]
        if isinstance(trigger, dict) and trigger["type"] == "timerTrigger"
    ]
    now = datetime(2026, 11, 22, tzinfo=UTC)

    assert len(schedules) >= 5
    assert [written for written in schedules if parse(written, now).after(now) - now > timedelta(days=1)] == []


def test_no_two_http_routes_overlap(indexed: dict[str, list[object]]) -> None:
    """The platform tries routes in the order of function names: of two that overlap one would be dead."""
    routes = [
        (method, trigger["route"].strip("/"))
        for trigger in indexed["triggers"]
        if isinstance(trigger, dict) and trigger["type"] == "httpTrigger"
        for method in trigger["methods"]
    ]
    assert routes
    assert [
        (one, other) for one, other in combinations(routes, 2) if one[0] == other[0] and meet(one[1], other[1])
    ] == []
    assert [route for _, route in routes if route.split("/")[0] in ("admin", "runtime") or route.startswith("{")] == []


def meet(one: str, other: str) -> bool:
    """Whether some path fits both routes."""
    return _meet(one.casefold().split("/"), other.casefold().split("/"))


def _meet(one: list[str], other: list[str]) -> bool:
    if any(rest and rest[0].startswith("{*") for rest in (one, other)):
        return True
    if not one or not other:
        return not one and not other
    same = one[0] == other[0] or one[0].startswith("{") or other[0].startswith("{")
    return same and _meet(one[1:], other[1:])


@pytest.mark.parametrize(
    ("one", "other", "overlap"),
    [
        ("api/runs", "api/runs", True),
        ("api/runs", "api/runs/{id}", False),
        ("api/{what}", "api/runs", True),
        ("console/{*path}", "console/api/rules", True),
        ("console/{*path}", "api/runs", False),
    ],
)
def test_overlap_is_seen(one: str, other: str, overlap: bool) -> None:
    assert meet(one, other) is meet(other, one) is overlap
