"""Which tickets tell of open issues of services, and what they say. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from zoneinfo import ZoneInfo

from shared.billing.subscribers import ServiceHealth, Subscriber
from shared.health import ServiceIssue
from shared.notices.tickets import stamp_of, summary_of
from shared.state.tickets import TicketRow

RESOLVED = "Microsoft does not report this as open any more."
UNHEARD = "It is not known whether this is open: the customer is not linked any more, or could not be read for a week."
_MOST_NAMES = 300


@dataclass(frozen=True, slots=True)
class OpenIssues:
    """What is open now: the names of companies that have each issue, by its id and their number.

    `told` are the issues of which something was read now; of the others nothing new is known. `heard` are the companies
    of whom it is known what they have.
    """

    companies: Mapping[str, Mapping[int, str]]
    told: Mapping[str, ServiceIssue]
    heard: Collection[int]


def is_chosen(rule: ServiceHealth, issue: ServiceIssue) -> bool:
    """Whether the rule asks for tickets of such an issue."""
    wanted = {name.casefold() for name in rule.services}
    if issue.advisory and not rule.advisories:
        return False
    return not wanted.isdisjoint({issue.service.casefold(), issue.feature_group.casefold()})


def changed_tickets(
    rule: ServiceHealth, desk: Subscriber, rows: Mapping[str, TicketRow], issues: OpenIssues, zone: ZoneInfo
) -> list[TicketRow]:
    """The rows of tickets that are new or have to say something else, by what is open. `rows` are by their stamp.

    An issue that once had a ticket for all companies keeps it until nobody has it any more.
    """
    wanted: dict[str, TicketRow] = {}
    moved: dict[str, str] = {}
    for id_, companies in issues.companies.items():
        together = rows.get(_stamp(desk, None, id_))
        if len(companies) >= rule.together_from or (together is not None and together.open):
            wanted |= _by_stamp(_row(desk, rows, None, id_, issues, zone))
            moved |= {_stamp(desk, row.company, id_): _moved(id_) for row in rows.values()}
        else:
            for company in companies:
                wanted |= _by_stamp(_row(desk, rows, company, id_, issues, zone))
    ended = [
        replace(row, open=False, ending=moved.get(stamp) or _ending(row, issues))
        for stamp, row in rows.items()
        if row.open and stamp not in wanted
    ]
    return [row for stamp, row in sorted(wanted.items()) if row != rows.get(stamp)] + ended


def _ending(row: TicketRow, issues: OpenIssues) -> str:
    return RESOLVED if row.company is None or row.company in issues.heard else UNHEARD


def _row(
    desk: Subscriber,
    rows: Mapping[str, TicketRow],
    company: int | None,
    id_: str,
    issues: OpenIssues,
    zone: ZoneInfo,
) -> TicketRow | None:
    """A ticket as it should stand, None for one of which too little is known to open it."""
    stamp = _stamp(desk, company, id_)
    known, issue = rows.get(stamp), issues.told.get(id_)
    if issue is None:
        return known if known is None else replace(known, open=True)
    companies = issues.companies[id_]
    whose = companies[company] if company is not None else "several customers"
    text = text_of(issue, sorted(companies.values()) if company is None else [], zone)
    summary = summary_of(f"{issue.id} {issue.service}, {whose}: {issue.title}")
    if known is None:
        return TicketRow(desk.id, stamp, company, summary, text, ending=RESOLVED)
    return replace(known, summary=summary, text=text, open=True, ending=RESOLVED)


def text_of(issue: ServiceIssue, companies: list[str], zone: ZoneInfo) -> str:
    """What the ticket of an issue says; `companies` are named where it is one ticket for all of them."""
    return "\n\n".join(part for part in _parts(issue, companies, zone) if part)


def _parts(issue: ServiceIssue, companies: list[str], zone: ZoneInfo) -> Iterator[str]:
    kind = "Advisory" if issue.advisory else "Incident"
    where = ", ".join(dict.fromkeys(part for part in (issue.service, issue.feature_group, issue.feature) if part))
    yield f"{issue.title}\n{kind} {issue.id} of Microsoft 365: {where}"
    since = f"Open since {_at(issue.began, zone)}" if issue.began is not None else "Open"
    yield f"{since}{f', {issue.status}' if issue.status else ''}."
    yield f"Impact: {issue.impact}" if issue.impact else ""
    yield f"Microsoft on {_at(issue.news_at, zone)}:\n{issue.news}" if issue.news_at is not None else ""
    if companies:
        more = f" and {len(companies) - _MOST_NAMES} more" if len(companies) > _MOST_NAMES else ""
        yield f"Customers that have it ({len(companies)}): {', '.join(companies[:_MOST_NAMES])}{more}."
    yield "Nothing to do in TrueUp; this ticket is closed once Microsoft does not report the issue as open any more."


def _at(moment: datetime, zone: ZoneInfo) -> str:
    local = moment.astimezone(zone)
    return f"{local.day} {local:%b %Y, %H:%M} ({zone.key})"


def _moved(id_: str) -> str:
    return f"Several customers have {id_} by now: one ticket of our own company follows it for all of them."


def _stamp(desk: Subscriber, company: int | None, id_: str) -> str:
    return stamp_of(desk, company, "service-issue", id_)


def _by_stamp(row: TicketRow | None) -> dict[str, TicketRow]:
    return {} if row is None else {row.stamp: row}
