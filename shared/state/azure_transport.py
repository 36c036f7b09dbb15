"""How the storage SDK reaches the account. Importing it loads the SDK's libraries, so whoever makes a client does that.

At every call `requests` asks the environment anew for proxies, certificates and a .netrc file: a tenth of what a call
costs. All calls of a client go to one account, so that it is asked once.
"""

from __future__ import annotations

import threading
from typing import Any

from azure.core.pipeline.transport import RequestsTransport


class AccountTransport(RequestsTransport):  # type: ignore[misc]  # of the SDK, which does not tell its type
    """Reaches one account; what the environment says is looked up at the first call. Takes the options of the SDK's."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._lock = threading.Lock()
        self._found: dict[str, Any] | None = None

    def send(self, request: Any, *, proxies: Any = None, **options: Any) -> Any:
        found = self._looked_up(request.url)
        return super().send(
            request, **{"proxies": proxies or found["proxies"], "connection_verify": found["verify"], **options}
        )

    def _looked_up(self, url: str) -> dict[str, Any]:
        with self._lock:
            if self._found is None:
                self.open()
                verify = self.connection_config.verify
                self._found = self.session.merge_environment_settings(url, {}, None, verify, None)
                self.session.trust_env = False
            return self._found
