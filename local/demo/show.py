"""What a person sees of the nights."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console

from local.demo.approval import Approval
from local.demo.night import KINDS, Night
from local.demo.stage import PERSON, REPOSITORY, Stage
from local.demo.tables import (
    billed_wrong,
    combined_table,
    failed_table,
    findings_table,
    held_table,
    money,
    sentences_table,
    sum_of,
    summary_table,
    wrong_table,
)
from local.demo.vendors import Combined
from shared.billing.wording import spoken

_MEANING = {
    "observe": "looks and says what is wrong; nothing is written",
    "applied": "every company is in auto now, and what no guard holds is written",
    "quiet": "nothing has changed, so nothing is written",
    "moved": "seats have moved, and the lines follow",
}


class Show:
    """Prints each night as it ends, and the end."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def night(self, night: Night) -> None:
        self._console.rule(f"[bold]{spoken(night.day)}: {night.name}[/], {_MEANING[night.name]}", align="left")
        if night.name == "observe":
            self._observed(night)
        else:
            self._written(night)

    def passed(self, invoices: int, moves: int) -> None:
        """What happened between the third night and the last."""
        self._console.print(f"\nTen days pass: {invoices} invoices are run, {moves} customers' seats move.\n")

    def approval(self, approval: Approval) -> None:
        """The step after the nights: what waited, who approved it, what was written."""
        self._console.rule(
            f"[bold]{approval.company}: approve[/], nothing is written before a person says so", align="left"
        )
        sentences = "\n".join(f"  {change['sentence']}" for change in approval.group["changes"])
        written = ", ".join(f"{count} {kind}" for kind, count in approval.answer["written"].items()) or "nothing"
        by = approval.signed.get("by", "nobody")
        self._console.print(f"Waiting:\n{sentences}", highlight=False)
        self._console.print(f"Approved by {by}: [bold]{written}[/].\n", highlight=False)

    def combined(self, combined: Combined) -> None:
        """What TrueUp keeps on the agreement that most vendors are billed on."""
        self._console.print(combined_table(combined))

    def end(self, nights: Sequence[Night], problems: Sequence[str]) -> None:
        self._console.print(summary_table(nights))
        for problem in problems:
            self._console.print(f"[bold red]Not as it should be:[/] {problem}", highlight=False)
        if not problems:
            self._console.print("[bold green]Every night did what it should.[/]")

    def addresses(self, stage: Stage) -> None:
        """Where everything that is left running listens."""
        settings = stage.settings_file
        if settings.is_relative_to(REPOSITORY):
            settings = settings.relative_to(REPOSITORY)
        lines = [
            f"TrueUp's API  {stage.host.url}/api/status (header x-functions-key: HOST_DEFAULT_KEY of {settings})",
            f"the console   {stage.host.url}/console (as {PERSON})",
            f"the sandbox   {stage.sandbox.url}/_sandbox/additions, …/_sandbox/calls, …/_sandbox/msp",
            f"the rules     python dev.py rules export - --settings {settings}",
            f"the logs      {settings.parent}",
        ]
        self._console.print("\nEverything is left running until Ctrl-C:")
        for line in lines:
            self._console.print(f"  {line}", highlight=False, soft_wrap=True)

    def _observed(self, night: Night) -> None:
        wrong = billed_wrong(night)
        little, much = sum_of(each.too_little for each in wrong), sum_of(each.too_much for each in wrong)
        self._console.print(
            f"Each month [bold]{money(little)} is not billed[/] and [bold]{money(much)} is billed too much[/], "
            f"at {len(wrong)} of {night.run['companies']} companies.\n",
            highlight=False,
        )
        self._console.print(wrong_table(wrong))
        failed = failed_table(night)
        if failed.row_count:
            self._console.print(failed)
        self._console.print(findings_table(night.findings, night.examples))

    def _written(self, night: Night) -> None:
        reached, calls = night.reached, night.calls["total"]
        counted = ", ".join(f"{reached[kind]} {kind}" for kind in KINDS if reached[kind]) or "nothing"
        companies = sum(bool(row.get("written")) for row in night.rows)
        where = f" at {companies} companies" if companies else ""
        self._console.print(
            f"Written: [bold]{counted}[/]{where}; {calls['manage']} calls to Manage and {calls['graph']} to Graph "
            f"in {night.seconds:.1f} s.\n",
            highlight=False,
        )
        if night.written:
            self._console.print(sentences_table("Some of the changes", night.written))
        held = held_table(night)
        if held.row_count and night.name == "applied":
            self._console.print(held)
