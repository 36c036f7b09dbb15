"""Service health: the issues that Microsoft tells each tenant of, and the control that makes them."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from local.sandbox.world import Msp, Tenant
from shared.errors import Gone

OPEN_ONLY = "isResolved eq false"


class Post(BaseModel):
    """What Microsoft says of an issue at one moment, in HTML."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    at: datetime
    content: str


class Issue(BaseModel):
    """One issue. `tenants` (ids or domains) have it; left out, every tenant has."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    title: str
    service: str = "Exchange Online"
    feature: str = "E-Mail timely delivery"
    feature_group: str = "E-Mail and calendar access"
    classification: Literal["incident", "advisory"] = "incident"
    status: str = "ServiceDegradation"
    impact: str = "Some users' messages are delayed."
    start: datetime = datetime(2026, 11, 21, tzinfo=UTC)
    posts: tuple[Post, ...] = ()
    resolved: bool = False
    tenants: tuple[str, ...] | None = None


class Health(BaseModel):
    """Every issue there is, and the tenants in which the app may not ask for them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    issues: tuple[Issue, ...] = ()
    refused: tuple[str, ...] = ()


class HealthBook:
    """The issues of every tenant, nothing at first."""

    def __init__(self, msp: Msp) -> None:
        self._msp = msp
        self._issues: list[tuple[Issue, Collection[str] | None]] = []
        self._refused: Collection[str] = ()

    def set(self, health: Health) -> dict[str, int]:
        """Replaces everything. Raises `Gone` for a tenant that there is none of."""
        refused = self._ids(health.refused)
        issues = [(each, None if each.tenants is None else self._ids(each.tenants)) for each in health.issues]
        self._issues, self._refused = issues, refused
        return {"issues": len(issues), "refused": len(refused)}

    def is_refused(self, tenant: Tenant) -> bool:
        return tenant.id in self._refused

    def rows(self, tenant: Tenant, *, open_only: bool) -> list[dict[str, Any]]:
        """serviceHealthIssue rows of a tenant, the newest first."""
        told = [each for each, of in self._issues if of is None or tenant.id in of]
        shown = [each for each in told if not (open_only and each.resolved)]
        return [_row(each) for each in sorted(shown, key=lambda each: each.start, reverse=True)]

    def _ids(self, names: tuple[str, ...]) -> set[str]:
        found = {name: self._msp.tenant_named(name) for name in names}
        for name, tenant in found.items():
            if tenant is None:
                raise Gone(f"there is no tenant {name!r}", system="sandbox", remedy="GET /_sandbox/msp lists them.")
        return {tenant.id for tenant in found.values() if tenant is not None}


def _row(issue: Issue) -> dict[str, Any]:
    changed = max([issue.start, *(post.at for post in issue.posts)])
    return {
        "startDateTime": _moment(issue.start),
        "endDateTime": _moment(changed) if issue.resolved else None,
        "lastModifiedDateTime": _moment(changed),
        "title": issue.title,
        "id": issue.id,
        "impactDescription": issue.impact,
        "classification": issue.classification,
        "origin": "microsoft",
        "status": "ServiceRestored" if issue.resolved else issue.status,
        "service": issue.service,
        "feature": issue.feature,
        "featureGroup": issue.feature_group,
        "isResolved": issue.resolved,
        "highImpact": None,
        "details": [],
        "posts": [
            {
                "createdDateTime": _moment(post.at),
                "postType": "regular",
                "description": {"contentType": "html", "content": post.content},
            }
            for post in issue.posts
        ],
    }


def _moment(moment: datetime) -> str:
    """With Microsoft's seven digits, of which Python's own reader takes six."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f") + "0Z"
