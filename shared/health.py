"""Issues of a vendor's services, as it tells each customer of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class ServiceIssue:
    """An issue that is open at one customer. Times are UTC, None where the vendor tells none.

    `id` is the same at every customer that has it. Texts are the vendor's own, without markup and "" where it gives
    none; `news` is the latest of them. `advisory`: the service works, if not as it should.
    """

    id: str
    title: str
    service: str
    feature: str = ""
    feature_group: str = ""
    advisory: bool = False
    status: str = ""
    impact: str = ""
    began: datetime | None = None
    news: str = ""
    news_at: datetime | None = None
