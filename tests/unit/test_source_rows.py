"""Fields of a vendor's answer, as it writes them."""

from __future__ import annotations

from datetime import date

import pytest

from shared.errors import Incomplete
from shared.sources.rows import Row


@pytest.mark.parametrize(
    "written",
    [
        "2020-12-01",
        "2020-12-01T23:20:13Z",
        "2020-12-01 23:20:13 UTC",
        "2020-12-01T23:20:13.153-0700",
        "2020-12-01T00:20:13.153+1300",
        "2020-12-01T23:20:13.153-07:00",
    ],
)
def test_a_day_is_the_one_that_the_vendor_writes_never_converted_between_zones(written: str) -> None:
    assert Row({"startDate": written}, "the subscriptions", "Pax8").day_or_none("startDate") == date(2020, 12, 1)


@pytest.mark.parametrize("written", ["soon", "2020-13-01", "2020-12-01T25:00:00Z", 1606780800, ["2020-12-01"]])
def test_what_is_no_day_is_an_error_that_names_the_field_and_never_quotes_it(written: object) -> None:
    with pytest.raises(Incomplete, match="startDate") as caught:
        Row({"startDate": written}, "the subscriptions", "Pax8").day_or_none("startDate")
    assert str(written) not in str(caught.value)
