"""The local functions host, run as its own process over a sample app and the storage emulator."""

from __future__ import annotations

import base64
import json
import socket
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from azure.storage.queue import QueueClient, QueueServiceClient

from local.azurite import Azurite
from local.host.process import HostProcess
from shared.errors import Refused
from tests.integration.waiting import eventually

SAMPLE = Path(__file__).parent / "apps" / "sample"
SECOND = 15  # a bound in seconds for one answer, not a measurement


class Sample:
    """The sample app's world: its queue in the emulator, its notes, and hosts that run it."""

    def __init__(self, azurite: Azurite, directory: Path) -> None:
        self.queue_name = f"work-{uuid.uuid4().hex[:12]}"
        self.environment = {
            "AzureWebJobsStorage": azurite.connection_string,
            "SAMPLE_QUEUE": self.queue_name,
            "SAMPLE_SCHEDULE": "0 0 3 * * *",
            "SAMPLE_NOTES": str(directory / "notes"),
        }
        self._directory = directory
        self._hosts: list[HostProcess] = []
        self._queues = {
            name: QueueClient.from_connection_string(azurite.connection_string, name)
            for name in (self.queue_name, f"{self.queue_name}-poison")
        }
        self.queue.create_queue()

    @property
    def queue(self) -> QueueClient:
        return self._queues[self.queue_name]

    def host(self, *options: str, **environment: str) -> HostProcess:
        log = self._directory / f"host-{len(self._hosts)}.log"
        host = HostProcess(SAMPLE, {**self.environment, **environment}, log=log, options=options)
        self._hosts.append(host)
        return host

    def send(self, *messages: dict[str, Any]) -> None:
        for message in messages:
            self.queue.send_message(base64.b64encode(json.dumps(message).encode()).decode())

    def notes(self, word: str) -> list[list[Any]]:
        """What the handlers noted under a word: the process id, then what they noted."""
        path = Path(self.environment["SAMPLE_NOTES"])
        lines = path.read_text().splitlines() if path.exists() else []
        return [[note[0], *note[2:]] for note in map(json.loads, lines) if note[1] == word]

    def poisoned(self) -> list[str]:
        poison = self._queues[f"{self.queue_name}-poison"]
        names = {item.name for item in self.list_queues()}
        return [item.content for item in poison.peek_messages(32)] if poison.queue_name in names else []

    def waiting(self) -> int:
        return int(self.queue.get_queue_properties().approximate_message_count or 0)

    def list_queues(self) -> list[Any]:
        connection = self.environment["AzureWebJobsStorage"]
        with QueueServiceClient.from_connection_string(connection) as service:
            return list(service.list_queues(name_starts_with=self.queue_name))

    def close(self) -> None:
        for host in self._hosts:
            if host.exit_code is None:
                host.kill()
        for queue in self._queues.values():
            queue.close()


@pytest.fixture
def sample(azurite: Azurite, tmp_path: Path) -> Iterator[Sample]:
    world = Sample(azurite, tmp_path)
    yield world
    world.close()


