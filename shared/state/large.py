"""Documents larger than a row: what does not fit stands in rows beside it, by generation.

The document's own row names the generation that belongs to it. Rows of another one were written by a worker that died,
or are of the document before: nobody reads them, and the next writer of the document removes them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from shared.state.documents import SEPARATOR, row_key
from shared.state.rows import PutRow, Row, Values

_REST = "rest"


def rest_rows(kind: str, head: Values, rest: Sequence[Values]) -> list[PutRow]:
    """The rows with the rest of a document of which there is one per partition and kind; none where it fits."""
    generation = str(head.get("generation"))
    return [PutRow(row_key(_REST, kind, generation, f"{number:04d}"), values) for number, values in enumerate(rest)]


def is_rest(key: str, kind: str | None = None) -> bool:
    """Whether a key is of a row with the rest of a document (of this kind)."""
    return key.startswith(_REST + SEPARATOR if kind is None else row_key(_REST, kind) + SEPARATOR)


def rest_of(head: Row, kind: str, rest: Iterable[Row]) -> list[Values]:
    """What belongs to a document's own row, in its order."""
    generation = head.values.get("generation")
    if generation is None:
        return []
    prefix = row_key(_REST, kind, str(generation)) + SEPARATOR
    return [row.values for row in sorted(rest, key=lambda row: row.row) if row.row.startswith(prefix)]


def is_whole(heads: Iterable[Row], rest: Collection[Row]) -> bool:
    """Whether every document that was split is there with all of its rest."""
    split = [head for head in heads if "generation" in head.values]
    return all(len(rest_of(head, head.row.partition(SEPARATOR)[0], rest)) == head.values["rest"] for head in split)
