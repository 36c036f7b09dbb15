"""`dev.py demo`: four nights and an approval, shown as they pass and checked."""

from __future__ import annotations

import inspect
import json
import re
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, date, datetime
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from local.demo.approval import approve_one
from local.demo.checks import problems
from local.demo.director import Director
from local.demo.night import Night
from local.demo.report import report
from local.demo.show import Show
from local.demo.stage import REPOSITORY, Stage, set_up
from local.demo.vendors import Rmm, buyer, most_combined, ranged
from local.sandbox.world import Msp, make_msp
from local.sandbox.world.rules import rules_document
from shared.billing.rules import Mode

OPENING = datetime(2026, 11, 21, 1, 59, tzinfo=UTC)
FOLDER = REPOSITORY / ".local" / "demo"
#: Of a picture, and of what no terminal shows, in characters.
_WIDTH = 118


def perform(
    companies: int, seed: int, *, once: bool, report_file: Path | None, picture: Path | None, folder: Path = FOLDER
) -> int:
    """The demo. Answers 0 only if every night did what it should; unless `once` it waits for Ctrl-C first.

    `folder` is for logs and settings. Everything that is started is ended, whatever happens.
    """
    console = Console(record=picture is not None)
    if picture is not None or not console.is_terminal:
        console.width = _WIDTH
    show = Show(console)
    msp = make_msp(companies, seed, OPENING.date())
    rmm = Rmm(buyer(msp), ranged(msp))
    with ExitStack() as stack:
        # A picture is to hold what stays on the screen, not the progress.
        moving = Console(stderr=True) if picture is not None else console
        with _progress(moving) as progress:
            task = progress.add_task("starting", total=None)
            stage = stack.enter_context(
                set_up(
                    companies,
                    seed,
                    OPENING,
                    folder,
                    starting=lambda what: progress.update(task, description=what),
                    more=rmm.settings(),
                )
            )
            director = _director(stage, msp, rmm, progress)
            nights, found = [], []
            for night in _nights(director, show, seed):
                nights.append(night)
                found += problems(night, rules_document(director.msp)["adoptable_marks"])
                show.night(night)
            combined = most_combined(stage.ports, msp, nights[-1].after)
            if combined is not None:
                show.combined(combined)
            approval = approve_one(stage)
            if approval is not None:
                found += approval.problems()
                show.approval(approval)
        if report_file is not None:
            report_file.write_text(json.dumps(report(nights), indent=2) + "\n", encoding="utf-8")
        show.end(nights, found)
        if picture is not None:
            console.save_svg(str(picture), title="python dev.py demo", code_format=_without_web_fonts())
        if not once:
            show.addresses(stage)
            _wait_for_interrupt()
    return 1 if found else 0


def _without_web_fonts() -> str:
    """Rich's picture, but for the fonts that it would fetch from elsewhere."""
    template: str = inspect.signature(Console.save_svg).parameters["code_format"].default
    return re.sub(r"@font-face {{.*?}}", "", template, flags=re.DOTALL)


def _nights(director: Director, show: Show, seed: int) -> Iterator[Night]:
    """The four nights, and what happens between them."""
    director.put_rules_in_force(Mode.OBSERVE)
    director.arrange()
    yield director.night("observe", date(2026, 11, 21))
    director.put_rules_in_force(Mode.AUTO)
    yield director.night("applied", date(2026, 11, 22))
    yield director.night("quiet", date(2026, 11, 23))
    show.passed(*director.pass_days(date(2026, 12, 1), seed))
    yield director.night("moved", date(2026, 12, 3))


def _director(stage: Stage, msp: Msp, rmm: Rmm, progress: Progress) -> Director:
    task = progress.task_ids[0]

    def show_progress(what: str, done: int, total: int) -> None:
        progress.update(task, description=what, completed=done, total=total)

    return Director(stage, msp, show_progress, rmm)


def _progress(console: Console) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=console, transient=True)


def _wait_for_interrupt() -> None:
    """Returns at Ctrl-C. In short waits: Windows delivers it only between them."""
    never = threading.Event()
    try:
        while not never.wait(1):
            pass
    except KeyboardInterrupt:
        print()
