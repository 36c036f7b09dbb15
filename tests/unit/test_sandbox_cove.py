"""The sandbox's Cove as a client sees it: the chain of visas, the tree, columns in their spellings, and pages."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import requests

from local.sandbox.cove import VISA_SECONDS, Cove
from local.sandbox.running import SandboxThread
from local.sandbox.server import Options
from local.sandbox.world.cove import ROOT_ID, CoveTree, Kind

NOW = datetime(2026, 11, 21, 2, tzinfo=UTC)
COLUMNS = ["I59", "I14", "D09F03", "D09F20", "I80", "I81"]


@pytest.fixture
def sandbox() -> Iterator[SandboxThread]:
    with SandboxThread(Options(companies=30, seed=7, now=NOW)) as thread:
        yield thread


def rpc(sandbox: SandboxThread, method: str, visa: str | None = None, **params: Any) -> dict[str, Any]:
    body = {"jsonrpc": "2.0", "id": "1", "method": method, "params": params}
    if visa is not None:
        body["visa"] = visa
    answer = requests.post(f"{sandbox.url}/cove/jsonapi", json=body, timeout=10)
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


def login(sandbox: SandboxThread) -> str:
    tree = sandbox.msp.cove
    visa: str = rpc(sandbox, "Login", partner=tree.name, username=tree.username, password=tree.token)["visa"]
    return visa


def devices(sandbox: SandboxThread, columns: list[str] = COLUMNS, **query: Any) -> list[dict[str, Any]]:
    asked = {"PartnerId": ROOT_ID, "Columns": columns, "StartRecordNumber": 0, "RecordsCount": 5000} | query
    answer = rpc(sandbox, "EnumerateAccountStatistics", login(sandbox), query=asked)
    found: list[dict[str, Any]] = answer["result"]["result"]
    return found


def settings(row: dict[str, Any]) -> dict[str, str]:
    return {code: value for setting in row["Settings"] for code, value in setting.items()}


def control(sandbox: SandboxThread, method: str, body: object = None) -> requests.Response:
    return requests.request(method, f"{sandbox.url}/_sandbox/cove", json=body, timeout=10)


def customer_with(sandbox: SandboxThread, kind: Kind) -> int:
    tree = sandbox.msp.cove
    return next(item.id for item in tree.customers() if any(device.kind is kind for device in tree.devices_of(item.id)))


def test_a_login_gives_a_visa_and_every_answer_a_fresh_one(sandbox: SandboxThread) -> None:
    visa = login(sandbox)
    answer = rpc(sandbox, "EnumeratePartners", visa, parentPartnerId=ROOT_ID, fields=[0], fetchRecursively=True)
    assert answer["visa"] != visa
    levels = {row["Level"] for row in answer["result"]["result"]}
    assert levels == {"EndCustomer", "Site"}
    assert {row["State"] for row in answer["result"]["result"]} == {"InProduction", "InTrial"}


def test_refusals_come_as_errors_under_200(sandbox: SandboxThread) -> None:
    tree = sandbox.msp.cove
    wrong = rpc(sandbox, "Login", partner=tree.name, username=tree.username, password="wrong")
    assert wrong["error"]["code"] == 2100
    assert rpc(sandbox, "EnumeratePartners", "no visa")["error"]["code"] == 1701
    assert rpc(sandbox, "RemoveEverything", login(sandbox))["error"]["code"] == -32601
    refused = rpc(sandbox, "EnumerateAccountStatistics", login(sandbox), query={"PartnerId": 1})
    assert refused["error"]["code"] == 13501
    secret = {"PartnerId": ROOT_ID, "Columns": ["I3"]}
    assert rpc(sandbox, "EnumerateAccountStatistics", login(sandbox), query=secret)["error"]["code"] == 13501


def test_a_visa_that_was_not_used_for_fifteen_minutes_is_worthless() -> None:
    now = [0.0]
    cove = Cove(CoveTree("MSP", "user", "token"), lambda: now[0])
    visa = cove.fresh_visa()
    now[0] += VISA_SECONDS - 1
    assert cove.is_valid(visa)
    now[0] += 1
    assert not cove.is_valid(visa)
    assert not cove.is_valid("never given")


def test_empty_columns_are_left_out_and_numbers_come_as_text_in_two_spellings(sandbox: SandboxThread) -> None:
    rows = {row["AccountId"]: settings(row) for row in devices(sandbox)}
    tree = sandbox.msp.cove
    servers = [device for device in tree.devices.values() if device.kind is Kind.SERVER]
    spellings = {code for device in servers for code in rows[device.id] if code.startswith("D")}
    assert spellings == {"D09F03", "D9F3"}
    assert all(rows[device.id]["I14"] == str(device.used) for device in servers)
    tenant = next(device for device in tree.devices.values() if device.kind is Kind.MICROSOFT_365)
    assert rows[tenant.id].get("D09F20", rows[tenant.id].get("D9F20")) == str(tenant.users)
    assert "I80" not in rows[tenant.id]
    assert "I81" not in rows[tenant.id]


def test_old_codes_are_answered_under_old_codes(sandbox: SandboxThread) -> None:
    assert set(settings(devices(sandbox, ["AT", "US", "AR"], RecordsCount=1)[0])) == {"AT", "US", "AR"}


def test_devices_come_in_pages_and_by_customer(sandbox: SandboxThread) -> None:
    tree = sandbox.msp.cove
    first, second = (devices(sandbox, StartRecordNumber=start, RecordsCount=7) for start in (0, 7))
    assert len(first) == len(second) == 7
    assert not {row["AccountId"] for row in first} & {row["AccountId"] for row in second}
    customer = customer_with(sandbox, Kind.VIRTUAL)
    own = devices(sandbox, PartnerId=customer)
    assert {row["AccountId"] for row in own} == {device.id for device in tree.devices_of(customer)}


def test_devices_users_and_bytes_are_moved(sandbox: SandboxThread) -> None:
    customer = customer_with(sandbox, Kind.SERVER)
    wanted = {
        "physical-server": 3,
        "virtual-server": 2,
        "workstation": 4,
        "documents": 0,
        "m365-user": 25,
        "recovery-testing": 2,
        "used-storage": 5 * 1024**4 + 1,
        "selected-storage": 1024**4,
    }
    moved = control(sandbox, "PUT", {"customer": customer, **wanted}).json()
    assert moved["counts"] == {sku: units for sku, units in wanted.items() if units}
    assert control(sandbox, "PUT", {"customer": customer, "state": "InTrial"}).json()["counts"] == {}


def test_what_cannot_be_moved_is_said(sandbox: SandboxThread) -> None:
    customer = customer_with(sandbox, Kind.SERVER)
    assert control(sandbox, "PUT", {"customer": 1}).status_code == 404
    assert control(sandbox, "PUT", {"customer": customer, "recovery-testing": 500}).status_code == 404
    assert control(sandbox, "PUT", {"customer": customer, "gone": True}).ok
    assert customer not in [row["id"] for row in control(sandbox, "GET").json()["customers"]]
    assert control(sandbox, "PUT", {"customer": customer}).status_code == 404


def test_faults_reach_cove(sandbox: SandboxThread) -> None:
    visa = login(sandbox)
    faults = [{"system": "cove", "fault": "expired-visa", "count": 1}]
    assert requests.put(f"{sandbox.url}/_sandbox/faults", json=faults, timeout=10).ok
    assert rpc(sandbox, "EnumeratePartners", visa)["error"]["code"] == 1701
    faults = [{"system": "cove", "fault": "short-page"}]
    assert requests.put(f"{sandbox.url}/_sandbox/faults", json=faults, timeout=10).ok
    assert len(devices(sandbox, RecordsCount=8)) == 4
