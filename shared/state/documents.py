"""Values as documents in the properties of a row, and text as parts of a row key.

The service's limits (64 KiB a property, 1 MiB an entity, no `/ \\ # ?` or control characters in a key) are kept here by
construction: a small document is one readable JSON property, a large one is compressed and split over binary
properties, and what still does not fit is refused, or split over several rows where its store can do so. Nothing is
ever cut off.
"""

from __future__ import annotations

import hashlib
import json
import re
import zlib
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from urllib.parse import unquote_to_bytes

from shared.errors import Incomplete, Newer, Refused
from shared.state.rows import Value, Values

if TYPE_CHECKING:
    from pydantic import TypeAdapter

T = TypeVar("T")
#: Takes the JSON of a document at one schema number to the next one.
Upgrade = Callable[[Any], Any]

#: The schema number of all that this build stores. It rises with every change of a stored type, also with a field that
#: has a default: a build that does not know the field would read the row, act without it and store the row without it.
STORED = 2

#: Below 32,768, the number of UTF-16 units in a property of 64 KiB.
TEXT_UNITS = 32_000
CHUNK_BYTES = 60_000
#: Below the 1 MiB of an entity, also in Azurite, which counts the 4/3 that they take on the wire.
DOCUMENT_BYTES = 720_000
#: 1 KiB, the limit of a key.
KEY_UNITS = 512
#: Stands between the parts of a key; `escape` never gives it.
SEPARATOR = "|"
#: The first character after the separator: `prefix + AFTER_SEPARATOR` ends the range of all keys under a prefix.
AFTER_SEPARATOR = chr(ord(SEPARATOR) + 1)

_SYSTEM = "state"
_UNSAFE = re.compile(r"[^A-Za-z0-9_.:@-]")
_ESCAPED = re.compile(r"[A-Za-z0-9_.:@=-]*")


def escape(text: str) -> str:
    """The text with every character that a key cannot hold, and `|`, as `=XX` per UTF-8 byte. `unescape` undoes it."""
    try:
        return _UNSAFE.sub(lambda match: "".join(f"={byte:02X}" for byte in match.group().encode()), text)
    except UnicodeEncodeError:
        raise Refused("a key holds half a character", system=_SYSTEM, remedy="Correct the id at its source.") from None


def unescape(escaped: str) -> str:
    """What `escape` was given; text that it can not have made is `Incomplete`."""
    if not _UNSAFE.search(escaped):
        return escaped
    try:
        text = unquote_to_bytes(escaped.replace("=", "%")).decode()
    except UnicodeDecodeError:
        text = ""
    if not _ESCAPED.fullmatch(escaped) or escape(text) != escaped:
        raise Incomplete(f"a row has a key that TrueUp did not write: {escaped!r}", system=_SYSTEM)
    return text


def row_key(*parts: str) -> str:
    """The parts, each escaped, as one key. Raises `Refused` where the service would not take its length."""
    key = SEPARATOR.join(escape(part) for part in parts)
    if len(key) > KEY_UNITS:
        raise Refused(
            f"a key of {len(key)} characters begins {key[:60]!r}; the store takes {KEY_UNITS}",
            system=_SYSTEM,
            remedy="Shorten the id it is made of.",
        )
    return key


def key_parts(key: str) -> list[str]:
    """The parts that `row_key` was given."""
    return [unescape(part) for part in key.split(SEPARATOR)]


def key_after(key: str) -> str:
    """The lowest key above this one: `escape` gives no character below the one added."""
    return key + "!"


