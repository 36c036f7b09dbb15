"""Approval over HTTP: a night that waits, a person who decides, and what Manage has afterwards."""

from __future__ import annotations

import requests

from local.host.process import HostProcess
from tests.integration.house import NIGHT, SECOND, House, Json, Line

PERSON = "pat@birchline.example"


def console(host: HostProcess, method: str, path: str, body: object = None) -> requests.Response:
    return requests.request(method, f"{host.url}/console/api/{path}", json=body, timeout=SECOND)


def started(house: House) -> HostProcess:
    """A host at which Pat may approve, after a night in which every company waits."""
    house.import_rules("approve")
    host = house.host(TRUEUP_LOCAL_PERSON=f"{PERSON}: TrueUp.Biller")
    house.start_night()
    house.ended(NIGHT)
    return host


def waiting(host: HostProcess) -> list[Json]:
    answer = console(host, "GET", "waiting")
    assert answer.status_code == 200, answer.text
    return [group for group in answer.json()["groups"] if group["state"] == "waiting"]


def one_waiting(house: House, host: HostProcess) -> Json:
    """An increase that no guard holds, at a company of which every source can be read."""
    readable = house.readable()
    groups = [group for group in waiting(host) if group["held"] is None and group["kind"] == "increase"]
    return next(group for group in groups if group["company"] in readable)


def said(house: House) -> list[Line]:
    """What every addition bills; a serial number taken away reads like one that was never there."""
    return [tuple(part or None for part in line) for line in house.lines()]


def test_nothing_is_written_before_a_person_approves_and_then_only_what_was_approved(house: House) -> None:
    before = house.lines()
    host = started(house)
    assert house.lines() == before
    group = one_waiting(house, host)

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


def test_what_was_approved_is_undone_over_http_and_manage_says_again_what_it_said(house: House) -> None:
    before = said(house)
    host = started(house)
    group = one_waiting(house, host)
    company, hash_ = group["company"], group["hash"]
    console(host, "POST", "approve", {"company": company, "groups": [hash_]})
    assert said(house) != before

    run = console(host, "GET", f"companies/{company}/history").json()["entries"][0]["run"]
    answer = console(host, "POST", "undo", {"company": company, "run": run}).json()
    for held in answer["held"]:
        confirmed = {"company": company, "run": run, "confirmed": [held["hash"]]}
        answer = console(host, "POST", "undo", confirmed).json()
    assert (answer["refused"], answer["failures"]) == ([], [])
    assert said(house) == before

    house.sync(company)
    assert hash_ in {left["hash"] for left in waiting(host)}
    assert console(host, "POST", "undo", {"company": company, "run": run}).json()["nothing"]
    assert said(house) == before


def test_a_persons_edit_is_restored_by_a_choice_over_http(house: House) -> None:
    host = started(house)
    group = one_waiting(house, host)
    company = group["company"]
    console(host, "POST", "approve", {"company": company, "groups": [group["hash"]]})
    written = said(house)
    row = next(
        row
        for row in house.ports.company_state.load(company).ledger.values()
        if row.key.bill_item == group["bill_item"] and row.values.cancelled_date is None
    )
    quantity = int(row.values.quantity) + 3
    edit = {"do": "edit", "addition": row.addition_id, "fields": {"quantity": quantity}}
    house.control("POST", "person", edit)
    house.sync(company)
    findings = console(host, "GET", f"companies/{company}").json()["findings"]
    assert ["restore", "accept"] in [finding["choices"] for finding in findings]

    chosen = {"company": company, "choice": "restore", "bill_item": group["bill_item"]}
    plan = console(host, "POST", "choices", chosen).json()["plan"]
    (restored,) = [each for each in plan["groups"] if each["bill_item"] == group["bill_item"]]
    assert said(house) != written
    console(host, "POST", "approve", {"company": company, "groups": [restored["hash"]]})
    assert said(house) == written
