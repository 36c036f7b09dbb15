"""The only way to the tables: a narrow protocol, and its implementation on Azure Table Storage.

Every call names its partition; there is no way to ask for more than one. Every write carries the id of its attempt,
because the client repeats requests whose answer got lost: when the repetition is refused, the row tells whether the
refusal is only the echo of our own success.
"""

from __future__ import annotations

import itertools
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from shared.errors import Misconfigured
from shared.state.azure_errors import translated
from shared.state.documents import key_after
from shared.state.rows import (
    AlreadyThere,
    Changed,
    DeleteRow,
    InsertRow,
    Operation,
    PutRow,
    ReplaceRow,
    Row,
    Values,
)

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential
    from azure.core.exceptions import AzureError
    from azure.data.tables import TableClient, TableServiceClient

_ATTEMPT = "attempt"
_KEYS = ("PartitionKey", "RowKey")
_TIMEOUTS = {"connection_timeout": 5, "read_timeout": 30}
_RETRIES: dict[str, Any] = {"retry_total": 5, "retry_backoff_max": 10}


@dataclass(frozen=True, slots=True)
class StorageConnection:
    """Where the storage account is and how to sign in.

    Either `connection_string`, or the URLs with a managed identity, named by its `client_id`. Without one the person
    counts who is signed in at the Azure CLI: that is how rules are imported into a deployment from a desk.
    """

    connection_string: str | None = field(default=None, repr=False)
    table_url: str | None = None
    queue_url: str | None = None
    client_id: str | None = None
    blob_url: str | None = None

    def credential(self) -> TokenCredential:
        """Who signs in where there is no connection string."""
        from azure.identity import AzureCliCredential, ManagedIdentityCredential

        return AzureCliCredential() if self.client_id is None else ManagedIdentityCredential(client_id=self.client_id)


class TableAccess(Protocol):
    """What the stores need of one storage account. Tables are made at the first write.

    Every method raises `Retryable` when the service can not be reached or is busy and `NotPermitted` when it says no.
    """

    def get(self, table: str, partition: str, row: str) -> Row | None:
        """One row, or None."""

    def insert(self, table: str, partition: str, row: str, values: Values) -> str:
        """Writes a new row and gives its etag. Raises `AlreadyThere`."""

    def replace(self, table: str, row: Row, values: Values) -> str:
        """Writes the row if it is still as it was read and gives its new etag. Raises `Changed` if not, or gone."""

    def put(self, table: str, partition: str, row: str, values: Values) -> None:
        """Writes the row, whatever was there before."""

    def delete(self, table: str, partition: str, row: str, etag: str | None = None) -> None:
        """Removes the row. With an etag raises `Changed` unless it is as it was read; without, it may be missing."""

    def query(
        self,
        table: str,
        partition: str,
        *,
        first: str | None = None,
        before: str | None = None,
        select: Sequence[str] | None = None,
        limit: int | None = None,
    ) -> Iterator[Row]:
        """The rows of one partition with `first` <= key < `before`, in the order of their keys, complete.

        `select` names the values wanted (none of them for an empty list), `limit` the most rows wanted.
        """

    def transact(self, table: str, partition: str, operations: Sequence[Operation]) -> None:
        """All or nothing, at most 100, each row once. Raises `AlreadyThere` or `Changed` as one operation would."""


