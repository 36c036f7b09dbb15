"""The two sides that the demo works from: TrueUp's own API, and the sandbox's controls."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import requests

from shared.errors import Gone, Incomplete

Json = dict[str, Any]

#: Seconds that one answer may take: a sync of one company is among them.
_PATIENCE = 240


class _Site:
    """A base URL with what every request to it carries."""

    def __init__(self, name: str, url: str, headers: dict[str, str]) -> None:
        self.url = url
        self._name = name
        self._session = requests.Session()
        # Both are on this machine: a proxy of the surroundings must not get in between.
        self._session.trust_env = False
        self._session.headers.update(headers)

    def _ask(
        self, method: str, path: str, body: Json | list[Json] | None = None, headers: dict[str, str] | None = None
    ) -> Any:
        """The JSON that is answered, None without any. Raises `Gone` for 404 and `Incomplete` for other failures."""
        try:
            answer = self._session.request(method, f"{self.url}{path}", json=body, headers=headers, timeout=_PATIENCE)
        except requests.RequestException as error:
            raise Incomplete(f"{method} {path} was not answered: {error}", system=self._name) from error
        if answer.status_code == 404:
            raise Gone(f"{method} {path}: not found", system=self._name, status=404)
        if not answer.ok:
            said = f"{method} {path} was answered {answer.status_code}: {answer.text[:300]}"
            raise Incomplete(said, system=self._name, status=answer.status_code)
        return answer.json() if answer.content else None


class Host(_Site):
    """The functions host: TrueUp's API, and the platform's way of firing a timer by hand."""

    def __init__(self, url: str, key: str) -> None:
        super().__init__("functions host", url, {"x-functions-key": key})

    def fire(self, timer: str) -> None:
        self._ask("POST", f"/admin/functions/{timer}", {})

    def run(self, run: str) -> Json | None:
        """The run with its rows; None before it exists."""
        try:
            found: Json = self._ask("GET", f"/api/runs/{run}")
        except Gone:
            return None
        return found

    def company(self, company: int) -> Json:
        found: Json = self._ask("GET", f"/api/companies/{company}")
        return found

    def status(self) -> Json:
        found: Json = self._ask("GET", "/api/status")
        return found

    def sync(self, company: int) -> Json:
        """Syncs one company at once and answers its outcome."""
        found: Json = self._ask("POST", "/api/sync", {"companies": [company]})
        return found

    def approve(self, company: int, group: str) -> Json:
        """Approves one group, as the person whom the settings make up; the outcome."""
        found: Json = self._ask("POST", "/console/api/approve", {"company": company, "groups": [group]})
        return found

    def history(self, company: int) -> list[Json]:
        """The newest of what was done to a company and decided about it."""
        found: list[Json] = self._ask("GET", f"/console/api/companies/{company}/history")["entries"]
        return found

    def push(self, source: str, customer: str, key: str, counts: Json) -> None:
        """Pushes the counts of one customer, as whoever has the key of the source."""
        self._ask("PUT", f"/api/counts/{source}/{customer}", counts, {"X-TrueUp-Key": key})

    def sync_all(self) -> str:
        """Starts a run over every company and answers its id."""
        return str(self._ask("POST", "/api/sync", {"companies": "all"})["run"])


class Sandbox(_Site):
    """The sandbox's controls."""

    def __init__(self, url: str) -> None:
        super().__init__("sandbox", url, {})

    def set_clock(self, moment: datetime) -> None:
        self._ask("PUT", "/_sandbox/clock", {"now": moment.isoformat()})

    def forget_calls(self) -> None:
        self._ask("DELETE", "/_sandbox/calls")

    def set_faults(self, faults: Sequence[Json]) -> None:
        """These faults and no others."""
        self._ask("PUT", "/_sandbox/faults", list(faults))

    def calls(self) -> Json:
        found: Json = self._ask("GET", "/_sandbox/calls")
        return found

    def additions(self) -> dict[int, Json]:
        """Every addition of every agreement by its id."""
        return {addition["id"]: addition for addition in self._ask("GET", "/_sandbox/additions")["additions"]}

    def run_invoices(self, through: str) -> int:
        """Bills what is due up to that day; answers how many invoices that made."""
        return len(self._ask("POST", "/_sandbox/invoices", {"through": through})["invoices"])

    def set_counts(self, vendor: str, body: Json) -> None:
        """What a customer of Huntress or Cove has from now on."""
        self._ask("PUT", f"/_sandbox/{vendor}", body)

    def set_seats(self, tenant: str, sku: str, *, enabled: int, consumed: int) -> None:
        self._ask("PUT", "/_sandbox/seats", {"tenant": tenant, "sku": sku, "enabled": enabled, "consumed": consumed})
