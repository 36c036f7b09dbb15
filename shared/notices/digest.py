"""What one subscriber is told: chosen from the picture, in the order in which a clerk works. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import partial
from itertools import groupby
from typing import NamedTuple, TypeVar

from shared.billing.findings import FindingKind
from shared.billing.subscribers import Frequency, Subscriber, Topic
from shared.notices.languages import day_in, money_in, sentence_in
from shared.notices.picture import Done, Effect, Failed, Open, Picture, Waits, without_request
from shared.notices.places import place_of

#: So many entries of one section are told; the rest is counted, and stands in the console.
MOST_ENTRIES = 200

_T = TypeVar("_T", Done, Waits)

_CUSTOMERS = frozenset({FindingKind.CUSTOMER_NEW.value, FindingKind.CUSTOMER_GONE.value})
_UNBILLED = frozenset({FindingKind.UNMAPPED.value, FindingKind.UNASSIGNED.value})
_UNREAD = frozenset({FindingKind.READ_FAILED.value, FindingKind.CONSENT_LOST.value})


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing: a sentence, what it comes to in money ("" where nothing), and what to do or to know beside it.

    `says_amount`: the sentence says the amount already.
    """

    text: str
    amount: str = ""
    notes: tuple[str, ...] = ()
    says_amount: bool = False


class Heading(NamedTuple):
    """The company that entries are about, or (`company` None) the title and path of the console's page about them.

    Both are "" where no page is.
    """

    company: int | None = None
    name: str = ""
    page: str = ""


@dataclass(frozen=True, slots=True)
class OfCompany:
    """The entries of one company, or of what concerns none."""

    heading: Heading
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Section:
    """One heading with its entries. `count` counts what they tell of, `new` what of it was not told in the last digest.

    `left_out` counts entries that are not shown.

    `page` is where the console shows the same, "" where it is the company's own page. `amount` is what it comes to
    where nothing is counted and it is still worth a message of its own.
    """

    title: str
    count: int
    summary: str
    companies: tuple[OfCompany, ...]
    left_out: int = 0
    page: str = ""
    new: int = 0
    amount: str = ""


@dataclass(frozen=True, slots=True)
class Span:
    """What a digest tells the changes of: since then, and before `until`, which is the next one's (UTC)."""

    since: datetime
    until: datetime

    def holds(self, at: datetime) -> bool:
        return self.since <= at < self.until


@dataclass(frozen=True, slots=True)
class Digest:
    """Everything that one subscriber is told at once."""

    title: str
    sections: tuple[Section, ...]

    @property
    def says_something(self) -> bool:
        """Whether any section has something to tell."""
        return any(section.count or section.amount for section in self.sections)


def digest(subscriber: Subscriber, picture: Picture, span: Span, month: date, today: date) -> Digest:
    """The digest of what happened in a span and what is open now; `month` is the first day of the leak's."""
    told = _only_for(subscriber, picture)
    sections = [*_happened(subscriber, told, span), *_open_sections(subscriber, told, span.since)]
    if subscriber.wants(Topic.LEAK):
        sections.append(_leak(subscriber, told, month))
    return Digest(f"TrueUp, {day_in(subscriber.language, today)}", tuple(sections))


def at_once(subscriber: Subscriber, found: Iterable[Open], today: date) -> Digest:
    """The digest of findings that have just opened."""
    title = f"TrueUp, {day_in(subscriber.language, today)}"
    return Digest(title, tuple(_findings("New findings", subscriber, found, None)))


def is_told(subscriber: Subscriber, each: Open) -> bool:
    """Whether a subscriber is told of a finding: never of its own notices, which did not go out."""
    if each.kind == FindingKind.NOTICE_FAILED and each.key.startswith(f"{subscriber.id}/"):
        return False
    return subscriber.is_told_of(each.company) and subscriber.wants(each.kind)


def _only_for(subscriber: Subscriber, picture: Picture) -> Picture:
    """What the subscriber is told of, of its companies."""
    of = subscriber.is_told_of
    return Picture(
        tuple(each for each in picture.done if of(each.company)),
        tuple(each for each in picture.waits if of(each.company)),
        tuple(each for each in picture.open if is_told(subscriber, each)),
        tuple(each for each in picture.failed if of(each.company)),
        tuple(each for each in picture.observed if of(each.company)),
    )