@pytest.fixture(scope="module")
def url(azurite: Azurite, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A host for the tests that only ask over HTTP; keys are not enforced."""
    world = Sample(azurite, tmp_path_factory.mktemp("http"))
    yield world.host("--no-timers").url
    world.close()


def get(url: str, **headers: str) -> requests.Response:
    return requests.get(url, headers=headers, timeout=SECOND)


# HTTP


def test_routes_are_tried_in_the_order_of_the_function_names(url: str) -> None:
    assert get(f"{url}/api/order/first").text == "a_first"
    assert get(f"{url}/api/order/second").text == "b_catch_all second"
    assert get(f"{url}/api/order/any/where%20else").text == "b_catch_all any/where else"
    assert get(f"{url}/api/order").text == "b_catch_all None"


def test_a_handler_sees_the_whole_request_and_answers_with_status_and_headers(url: str) -> None:
    answer = requests.post(f"{url}/API/Echo/42/end?a=1&a=2", data="body", headers={"x-sample": "yes"}, timeout=SECOND)
    assert (answer.status_code, answer.headers["X-Made"]) == (201, "here")
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json() == {
        "method": "POST",
        "route": {"number": "42", "tail": "end"},
        "query": {"a": "1,2"},
        "header": "yes",
        "body": "body",
        "function": "echo",
        "invoked": True,
    }


def test_an_optional_parameter_may_be_left_out(url: str) -> None:
    assert requests.post(f"{url}/api/echo/1", timeout=SECOND).json()["route"] == {"number": "1"}


def test_a_path_that_no_route_fits_is_not_found(url: str) -> None:
    assert get(f"{url}/api/nowhere").status_code == 404
    assert get(f"{url}/order/first").status_code == 404
    assert requests.post(f"{url}/api/echo/four", timeout=SECOND).status_code == 404
    assert get(f"{url}/api/by-guid/not-a-guid").status_code == 404


def test_a_guid_parameter_is_handed_over_as_it_was_sent(url: str) -> None:
    value = "6f9619ff-8b86-d011-b42d-00cf4fc964ff"
    assert get(f"{url}/api/by-guid/{value}").text == value


def test_a_method_that_the_route_does_not_take_is_not_allowed(url: str) -> None:
    assert get(f"{url}/api/echo/1").status_code == 405


def test_a_handler_that_raises_answers_500_without_a_word(url: str) -> None:
    answer = get(f"{url}/api/crash")
    assert (answer.status_code, answer.content) == (500, b"")


def test_a_handler_that_returns_nothing_answers_204(url: str) -> None:
    assert get(f"{url}/api/nothing").status_code == 204


def test_every_cookie_arrives(url: str) -> None:
    cookies = get(f"{url}/api/cookies").raw.headers.getlist("Set-Cookie")
    assert cookies == ["one=1; Path=/", "two=2; HttpOnly"]


def test_an_asgi_app_behind_a_function_sees_the_path_and_the_body(url: str) -> None:
    assert get(f"{url}/api/web/deep/page?q=1").text == "GET /api/web/deep/page?q=1 0"
    assert requests.post(f"{url}/api/web", data="four", timeout=SECOND).text == "POST /api/web? 4"


def test_without_auth_no_key_is_asked_for(url: str) -> None:
    assert get(f"{url}/api/master-only").text == "unlocked"


def test_with_auth_every_level_asks_for_its_key(sample: Sample) -> None:
    url = sample.host("--auth", "--no-timers", HOST_MASTER_KEY="the-master", HOST_DEFAULT_KEY="the-default").url
    assert get(f"{url}/api/order/first").status_code == 200
    assert get(f"{url}/api/locked").status_code == 401
    assert get(f"{url}/api/locked", **{"x-functions-key": "wrong"}).status_code == 401
    assert get(f"{url}/api/locked", **{"x-functions-key": "the-default"}).status_code == 200
    assert get(f"{url}/api/locked?code=the-master").status_code == 200
    assert get(f"{url}/api/master-only?code=the-default").status_code == 401
    assert get(f"{url}/api/master-only?code=the-master").status_code == 200
    assert get(f"{url}/admin/host/status").status_code == 401
    assert requests.post(f"{url}/admin/functions/tick?code=the-default", timeout=SECOND).status_code == 401
    assert requests.post(f"{url}/admin/functions/tick?code=the-master", timeout=SECOND).status_code == 202


# Admin routes and timers


def test_a_timer_runs_by_hand_where_timers_are_off(sample: Sample) -> None:
    host = sample.host("--no-timers", SAMPLE_SCHEDULE="* * * * * *")
    answer = requests.post(f"{host.url}/admin/functions/tick", json={"input": ""}, timeout=SECOND)
    assert answer.status_code == 202
    assert eventually(lambda: sample.notes("tick")) == [[host.pid, False]]


def test_a_queue_function_runs_by_hand_on_the_given_text(sample: Sample) -> None:
    host = sample.host("--no-timers")
    message = json.dumps({"id": "by hand", "do": "succeed"})
    requests.post(f"{host.url}/admin/functions/Work", json={"input": message}, timeout=SECOND)
    assert eventually(lambda: sample.notes("done")) == [[host.pid, "by hand", 1]]


def test_the_host_keeps_admin_and_runtime_for_itself(url: str) -> None:
    assert get(f"{url}/admin/host/status").json() == {"state": "Running"}
    assert get(f"{url}/admin/anything").status_code == 404
    assert get(f"{url}/runtime/webhooks").status_code == 404
    assert requests.post(f"{url}/admin/functions/nobody", json={}, timeout=SECOND).status_code == 404
    assert requests.post(f"{url}/admin/functions/tick", data="no json", timeout=SECOND).status_code == 400


def test_a_timer_fires_on_its_schedule(sample: Sample) -> None:
    host = sample.host(SAMPLE_SCHEDULE="* * * * * *")
    assert eventually(lambda: len(sample.notes("tick")) >= 2)
    host.terminate()


# Queues


def test_messages_of_an_output_binding_reach_the_queue_function_and_are_deleted(sample: Sample) -> None:
    host = sample.host("--no-timers")
    messages = [{"id": number, "do": "succeed"} for number in range(3)]
    assert requests.post(f"{host.url}/api/enqueue", json=messages, timeout=SECOND).status_code == 202
    eventually(lambda: sample.waiting() == 0 and len(sample.notes("done")) == 3)
    assert sorted(note[1] for note in sample.notes("done")) == [0, 1, 2]


def test_a_message_whose_handler_failed_once_is_delivered_again(sample: Sample) -> None:
    sample.host("--no-timers")
    sample.send({"id": 1, "do": "fail once"})
    eventually(lambda: sample.waiting() == 0)
    assert [note[1:] for note in sample.notes("done")] == [[1, 2]]
    assert sample.poisoned() == []


def test_a_message_that_always_fails_is_poisoned_after_the_last_delivery(sample: Sample) -> None:
    sample.host("--no-timers")
    sample.send({"id": 1, "do": "fail"})
    [content] = eventually(sample.poisoned)
    assert json.loads(base64.b64decode(content)) == {"id": 1, "do": "fail"}
    assert [note[2] for note in sample.notes("work")] == [1, 2, 3]
    eventually(lambda: sample.waiting() == 0)


def test_a_message_that_cannot_be_decoded_is_poisoned_before_any_handler_sees_it(sample: Sample) -> None:
    sample.host("--no-timers")
    sample.queue.send_message("this is no base64!")
    assert eventually(sample.poisoned) == ["this is no base64!"]
    assert sample.notes("work") == []


def test_the_platforms_settings_override_host_json(sample: Sample) -> None:
    sample.host("--no-timers", AzureFunctionsJobHost__extensions__queues__MAXDEQUEUECOUNT="1")
    sample.send({"id": 1, "do": "fail"})
    eventually(sample.poisoned)
    assert [note[2] for note in sample.notes("work")] == [1]


def test_a_host_killed_in_mid_message_loses_nothing(sample: Sample) -> None:
    first = sample.host("--no-timers", "--redelivery", "2")
    sample.send({"id": 7, "do": "hang"})
    eventually(lambda: sample.notes("work"))
    first.kill()
    second = sample.host("--no-timers", "--redelivery", "2")
    assert eventually(lambda: sample.notes("done")) == [[second.pid, 7, 2]]
    eventually(lambda: sample.waiting() == 0)


def test_a_message_stays_hidden_as_long_as_its_handler_runs(sample: Sample) -> None:
    sample.host("--no-timers", "--redelivery", "1")
    sample.send({"id": 1, "do": "hang"})
    eventually(lambda: sample.notes("work"))
    sample.host("--redelivery", "1", SAMPLE_SCHEDULE="* * * * * *")
    eventually(lambda: len(sample.notes("tick")) >= 4)  # three seconds and more, on the second host's own clock
    assert [note[1:] for note in sample.notes("work")] == [[1, 1]]


def test_two_hosts_share_a_queue_without_doing_anything_twice(sample: Sample) -> None:
    one_at_a_time = {"AzureFunctionsJobHost__extensions__queues__batchSize": "1"}
    hosts = [sample.host("--no-timers", **one_at_a_time) for _ in range(2)]
    sample.send(*({"id": number, "do": "meet" if number < 2 else "succeed"} for number in range(200)))
    eventually(lambda: len(sample.notes("done")) >= 200, within=60)
    eventually(lambda: sample.waiting() == 0)
    assert sorted(note[1] for note in sample.notes("work")) == list(range(200))
    assert {note[0] for note in sample.notes("work")} == {host.pid for host in hosts}


# Starting and stopping


def test_a_stopped_host_ends_with_success(sample: Sample) -> None:
    assert sample.host().terminate() == 0


def test_a_handler_that_outlives_the_drain_does_not_hold_the_host(sample: Sample) -> None:
    host = sample.host("--no-timers", "--drain", "0.2")
    sample.send({"id": 1, "do": "hang"})
    eventually(lambda: sample.notes("work"))
    assert host.terminate() == 0
    assert sample.waiting() == 1


def test_a_setting_that_is_not_set_stops_the_start_with_its_name(sample: Sample) -> None:
    del sample.environment["SAMPLE_SCHEDULE"]
    with pytest.raises(Refused, match="function tick: setting SAMPLE_SCHEDULE is not set"):
        sample.host()


def test_local_settings_fill_in_what_the_environment_does_not_say(sample: Sample, tmp_path: Path) -> None:
    del sample.environment["SAMPLE_SCHEDULE"]
    settings = tmp_path / "settings.json"
    settings.write_text(json.dumps({"Values": {"SAMPLE_SCHEDULE": "0 0 4 * * *", "SAMPLE_QUEUE": "overridden"}}))
    host = sample.host("--settings", str(settings))
    sample.send({"id": 1, "do": "succeed"})
    assert eventually(lambda: sample.notes("done")) == [[host.pid, 1, 1]]


def test_it_listens_on_this_machine_alone(sample):
    """A made-up person is signed in there: what is not 127.0.0.1 itself, though it leads here too, is not answered."""
    port = urlsplit(sample.host().url).port
    assert [_answers(address, port) for address in ("127.0.0.1", "127.0.0.2")] == [True, False]


def _answers(address: str, port: int | None) -> bool:
    with socket.socket() as caller:
        caller.settimeout(SECOND)
        return caller.connect_ex((address, port)) == 0
