from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import Refused
from shared.manage.conditions import beyond, equals, within, within_chunks

SAFE_TEXT = st.text(st.characters(codec="utf-8", exclude_characters='"\\', exclude_categories=["Cc", "Zl", "Zp"]))


def test_numbers_stand_bare_and_texts_in_double_quotes() -> None:
    assert equals("company/id", 250) == "company/id = 250"
    assert equals("serialNumber", "TU1-S-260301-abc") == 'serialNumber = "TU1-S-260301-abc"'
    assert within("id", [1, 2, 3]) == "id in (1,2,3)"
    assert within("identifier", ["M365-BP", "O'Neil & Sons 50%"]) == 'identifier in ("M365-BP","O\'Neil & Sons 50%")'


def test_the_rest_of_a_list_is_what_has_a_higher_id() -> None:
    assert beyond("company/id = 250", 501) == "company/id = 250 and id > 501"
    assert beyond(None, 501) == "id > 501"


@pytest.mark.parametrize("text", ['say "x"', "back\\slash", "line\nfeed", "nul\0", "c1\x85", "\u2028", "\ud800"])
def test_text_that_could_become_syntax_is_refused_with_a_remedy(text: str) -> None:
    with pytest.raises(Refused, match="cannot be asked for") as refused:
        equals("identifier", text)
    assert refused.value.remedy


@given(SAFE_TEXT)
def test_a_quoted_text_ends_where_it_was_meant_to(text: str) -> None:
    condition = equals("identifier", text)
    assert condition.count('"') == 2
    assert condition[len("identifier = ") :] == f'"{text}"'


@given(st.lists(SAFE_TEXT | st.integers(0, 10**9), max_size=40), st.integers(120, 600))
def test_chunks_keep_every_value_in_order_and_stay_in_the_room(values: list[str | int], room: int) -> None:
    longest = max((len(quote(f'"{value}"', safe="")) for value in values), default=0) + 40
    chunks = list(within_chunks("identifier", values, max(room, longest)))
    assert all(len(quote(chunk, safe="")) <= max(room, longest) for chunk in chunks)
    inside = [chunk.removeprefix("identifier in (").removesuffix(")") for chunk in chunks]
    assert ",".join(inside) == within("identifier", values).removeprefix("identifier in (").removesuffix(")")
    assert all(inside)


def test_a_new_chunk_begins_only_when_the_room_is_used_up() -> None:
    assert list(within_chunks("id", range(1, 5), 1000)) == ["id in (1,2,3,4)"]
    assert len(list(within_chunks("id", range(1000, 1400), 1500))) == 2
