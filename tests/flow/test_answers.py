"""What the API answers to what it cannot do, and what the queue says when the store does not answer."""

from __future__ import annotations

import json
from collections.abc import Callable

import azure.functions as func
import pytest
from azure.core.exceptions import AzureError, ClientAuthenticationError, HttpResponseError, ServiceRequestError

from functions import api, records
from shared.billing.rules import Mode
from shared.errors import NotPermitted, Retryable, TrueUpError
from shared.queues import StorageQueue, SyncMessage
from shared.state.tables import StorageConnection
from shared.sync import views
from shared.sync.lanes import start_run
from tests import builders as b
from tests.fakes.house import House

MESSAGE = SyncMessage("run", 250, "claim", None, 1)


@pytest.fixture
def house(monkeypatch: pytest.MonkeyPatch) -> House:
    house = House()
    house.rules(b.rules())
    house.company(1, [b.count(5)])
    for functions in (api, records):
        monkeypatch.setattr(functions, "ports", lambda: house.ports)
    return house


def handlers() -> dict[str, Callable[[func.HttpRequest], func.HttpResponse]]:
    """What the platform calls, by function name. An app of its own: one can be indexed only once."""
    app = func.FunctionApp()
    app.register_functions(api.blueprint)
    app.register_functions(records.blueprint)
    return {item.get_function_name(): item.get_user_function() for item in app.get_functions()}


def asked(function: str, id_: str) -> func.HttpResponse:
    return handlers()[function](func.HttpRequest("GET", "/api", params={}, route_params={"id": id_}, body=b""))


def company(text: str) -> func.HttpResponse:
    return asked("company", text)


def sync(body: str) -> func.HttpResponse:
    return handlers()["sync"](func.HttpRequest("POST", "/api/sync", body=body.encode()))


def test_a_sync_that_is_too_large_is_refused_before_it_is_read(house: House) -> None:
    answered = sync('{"companies": [1]}' + " " * api.LARGEST)

    assert answered.status_code == 413
    assert house.manage.calls.total() == 0
    assert sync('{"companies": [1]}').status_code == 200


@pytest.mark.parametrize(
    ("text", "status"),
    [("1", 200), ("2", 404), ("9999999999", 404), ("10000000000", 404), ("9" * 5000, 404), ("-1", 404), ("x", 404)],
)
def test_a_company_that_cannot_be_is_not_found(house: House, text: str, status: int) -> None:
    answered = company(text)

    assert answered.status_code == status
    assert len(answered.get_body()) < 1000


def test_no_machine_is_told_the_users_whom_a_text_on_the_invoice_names(house: House) -> None:
    house.rules(b.rules(b.profile(invoice_text="{quantity} {product}:\n{users}")))
    house.company(1, [b.count(5, holders=["Robin Vale"])], mode=Mode.APPROVE)
    house.company(2, [b.count(5, holders=["Robin Vale"])])
    start_run(house.ports, "run", "nightly", [1, 2])
    house.work_until_done("run")
    assert "Robin Vale" in str(house.state(1).plan)
    assert "Robin Vale" in str(house.manage.said())

    routes = [("company", "1"), ("run", "run"), ("company_history", "2"), ("company_history_table", "2")]
    told = [asked(*route) for route in routes] + [sync('{"companies": [1]}')]
    assert [answered.status_code for answered in told] == [200] * 5
    assert [answered for answered in told if b"Robin" in answered.get_body()] == []
    (change,) = json.loads(told[0].get_body())["plan"]["groups"][0]["changes"]
    assert (change["text_changes"], change["after"]["quantity"]) == (True, 5.0)
    assert "Robin Vale" in str(views.company(house.ports, 1, texts=True))


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
