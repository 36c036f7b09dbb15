"""What the API answers to what it cannot do, and what the queue says when the store does not answer."""

from __future__ import annotations

import json
from collections.abc import Callable

import azure.functions as func
import pytest
from azure.core.exceptions import AzureError, ClientAuthenticationError, HttpResponseError, ServiceRequestError

from functions import api
from shared.errors import NotPermitted, Retryable, TrueUpError
from shared.queues import StorageQueue, SyncMessage
from shared.state.tables import StorageConnection
from tests import builders as b
from tests.fakes.house import House

MESSAGE = SyncMessage("run", 250, "claim", None, 1)


@pytest.fixture
def house(monkeypatch: pytest.MonkeyPatch) -> House:
    house = House()
    house.rules(b.rules())
    house.company(1, [b.count(5)])
    monkeypatch.setattr(api, "ports", lambda: house.ports)
    return house


def handlers() -> dict[str, Callable[[func.HttpRequest], func.HttpResponse]]:
    """What the platform calls, by function name. An app of its own: one can be indexed only once."""
    app = func.FunctionApp()
    app.register_functions(api.blueprint)
    return {item.get_function_name(): item.get_user_function() for item in app.get_functions()}


def company(text: str) -> func.HttpResponse:
    return handlers()["company"](func.HttpRequest("GET", "/api/companies", route_params={"id": text}, body=b""))


def sync(body: str) -> func.HttpResponse:
    return handlers()["sync"](func.HttpRequest("POST", "/api/sync", body=body.encode()))


@pytest.mark.parametrize(
    ("text", "status"),
    [("1", 200), ("2", 404), ("9999999999", 404), ("10000000000", 404), ("9" * 5000, 404), ("-1", 404), ("x", 404)],
)
def test_a_company_that_cannot_be_is_not_found(house: House, text: str, status: int) -> None:
    answered = company(text)

    assert answered.status_code == status
    assert len(answered.get_body()) < 1000


@pytest.mark.parametrize("number", ["10000000000", "9" * 5000])
def test_a_sync_of_a_company_that_cannot_be_is_refused(house: House, number: str) -> None:
    assert sync(f'{{"companies": [{number}]}}').status_code == 400


def test_a_lease_lost_to_another_worker_is_not_the_callers_fault(house: House) -> None:
    real = house.manage.additions

    def frozen(agreement: int):
        house.manage.additions = real  # type: ignore[method-assign]
        house.clock.pass_by(seconds=house.ports.limits.lease + 1)
        house.sync(1, run="other")
        return real(agreement)

    house.manage.additions = frozen  # type: ignore[method-assign]
    answered = sync('{"companies": [1]}')

    assert answered.status_code == 409
    assert "somebody else took it" in json.loads(answered.get_body())["error"]


class DeafService:
    """A queue service that answers everything with one error."""

    def __init__(self, error: AzureError) -> None:
        self.error = error

    def get_queue_client(self, name: str) -> DeafService:
        return self

    def create_queue(self) -> None:
        raise self.error

    def send_message(self, content: str, **options: object) -> None:
        raise self.error


@pytest.mark.parametrize(
    ("error", "ours"),
    [
        (ServiceRequestError("connection refused"), Retryable),
        (HttpResponseError("server busy"), Retryable),
        (ClientAuthenticationError("no"), NotPermitted),
    ],
)
def test_a_queue_that_does_not_take_a_message_says_so_in_our_words(error: AzureError, ours: type[TrueUpError]) -> None:
    queue = StorageQueue(StorageConnection("UseDevelopmentStorage=true"))
    queue._service = DeafService(error)  # type: ignore[assignment]

    with pytest.raises(ours, match="queue sync: the storage account"):
        queue.send(MESSAGE)
    with pytest.raises(ours, match="queue sync-poison: the storage account"):
        queue.send_poison("text")