class AzureTables:
    """`TableAccess` on Azure Table Storage or Azurite. One per process; safe to use from several threads."""

    def __init__(self, connection: StorageConnection) -> None:
        self._connection = connection
        self._lock = threading.Lock()
        self._service: TableServiceClient | None = None
        self._tables: dict[str, TableClient] = {}
        self._read: dict[str, TableClient] = {}

    def get(self, table: str, partition: str, row: str) -> Row | None:
        from azure.core.exceptions import ResourceNotFoundError

        with translated(table):
            try:
                return _row(self._reading(table).get_entity(partition, row))
            except ResourceNotFoundError:
                return None

    def insert(self, table: str, partition: str, row: str, values: Values) -> str:
        entity = _entity(partition, row, values)
        return self._write(table, entity, lambda client: client.create_entity(entity))

    def replace(self, table: str, row: Row, values: Values) -> str:
        from azure.core import MatchConditions
        from azure.data.tables import UpdateMode

        entity = _entity(row.partition, row.row, values)
        return self._write(
            table,
            entity,
            lambda client: client.update_entity(
                entity, mode=UpdateMode.REPLACE, etag=row.etag, match_condition=MatchConditions.IfNotModified
            ),
        )

    def put(self, table: str, partition: str, row: str, values: Values) -> None:
        from azure.data.tables import UpdateMode

        with translated(table):
            self._table(table).upsert_entity(_entity(partition, row, values), mode=UpdateMode.REPLACE)

    def delete(self, table: str, partition: str, row: str, etag: str | None = None) -> None:
        if etag is not None:
            # Alone, the client does not tell a missing row from one it removed; in a transaction it does.
            return self.transact(table, partition, [DeleteRow(row, etag)])
        with translated(table):
            return self._table(table).delete_entity(partition, row)

    def query(
        self,
        table: str,
        partition: str,
        *,
        first: str | None = None,
        before: str | None = None,
        select: Sequence[str] | None = None,
        limit: int | None = None,
    ) -> Iterator[Row]:
        terms = ["PartitionKey eq @partition"]
        terms += ["RowKey ge @first"] if first is not None else []
        terms += ["RowKey lt @before"] if before is not None else []
        with translated(table), self._perhaps_not_there(table):
            entities = self._reading(table).query_entities(
                " and ".join(terms),
                parameters={"partition": partition, "first": first, "before": before},
                select=None if select is None else [*_KEYS, *select],
                results_per_page=None if limit is None else min(limit, 1000),
            )
            for entity in itertools.islice(entities, limit):
                yield _row(entity)

    def transact(self, table: str, partition: str, operations: Sequence[Operation]) -> None:
        from azure.data.tables import TableTransactionError

        attempt = uuid.uuid4().hex
        with translated(table):
            try:
                self._submit(table, partition, operations, attempt)
            except TableTransactionError as error:
                if _is_absent_delete(error, operations):
                    self._submit(table, partition, self._without_absent(table, partition, operations), attempt)
                elif not self._happened(table, partition, operations, attempt):
                    raise

    def tables(self) -> list[str]:
        """The names of the tables that there are. For copies of the whole; the stores name their table."""
        with translated("the list of tables"):
            return sorted(each.name for each in self._account().list_tables())

    def pages(self, table: str) -> Iterator[list[Row]]:
        """All rows of a table, answer by answer. For copies of the whole.

        Rows of one partition come together; those of them that are in one answer are as they were at one moment.
        """
        with translated(table):
            for page in self._reading(table).list_entities().by_page():
                yield [_row(entity) for entity in page]

    def _submit(self, table: str, partition: str, operations: Sequence[Operation], attempt: str) -> None:
        if operations:
            self._table(table).submit_transaction([_azure_operation(partition, each, attempt) for each in operations])

    def _without_absent(self, table: str, partition: str, operations: Sequence[Operation]) -> list[Operation]:
        """The operations without unconditional deletes of rows that are not there: for the service those are errors."""
        keys = sorted(operation.row for operation in operations if isinstance(operation, DeleteRow))
        present = {
            row.row for row in self.query(table, partition, first=keys[0], before=key_after(keys[-1]), select=[])
        }
        return [each for each in operations if not _is_unconditional(each) or each.row in present]

    def _write(self, table: str, entity: dict[str, Any], send: Callable[[TableClient], dict[str, Any]]) -> str:
        """Sends one conditional write. Refused, it looks whether an earlier repetition of itself was the winner."""
        partition, row = entity["PartitionKey"], entity["RowKey"]
        try:
            with translated(table):
                return str(send(self._table(table))["etag"])
        except (AlreadyThere, Changed):
            etag = self._written_by(table, partition, row, entity[_ATTEMPT])
            if etag is None:
                raise
            return etag

    def _happened(self, table: str, partition: str, operations: Sequence[Operation], attempt: str) -> bool:
        """Whether the transaction took effect although its repetition was refused: one row tells for all."""
        written = next((operation.row for operation in operations if not isinstance(operation, DeleteRow)), None)
        return written is not None and self._written_by(table, partition, written, attempt) is not None

    def _written_by(self, table: str, partition: str, row: str, attempt: str) -> str | None:
        """The etag of the row if this attempt wrote it last."""
        from azure.core.exceptions import ResourceNotFoundError

        with translated(table):
            try:
                entity = self._reading(table).get_entity(partition, row, select=[*_KEYS, _ATTEMPT])
            except ResourceNotFoundError:
                return None
        return str(entity.metadata["etag"]) if entity.get(_ATTEMPT) == attempt else None

    @contextmanager
    def _perhaps_not_there(self, table: str) -> Iterator[None]:
        """A table that nothing was ever written to has no rows. One that went away after we wrote to it is an error."""
        from azure.core.exceptions import ResourceNotFoundError

        try:
            yield
        except ResourceNotFoundError as error:
            if getattr(error, "error_code", None) != "TableNotFound" or table in self._tables:
                raise

    def _reading(self, name: str) -> TableClient:
        """For reading: the table is not made for it."""
        account = self._account()
        with self._lock:
            if name not in self._read:
                self._read[name] = account.get_table_client(name)
            return self._read[name]

    def _table(self, name: str) -> TableClient:
        """For writing: the table is there, or made."""
        account = self._account()
        with self._lock:
            if name not in self._tables:
                self._tables[name] = account.create_table_if_not_exists(name)
            return self._tables[name]

    def _account(self) -> TableServiceClient:
        with self._lock:
            if self._service is None:
                self._service = _service(self._connection)
            return self._service


