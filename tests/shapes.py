"""What the store holds, written down: every type in a stored document with its fields, and the number they go under.

`tests/data/stored-shapes.json` is what was last agreed on. After a change of a stored type raise `STORED` in
`shared/state/documents.py`, then `python -m tests.shapes` writes the file anew.
"""

from __future__ import annotations

import importlib
import json
import pkgutil
import sys
import types
from collections.abc import Iterable, Iterator
from dataclasses import MISSING, Field, fields, is_dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

import shared.state
from shared.state.documents import STORED, Document

FILE = Path(__file__).parent / "data" / "stored-shapes.json"
REMEDY = "Raise STORED in shared/state/documents.py, say so in CHANGELOG.md, then `python -m tests.shapes`."


def documents() -> list[Document[Any]]:
    """All kinds of documents: those that the modules of the store name, alone or in a table by kind."""
    found: dict[int, Document[Any]] = {}
    for module in pkgutil.iter_modules(shared.state.__path__, "shared.state."):
        for held in vars(importlib.import_module(module.name)).values():
            for each in held.values() if isinstance(held, dict) else [held]:
                if isinstance(each, Document):
                    found[id(each)] = each
    return list(found.values())


def shapes_of(found: Iterable[Document[Any]]) -> dict[str, str]:
    """The documents with what they leave out, and every type within them with its fields, each as one line of text."""
    told: dict[str, str] = {}
    types_: set[type] = set()
    for each in found:
        told[f"document {each._name}: {_name(each._type)}"] = ", ".join(sorted(each._leave_out))
        types_.update(_within(each._type))
    for name in {type_.__name__ for type_ in types_}:  # a name may be of several types; modules do not count
        told[name] = " // ".join(sorted(_told(type_) for type_ in types_ if type_.__name__ == name))
    return dict(sorted(told.items()))


def problem(noted: dict[str, Any], now: dict[str, str], number: int) -> str | None:
    """What is wrong with the number, or with what was noted of the shapes; None where they agree."""
    before = noted["shapes"]
    changed = sorted(name for name in before.keys() | now.keys() if before.get(name) != now.get(name))
    if number < noted["stored"] or (changed and number == noted["stored"]):
        return f"what is stored under number {noted['stored']} has changed ({', '.join(changed)}). {REMEDY}"
    if number > noted["stored"]:
        return "STORED was raised: `python -m tests.shapes` notes what is stored under it."
    return None


def noted() -> dict[str, Any]:
    return json.loads(FILE.read_text(encoding="utf-8"))


def note() -> None:
    """Writes the file anew. Ends with what is wrong where the number has to be raised first."""
    now = shapes_of(documents())
    if FILE.is_file() and noted()["stored"] >= STORED and (wrong := problem(noted(), now, STORED)):
        sys.exit(wrong)
    FILE.write_text(json.dumps({"stored": STORED, "shapes": now}, indent=1, ensure_ascii=False) + "\n", "utf-8")


def _told(type_: Any) -> str:
    if issubclass(type_, Enum):
        return " | ".join(sorted(repr(each.value) for each in type_))
    hints = get_type_hints(type_)
    return "; ".join(
        f"{each.name}: {_name(hints[each.name])}{'' if _is_required(each) else ' ='}"
        for each in sorted(fields(type_), key=lambda each: each.name)
    )


def _is_required(field: Field[Any]) -> bool:
    return field.default is MISSING and field.default_factory is MISSING


def _within(type_: Any, known: set[Any] | None = None) -> Iterator[type]:
    """The dataclasses and enumerations that a type is made of, itself included."""
    known = set() if known is None else known
    if isinstance(type_, type) and (is_dataclass(type_) or issubclass(type_, Enum)):
        if type_ in known:
            return
        known.add(type_)
        yield type_
        if not is_dataclass(type_):
            return
        hints = get_type_hints(type_)
        parts = [hints[each.name] for each in fields(type_)]
    else:
        parts = list(get_args(type_))
    for part in parts:
        yield from _within(part, known)


def _name(type_: Any) -> str:
    """The same in every version of Python: modules are left out, and what may be either is in the order of names."""
    if type_ is type(None):
        return "None"
    if type_ is Ellipsis:
        return "..."
    if isinstance(type_, str):  # within a Literal
        return repr(type_)
    if get_origin(type_) in (Union, types.UnionType):
        return " | ".join(sorted(map(_name, get_args(type_))))
    if parts := get_args(type_):
        return f"{get_origin(type_).__name__}[{', '.join(map(_name, parts))}]"
    return str(type_.__name__)


if __name__ == "__main__":
    note()
