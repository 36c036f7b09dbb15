"""The nights as tables that a person reads."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from rich import box
from rich.table import Column, Table

from local.demo.night import KINDS, Night, Told, waiting
from local.demo.vendors import Combined

CURRENCY = "$"
#: Findings that say why a company could not be looked at.
_KEEPS_FROM_LOOKING = {"consent-lost", "read-failed", "customer-gone"}


@dataclass(frozen=True)
class Wrong:
    """What is billed wrong at one company each month: too little and too much, both positive amounts."""

    company: str
    too_little: Decimal
    too_much: Decimal

    @property
    def net(self) -> Decimal:
        return self.too_little - self.too_much


def billed_wrong(night: Night) -> list[Wrong]:
    """The companies that are billed wrong, the worst first."""
    found = []
    for detail in night.details.values():
        effects = [told.monthly for told in waiting(detail)]
        little = sum((effect for effect in effects if effect > 0), Decimal(0))
        much = -sum((effect for effect in effects if effect < 0), Decimal(0))
        if little or much:
            found.append(Wrong(detail["name"], little, much))
    return sorted(found, key=lambda wrong: (-(wrong.too_little + wrong.too_much), wrong.company))


def money(amount: Decimal) -> str:
    return f"{'-' if amount < 0 else ''}{CURRENCY}{abs(amount):,.2f}"


def wrong_table(wrong: Sequence[Wrong]) -> Table:
    table = _table(
        "What is billed wrong today, each month",
        _name("company"),
        *map(_number, ("not billed", "billed too much", "net")),
    )
    for each in wrong:
        table.add_row(each.company, _or_blank(each.too_little), _or_blank(each.too_much), money(each.net))
    table.add_section()
    total = Wrong("together", sum_of(each.too_little for each in wrong), sum_of(each.too_much for each in wrong))
    table.add_row(total.company, money(total.too_little), money(total.too_much), money(total.net), style="bold")
    return table


def failed_table(night: Night) -> Table:
    """Companies that could not be looked at, and what to do about each."""
    table = _table("Companies that need a person first", _name("company"), _text("why"), _text("what to do"))
    for row in night.rows:
        if row["outcome"] == "failed":
            detail = night.details[row["company"]]
            remedies = [finding["remedy"] for finding in detail["findings"] if finding["kind"] in _KEEPS_FROM_LOOKING]
            table.add_row(detail["name"], row["note"], " ".join(dict.fromkeys(remedies)))
    return table


def held_table(night: Night) -> Table:
    """Changes that a guard holds until a person has looked."""
    table = _table("Held by a guard", _name("company"), _text("change"), _text("why"))
    for detail in night.details.values():
        for group in detail["plan"]["groups"]:
            if group["held"]:
                sentences = " ".join(change["sentence"] for change in group["changes"])
                table.add_row(detail["name"], sentences, group["held"])
    return table


def findings_table(findings: Mapping[str, int], examples: Mapping[str, str]) -> Table:
    table = _table(
        "Findings: what a person should know or decide", _name("kind"), _number("count"), _text("for example")
    )
    for kind, count in sorted(findings.items(), key=lambda item: (-item[1], item[0])):
        table.add_row(kind, str(count), examples.get(kind, ""))
    return table


def sentences_table(title: str, told: Iterable[Told], most: int = 6) -> Table:
    """A few changes in words: of each kind, up and down, those that move most money."""
    alike: dict[tuple[str, bool], list[Told]] = defaultdict(list)
    for each in sorted(told, key=lambda each: (-abs(each.monthly), each.company, each.sentence)):
        alike[each.kind, each.monthly < 0].append(each)
    share = -(-most // max(len(alike), 1))
    table = _table(title, _name("company"), _text("change"))
    for key in sorted(alike):
        for each in alike[key][:share]:
            table.add_row(each.company, each.sentence)
    return table


def combined_table(combined: Combined) -> Table:
    """The lines of one agreement, with the vendor whose counts each bills."""
    title = f"One agreement, several vendors: {combined.company}, agreement {combined.agreement}"
    table = _table(
        title, _name("counted by"), _text("line"), *map(_number, ("quantity", "price", "every invoice", "once"))
    )
    vendor = ""
    for line in combined.lines:
        if vendor and line.vendor != vendor:
            table.add_section()
        amount = money(line.amount)
        amounts = (amount, "") if line.standing else ("", amount)
        shown = line.vendor if line.vendor != vendor else ""
        table.add_row(shown, line.text, f"{line.quantity.normalize():,f}", money(line.price), *amounts)
        vendor = line.vendor
    return table


def summary_table(nights: Sequence[Night]) -> Table:
    numbers = (*KINDS, "planned", "calls", "s")
    table = _table("Four nights", _name("night"), _name("date"), _text("outcomes"), *map(_number, numbers))
    for night in nights:
        calls = night.calls["total"]
        table.add_row(
            night.name,
            night.day.isoformat(),
            _counted(night.run["outcomes"]),
            *(str(night.reached[kind]) for kind in KINDS),
            money(night.monthly_delta),
            str(calls["manage"] + calls["graph"]),
            f"{night.seconds:.1f}",
        )
    return table


def sum_of(amounts: Iterable[Decimal]) -> Decimal:
    return sum(amounts, Decimal(0))


def _table(title: str, *columns: Column) -> Table:
    """Narrow gaps, so that the widest one still fits a terminal of 80 characters."""
    table = Table(*columns, title=title, box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    table.title_justify, table.title_style = "left", "bold"
    return table


def _name(header: str) -> Column:
    """A column of short names, which stay on their line."""
    return Column(header, no_wrap=True)


def _text(header: str) -> Column:
    """A column of sentences; an address that is too long goes on in the next line."""
    return Column(header, overflow="fold")


def _number(header: str) -> Column:
    return Column(header, no_wrap=True, justify="right")


def _or_blank(amount: Decimal) -> str:
    return money(amount) if amount else ""


def _counted(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in Counter(counts).most_common())