class Document(Generic[T]):
    """Turns values of one type into the properties of a row and back.

    `schema` is the number written with every document. `upgrades[n]` takes the JSON of schema n to n + 1; an older
    document passes through all of them, a newer one is refused. Without an upgrade a step changes nothing: what was
    added has a default. `leave_out` names fields that say how the row was found, not what it holds.
    """

    def __init__(
        self,
        name: str,
        type_: type[T],
        *,
        schema: int = STORED,
        upgrades: Mapping[int, Upgrade] | None = None,
        leave_out: frozenset[str] = frozenset(),
    ) -> None:
        self._name = name
        self._type = type_
        self._schema = schema
        self._upgrades = upgrades or {}
        self._leave_out = set(leave_out)

    def encode(self, value: T) -> dict[str, Value]:
        """The properties. Raises `Refused` for a document too large for one row, or a value that is not of the type."""
        head, rest = self.encode_split(value)
        if rest:
            size = sum(len(chunk) for row in rest for chunk in row.values() if isinstance(chunk, bytes))
            raise Refused(
                f"a {self._name} of {size:,} bytes (compressed) is too large for the store",
                system=_SYSTEM,
                remedy=f"At most {DOCUMENT_BYTES:,} bytes fit. Split what it describes.",
            )
        return head

    def encode_split(self, value: T) -> tuple[dict[str, Value], list[dict[str, Value]]]:
        """The properties of the document's row and, where it does not fit into one, those of the rows with the rest.

        The row then names the `generation` of the rest, which is the same for the same content: rows of another one
        are not part of it. Raises `Refused` for a value that is not of the type.
        """
        data = self._dumped(value)
        if len(data.decode().encode("utf-16-le")) // 2 <= TEXT_UNITS:
            return {"schema": self._schema, "json": data.decode()}, []
        packed = zlib.compress(data)
        if len(packed) <= DOCUMENT_BYTES:
            return {"schema": self._schema, **_chunks(packed)}, []
        rest = [_chunks(packed[at : at + DOCUMENT_BYTES]) for at in range(0, len(packed), DOCUMENT_BYTES)]
        generation = hashlib.sha256(packed).hexdigest()[:16]
        return {"schema": self._schema, "generation": generation, "rest": len(rest)}, rest

    def decode(self, values: Values, rest: Sequence[Values] = ()) -> T:
        """The value; `rest` are the rows of its generation in their order, where it was split.

        Raises `Newer` for a newer schema, `Incomplete` for properties that are not a document.
        """
        from pydantic import ValidationError

        schema = values.get("schema")
        if not isinstance(schema, int) or schema < 1:
            raise self._unreadable("it has no schema number")
        if schema > self._schema:
            raise Newer(
                f"a {self._name} was written by a newer TrueUp (schema {schema}, this one reads up to {self._schema})",
                system=_SYSTEM,
                remedy="Deploy the newer TrueUp again; the older one must not work on these tables.",
            )
        data = self._json(values, rest)
        try:
            return self._adapter.validate_json(self._upgraded(data, schema))
        except ValidationError as error:
            places = sorted({".".join(map(str, item["loc"])) for item in error.errors(include_input=False)})
            raise self._unreadable("wrong or missing: " + ", ".join(places)) from None

    @cached_property
    def _adapter(self) -> TypeAdapter[T]:
        """Built at first use: importing this module must stay cheap."""
        from pydantic import TypeAdapter

        return TypeAdapter(self._type)

    def _dumped(self, value: T) -> bytes:
        from pydantic_core import PydanticSerializationError

        try:
            return self._adapter.dump_json(value, exclude=self._leave_out, warnings="error")
        except PydanticSerializationError:
            # The library's message shows the value, which may hold a user's name.
            raise Refused(f"a {self._name} with values of a wrong type was not stored", system=_SYSTEM) from None

    def _json(self, values: Values, rest: Sequence[Values]) -> bytes:
        text = values.get("json")
        if isinstance(text, str):
            return text.encode()
        rows = [values] if "generation" not in values else rest
        chunks = [chunk for row in rows for name in _chunk_names(row) if isinstance(chunk := row[name], bytes)]
        try:
            return zlib.decompress(b"".join(chunks))
        except zlib.error:
            raise self._unreadable("its compressed text is damaged or missing") from None

    def _upgraded(self, data: bytes, schema: int) -> bytes:
        upgrades = [self._upgrades[number] for number in range(schema, self._schema) if number in self._upgrades]
        if not upgrades:
            return data
        document = json.loads(data)
        for upgrade in upgrades:
            document = upgrade(document)
        return json.dumps(document).encode()

    def _unreadable(self, why: str) -> Incomplete:
        return Incomplete(f"a stored {self._name} can not be read: {why}", system=_SYSTEM)


def _chunks(packed: bytes) -> dict[str, Value]:
    chunks = [packed[at : at + CHUNK_BYTES] for at in range(0, len(packed), CHUNK_BYTES)]
    return {f"zlib{number:02d}": chunk for number, chunk in enumerate(chunks)}


def _chunk_names(values: Values) -> list[str]:
    return sorted(name for name in values if name.startswith("zlib"))
