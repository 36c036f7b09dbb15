"""Approval over HTTP: a night that waits, a person who decides, and what Manage has afterwards."""

from __future__ import annotations

import requests

from local.host.process import HostProcess
from tests.integration.house import NIGHT, SECOND, House, Json

PERSON = "pat@birchline.example"


def console(host: HostProcess, method: str, path: str, body: object = None) -> requests.Response:
    return requests.request(method, f"{host.url}/console/api/{path}", json=body, timeout=SECOND)


def started(house: House) -> HostProcess:
    """A host at which Pat may approve, after a night in which every company waits."""
    house.import_rules("approve")
    host = house.host(TRUEUP_LOCAL_PERSON=f"{PERSON}: TrueUp.Approver")
    house.start_night()
    house.ended(NIGHT)
    return host


def waiting(host: HostProcess) -> list[Json]:
    answer = console(host, "GET", "waiting")
    assert answer.status_code == 200, answer.text
    return [group for group in answer.json()["groups"] if group["state"] == "waiting"]


def test_nothing_is_written_before_a_person_approves_and_then_only_what_was_approved(house: House) -> None:
    before = house.lines()
    host = started(house)
    assert house.lines() == before
    group = next(group for group in waiting(host) if group["held"] is None)

    answer = console(host, "POST", "approve", {"company": group["company"], "groups": [group["hash"]]})
    assert (answer.status_code, answer.json()["outcome"]) == (200, "applied"), answer.text
    assert house.writes() == len(group["changes"])
    assert group["hash"] not in {left["hash"] for left in waiting(host)}
    newest = console(host, "GET", f"companies/{group['company']}/history").json()["entries"][0]
    assert (newest["actor"], newest["signed"]["by"]) == (PERSON, PERSON)

    again = console(host, "POST", "approve", {"company": group["company"], "groups": [group["hash"]]})
    assert again.json()["unknown"] == [group["hash"]]
    assert house.writes() == len(group["changes"])


def test_everything_of_a_kind_is_approved_in_lanes(house: House) -> None:
    host = started(house)
    wanted = {group["hash"] for group in waiting(host) if group["kind"] == "increase"}
    assert wanted
    answer = console(host, "POST", "approve", {"companies": "all", "kind": "increase"})
    assert answer.status_code == 202
    header = house.ended(answer.json()["run"])

    assert header.outcomes.get("applied", 0) + header.outcomes.get("held", 0) == header.companies
    left = waiting(host)
    assert left
    assert wanted.isdisjoint(group["hash"] for group in left)


def test_without_a_person_the_console_is_closed(house: House) -> None:
    house.import_rules("observe")
    host = house.host()
    claimed = {"X-MS-CLIENT-PRINCIPAL": "e30=", "X-MS-CLIENT-PRINCIPAL-NAME": PERSON}
    answer = requests.get(f"{host.url}/console/api/waiting", headers=claimed, timeout=SECOND)
    assert answer.status_code == 401