def _service(connection: StorageConnection) -> TableServiceClient:
    from azure.data.tables import TableServiceClient

    from shared.state.azure_transport import AccountTransport

    options = {"transport": AccountTransport(**_TIMEOUTS), **_RETRIES}
    if connection.connection_string:
        return TableServiceClient.from_connection_string(connection.connection_string, **options)
    if not connection.table_url:
        raise Misconfigured(["the storage account has neither a connection string nor a table URL"])
    return TableServiceClient(connection.table_url, credential=connection.credential(), **options)


def _entity(partition: str, row: str, values: Values, attempt: str | None = None) -> dict[str, Any]:
    return {**values, "PartitionKey": partition, "RowKey": row, _ATTEMPT: attempt or uuid.uuid4().hex}


def _row(entity: Any) -> Row:
    values = {name: value for name, value in entity.items() if name not in (*_KEYS, _ATTEMPT)}
    return Row(entity["PartitionKey"], entity["RowKey"], values, entity.metadata["etag"])


def _azure_operation(partition: str, operation: Operation, attempt: str) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """The operation in the form that the client takes."""
    from azure.core import MatchConditions
    from azure.data.tables import UpdateMode

    match operation:
        case InsertRow(row, values):
            return "create", _entity(partition, row, values, attempt), {}
        case PutRow(row, values):
            return "upsert", _entity(partition, row, values, attempt), {"mode": UpdateMode.REPLACE}
        case ReplaceRow(row, etag, values):
            unmodified = {"etag": etag, "match_condition": MatchConditions.IfNotModified}
            return "update", _entity(partition, row, values, attempt), {"mode": UpdateMode.REPLACE, **unmodified}
        case DeleteRow(row, None):
            return "delete", dict(zip(_KEYS, (partition, row), strict=True)), {}
        case DeleteRow(row, etag):
            unmodified = {"etag": etag, "match_condition": MatchConditions.IfNotModified}
            return "delete", dict(zip(_KEYS, (partition, row), strict=True)), unmodified


def _is_absent_delete(error: AzureError, operations: Sequence[Operation]) -> bool:
    """Whether an unconditional delete failed the transaction, because its row is not there.

    The service names the operation at the beginning of its message; the client's own `index` says 0 when it does not.
    """
    index = str(error.message).partition(":")[0]
    if getattr(error, "status_code", None) != 404 or not index.isdigit() or int(index) >= len(operations):
        return False
    return _is_unconditional(operations[int(index)])


def _is_unconditional(operation: Operation) -> bool:
    return isinstance(operation, DeleteRow) and operation.etag is None
