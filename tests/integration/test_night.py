"""A whole night for real: timers, queue, storage, and both outside systems over HTTP."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from local.azurite import KEY as KEY_OF_THE_EMULATOR
from local.azurite import Azurite
from shared.billing.findings import FindingKind
from shared.errors import NotPermitted
from shared.queues import StorageQueue, SyncMessage
from shared.state.company_state import MSP
from shared.state.runs import RunHeader, Stage
from shared.state.tables import StorageConnection
from tests.integration.house import KEY, MASTER, NIGHT, TWO, House, Json, a_house
from tests.integration.waiting import eventually

#: What changes of a line that is adopted, and what Manage derives from that.
ADOPTED = {"serialNumber", "quantity", "billedQuantity", "extPrice", "extCost", "margin", "_info"}


def accounted_for(house: House, header: RunHeader) -> None:
    """Every company of the run is done and has an outcome."""
    rows = house.ports.runs.rows(header.id)
    assert [row.company for row in rows] == house.companies
    assert {row.stage for row in rows} == {Stage.DONE}
    assert sum(header.outcomes.values()) == header.companies == len(rows)


def test_a_night_in_observe_mode_plans_for_every_company_and_writes_nothing(house: House) -> None:
    house.import_rules("observe")
    house.host()
    before = house.additions()
    house.start_night()
    header = house.ended(NIGHT)
    accounted_for(house, header)
    assert header.outcomes["planned"] > 0
    assert "applied" not in header.outcomes
    assert house.writes() == 0
    assert house.additions() == before


def test_a_night_in_auto_mode_writes_and_the_next_one_has_nothing_to_write(house: House) -> None:
    house.import_rules("auto")
    house.host()
    before = house.additions()
    house.start_night()
    header = house.ended(NIGHT)
    accounted_for(house, header)
    assert header.outcomes["applied"] > 0
    assert house.writes() > 0
    after = house.additions()
    only_our_lines_changed(before, after)

    house.forget_calls()
    house.clock(TWO + timedelta(days=1))
    house.fire("tick")
    quiet = house.ended("2026-11-22-nightly")
    accounted_for(house, quiet)
    assert "applied" not in quiet.outcomes
    assert house.writes() == 0
    assert house.additions() == after
    nobody_is_named_and_nothing_secret(house)


def nobody_is_named_and_nothing_secret(house: House) -> None:
    logs = house.logs()
    secrets = [house.settings[name] for name in ("MANAGE_PRIVATE_KEY", "MICROSOFT_CLIENT_SECRET")]
    assert [secret for secret in [*secrets, KEY, MASTER] if secret in logs] == []
    users = [user for tenant in house.sandbox.msp.tenants.values() for user in tenant.users]
    assert [user.upn for user in users if user.upn in logs or user.name in logs] == []


def only_our_lines_changed(before: list[Json], after: list[Json]) -> None:
    """Lines without our stamp are as they were, none is gone, and adopted ones keep everything that people decide."""
    then, now = ({line["id"]: line for line in lines} for lines in (before, after))
    ours = {number for number, line in now.items() if line.get("serialNumber", "").startswith("TU1-")}
    foreign = then.keys() - ours
    adopted = then.keys() & ours
    assert foreign
    assert adopted
    assert {number: then[number] for number in foreign} == {number: now[number] for number in now.keys() - ours}
    assert {name for number in adopted for name in changed(then[number], now[number])} <= ADOPTED


def changed(before: Json, after: Json) -> set[str]:
    return {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}


def test_ticks_at_the_same_time_and_later_ones_make_one_run(house: House) -> None:
    house.import_rules("observe")
    house.host()
    house.fire("tick")
    assert house.ports.runs.headers(10) == []
    house.clock(TWO)
    house.fire("tick", times=4)
    house.ended(NIGHT)
    house.clock(TWO + timedelta(minutes=5))
    house.fire("tick")
    assert [header.id for header in house.ports.runs.headers(10)] == [NIGHT]
    assert house.waiting("sync") == 0


def test_schedules_and_run_ids_follow_the_msps_own_zone(tmp_path: Path) -> None:
    schedules = [
        {"id": "evening", "job": "nightly", "cron": "0 22 * * *"},
        {"id": "night", "job": "nightly", "cron": "0 2 * * *"},
    ]
    with a_house(tmp_path, companies=1, TRUEUP_TIME_ZONE="America/Chicago") as house:
        house.import_rules("observe", schedules=schedules)
        house.host()
        seen = []
        for hour, minute in ((1, 59), (2, 0), (3, 59), (4, 0), (7, 59), (8, 0)):  # Chicago is six hours behind
            house.clock(datetime(2026, 11, 21, hour, minute, tzinfo=UTC))
            house.fire("tick")
            seen.append(sorted(header.id for header in house.ports.runs.headers(10)))
        evening, night = "2026-11-20-nightly", "2026-11-21-nightly"
        assert seen == [[], [], [], [evening], [evening], [evening, night]]
        house.ended(night)


NOT_JSON = "look at company 250"
IN_BASE64 = base64.b64encode(b'{"run": "2026-11-21-nightly"}').decode()
WRONG_FIELDS = '{"run": "2026-11-21-nightly", "company": "the first"}'


def test_messages_nobody_can_read_are_findings_and_the_worker_goes_on(house: House) -> None:
    house.import_rules("observe")
    house.host()
    for content in (NOT_JSON, IN_BASE64, WRONG_FIELDS, NOT_JSON):
        house.send(content)
    run = house.post("/api/sync", {"companies": house.companies[:2]}).json()["run"]
    house.ended(run)
    eventually(lambda: house.waiting("sync") == 0 and len(poison_findings(house)) == 3)
    assert house.get("/api/status").json()["findings"] == {"poison": 3}


def poison_findings(house: House) -> list[str]:
    findings = house.ports.company_state.load(MSP).findings
    return [key for kind, key in findings if kind == FindingKind.POISON.value]


def test_a_queue_that_refuses_us_says_which_role_is_missing(azurite: Azurite) -> None:
    wrong_key = azurite.connection_string.replace(KEY_OF_THE_EMULATOR, base64.b64encode(b"another key").decode())
    connection = StorageConnection(connection_string=wrong_key, table_url=None, queue_url=None, client_id=None)
    with pytest.raises(NotPermitted, match="queue sync: the storage account did not let us in") as refused:
        StorageQueue(connection).send(SyncMessage("2026-11-21-nightly", 250, "claim", None, 1))
    assert "Storage Queue Data Contributor" in refused.value.remedy
