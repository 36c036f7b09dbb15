"""A month at the made-up MSP, told in digests: `python -m tests.integration.month` writes it into the docs.

The flows, Manage and the vendors are the real ones before the sandbox; store, queue and clocks are in memory.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import requests
from playwright.sync_api import sync_playwright
from ruamel.yaml import YAML

from local.sandbox.running import SandboxThread
from local.sandbox.server import Options
from local.sandbox.world.model import Consent, Tenant
from local.sandbox.world.rules import rules_document
from shared.billing.subscribers import Channel
from shared.bootstrap import make_notice_ports, make_ports
from shared.notices.ports import Message, NoticePorts
from shared.notices.telling import tell
from shared.settings import load_settings
from shared.sync import lanes, night, rulebook
from shared.sync.approvals import Person, approve_all
from shared.sync.mapping import links
from shared.sync.ports import Ports
from tests.fakes.house import FakeClock, FakeQueue, Fate
from tests.fakes.tables import InMemoryTables

FIRST = datetime(2026, 11, 1, 1, 55, tzinfo=UTC)
DAYS = 30
PAGE = Path(__file__).parents[2] / "docs" / "digests.md"
#: Day of the digest and width in pixels, by the name of its picture in the docs.
PICTURES = {"notices-digest.png": (1, 800), "notices-digest-phone.png": (20, 420)}
CONSOLE = "https://func-trueup.azurewebsites.net/console"
PERSON = Person("pat@birchline.example")
_HEAD = """# A month of digests

What the billing clerk of a made-up MSP with six customers was sent in November 2026, its first month with TrueUp. One
company is in `mode: approve`, one is only observed. What happened: the clerk approved what waited on the 3rd, 16th and
23rd and ignored customers that nobody bills on the 4th; customers bought and gave back licences; the consent of one was
lost for two days; somebody changed a line in Manage. How such a mail looks: [1 November](notices-digest.png), and on a
phone [20 November](notices-digest-phone.png). Who is told what: [notices.md](notices.md).

`python -m tests.integration.month` writes this page; a test holds that it is true.
"""
CLERK = {"id": "billing-clerk", "channel": "mail", "to": ["billing@birchline.example"], "hour": 7, "language": "en-GB"}


@dataclass(frozen=True)
class Digest:
    """One mail, and the morning on which it came."""

    day: date
    message: Message


class _Letterbox:
    """A mail channel that keeps what it is given."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self.mails: list[Digest] = []

    def send(self, message: Message) -> None:
        self.mails.append(Digest(self._clock.time.date(), message))


class Month:
    """The MSP with its customers, and everything that TrueUp runs on there."""

    def __init__(self, sandbox: SandboxThread) -> None:
        self.sandbox = sandbox
        self.clock = FakeClock(FIRST)
        self.queue = FakeQueue(self.clock, Fate())
        self.letterbox = _Letterbox(self.clock)
        settings = load_settings({**sandbox.settings(), "AzureWebJobsStorage": "UseDevelopmentStorage=true"})
        tables = InMemoryTables()
        with mock.patch("shared.bootstrap.AzureTables", return_value=tables):
            made = make_ports(settings)
            self.ports: Ports = replace(made, clock=self.clock, queue=self.queue)
            told = make_notice_ports(settings, self.ports)
        self.notices: NoticePorts = replace(told, posts={Channel.MAIL: self.letterbox}, console=CONSOLE)

    def control(self, method: str, name: str, body: object = None) -> Any:
        answer = requests.request(method, f"{self.sandbox.url}/_sandbox/{name}", json=body, timeout=60)
        assert answer.ok, answer.text
        return answer.json()

    def import_rules(self, **modes: list[int]) -> None:
        document = rules_document(self.sandbox.msp, "auto") | {"notices": [CLERK]}
        for company in document["companies"]:
            company["mode"] = next((mode for mode, those in modes.items() if company["company"] in those), "auto")
        text = io.StringIO()
        YAML().dump(document, text)
        rulebook.import_rules(self.ports, text.getvalue())

    def tenant(self, company: int) -> Tenant:
        return self.sandbox.msp.tenants[next(it.tenant for it in self.sandbox.msp.linked if it.company == company)]

    def consent(self, company: int, consent: Consent) -> None:
        self.tenant(company).consent = consent

    def seats(self, company: int, more: int, part: str = "") -> None:
        """So many more (or fewer) seats of what the company has most of, or of a SKU by its part number."""
        tenant = self.tenant(company)
        sku = part or max(tenant.skus(), key=lambda each: (tenant.consumed(each), each))
        bought = sum(each.licenses for each in tenant.subscriptions_of(sku) if each.status == "Enabled")
        self.control("PUT", "seats", {"tenant": tenant.id, "sku": sku, "enabled": max(bought + more, 0)})

    def ignore_new_customers(self) -> None:
        found = links.links(self.ports)
        links.ignore(self.ports, [(each.source, each.id) for each in found.unmatched], PERSON)

    def person_edits_a_line(self, company: int) -> None:
        """One unit less on the company's first line of ours."""
        state = self.ports.company_state.load(company)
        addition = min(row.addition_id for row in state.ledger.values())
        line = next(each for each in self.control("GET", "additions")["additions"] if each["id"] == addition)
        fields = {"quantity": line["quantity"] - 1}
        self.control("POST", "person", {"do": "edit", "addition": addition, "fields": fields})

    def approve_everything(self) -> None:
        run = approve_all(self.ports, PERSON, kind=None, held=None)
        if run is not None:
            self._work(run)

    def tick(self, hour: int, minute: int = 0) -> None:
        """The timers at this time of the day, and everything that they start."""
        self._set(self.clock.time.replace(hour=hour, minute=minute))
        night.tick(self.ports)
        for header in self.ports.runs.open_headers():
            self._work(header.id)
        tell(self.notices)

    def to_next_day(self) -> None:
        self._set(self.clock.time.replace(hour=1, minute=55) + timedelta(days=1))

    def _set(self, now: datetime) -> None:
        self.clock.time = now
        self.control("PUT", "clock", {"now": now.isoformat()})

    def _work(self, run: str) -> None:
        for _ in range(200):
            header = self.ports.runs.header(run)
            if header is not None and header.ended is not None:
                return
            if not len(self.queue):
                lanes.watch(self.ports)
                continue
            with self.queue.next_message() as (message, deliveries):
                lanes.work(self.ports, message, deliveries)
        raise AssertionError(f"run {run} does not end")


