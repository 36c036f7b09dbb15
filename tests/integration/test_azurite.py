"""The storage emulator: started, used, ended; and what is said where it cannot start."""

from __future__ import annotations

import os
import uuid
from pathlib import Path

import pytest
from azure.data.tables import TableServiceClient
from azure.storage.queue import QueueClient

from local.azurite import Azurite, running_azurite
from shared.errors import Misconfigured


def test_tables_and_queues_answer_as_soon_as_it_is_there(azurite: Azurite) -> None:
    with TableServiceClient.from_connection_string(azurite.connection_string) as tables:
        table = tables.create_table(f"t{uuid.uuid4().hex}")
        table.create_entity({"PartitionKey": "p", "RowKey": "r", "seats": 5})
        assert table.get_entity("p", "r")["seats"] == 5
    with QueueClient.from_connection_string(azurite.connection_string, f"q{uuid.uuid4().hex}") as queue:
        queue.create_queue()
        queue.send_message("hello")
        assert next(iter(queue.receive_messages())).content == "hello"


def test_with_a_location_the_data_outlives_the_emulator(tmp_path: Path) -> None:
    with (
        running_azurite(tmp_path / "data") as first,
        TableServiceClient.from_connection_string(first.connection_string) as tables,
    ):
        tables.create_table("kept").create_entity({"PartitionKey": "p", "RowKey": "r"})
    with (
        running_azurite(tmp_path / "data") as second,
        TableServiceClient.from_connection_string(second.connection_string) as tables,
    ):
        assert tables.get_table_client("kept").get_entity("p", "r")["RowKey"] == "r"


def test_stopping_ends_the_process_and_may_be_repeated() -> None:
    emulator = Azurite()
    emulator.stop()
    emulator.stop()
    with pytest.raises(ProcessLookupError):
        os.kill(emulator.pid, 0)


def test_without_node_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Misconfigured, match="install Node"):
        Azurite()


def test_without_the_module_it_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="npm ci"):
        Azurite(repository=tmp_path)
