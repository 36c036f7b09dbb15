"""What Chromium and axe-core say of a page."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from playwright.sync_api import ConsoleMessage, Page

_AXE = Path(__file__).resolve().parents[2] / "node_modules/axe-core/axe.min.js"
#: The impacts that people with a disability meet as a barrier.
_SERIOUS = {"serious", "critical"}


class Watched:
    """Collects what the browser complains about: script that fails, and whatever its policy keeps out."""

    def __init__(self, page: Page) -> None:
        self.complaints: list[str] = []
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", self._said)

    def _said(self, message: ConsoleMessage) -> None:
        # A page that answers 4xx is told as an error too; tests look at those themselves.
        if message.type == "error" and "Failed to load resource" not in message.text:
            self.complaints.append(message.text)


def serious_issues(page: Page) -> list[str]:
    """What axe-core finds on the page as it stands, of the impacts that are barriers: rule and places."""
    page.evaluate(_source())
    found = page.evaluate("async () => (await axe.run(document)).violations")
    return [
        f"{each['id']} ({each['impact']}): {each['help']}: {[node['html'] for node in each['nodes']][:3]}"
        for each in found
        if each["impact"] in _SERIOUS
    ]


def is_too_wide(page: Page) -> bool:
    """Whether a reader must scroll sideways."""
    return bool(page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"))


@cache
def _source() -> str:
    return _AXE.read_text(encoding="utf-8")
