"""Manage's condition language, for example `company/id = 250 and (name like "%cloud%" or cancelledFlag = true)`.

    expression := all {OR all}          all := clause {AND clause}
    clause     := "(" expression ")" | field operator value
    operator   := = | != | < | <= | > | >= | [not] contains | [not] like | [not] in
    value      := "text" | 'text' | number | true | false | null | [date or moment] | (value, …)

Keywords and field names are read in any case, text is compared in any case. As in SQL, a comparison with an unset field
is false, except with `= null`; an unset flag is false. `like` takes `%` and `*`.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from local.sandbox.manage.fields import Field, FieldSet, Kind
from local.sandbox.manage.records import Record


class ConditionError(Exception):
    """The conditions cannot be read; the message is what Manage would say."""


class Expression(Protocol):
    """A condition that has been read."""

    def matches(self, record: Record) -> bool:
        """Whether a record, as it is answered, satisfies the condition."""

    def pinned(self, path: tuple[str, ...]) -> Any:
        """The one value that a field must have in every matching record; None when there is no such value."""


@dataclass(frozen=True)
class Comparison:
    """A field against a literal. `test` is None for a comparison with null, and then `negated` asks for a set field."""

    field: Field
    test: Callable[[Any, Any], bool] | None
    literal: Any
    negated: bool = False

    def matches(self, record: Record) -> bool:
        value = value_of(record, self.field)
        if self.test is None:
            return (value is None) == (not self.negated)
        return value is not None and self.test(value, self.literal) != self.negated

    def pinned(self, path: tuple[str, ...]) -> Any:
        return self.literal if self.test is operator.eq and not self.negated and self.field.path == path else None


@dataclass(frozen=True)
class AllOf:
    """Conditions joined by AND."""

    parts: tuple[Expression, ...]

    def matches(self, record: Record) -> bool:
        return all(part.matches(record) for part in self.parts)

    def pinned(self, path: tuple[str, ...]) -> Any:
        return next((value for part in self.parts if (value := part.pinned(path)) is not None), None)


@dataclass(frozen=True)
class AnyOf:
    """Conditions joined by OR."""

    parts: tuple[Expression, ...]

    def matches(self, record: Record) -> bool:
        return any(part.matches(record) for part in self.parts)

    def pinned(self, path: tuple[str, ...]) -> Any:
        values = {part.pinned(path) for part in self.parts}
        return values.pop() if len(values) == 1 else None


def read_conditions(text: str, fields: FieldSet) -> Expression:
    """Reads a condition on records with these fields. Raises ConditionError."""
    return _Parser(text, fields).whole()


def value_of(record: Record, field: Field) -> Any:
    """A field's value in a form that can be compared, None when unset."""
    value: Any = record
    for name in field.path:
        value = value.get(name) if isinstance(value, dict) else None
    if field.kind is Kind.FLAG:
        return bool(value)
    if value is None or value in ("", {}):
        return None
    if field.kind is Kind.TEXT:
        return str(value).casefold()
    return _moment(value) if field.kind is Kind.DATE else value


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def _contains(value: str, part: str) -> bool:
    return part in value


def _like(value: str, pattern: str) -> bool:
    parts = (re.escape(part) for part in re.split(r"[%*]", pattern))
    return re.fullmatch(".*".join(parts), value, re.DOTALL) is not None


def _in(value: Any, literals: list[Any]) -> bool:
    return value in literals


_TESTS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "contains": _contains,
    "like": _like,
    "in": _in,
}

_TOKEN = re.compile(
    r"""\s*(?:
    (?P<text>"(?:[^"\\]|\\.)*"|'(?:[^']|'')*')
    |(?P<date>\[[^\]]*\])
    |(?P<number>-?\d+(?:\.\d+)?)
    |(?P<symbol>!=|<=|>=|[=<>(),])
    |(?P<word>[A-Za-z_][\w/]*)
    )""",
    re.VERBOSE,
)


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str

    def is_word(self, word: str) -> bool:
        return self.kind == "word" and self.text.casefold() == word


_END = _Token("end", "the end")


