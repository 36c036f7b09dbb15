"""Table Storage in memory: the same answers and limits as the service, with its round trips counted."""

from __future__ import annotations

import itertools
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from shared.errors import Refused
from shared.state.rows import (
    TRANSACTION_ROWS,
    AlreadyThere,
    Changed,
    DeleteRow,
    InsertRow,
    Operation,
    PutRow,
    ReplaceRow,
    Row,
    Value,
    Values,
)

#: Called with "before" or "after", the operation's name and the table; what it raises is what the caller sees.
Fault = Callable[[str, str, str], None]
T = TypeVar("T")
Partition = dict[str, Row]

_BAD_KEY = re.compile(r"[/\\#?\x00-\x1f\x7f-\x9f%+]")
_PAGE = 1000
_KIBIBYTE = 1024


class InMemoryTables:
    """`TableAccess` without a service.

    `calls` counts round trips by (operation, table); a query costs one per page of 1,000. Set `fault` to fail before or
    after an operation took effect.
    """

    def __init__(self) -> None:
        self.calls: Counter[tuple[str, str]] = Counter()
        self.fault: Fault | None = None
        self._lock = threading.RLock()
        self._partitions: dict[tuple[str, str], Partition] = {}
        self._etags = itertools.count(1)

    @property
    def round_trips(self) -> int:
        return self.calls.total()

    def everything(self) -> list[tuple[str, Row]]:
        """Every row of every table with the table's name, for a test to look at; not counted."""
        with self._lock:
            return [(table, row) for (table, _), rows in self._partitions.items() for row in rows.values()]

    def rows(self, table: str, partition: str) -> list[Row]:
        """Everything a partition holds, for a test to look at; not counted."""
        with self._lock:
            return [row for _, row in sorted(self._partition(table, partition).items())]

    def get(self, table: str, partition: str, row: str) -> Row | None:
        return self._call("get", table, lambda: self._partition(table, partition).get(row))

    def insert(self, table: str, partition: str, row: str, values: Values) -> str:
        return self._call("insert", table, lambda: self._apply(table, partition, [InsertRow(row, values)])[row].etag)

    def replace(self, table: str, row: Row, values: Values) -> str:
        operation = ReplaceRow(row.row, row.etag, values)
        return self._call("replace", table, lambda: self._apply(table, row.partition, [operation])[row.row].etag)

    def put(self, table: str, partition: str, row: str, values: Values) -> None:
        self._call("put", table, lambda: self._apply(table, partition, [PutRow(row, values)]))

    def delete(self, table: str, partition: str, row: str, etag: str | None = None) -> None:
        self._call("delete", table, lambda: self._apply(table, partition, [DeleteRow(row, etag)]))

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
        page_size = _PAGE if limit is None else min(limit, _PAGE)
        left = limit
        start = first or ""
        while left is None or left > 0:
            page = self._call("query", table, lambda at=start: self._page(table, partition, at, before, page_size))
            for row in page[:left]:
                yield row if select is None else replace(row, values=_selected(row.values, select))
            if len(page) < page_size:
                return
            start = page[-1].row + "\0"
            left = None if left is None else left - len(page)

    def transact(self, table: str, partition: str, operations: Sequence[Operation]) -> None:
        names = [operation.row for operation in operations]
        if len(names) > TRANSACTION_ROWS or len(set(names)) < len(names):
            raise Refused(f"a transaction of {len(names)} operations on {len(set(names))} rows", system="tables")
        self._call("transact", table, lambda: self._apply(table, partition, operations))

    def _call(self, operation: str, table: str, work: Callable[[], T]) -> T:
        if self.fault:
            self.fault("before", operation, table)
        with self._lock:
            self.calls[operation, table] += 1
            result = work()
        if self.fault:
            self.fault("after", operation, table)
        return result

    def _partition(self, table: str, partition: str) -> Partition:
        return self._partitions.setdefault((table, partition), {})

    def _page(self, table: str, partition: str, first: str, before: str | None, size: int) -> list[Row]:
        rows = self._partition(table, partition)
        keys = sorted(key for key in rows if first <= key and (before is None or key < before))
        return [rows[key] for key in keys[:size]]

    def _apply(self, table: str, partition: str, operations: Sequence[Operation]) -> Partition:
        """Checks every operation against the partition, then does all of them."""
        rows = self._partition(table, partition)
        for operation in operations:
            _check_limits(table, partition, operation)
            _check_condition(rows.get(operation.row), operation)
        for operation in operations:
            if isinstance(operation, DeleteRow):
                rows.pop(operation.row, None)
            else:
                etag = f"etag-{next(self._etags)}"
                rows[operation.row] = Row(partition, operation.row, dict(operation.values), etag)
        return rows


def _selected(values: Mapping[str, Value], names: Sequence[str]) -> Values:
    return {name: value for name, value in values.items() if name in names}


def _check_condition(standing: Row | None, operation: Operation) -> None:
    if isinstance(operation, InsertRow) and standing is not None:
        raise AlreadyThere("the row is there already", system="tables")
    expected = operation.etag if isinstance(operation, ReplaceRow | DeleteRow) else None
    if expected is not None and (standing is None or standing.etag != expected):
        raise Changed("the row was changed meanwhile", system="tables")


def _check_limits(table: str, partition: str, operation: Operation) -> None:
    """The service's own limits, so that a test meets them without a service."""
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9]{2,62}", table):
        raise Refused(f"{table!r} is not the name of a table", system="tables")
    for key in (partition, operation.row):
        if not key or _BAD_KEY.search(key) or len(key) > 512:
            raise Refused(f"{key[:80]!r} is not a key", system="tables")
    values: Values = {} if isinstance(operation, DeleteRow) else operation.values
    sizes = [_size(value) for value in values.values()]
    if len(sizes) > 252 or any(size > 64 * _KIBIBYTE for size in sizes) or sum(sizes) > _KIBIBYTE**2:
        raise Refused(f"{operation.row!r} is larger than a row may be", system="tables")


def _size(value: Value) -> int:
    match value:
        case str():
            return len(value.encode("utf-16-le"))
        case bytes():
            return len(value)
        case int():
            if not -(2**31) <= value < 2**31:
                raise Refused("a number needs more than 32 bits", system="tables")
            return 4
    raise Refused(f"a {type(value).__name__} is not a value", system="tables")
