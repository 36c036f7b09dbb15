"""The sandbox's Huntress as a client sees it: keys, pages of both styles, sixty a minute, and what is not told."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import chain

import pytest
import requests

from local.sandbox.huntress import MOST_REQUESTS, WINDOW_SECONDS, Huntress
from local.sandbox.running import SandboxThread
from local.sandbox.server import Options
from local.sandbox.world.huntress import HuntressAccount

NOW = datetime(2026, 11, 21, 2, tzinfo=UTC)


class Hands:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def sandbox() -> Iterator[SandboxThread]:
    """Anew for every test: the window of sixty requests is the account's."""
    with SandboxThread(Options(companies=30, seed=7, now=NOW)) as thread:
        yield thread


def get(sandbox: SandboxThread, path: str, key: str | None = None, **params: str | int) -> requests.Response:
    account = sandbox.msp.huntress
    auth = (account.public_key, key or account.private_key)
    return requests.get(f"{sandbox.url}/huntress/v1{path}", auth=auth, params=params, timeout=10)


def control(sandbox: SandboxThread, method: str, body: object = None) -> requests.Response:
    return requests.request(method, f"{sandbox.url}/_sandbox/huntress", json=body, timeout=10)


def fault(sandbox: SandboxThread, word: str) -> None:
    faults = [{"system": "huntress", "fault": word}]
    assert requests.put(f"{sandbox.url}/_sandbox/faults", json=faults, timeout=10).ok


def followed(sandbox: SandboxThread, **params: str | int) -> list[list[int]]:
    """The ids on each page."""
    found = []
    for _ in range(40):
        body = get(sandbox, "/organizations", None, **params).json()
        found.append([row["id"] for row in body["organizations"]])
        token = body["pagination"]["next_page_token"]
        if token is None:
            return found
        params["page_token"] = token
    raise AssertionError("the pages do not end")


def test_the_account_is_told_to_its_own_keys_only(sandbox: SandboxThread) -> None:
    assert get(sandbox, "/account").json()["account"]["name"] == "Northbeam Managed IT"
    assert get(sandbox, "/account", key="wrong").status_code == 401
    assert requests.get(f"{sandbox.url}/huntress/v1/organizations", timeout=10).status_code == 401


def test_pages_are_followed_by_their_tokens_to_every_organization_once(sandbox: SandboxThread) -> None:
    known = list(sandbox.msp.huntress.organizations)
    pages = followed(sandbox, limit=4, sort_field="id", sort_direction="asc")
    assert [len(page) for page in pages[:-1]] == [4] * (len(pages) - 1)
    assert [*chain(*pages)] == known
    assert followed(sandbox, limit=500) == [known[::-1]]
    assert len(get(sandbox, "/organizations").json()["organizations"]) == 10


@pytest.mark.parametrize(
    "params", [{"limit": 0}, {"limit": 501}, {"limit": "x"}, {"page_token": "x"}, {"sort_field": "size"}]
)
def test_what_huntress_does_not_understand_is_a_400(sandbox: SandboxThread, params: dict[str, str | int]) -> None:
    assert get(sandbox, "/organizations", None, **params).status_code == 400


def test_the_older_style_counts_pages(sandbox: SandboxThread) -> None:
    known = list(sandbox.msp.huntress.organizations)
    first = get(sandbox, "/organizations", page=1, limit=10).json()
    assert (first["pagination"]["current_page"], first["pagination"]["total_count"]) == (1, len(known))
    second = get(sandbox, "/organizations", page=first["pagination"]["next_page"], limit=500).json()
    assert second["organizations"] == []
    assert "next_page" not in second["pagination"]


def test_a_product_that_is_not_active_is_not_told(sandbox: SandboxThread) -> None:
    found = next(item for item in sandbox.msp.huntress.organizations.values() if item.counts["siem"] is None)
    organization = get(sandbox, f"/organizations/{found.id}").json()["organization"]
    assert organization["agents_count"] == found.counts["edr"]
    assert organization["actual_usages"]["edr"]["billable_agents_count"] == found.counts["edr"]
    assert "logs_sources_count" not in organization
    assert "siem" not in organization["actual_usages"]
    assert get(sandbox, "/organizations/1").status_code == 404


def test_counts_are_moved_taken_away_and_organizations_deleted(sandbox: SandboxThread) -> None:
    number = control(sandbox, "GET").json()["organizations"][0]["id"]
    moved = control(sandbox, "PUT", {"organization": number, "edr": 77, "sat": None}).json()
    assert (moved["edr"], moved["sat"]) == (77, None)
    organization = get(sandbox, f"/organizations/{number}").json()["organization"]
    assert organization["agents_count"] == 77
    assert "sat_learner_count" not in organization
    assert control(sandbox, "PUT", {"organization": number, "gone": True}).ok
    assert get(sandbox, f"/organizations/{number}").status_code == 404
    assert control(sandbox, "PUT", {"organization": number}).status_code == 404
    assert control(sandbox, "PUT", {"organization": number, "edr": -1}).status_code == 400


def test_faults_reach_huntress(sandbox: SandboxThread) -> None:
    known = sorted(sandbox.msp.huntress.organizations, reverse=True)
    fault(sandbox, "short-page")
    assert [*chain(*followed(sandbox, limit=4))] == known
    fault(sandbox, "429:7")
    refused = get(sandbox, "/account")
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "7")
    fault(sandbox, "endless")
    tokens = {get(sandbox, "/organizations", limit=4).json()["pagination"]["next_page_token"] for _ in range(2)}
    assert len(tokens) == 1


def test_the_sixty_first_request_of_a_minute_is_refused_until_the_first_leaves_the_window() -> None:
    now = Hands()
    huntress = Huntress(HuntressAccount("An account", "public", "private"), now)
    for _ in range(MOST_REQUESTS):
        assert huntress.admits()
        now.seconds += 0.5
    assert not huntress.admits()
    now.seconds += WINDOW_SECONDS - MOST_REQUESTS * 0.5
    assert huntress.admits()
    assert not huntress.admits()


def test_invoices_come_newest_first_behind_the_draft_of_what_is_going_on(sandbox: SandboxThread) -> None:
    for day in ("2026-11-15", "2026-10-15"):
        made = requests.post(f"{sandbox.url}/_sandbox/huntress/invoices", json={"day": day}, timeout=10)
    assert made.json() == {"invoices": ["2026-10-15", "2026-11-15"]}

    listed = get(sandbox, "/invoices", None, limit=2).json()["invoices"]
    assert [(row["status"], row["created_at"][:10]) for row in listed] == [
        ("draft", "2099-01-01"),
        ("paid", "2026-11-15"),
    ]
