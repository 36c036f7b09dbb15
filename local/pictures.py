"""`dev.py pictures`: the pages of the console as the docs show them, of a made-up MSP in its third week."""

from __future__ import annotations

import shutil
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from local.demo.director import Director
from local.demo.stage import REPOSITORY, Stage, set_up
from local.sandbox.world import Msp, make_msp
from local.sandbox.world.rules import rules_document
from shared.billing.rules import Mode
from shared.errors import Refused
from shared.rules.document import RulesDocument
from shared.rules.writing import write_rules
from shared.state.company_state import CompanyState
from shared.sync.rulebook import import_rules

if TYPE_CHECKING:
    from playwright.sync_api import Page

_WORK = REPOSITORY / ".local" / "pictures"
_COMPANIES, _SEED = 24, 7
_OPENING = datetime(2026, 11, 21, 1, 59, tzinfo=UTC)
#: One in so many companies is still only observed, and so many are to be linked yet.
_OBSERVED, _UNLINKED = 4, 5
_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
#: In pixels: as wide as a page of the docs shows, and as much of a page as says what it is.
_WIDTH, _HEIGHT = 1040, 760


class Picture(NamedTuple):
    """A page by its path below /console; what is named is scrolled to."""

    name: str
    path: str
    at: str = ""


def pictures(folder: Path) -> int:
    """Plays three nights, then takes every picture into the folder. Raises `Refused` where there is no browser."""
    browser = next(filter(None, map(shutil.which, _BROWSERS)), None)
    if browser is None:
        raise Refused("no Chromium was found", remedy="Install it (Debian: apt-get install chromium).")
    msp = make_msp(_COMPANIES, _SEED, _OPENING.date())
    with set_up(_COMPANIES, _SEED, _OPENING, _WORK) as stage:
        play(stage, msp)
        take(stage, browser, folder)
    return 0


def play(stage: Stage, msp: Msp) -> None:
    """A night that only looks, one that writes, and ten days later one that a person approves."""
    director = Director(stage, msp, lambda *_: None)
    director.put_rules_in_force(Mode.OBSERVE)
    director.arrange()
    director.night("observe", date(2026, 11, 21))
    director.put_rules_in_force(Mode.AUTO)
    director.night("applied", date(2026, 11, 22))
    director.pass_days(date(2026, 12, 1), _SEED)
    rules = rules_document(msp, Mode.APPROVE.value)
    for company in rules["companies"][::_OBSERVED]:
        company["mode"] = Mode.OBSERVE.value
    for company in rules["companies"][-_UNLINKED:]:
        company["links"] = company["licences"] = []
    import_rules(stage.ports, write_rules(RulesDocument.model_validate(rules)))
    director.night("moved", date(2026, 12, 3))


def take(stage: Stage, browser: str, folder: Path) -> None:
    """Every picture, as an administrator sees the page in the light."""
    from playwright.sync_api import sync_playwright

    folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=browser, args=["--no-sandbox", "--disable-dev-shm-usage", "--no-proxy-server"]
        )
        screen = {"width": _WIDTH, "height": _HEIGHT}
        context = started.new_context(base_url=stage.host.url, viewport=screen, color_scheme="light")
        page = context.new_page()
        page.goto("/console/mapping")
        page.get_by_role("button", name="List customers and companies now").click()
        for picture in wanted(stage):
            _take(page, picture, folder)
        started.close()


def wanted(stage: Stage) -> list[Picture]:
    """The pages; of the companies the one of which most waits to be written, of its licences one that is billed."""
    states = {row.id: stage.ports.company_state.load(row.id) for row in stage.ports.companies.all() if row.waiting}
    number, state = max(states.items(), key=lambda each: (_changes(each[1]), len(each[1].ledger), each[0]))
    policies = stage.ports.rules.load().policies
    profiles = {(each.source, each.sku): each.profile for each in policies if each.profile is not None}
    source, sku = next(key for each in state.overview.licences if (key := (each.source, each.sku)) in profiles)
    profile = profiles[source, sku]
    own = f"companies/{number}"
    return [
        Picture("first-steps", "setup"),
        Picture("companies", "companies?sort=planned"),
        Picture("company", own),
        Picture("licences", own, "#licences"),
        Picture("licence", f"{own}/licence?source={source}&sku={sku}"),
        Picture("company-rules", f"{own}/rules"),
        Picture("approvals", "approvals"),
        Picture("links", "mapping"),
        Picture("skus", "mapping/skus"),
        Picture("unmapped", "mapping/unmapped"),
        Picture("profiles", "profiles"),
        Picture("profile", f"profiles/edit?id={profile}"),
        Picture("example", f"profiles/edit?id={profile}", "#example"),
        Picture("guards", "profiles/guards"),
        Picture("reconciliation", "reports?every=true"),
        Picture("shadow", "reports/shadow"),
        Picture("runs", "runs"),
    ]


def _changes(state: CompanyState) -> int:
    return sum(len(group.changes) for group in state.plan.groups) if state.plan is not None else 0


def _take(page: Page, picture: Picture, folder: Path) -> None:
    page.goto(f"/console/{picture.path}")
    if picture.at:
        page.locator(picture.at).evaluate("element => element.scrollIntoView()")
    page.screenshot(path=folder / f"{picture.name}.png")
