"""The functions host: host.json, its overrides, local settings and %NAME% expressions."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from local.host.settings import add_local_settings, read_host_settings, resolve, seconds_of
from shared.errors import Misconfigured


def host_json(directory: Path, **queues: object) -> Path:
    document = {"version": "2.0", "extensions": {"queues": queues, "http": {"routePrefix": ""}}}
    (directory / "host.json").write_text(json.dumps(document))
    return directory


def test_without_a_word_in_host_json_the_platforms_defaults_hold(tmp_path: Path) -> None:
    (tmp_path / "host.json").write_text('{"version": "2.0"}')
    settings = read_host_settings(tmp_path, {})
    assert settings.route_prefix == "api"
    assert settings.function_timeout == 1800
    assert (settings.queues.batch_size, settings.queues.refill_at, settings.queues.max_dequeue_count) == (16, 8, 5)


def test_host_json_is_obeyed(tmp_path: Path) -> None:
    app = host_json(tmp_path, batchSize=1, newBatchThreshold=0, visibilityTimeout="00:00:30", maxDequeueCount=3)
    settings = read_host_settings(app, {})
    assert settings.route_prefix == ""
    assert (settings.queues.batch_size, settings.queues.refill_at) == (1, 0)
    assert (settings.queues.visibility_timeout, settings.queues.max_dequeue_count) == (30, 3)


def test_the_platforms_settings_override_it_in_any_case(tmp_path: Path) -> None:
    app = host_json(tmp_path, batchSize=1)
    overrides = {
        "AzureFunctionsJobHost__extensions__queues__batchSize": "8",
        "AZUREFUNCTIONSJOBHOST__EXTENSIONS__HTTP__ROUTEPREFIX": "v1",
        "AzureFunctionsJobHost__functionTimeout": "-1",
    }
    settings = read_host_settings(app, overrides)
    assert (settings.queues.batch_size, settings.route_prefix, settings.function_timeout) == (8, "v1", None)


def test_every_wrong_value_is_named(tmp_path: Path) -> None:
    app = host_json(tmp_path, batchSize=33, visibilityTimeout="30 seconds")
    with pytest.raises(Misconfigured) as caught:
        read_host_settings(app, {})
    assert [problem.split(": ")[1] for problem in caught.value.problems] == [
        "extensions.queues.batchsize",
        "extensions.queues.visibilitytimeout",
    ]


@pytest.mark.parametrize("text", ["", "no json", "[]"])
def test_a_host_json_that_is_no_json_object_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "host.json").write_text(text)
    with pytest.raises(Misconfigured, match=r"host\.json"):
        read_host_settings(tmp_path, {})


def test_a_missing_host_json_is_named(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"host\.json does not exist"):
        read_host_settings(tmp_path, {})


def test_local_settings_never_override_the_environment(tmp_path: Path) -> None:
    path = tmp_path / "local.settings.json"
    path.write_text('{"IsEncrypted": false, "Values": {"A": "file", "B": "file"}}')
    environment = {"A": "environment"}
    add_local_settings(path, environment)
    assert environment == {"A": "environment", "B": "file"}


def test_local_settings_hold_text_only(tmp_path: Path) -> None:
    path = tmp_path / "local.settings.json"
    path.write_text('{"Values": {"A": {"nested": "1"}}}')
    with pytest.raises(Misconfigured, match=r"Values\.A"):
        add_local_settings(path, {})


def test_settings_expressions_are_replaced_wherever_they_stand() -> None:
    assert resolve("pre-%A%-%B%", {"A": "1", "B": "2"}) == "pre-1-2"
    assert resolve("plain", {}) == "plain"


def test_every_unset_name_of_an_expression_is_told() -> None:
    with pytest.raises(Misconfigured) as caught:
        resolve("%A%-%B%", {})
    assert len(caught.value.problems) == 2


@pytest.mark.parametrize(
    ("span", "seconds"), [("00:00:02", 2), ("01:02:03", 3723), ("1.00:00:00", 86400), ("00:00:00.5", 0.5)]
)
def test_time_spans_are_read_as_seconds(span: str, seconds: float) -> None:
    assert seconds_of(span) == seconds
