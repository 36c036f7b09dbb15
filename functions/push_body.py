"""What a push of counts looks like, as JSON or as CSV; both become the same thing or say everything that is wrong."""

from __future__ import annotations

import codecs
import csv
import hashlib
import io
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from shared.billing.counting.pushes import Push, PushedCount
from shared.billing.lines import canonical
from shared.errors import Refused

#: A push is no bulk store: a customer has some hundred SKUs at most.
LARGEST_BODY = 1_000_000
_MOST_COUNTS = 2000
_MOST_TOLD = 20

_Id = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f-\x9f]+$")
]
_Name = Annotated[str, StringConstraints(strip_whitespace=True, max_length=200, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$")]
_Quantity = Annotated[Decimal, Field(ge=0, lt=10**15, decimal_places=5, allow_inf_nan=False)]
_REMEDY = "docs/pushed-counts.md shows a whole push; nothing of this one was taken."

Model = TypeVar("Model", bound=BaseModel)


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class CountBody(_Body):
    """One SKU; quantities in units of the SKU, at most five decimals."""

    sku: _Id
    quantity: _Quantity
    name: _Name = ""
    assigned: _Quantity | None = None


class CustomerCountBody(CountBody):
    """A row of a file for several customers."""

    customer: _Id


class Head(_Body):
    """What a push says of itself. `at` is when the counts were taken, with its zone."""

    key: _Id
    at: AwareDatetime
    complete: bool = False


class PushBody(Head):
    """`{"key", "at", "counts": [{"sku", "quantity", "name"?, "assigned"?}], "complete"?, "customer_name"?}`"""

    counts: list[CountBody]
    customer_name: _Name = ""


class _CustomerId(_Body):
    customer: _Id


def customer_id(text: str) -> str:
    """A customer's id as it stands in an address. Raises `Refused` for what cannot be one."""
    return _read(_CustomerId, {"customer": text}).customer


def push_from_json(body: bytes) -> Push:
    """Raises `Refused` with everything that is wrong."""
    _check_size(body)
    try:
        # Some shells of Windows begin every UTF-8 file with a mark.
        told = PushBody.model_validate_json(body.removeprefix(codecs.BOM_UTF8))
    except ValidationError as error:
        raise _refused(_problems(error)) from None
    return _push(told, told.counts, told.customer_name)


def push_from_csv(body: bytes, query: dict[str, str]) -> Push:
    """One customer's counts in a file with the columns sku, quantity, and perhaps name and assigned."""
    return _push(_read(Head, query), _rows(body, CountBody))


def pushes_from_csv(body: bytes, query: dict[str, str]) -> dict[str, Push]:
    """The counts of several customers by customer, from a file that has a column customer too."""
    head = _read(Head, query)
    by_customer: dict[str, list[CustomerCountBody]] = {}
    for count in _rows(body, CustomerCountBody):
        by_customer.setdefault(canonical(count.customer), []).append(count)
    if not by_customer:
        raise _refused(["the file has no rows, so it says nothing of any customer"])
    return {counts[0].customer: _push(head, counts) for counts in by_customer.values()}


def _push(head: Head, counts: Sequence[CountBody], customer_name: str = "") -> Push:
    at = _in_utc(head.at)
    seen: set[str] = set()
    for count in counts:
        if canonical(count.sku) in seen:
            raise _refused([f"the SKU {count.sku} comes twice for one customer"])
        seen.add(canonical(count.sku))
    if not counts and not head.complete:
        raise _refused(["there is no count, and complete is not true, so the push says nothing"])
    if len(counts) > _MOST_COUNTS:
        raise _refused([f"there are more than {_MOST_COUNTS} counts for one customer"])
    pushed = tuple(PushedCount(each.sku, each.quantity, at, each.name, each.assigned) for each in counts)
    return Push(head.key, _digest(at, head.complete, pushed), at, pushed, head.complete, customer_name)


def _in_utc(at: datetime) -> datetime:
    try:
        return at.astimezone(UTC)
    except OverflowError:
        raise _refused(["at: the first and the last day that there are cannot be told in UTC"]) from None


def _digest(at: datetime, complete: bool, counts: tuple[PushedCount, ...]) -> str:
    """Tells contents apart, whatever the order of the counts and the way the numbers are written."""
    told = sorted(f"{canonical(each.sku)}\t{_plain(each.quantity)}\t{_plain(each.assigned)}" for each in counts)
    return hashlib.sha256("\n".join([at.isoformat(), str(complete), *told]).encode()).hexdigest()[:32]


def _plain(number: Decimal | None) -> str:
    return "" if number is None else f"{number.normalize():f}"


def _rows(body: bytes, model: type[Model]) -> list[Model]:
    """Every row of a CSV file. Raises `Refused` with the line of everything that is wrong."""
    _check_size(body)
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise _refused(["the file is not UTF-8; save it as CSV UTF-8"]) from None
    first, _, _ = text.partition("\n")
    delimiter = ";" if ";" in first else ","
    reader = csv.DictReader(io.StringIO(text), delimiter=delimiter, strict=True, restkey="more cells than columns")
    found: list[Model] = []
    problems: list[str] = []
    try:
        _check_columns([name.strip().casefold() for name in reader.fieldnames or ()], model)
        for row in reader:
            try:
                found.append(_read(model, {name.strip().casefold(): value for name, value in row.items() if value}))
            except Refused as error:
                problems.append(f"line {reader.line_num}: {error.message}")
    except csv.Error as error:
        raise _refused([f"line {reader.line_num}: this is no CSV ({error})"]) from None
    if problems:
        raise _refused(problems)
    return found


def _check_columns(given: list[str], model: type[BaseModel]) -> None:
    columns = model.model_fields
    problems = [
        f"the column {name} is missing" for name in columns if columns[name].is_required() and name not in given
    ]
    unknown = [name[:40] for name in given if name not in columns]
    problems += [f"there is a column {name!r}; the columns are {', '.join(columns)}" for name in unknown]
    problems += [f"the column {name} comes twice" for name in columns if given.count(name) > 1]
    if problems:
        raise _refused(problems)


def _read(model: type[Model], values: dict[str, Any]) -> Model:
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise _refused(_problems(error)) from None


def _problems(error: ValidationError) -> list[str]:
    """One sentence per field; the values are not shown."""
    return [
        f"{'.'.join(map(str, problem['loc'])) or 'the body'}: {problem['msg']}"
        for problem in error.errors(include_url=False, include_input=False, include_context=False)
    ]


def _refused(problems: list[str]) -> Refused:
    more = f"; and {len(problems) - _MOST_TOLD} more" if len(problems) > _MOST_TOLD else ""
    return Refused("; ".join(problems[:_MOST_TOLD]) + more, remedy=_REMEDY)


def _check_size(body: bytes) -> None:
    if len(body) > LARGEST_BODY:
        raise _refused([f"the body has more than {LARGEST_BODY:,} bytes"])