def _tokens(text: str) -> list[_Token]:
    tokens, position, text = [], 0, text.rstrip()
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise ConditionError(f"The conditions cannot be read from '{text[position:].strip()}' on.")
        kind = str(match.lastgroup)
        tokens.append(_Token(kind, match.group(kind)))
        position = match.end()
    return tokens


class _Parser:
    """Recursive descent over the tokens, one method per rule of the grammar."""

    def __init__(self, text: str, fields: FieldSet) -> None:
        self._tokens = _tokens(text)
        self._fields = fields
        self._position = 0

    def whole(self) -> Expression:
        expression = self._any()
        if self._peek() is not _END:
            raise ConditionError(f"'{self._peek().text}' is not expected after a complete condition.")
        return expression

    def _any(self) -> Expression:
        parts = [self._all()]
        while self._peek().is_word("or"):
            self._next()
            parts.append(self._all())
        return parts[0] if len(parts) == 1 else AnyOf(tuple(parts))

    def _all(self) -> Expression:
        parts = [self._clause()]
        while self._peek().is_word("and"):
            self._next()
            parts.append(self._clause())
        return parts[0] if len(parts) == 1 else AllOf(tuple(parts))

    def _clause(self) -> Expression:
        if self._peek().text == "(":
            self._next()
            inside = self._any()
            self._expect(")")
            return inside
        return self._comparison()

    def _comparison(self) -> Comparison:
        field = self._field()
        negated = self._peek().is_word("not")
        if negated:
            self._next()
        name = self._next().text.casefold()
        if name not in _TESTS or (negated and name not in ("contains", "like", "in")):
            raise ConditionError(f"'{name}' is not an operator.")
        negated = negated or name == "!="
        if name in ("=", "!=") and self._peek().is_word("null"):
            self._next()
            return Comparison(field, None, None, negated)
        if field.kind is Kind.REFERENCE or (name in ("contains", "like") and field.kind is not Kind.TEXT):
            raise ConditionError(f"{'/'.join(field.path)} cannot be compared with {name}.")
        literal = self._list(field) if name == "in" else self._literal(field)
        return Comparison(field, _TESTS[name], literal, negated)

    def _field(self) -> Field:
        token = self._next()
        if token.kind != "word":
            raise ConditionError(f"A field name is expected, not '{token.text}'.")
        field = self._fields.find(token.text)
        if field is None:
            raise ConditionError(f"{token.text} is not a recognized name.")
        return field

    def _list(self, field: Field) -> list[Any]:
        self._expect("(")
        literals = [self._literal(field)]
        while self._peek().text == ",":
            self._next()
            literals.append(self._literal(field))
        self._expect(")")
        return literals

    def _literal(self, field: Field) -> Any:
        token = self._next()
        read = {"text": _text, "number": _number, "date": _date, "word": _flag}.get(token.kind)
        wanted = {Kind.TEXT: "text", Kind.NUMBER: "number", Kind.DATE: "date", Kind.FLAG: "word"}[field.kind]
        if read is None or token.kind != wanted:
            raise ConditionError(f"'{token.text}' is not a {field.kind} to compare {'/'.join(field.path)} with.")
        return read(token.text)

    def _expect(self, symbol: str) -> None:
        token = self._next()
        if token.kind != "symbol" or token.text != symbol:
            raise ConditionError(f"'{symbol}' is expected, not '{token.text}'.")

    def _peek(self) -> _Token:
        return self._tokens[self._position] if self._position < len(self._tokens) else _END

    def _next(self) -> _Token:
        token = self._peek()
        self._position += 1
        return token


def _text(token: str) -> str:
    if token.startswith("'"):
        return token[1:-1].replace("''", "'").casefold()
    return re.sub(r"\\(.)", r"\1", token[1:-1]).casefold()


def _number(token: str) -> float:
    return float(token)


def _date(token: str) -> datetime:
    try:
        return _moment(token[1:-1].strip())
    except ValueError:
        raise ConditionError(f"{token} is not a date.") from None


def _flag(token: str) -> bool:
    if token.casefold() not in ("true", "false"):
        raise ConditionError(f"'{token}' is neither true nor false.")
    return token.casefold() == "true"
