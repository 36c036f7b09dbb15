"""What a table holds: rows, the operations of one transaction, and the two ways in which a write can lose."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import ceil

from shared.errors import Refused, Retryable

#: What a property of a row may be. Numbers stay below 2^31; everything else is a document (`shared.state.documents`).
Value = str | bytes | int
Values = Mapping[str, Value]

#: The service takes at most this many operations in one transaction …
TRANSACTION_ROWS = 100
#: … and 4 MiB of request; what we send is estimated, so we stay well below.
TRANSACTION_BYTES = 3_000_000
#: What one operation costs in the request beside its values: its headers and keys.
_OPERATION_BYTES = 2_500


class AlreadyThere(Refused):
    """An insert found a row with that key. Nothing was written."""


class Changed(Retryable):
    """Somebody else wrote or removed the row since it was read. Nothing was written: read again, then decide again."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row as it was read; `etag` names exactly this state of it."""

    partition: str
    row: str
    values: Values
    etag: str


@dataclass(frozen=True, slots=True)
class InsertRow:
    """Writes a row that must not be there yet."""

    row: str
    values: Values


@dataclass(frozen=True, slots=True)
class ReplaceRow:
    """Writes a row that must still be as it was when `etag` was read."""

    row: str
    etag: str
    values: Values


@dataclass(frozen=True, slots=True)
class PutRow:
    """Writes a row whatever was there before; nothing of that stays."""

    row: str
    values: Values


@dataclass(frozen=True, slots=True)
class DeleteRow:
    """Removes a row. With an etag it must still be as it was read; without one, a missing row is fine."""

    row: str
    etag: str | None = None


Operation = InsertRow | ReplaceRow | PutRow | DeleteRow


def in_transactions(operations: Sequence[Operation]) -> Iterator[list[Operation]]:
    """The operations in their order, cut into lists that the service takes as one transaction each."""
    batch: list[Operation] = []
    size = 0
    for operation in operations:
        weight = _weight(operation)
        if batch and (len(batch) == TRANSACTION_ROWS or size + weight > TRANSACTION_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(operation)
        size += weight
    if batch:
        yield batch


def _weight(operation: Operation) -> int:
    """Bytes of the operation in a request: JSON with non-ASCII characters escaped, binary values as base64."""
    values: Values = {} if isinstance(operation, DeleteRow) else operation.values
    return _OPERATION_BYTES + sum(
        ceil(len(value) / 3) * 4 if isinstance(value, bytes) else len(json.dumps(value)) for value in values.values()
    )
