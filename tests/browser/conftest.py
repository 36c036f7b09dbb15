"""One made-up MSP with a host, and Chromium in front of its console, for all browser tests."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from datetime import timedelta

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser.axe import Watched
from tests.integration.house import TWO, House, a_house

PERSON = "pat@birchline.example"
_NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A made-up MSP of 12 companies after its first night, in mode approve, and an administrator before its console."""
    chromium()
    with a_house(tmp_path_factory.mktemp("house"), companies=12) as made:
        made.host(TRUEUP_LOCAL_PERSON=f"{PERSON}: TrueUp.Admin")
        made.import_rules("approve")
        made.clock(TWO + timedelta(hours=1))
        run = made.post("/api/sync", {"companies": "all"}).json()["run"]
        made.ended(run)
        yield made


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        # Without its sandbox: tests run as root in containers, and it sees nothing but our own pages. Containers seldom
        # give it the shared memory that it would use either.
        flags = ["--no-sandbox", "--disable-dev-shm-usage"]
        started = playwright.chromium.launch(executable_path=chromium(), args=flags)
        yield started
        started.close()


@pytest.fixture
def page(house: House, browser: Browser) -> Iterator[Page]:
    """A fresh visitor on a wide screen; what the browser complains about fails the test."""
    # Nothing moves: what is measured is what a page comes to rest at.
    wide = {"width": 1280, "height": 900}
    context = browser.new_context(base_url=house.url(""), viewport=wide, reduced_motion="reduce")
    page = context.new_page()
    watched = Watched(page)
    yield page
    context.close()
    assert watched.complaints == []


def chromium() -> str:
    """The browser of this machine. Without one the tests are skipped, except where they must prove something (CI)."""
    found = next(filter(None, map(shutil.which, _NAMES)), None)
    if found is None:
        reason = "no Chromium was found: install it (Debian: apt-get install chromium) to run the browser tests"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return found


@pytest.fixture(scope="session", autouse=True)
def no_proxy() -> None:
    """Everything is on this machine: a proxy of the surroundings must not get in between."""
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1,localhost"
