"""Pages of the console, as a person's browser waits for them: the functions host, the app and the tables."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator

import requests

from local.bench.budgets import Measured
from local.bench.by_hand import worked
from local.bench.nights import HANDS, SEED
from local.demo.director import Director
from local.demo.performance import FOLDER, OPENING
from local.demo.stage import set_up
from local.sandbox.world import make_msp
from shared.billing.rules import Mode
from shared.state.records import Outcome

#: The list that the budget names, however small an MSP the other benches are told to take.
COMPANIES = 500
LIMIT = 300
_LOOKS = 15


def console(_: int) -> Iterator[Measured]:
    """The list of companies and the page of one that waits, after all were looked at in observe mode.

    They are looked at in this process: how long that takes is no part of the measure.
    """
    with set_up(COMPANIES, SEED, OPENING, FOLDER.with_name("bench")) as stage:
        Director(stage, make_msp(COMPANIES, SEED, OPENING.date()), lambda *_: None).put_rules_in_force(Mode.OBSERVE)
        looked_at = {message.company for message in worked(stage.ports, hands=HANDS)}
        rows = stage.ports.companies.all()
        company = next(row.id for row in rows if row.last_outcome == Outcome.PLANNED.value)
        for name, path in (("list", "/console/companies"), ("company", f"/console/companies/{company}")):
            seconds = _looks(f"{stage.host.url}{path}")
            remark = (
                f"{path}, {len(looked_at)} of {len(rows)} companies looked at; the median of {_LOOKS} "
                f"(up to {max(seconds) * 1000:.0f} ms), over HTTP on this machine"
            )
            yield Measured(f"page-{name}", statistics.median(seconds) * 1000, LIMIT, "ms", remark)


def _looks(url: str) -> list[float]:
    """Seconds until a page was answered whole; the first look, which starts the app, is not counted."""
    seconds: list[float] = []
    with requests.Session() as session:
        session.trust_env = False
        for _ in range(_LOOKS + 1):
            started = time.monotonic()
            session.get(url, timeout=60).raise_for_status()
            seconds.append(time.monotonic() - started)
    return seconds[1:]
