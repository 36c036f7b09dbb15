"""One call to Manage's API, before it has an address."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote, urlencode


@dataclass(frozen=True)
class Call:
    """`route` is a template (`/finance/agreements/{agreement}/additions`) whose names stand in `ids`; `body` is JSON.

    Only method and route are ever logged: parameters and body may hold what customers call their things.
    """

    method: str
    route: str
    ids: Mapping[str, int] = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: Any = field(default=None, repr=False)

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def path(self) -> str:
        return self.route.format_map(self.ids)

    def with_params(self, **params: str) -> Call:
        return replace(self, params={**self.params, **params})

    def url(self, base: str) -> str:
        """The whole address; everything but letters, digits and `_.-~` in the query is percent-encoded."""
        query = urlencode(self.params, quote_via=quote, safe="")
        return f"{base}{self.path}?{query}" if query else f"{base}{self.path}"
