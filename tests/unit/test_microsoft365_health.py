"""Service health of one tenant: which issues are open, in Microsoft's words without its markup."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from shared.errors import Incomplete, NotPermitted
from shared.sources.microsoft365.health import open_issues
from tests.unit.fake_graph import GRAPH_URL, TENANT, FakeGraph, refusal, source

ROW = {
    "id": "EX226792",
    "title": "Some users can't send mail",
    "service": "Exchange Online",
    "feature": "E-Mail timely delivery",
    "featureGroup": "E-Mail and calendar access",
    "classification": "Incident",
    "status": "ServiceDegradation",
    "isResolved": False,
    "impactDescription": "Mail waits.",
    "startDateTime": "2026-11-20T22:24:42.3148266Z",
    "posts": [
        {
            "createdDateTime": "2026-11-21T03:00:00Z",
            "description": {
                "contentType": "html",
                "content": "<style>p{}</style><p>Current status: we&#39;re on it.</p><br/>Next update: <b>soon</b>",
            },
        },
        {"createdDateTime": "2026-11-21T02:00:00Z", "description": {"contentType": "text", "content": "Earlier"}},
    ],
}


def test_an_issue_tells_what_is_wrong_since_when_and_the_latest_news() -> None:
    (issue,) = open_issues([ROW])

    assert (issue.id, issue.title, issue.service) == ("EX226792", "Some users can't send mail", "Exchange Online")
    assert (issue.status, issue.impact, issue.advisory) == ("service degradation", "Mail waits.", False)
    assert issue.began == datetime(2026, 11, 20, 22, 24, 42, 314826, tzinfo=UTC)
    assert issue.news == "Current status: we're on it.\n\nNext update: soon"
    assert issue.news_at == datetime(2026, 11, 21, 3, tzinfo=UTC)


@pytest.mark.parametrize(
    ("changes", "is_open"),
    [
        ({"isResolved": True}, False),
        ({"isResolved": False, "status": "serviceRestored"}, True),
        ({"isResolved": None, "status": "ServiceRestored"}, False),
        ({"isResolved": None, "status": "falsePositive"}, False),
        ({"isResolved": None, "status": "extendedRecovery"}, True),
        ({"isResolved": None, "status": None}, True),
    ],
)
def test_what_is_resolved_is_not_told_whether_or_not_microsoft_filtered_it(
    changes: dict[str, Any], is_open: bool
) -> None:
    assert bool(open_issues([ROW | changes])) is is_open


@pytest.mark.parametrize("field", [name for name in ROW if name not in ("id", "isResolved")])
@pytest.mark.parametrize("value", [None, 7, [7], {"content": 7}])
def test_an_issue_with_less_than_usual_is_still_told(field: str, value: object) -> None:
    assert [issue.id for issue in open_issues([ROW | {field: value}])] == ["EX226792"]


def test_an_issue_without_an_id_is_no_reading_since_a_missing_one_would_look_resolved() -> None:
    with pytest.raises(Incomplete, match="service health"):
        open_issues([ROW, {**ROW, "id": ""}])


def test_every_page_of_a_tenants_issues_is_read() -> None:
    link = f"{GRAPH_URL}/admin/serviceAnnouncement/issues?$skip=1"
    graph = FakeGraph()
    graph.answers = [
        httpx.Response(200, json={"value": [ROW], "@odata.nextLink": link}),
        httpx.Response(200, json={"value": [ROW | {"id": "EX2"}]}),
    ]

    assert [issue.id for issue in source(graph).open_issues(TENANT)] == ["EX2", "EX226792"]
    assert graph.calls == ["GET /v1.0/admin/serviceAnnouncement/issues"] * 2


def test_a_tenant_that_has_not_granted_the_role_says_which_one_it_is() -> None:
    graph = FakeGraph(answers=[refusal(403, "Authorization_RequestDenied")])

    with pytest.raises(NotPermitted) as refused:
        source(graph).open_issues(TENANT)

    assert "ServiceHealth.Read.All" in refused.value.remedy