def _happened(subscriber: Subscriber, told: Picture, span: Span) -> Iterator[Section]:
    if subscriber.wants(Topic.WAITING) and told.waits:
        waits = sorted(told.waits, key=lambda each: (each.name, each.company, each.since, each.sentences))
        total = _amount(subscriber, (effect for each in waits for effect in each.effects))
        entries = _with_marks_together(waits, partial(_waiting, subscriber, span.since))
        section = _section("Waits for you", entries, f"All of it: {total}." if total else "", "/approvals")
        yield replace(section, count=len(waits), new=sum(each.since >= span.since for each in waits))
    done = [each for each in told.done if span.holds(each.at)]
    if subscriber.wants(Topic.CHANGES) and done:
        done.sort(key=lambda each: (each.name, each.company, each.at, each.sentence))
        total = _amount(subscriber, (each.effect for each in done))
        entries = _with_marks_together(done, partial(_change, subscriber))
        section = _section("Changed in ConnectWise Manage", entries, f"All of it: {total}." if total else "")
        yield replace(section, count=len(done), new=len(done))


def _with_marks_together(told: Sequence[_T], entry: Callable[[_T], Entry]) -> list[tuple[Heading, Entry]]:
    """An entry of each; lines that TrueUp takes over as they are come last, in one entry for each company."""
    found: list[tuple[Heading, Entry]] = []
    for heading, of_company in groupby(told, key=lambda each: Heading(each.company, each.name)):
        every = list(of_company)
        marks = [each for each in every if each.only_marks]
        found += [(heading, entry(each)) for each in every if len(marks) < 2 or not each.only_marks]
        if len(marks) > 1:
            found.append((heading, _taken_over(marks, entry)))
    return found


def _taken_over(marks: Sequence[_T], entry: Callable[[_T], Entry]) -> Entry:
    names = "; ".join(sorted(entry(each).text.partition(": ")[0] for each in marks))
    text = f"{len(marks)} lines are right; TrueUp takes care of them from now on: {names}."
    return Entry(text, notes=entry(marks[0]).notes)


def _open_sections(subscriber: Subscriber, told: Picture, since: datetime) -> Iterator[Section]:
    explained = {each.company for each in told.open if each.kind in _UNREAD or each.kind == FindingKind.CUSTOMER_GONE}
    failed = [each for each in told.failed if each.company not in explained]
    if subscriber.wants(Topic.FAILED) and failed:
        entries = [(Heading(each.company, each.name), _failure(each)) for each in failed]
        yield _section("Companies that failed", entries, "Nothing of theirs was changed.")
    waiting = {(each.company, each.item) for each in told.waits if subscriber.wants(Topic.WAITING)}
    rest = [
        each
        for each in told.open
        if each.kind not in _UNREAD | _UNBILLED | _CUSTOMERS
        and not (each.kind == FindingKind.HELD and (each.company, each.key) in waiting)
    ]
    yield from _findings("Customers that could not be read", subscriber, _of(told.open, _UNREAD), since)
    yield from _findings("Licences that nobody bills or uses", subscriber, _of(told.open, _UNBILLED), since)
    yield from _findings("New and vanished customers", subscriber, _of(told.open, _CUSTOMERS), since)
    yield from _findings("To know or decide", subscriber, rest, since)


def _findings(title: str, subscriber: Subscriber, found: Iterable[Open], since: datetime | None) -> Iterator[Section]:
    """`since` None: all of them are news."""
    ordered = sorted(found, key=lambda each: (each.name, each.company or 0, _heading(each), each.kind, each.key))
    if ordered:
        section = _section(title, [(_heading(each), _finding(subscriber, each, since)) for each in ordered])
        yield replace(section, new=sum(since is None or each.opened >= since for each in ordered))


def _heading(each: Open) -> Heading:
    return Heading(each.company, each.name) if each.company is not None else Heading(None, *place_of(each.kind))


