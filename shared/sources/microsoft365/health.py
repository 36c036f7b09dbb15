"""From Graph's service health issues to issues that are open. Pure; what no sentence depends on may be missing."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from html.parser import HTMLParser

from shared.health import ServiceIssue
from shared.sources.microsoft365.parse import Row, broken
from shared.sources.microsoft365.parts import ISSUES

#: What an administrator of the customer grants for it.
ROLES = "ServiceHealth.Read.All"
#: Statuses of issues that are over, for rows that do not say whether they are resolved. In lower case: Microsoft writes
#: them with and without a capital.
_OVER = frozenset(
    {
        "serviceoperational",
        "servicerestored",
        "postincidentreviewpublished",
        "falsepositive",
        "resolved",
        "resolvedexternal",
        "mitigated",
        "mitigatedexternal",
    }
)
_LONGEST_TEXT = 4_000


def open_issues(rows: Iterable[Row]) -> list[ServiceIssue]:
    """The issues that are open, by id. Raises `Incomplete` for one without an id: a missing issue is a resolved one."""
    found = {issue.id: issue for row in rows if (issue := _issue(row)) is not None}
    return [found[id_] for id_ in sorted(found)]


def _issue(row: Row) -> ServiceIssue | None:
    id_ = _text(row.get("id"))
    if not id_:
        raise broken(ISSUES.what, "an issue has no id")
    status = _text(row.get("status"))
    resolved = row.get("isResolved")
    if resolved if isinstance(resolved, bool) else status.casefold() in _OVER:
        return None
    news, news_at = _news(row.get("posts"))
    return ServiceIssue(
        id=id_,
        title=_text(row.get("title")) or id_,
        service=_text(row.get("service")),
        feature=_text(row.get("feature")),
        feature_group=_text(row.get("featureGroup")),
        advisory=_text(row.get("classification")).casefold() == "advisory",
        status=_in_words(status),
        impact=_text(row.get("impactDescription")),
        began=_moment(row.get("startDateTime")),
        news=news,
        news_at=news_at,
    )


def _news(posts: object) -> tuple[str, datetime | None]:
    """The latest post that says something, and when it was made."""
    rows = [post for post in posts if isinstance(post, dict)] if isinstance(posts, list) else []
    told = [(_moment(post.get("createdDateTime")), _content(post.get("description"))) for post in rows]
    dated = [(at, text) for at, text in told if at is not None and text]
    if not dated:
        return "", None
    at, text = max(dated)
    return text, at


def _content(description: object) -> str:
    if not isinstance(description, dict):
        return ""
    content = description.get("content")
    if not isinstance(content, str):
        return ""
    return _tidy(content if _text(description.get("contentType")).casefold() == "text" else _without_markup(content))


def _without_markup(html: str) -> str:
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return "".join(reader.parts)


class _Reader(HTMLParser):
    """Collects text; what ends a line in a browser ends one here."""

    _BREAKS = frozenset({"br", "p", "div", "li", "tr", "h1", "h2", "h3", "ul", "ol"})
    _UNSEEN = frozenset({"style", "script"})

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, _: object) -> None:
        self._hidden += tag in self._UNSEEN
        if tag in self._BREAKS:
            self.parts.append("\n")

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in self._UNSEEN and self._hidden > 0
        if tag in self._BREAKS:
            self.parts.append("\n")

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.parts.append(data)


def _tidy(text: str) -> str:
    lines = [" ".join(line.split()) for line in text.splitlines()]
    whole = re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()
    return whole if len(whole) <= _LONGEST_TEXT else f"{whole[: _LONGEST_TEXT - 1].rstrip()}…"


def _text(value: object) -> str:
    return _tidy(value) if isinstance(value, str) else ""


def _in_words(status: str) -> str:
    """serviceDegradation, ServiceDegradation: service degradation."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", status).lower()


def _moment(value: object) -> datetime | None:
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    return moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)
