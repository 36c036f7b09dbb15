"""The environment's proxies and certificates, for the storage account."""

from __future__ import annotations

from typing import Any

import pytest
import requests
from azure.core.exceptions import ServiceRequestError
from azure.core.rest import HttpRequest

from shared.state.azure_transport import AccountTransport

URL = "https://account.table.core.windows.net/Runs()"


def test_the_environments_proxy_and_certificates_are_taken_and_asked_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/certificates.pem")
    assert sent_by(monkeypatch, AccountTransport(), times=2) == [("http://proxy.example:3128", "/certificates.pem")] * 2


def test_an_account_that_needs_no_proxy_is_reached_without(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    monkeypatch.setenv("NO_PROXY", "core.windows.net")
    assert sent_by(monkeypatch, AccountTransport(), times=1) == [(None, True)]


def sent_by(monkeypatch: pytest.MonkeyPatch, transport: AccountTransport, *, times: int) -> list[tuple[Any, Any]]:
    """Proxy and certificates of each request; from the second on the environment says something else."""
    sent: list[tuple[Any, Any]] = []

    def send(_request: requests.PreparedRequest, **options: Any) -> requests.Response:
        sent.append((options["proxies"].get("https"), options["verify"]))
        raise requests.ConnectionError("there is no network here")

    transport.open()
    transport.session.send = send
    for _ in range(times):
        with pytest.raises(ServiceRequestError):
            transport.send(HttpRequest("GET", URL))
        monkeypatch.setenv("HTTPS_PROXY", "http://another.example:3128")
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/other.pem")
    return sent