def _leak(subscriber: Subscriber, told: Picture, month: date) -> Section:
    """What customers used and were not billed for, as far as it was found in the month or is known now.

    A daily digest is not sent for it alone: it would be the same one every day.
    """
    after = (month + timedelta(days=31)).replace(day=1)
    raised = [each.effect for each in told.done if month <= each.day < after and each.effect.monthly > 0]
    waiting = [effect for each in told.waits if _monthly(each.effects) > 0 for effect in each.effects]
    observed = [effect for each in told.observed for effect in each.raised]
    told_sums = [
        ("Raised, from then on", raised),
        ("Waits for a decision that would raise it", waiting),
        ("Would be raised at companies that are only observed", observed),
    ]
    amounts = [(text, _amount(subscriber, _without_once(effects))) for text, effects in told_sums]
    entries = tuple(Entry(text, amount) for text, amount in amounts if amount)
    whole = (OfCompany(Heading(), entries),) if entries else ()
    is_reason = subscriber.frequency is not Frequency.DAILY or set(subscriber.about) == {Topic.LEAK}
    total = _amount(subscriber, _without_once([*raised, *waiting, *observed])) if is_reason else ""
    summary = "" if entries else "None was found."
    return Section(f"Leak found in {month:%B %Y}", 0, summary, whole, amount=total)


def _section(title: str, entries: Sequence[tuple[Heading, Entry]], summary: str = "", page: str = "") -> Section:
    """`entries` are sorted by company."""
    shown = entries[:MOST_ENTRIES]
    companies = tuple(
        OfCompany(heading, _noted_once([entry for _, entry in of_company]))
        for heading, of_company in groupby(shown, key=lambda each: each[0])
    )
    return Section(title, len(entries), summary, companies, len(entries) - len(shown), page)


def _noted_once(entries: Sequence[Entry]) -> tuple[Entry, ...]:
    """What is to be said beside several entries in a row stands beside the last of them."""
    following = [*entries[1:], None]
    return tuple(
        replace(entry, notes=()) if after is not None and after.notes == entry.notes else entry
        for entry, after in zip(entries, following, strict=True)
    )


def _waiting(subscriber: Subscriber, since: datetime, each: Waits) -> Entry:
    held = [f"Held: {sentence_in(subscriber.language, each.held)}"] if each.held else []
    sentences = " ".join(sentence_in(subscriber.language, sentence) for sentence in each.sentences)
    waits = "New." if each.since >= since else f"Waits since {day_in(subscriber.language, each.since.date())}."
    return _with_amount(subscriber, sentences, each.effects, (*held, waits))


def _change(subscriber: Subscriber, each: Done) -> Entry:
    text = (f"On the invoice: {each.users_text}",) if subscriber.users and each.users_text else ()
    return _with_amount(subscriber, sentence_in(subscriber.language, each.sentence), [each.effect], text)


def _with_amount(subscriber: Subscriber, text: str, effects: Sequence[Effect], notes: tuple[str, ...]) -> Entry:
    """Sentences of the plan tell amounts without a currency."""
    bare = _amount(subscriber, [replace(effect, currency="") for effect in effects])
    return Entry(text, _amount(subscriber, effects), notes, says_amount=bare in text)


def _failure(each: Failed) -> Entry:
    return Entry(each.note or "Its last look failed.", notes=("Look at it again: sync the company.",))


def _finding(subscriber: Subscriber, each: Open, since: datetime | None) -> Entry:
    is_new = since is not None and each.opened >= since
    opened = "New" if is_new else f"Open since {day_in(subscriber.language, each.opened.date())}"
    text = sentence_in(subscriber.language, without_request(each.text))
    return Entry(text, notes=(each.remedy, f"{opened} ({each.kind})."))


def _amount(subscriber: Subscriber, effects: Iterable[Effect]) -> str:
    """The sums by currency: +50.00 USD an invoice, +12.50 USD once."""
    told = list(effects)
    parts: list[str] = []
    for currency in sorted({effect.currency for effect in told}):
        same = [effect for effect in told if effect.currency == currency]
        once = sum((effect.one_off for effect in same), Decimal(0))
        for amount, when in ((_monthly(same), "an invoice"), (once, "once")):
            parts += [f"{money_in(subscriber.language, amount, currency)} {when}"] if amount else []
    return ", ".join(parts)


def _without_once(effects: Iterable[Effect]) -> list[Effect]:
    return [replace(effect, one_off=Decimal(0)) for effect in effects]


def _monthly(effects: Iterable[Effect]) -> Decimal:
    return sum((effect.monthly for effect in effects), Decimal(0))


def _of(found: Iterable[Open], kinds: frozenset[str]) -> list[Open]:
    return [each for each in found if each.kind in kinds]
