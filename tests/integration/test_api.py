"""The API for machines over HTTP, on a host that enforces its keys."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import requests

from shared.billing.rules import Mode
from tests.integration.house import KEY, MASTER, House, a_house

KEYED = [("POST", "/api/sync"), ("GET", "/api/status"), ("GET", "/api/runs")]
KEYED += [("GET", "/api/runs/2026-11-21-nightly"), ("GET", "/api/companies/250")]
KEYED += [("GET", "/api/poison"), ("POST", "/api/poison/1/retry"), ("DELETE", "/api/poison/1")]
KEYED += [("DELETE", "/api/callbacks/manage")]

OUTCOME = {
    "company",
    "outcome",
    "note",
    "planned",
    "written",
    "findings",
    "monthly_delta",
    "seconds",
    "calls",
    "waiting",
    "stale",
    "again_in",
    "plan",
}
RUN = {"id", "kind", "mode", "started", "ended", "seconds", "companies", "outcomes", "written", "calls", "note"}
GROUP = {"hash", "bill_item", "kind", "held", "guard", "monthly", "one_off", "changes"}
WHAT = {"kind", "agreement", "addition", "product", "before", "after", "text_changes"}
CHANGE = {*WHAT, "reason", "sentence", "monthly", "one_off"}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """One house for all of these tests; each changes only companies of its own."""
    with a_house(tmp_path_factory.mktemp("api"), companies=12) as made:
        made.import_rules("auto")
        made.host()
        yield made


@pytest.fixture(scope="module")
def with_changes(house: House) -> Iterator[int]:
    """One company after the other for which something is to be written."""
    return (company for company in house.readable() if house.sync(company, mode="observe")["outcome"] == "planned")


# Starting a sync


def test_one_company_is_synced_at_once_and_answered_with_outcome_and_plan(
    house: House, with_changes: Iterator[int]
) -> None:
    company = next(with_changes)
    outcome = house.sync(company)
    assert outcome.keys() == OUTCOME
    assert (outcome["company"], outcome["outcome"]) == (company, "applied")
    assert outcome["written"] == outcome["planned"] != {}
    assert [group.keys() for group in outcome["plan"]["groups"]] == [GROUP] * len(outcome["plan"]["groups"])
    assert {frozenset(change) for group in outcome["plan"]["groups"] for change in group["changes"]} == {
        frozenset(CHANGE)
    }
    again = house.sync(company)
    assert (again["outcome"], again["plan"], again["written"]) == ("unchanged", {"groups": []}, {})


def test_a_request_may_be_more_careful_than_the_company(house: House, with_changes: Iterator[int]) -> None:
    company = next(with_changes)
    before = house.additions()
    assert house.sync(company, mode="observe")["outcome"] == "planned"
    assert house.additions() == before


def test_a_request_may_not_be_less_careful_than_the_company(house: House, with_changes: Iterator[int]) -> None:
    company = next(with_changes)
    rules = house.ports.companies.company_rules(company)
    house.ports.companies.put_rules(replace(rules, mode=Mode.OBSERVE))
    before = house.additions()
    assert house.sync(company, mode="auto")["outcome"] == "planned"
    assert house.additions() == before


def test_several_companies_are_a_run(house: House) -> None:
    wanted = house.companies[:2]
    answer = house.post("/api/sync", {"companies": [*wanted, wanted[0]], "mode": "observe"})
    assert answer.status_code == 202
    run = answer.json()["run"]
    house.ended(run)
    told = house.get(f"/api/runs/{run}").json()
    assert told.keys() == RUN | {"rows"}
    assert (told["kind"], told["mode"], told["companies"]) == ("demand", "observe", 2)
    assert [(row["company"], row["stage"]) for row in told["rows"]] == [(company, "done") for company in wanted]
    assert sum(told["outcomes"].values()) == 2


def test_all_means_every_linked_company(house: House) -> None:
    answer = house.post("/api/sync", {"companies": "all", "mode": "observe"})
    assert answer.status_code == 202
    house.ended(answer.json()["run"])
    rows = house.get(f"/api/runs/{answer.json()['run']}").json()["rows"]
    assert [row["company"] for row in rows] == house.companies


@pytest.mark.parametrize("companies", [[999], [999, 250]])
def test_a_company_that_is_not_known_is_404_and_starts_nothing(house: House, companies: list[int]) -> None:
    runs = house.get("/api/runs").json()
    answer = house.post("/api/sync", {"companies": companies})
    assert answer.status_code == 404
    assert "999" in answer.json()["error"]
    assert "rules" in answer.json()["remedy"]
    assert house.get("/api/runs").json() == runs


def test_a_company_that_somebody_works_on_is_409_until_it_is_given_back(house: House) -> None:
    company = house.companies[0]
    stores = house.ports
    lease = stores.companies.take_lease(company, "somebody", 120, stores.clock.now())
    answer = house.post("/api/sync", {"companies": [company], "mode": "observe"})
    assert answer.status_code == 409
    assert 0 < int(answer.headers["Retry-After"]) <= 120
    assert str(company) in answer.json()["error"]
    stores.companies.release(lease, outcome=None, run=None, now=stores.clock.now())
    house.sync(company, mode="observe")


BAD_BODIES = {
    "no JSON": (b"company 250", "the body"),
    "not an object": (b"[250]", "the body"),
    "nothing": (b"{}", "companies"),
    "no company": (b'{"companies": []}', "companies"),
    "another word": (b'{"companies": "some"}', "companies"),
    "no whole number": (b'{"companies": ["250"]}', "companies"),
    "not above 0": (b'{"companies": [0]}', "companies"),
    "another mode": (b'{"companies": [250], "mode": "full"}', "mode"),
    "another field": (b'{"companies": [250], "force": true}', "force"),
}


@pytest.mark.parametrize(("body", "named"), BAD_BODIES.values(), ids=BAD_BODIES.keys())
def test_a_body_that_cannot_be_understood_is_400_and_says_what_to_send(house: House, body: bytes, named: str) -> None:
    answer = requests.post(house.url("/api/sync"), data=body, headers={"x-functions-key": KEY}, timeout=10)
    assert answer.status_code == 400
    assert answer.json()["error"].startswith(f"{named}: ")
    assert answer.json()["remedy"] == 'Send {"companies": [250]} or {"companies": "all"}.'


# Asking how things stand


@pytest.mark.parametrize(("method", "path"), KEYED)
def test_without_its_key_nothing_is_told(house: House, method: str, path: str) -> None:
    for headers in ({}, {"x-functions-key": "another"}):
        answer = requests.request(method, house.url(path), headers=headers, timeout=10)
        assert (answer.status_code, answer.content) == (401, b"")


def test_health_needs_no_key_and_tells_nothing_private(house: House) -> None:
    answer = requests.get(house.url("/api/health"), timeout=10)
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


@pytest.mark.parametrize(
    "path", ["/api/runs/2026-01-01-nightly", "/api/companies/999", "/api/companies/acme", "/api/companies/-1"]
)
def test_what_is_not_there_is_404_and_says_where_to_look(house: House, path: str) -> None:
    answer = house.get(path)
    assert answer.status_code == 404
    assert answer.json()["error"]
    assert answer.json()["remedy"]


def test_a_company_is_told_with_its_waiting_plan_and_its_open_findings(
    house: House, with_changes: Iterator[int]
) -> None:
    company = next(with_changes)
    told = house.get(f"/api/companies/{company}").json()
    assert told.keys() == {
        "id",
        "name",
        "mode",
        "outcome",
        "last_run",
        "last_at",
        "plan",
        "undoes",
        "choices",
        "findings",
    }
    assert (told["id"], told["mode"], told["outcome"]) == (company, "auto", "planned")
    assert {frozenset(group) for group in told["plan"]["groups"]} == {frozenset(GROUP | {"state", "currency"})}
    assert {frozenset(change) for group in told["plan"]["groups"] for change in group["changes"]} == {frozenset(CHANGE)}
    unreadable = next(item for item in house.companies if house.sync(item, mode="observe")["outcome"] == "failed")
    [finding] = house.get(f"/api/companies/{unreadable}").json()["findings"]
    assert finding.keys() == {"kind", "key", "text", "remedy", "choices", "opened"}


def test_status_tells_of_the_last_night_and_of_what_is_open(house: House) -> None:
    # The last test of this house: after the night there is nothing left to plan.
    house.start_night()
    house.ended("2026-11-21-nightly")
    told = house.get("/api/status").json()
    parts = {"last_night", "open_runs", "findings", "nothing_written", "poison", "callbacks", "sources", "version"}
    assert told.keys() == parts
    assert told["nothing_written"] is None
    assert told["last_night"].keys() == RUN
    assert (told["last_night"]["id"], told["last_night"]["companies"]) == ("2026-11-21-nightly", 12)
    assert told["sources"] == sorted(house.ports.sources)
    assert told["findings"]["consent-lost"] > 0
    assert told["open_runs"] == []
    assert told["last_night"] in house.get("/api/runs").json()["runs"]


# Settings that are wrong


def test_a_misconfigured_host_lists_every_problem_to_key_holders_and_shows_no_secret(tmp_path: Path) -> None:
    wrong = {"MANAGE_PRIVATE_KEY": "", "MICROSOFT_CREDENTIAL": "magic", "TRUEUP_LANES": "many"}
    with a_house(tmp_path, companies=1, **wrong) as house:
        house.host()
        health = requests.get(house.url("/api/health"), timeout=10)
        assert (health.status_code, health.json()) == (503, {"status": "misconfigured"})
        key, body = {"x-functions-key": KEY}, {"companies": [250]}
        answers = [requests.request(how, house.url(path), headers=key, json=body, timeout=10) for how, path in KEYED]
        assert [answer.status_code for answer in answers] == [503] * len(KEYED)
        for answer in answers:
            assert sorted(problem.split(":")[0] for problem in answer.json()["problems"]) == sorted(wrong)
        secrets = [house.settings[name] for name in ("MANAGE_PUBLIC_KEY", "MICROSOFT_CLIENT_SECRET")]
        told = json.dumps([answer.text for answer in answers]) + house.logs()
        assert [secret for secret in [*secrets, KEY, MASTER, "AccountKey"] if secret in told] == []
