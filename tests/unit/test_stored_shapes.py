"""A change of what is stored raises the number under which it is stored, so that no older build works on such rows."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

import shared
from shared.state.documents import STORED, Document
from tests.shapes import documents, noted, problem, shapes_of


@dataclass(frozen=True)
class Link:
    sku: str
    price: str | None = None


@dataclass(frozen=True)
class Before:
    links: tuple[Link, ...]


@dataclass(frozen=True)
class DearLink:
    sku: str
    price: str | None = None
    product: str = ""


DearLink.__name__ = "Link"


@dataclass(frozen=True)
class After:
    links: tuple[DearLink, ...]


After.__name__ = "Before"

BEFORE = shapes_of([Document("rules", Before)])
AFTER = shapes_of([Document("rules", After)])


def test_what_is_stored_is_what_was_noted_under_its_number():
    assert problem(noted(), shapes_of(documents()), STORED) is None


def test_every_kind_of_document_is_stored_under_that_number_and_noted():
    made = [
        found
        for module in Path(shared.__file__).parent.rglob("*.py")
        for found in re.findall(r"[^\w.]Document\(\s*\"", module.read_text(encoding="utf-8"))
    ]
    assert len(documents()) == len(made)
    assert {document._schema for document in documents()} == {STORED}


def test_a_field_more_is_named_until_the_number_is_raised_and_noted():
    told = problem({"stored": 2, "shapes": BEFORE}, AFTER, 2)
    assert told is not None
    assert "under number 2 has changed (Link). Raise STORED" in told
    assert "notes what is stored" in (problem({"stored": 2, "shapes": BEFORE}, AFTER, 3) or "")
    assert problem({"stored": 3, "shapes": AFTER}, AFTER, 3) is None


@pytest.mark.parametrize("number", [1, 3])
def test_the_number_and_what_was_noted_rise_together(number: int):
    assert problem({"stored": 2, "shapes": BEFORE}, BEFORE, number) is not None