def a_month() -> list[Digest]:
    """Everything that the clerk was sent in November 2026."""
    with SandboxThread(Options(companies=6, seed=7, now=FIRST)) as sandbox:
        month = Month(sandbox)
        events = _events(month)
        month.tick(1, 55)
        for day in range(1, DAYS + 1):
            for event in events.get(day, ()):
                event()
            month.tick(2)
            month.tick(7)
            month.to_next_day()
        return month.letterbox.mails


def _events(month: Month) -> dict[int, list[Callable[[], Any]]]:
    """What happens before the night of each day."""
    tidewell, linden, marlowe, fenwick, calder, observed = sorted(it.company for it in month.sandbox.msp.linked)
    month.consent(calder, Consent.GRANTED)
    month.import_rules(approve=[linden], observe=[observed])
    return {
        3: [month.approve_everything],
        4: [month.ignore_new_customers],
        6: [partial(month.seats, marlowe, 3)],
        9: [partial(month.seats, fenwick, -1), partial(month.seats, marlowe, 1)],
        10: [partial(month.consent, calder, Consent.ROLE_DENIED)],
        12: [partial(month.consent, calder, Consent.GRANTED)],
        13: [partial(month.seats, tidewell, -9)],
        16: [month.approve_everything],
        18: [partial(month.person_edits_a_line, marlowe)],
        20: [partial(month.seats, linden, 4, "EXCHANGESTANDARD")],
        23: [month.approve_everything],
        26: [partial(month.seats, fenwick, 2, "VISIOCLIENT")],
    }


def in_words(mails: list[Digest]) -> str:
    """The page of the docs."""
    told = [mail for mail in mails if "nothing new" not in mail.message.subject]
    parts = [_HEAD]
    for mail in told:
        text = re.sub(r"https://localhost:[0-9]+", "https://login.microsoftonline.com", mail.message.text)
        parts.append(f"## {mail.day.day} November\n\n```\nSubject: {mail.message.subject}\n\n{text}```\n")
    quiet = "\n".join(f"* {mail.message.subject}" for mail in mails if mail not in told)
    return "\n".join([*parts, f"## Mornings without news\n\nTheir digests repeat what is still open:\n\n{quiet}\n"])


def photograph(mail: Digest, file: Path, width: int) -> None:
    """The HTML of a digest, as Chromium shows it in a window of that width."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": width, "height": 600})
        page.set_content(mail.message.html)
        page.screenshot(path=file, full_page=True)
        browser.close()


if __name__ == "__main__":
    written = a_month()
    PAGE.write_text(in_words(written), encoding="utf-8")
    for name, (day, width) in PICTURES.items():
        photograph(next(mail for mail in written if mail.day.day == day), PAGE.with_name(name), width)
