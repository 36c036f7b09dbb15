"""Backups of the store as blobs, one a day, and what is remembered of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

from shared.errors import Gone, Misconfigured
from shared.state.azure_errors import translated
from shared.state.copies import WholeStore
from shared.state.documents import Document
from shared.state.tables import StorageConnection, TableAccess

if TYPE_CHECKING:
    from azure.storage.blob import ContainerClient

CONTAINER = "trueup-backups"
TABLE = "Backups"
_PARTITION, _ROW = "backup", "store"
_NAME = re.compile(r"store-([0-9]{4}-[0-9]{2}-[0-9]{2})\.jsonl\.gz")
_ROLE = "Storage Blob Data Owner"
_CLIENT_OPTIONS: dict[str, Any] = {"connection_timeout": 5, "read_timeout": 60, "retry_total": 5}


@dataclass(frozen=True, slots=True, order=True)
class Backup:
    """One that is whole: of which day (UTC), since when it is there (UTC), how many bytes."""

    day: date
    written: datetime
    size: int


class BackupBlobs(Protocol):
    """Where backups are. Raises `Retryable` when it cannot be reached and `NotPermitted` when it says no."""

    def all(self) -> list[Backup]:
        """Those that there are, oldest first."""

    def write(self, day: date, pieces: Iterable[bytes]) -> None:
        """Writes the backup of a day. What the pieces raise is raised, and then there is no such backup."""

    def read(self, day: date) -> Iterator[bytes]:
        """The pieces of a backup. Raises `Gone` where there is none of that day."""

    def delete(self, day: date) -> None:
        """Removes the backup of a day."""


class AzureBackups:
    """`BackupBlobs` in a container of the storage account, which the first backup makes where it is missing."""

    def __init__(self, connection: StorageConnection) -> None:
        self._connection = connection

    def all(self) -> list[Backup]:
        from azure.core.exceptions import ResourceNotFoundError

        with translated(CONTAINER, _ROLE):
            try:
                blobs = list(self._container.list_blobs())
            except ResourceNotFoundError:
                return []
        named = [(_NAME.fullmatch(blob.name), blob) for blob in blobs]
        return sorted(Backup(date.fromisoformat(name[1]), it.last_modified, it.size) for name, it in named if name)

    def write(self, day: date, pieces: Iterable[bytes]) -> None:
        from azure.core.exceptions import ResourceExistsError

        with translated(CONTAINER, _ROLE):
            with suppress(ResourceExistsError):
                self._container.create_container()
            # Blocks of 4 MiB one after the other; a blob is there once all of them are.
            self._container.upload_blob(_name(day), iter(pieces), overwrite=True)

    def read(self, day: date) -> Iterator[bytes]:
        from azure.core.exceptions import ResourceNotFoundError

        with translated(CONTAINER, _ROLE):
            try:
                found = self._container.download_blob(_name(day))
            except ResourceNotFoundError:
                raise Gone(f"there is no backup of {day.isoformat()}", system="storage") from None
            yield from found.chunks()

    def delete(self, day: date) -> None:
        with translated(CONTAINER, _ROLE):
            self._container.delete_blob(_name(day))

    @cached_property
    def _container(self) -> ContainerClient:
        return _client(self._connection)


def _client(connection: StorageConnection) -> ContainerClient:
    from azure.storage.blob import ContainerClient

    if connection.connection_string:
        return ContainerClient.from_connection_string(connection.connection_string, CONTAINER, **_CLIENT_OPTIONS)
    if not connection.blob_url:
        raise Misconfigured(["the storage account has neither a connection string nor a blob URL"])
    return ContainerClient(connection.blob_url, CONTAINER, credential=connection.credential(), **_CLIENT_OPTIONS)


def _name(day: date) -> str:
    return f"store-{day.isoformat()}.jsonl.gz"


@dataclass(frozen=True, slots=True)
class BackupRecord:
    """What is known of the backups without asking for them. Times are UTC.

    `since` somebody looks that there are any, `newest` was written then, `problem` kept the last one from being made.
    """

    since: datetime
    newest: datetime | None = None
    problem: str = ""


_DOCUMENT = Document("backup record", BackupRecord)


class BackupRecordStore:
    """The one record."""

    def __init__(self, tables: TableAccess) -> None:
        self._tables = tables

    def known(self) -> BackupRecord | None:
        """The record; None where nobody looked yet."""
        row = self._tables.get(TABLE, _PARTITION, _ROW)
        return None if row is None else _DOCUMENT.decode(row.values)

    def load(self, now: datetime) -> BackupRecord:
        """The record; a new one, of now, where nobody looked before."""
        record = self.known()
        if record is None:
            record = BackupRecord(now)
            self._save(record)
        return record

    def note(self, now: datetime, newest: datetime | None, problem: str = "") -> None:
        """Notes the newest backup that there is, None where that is not known now, and what was in the way."""
        known = self.load(now)
        self._save(replace(known, newest=newest or known.newest, problem=problem))

    def _save(self, record: BackupRecord) -> None:
        self._tables.put(TABLE, _PARTITION, _ROW, _DOCUMENT.encode(record))


@dataclass(frozen=True, slots=True)
class Backups:
    """All that backups take: of what, where they are, for how many days they are kept, and the record of them."""

    store: WholeStore
    blobs: BackupBlobs
    days: int
    record: BackupRecordStore
