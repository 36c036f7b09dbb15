"""What products are called, and which of them are free."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from shared.sources.microsoft365.known_skus import FREE_SKUS, SKU_NAMES
from shared.sources.microsoft365.settings import GUID
from shared.sources.microsoft365.sku_names import SkuNames, names_in
from tests.unit.fake_graph import FLOW_FREE, SPB

NEW = "12345678-0000-4000-8000-000000000001"
HEADER = "Product_Display_Name,String_Id,GUID,Service_Plan_Name,Service_Plan_Id,Service_Plans_Included_Friendly_Names\n"
CSV = (
    HEADER
    + f'"Old Brand, Plan 1",PART,{NEW},A,1,a\n'
    + f"New Brand\xa0,PART,{NEW.upper()}\xa0,B,2,b\n"
    + f"Premium by Microsoft,SPB,{SPB},A,1,a\n"
)


def test_well_known_products_have_names_and_unknown_ones_keep_their_part_number() -> None:
    names = SkuNames(None)

    assert names.name_of(SPB.upper(), "SPB") == "Microsoft 365 Business Premium"
    assert names.name_of(NEW, "BRAND_NEW") == "BRAND_NEW"


def test_every_known_id_is_one_that_graph_could_send() -> None:
    assert all(GUID.fullmatch(sku) for sku in SKU_NAMES)
    assert len(FREE_SKUS) >= 26
    assert FLOW_FREE in FREE_SKUS
    assert SPB not in FREE_SKUS


def test_the_last_name_of_a_product_is_its_name_and_odd_spaces_go() -> None:
    assert names_in(CSV.encode("utf-8-sig")) == {NEW: "New Brand", SPB: "Premium by Microsoft"}


def test_a_given_list_comes_before_the_names_we_know(tmp_path: Path) -> None:
    place = tmp_path / "names.csv"
    place.write_bytes(CSV.encode("utf-8-sig"))
    names = SkuNames(str(place))

    assert names.name_of(SPB, "SPB") == "Premium by Microsoft"
    assert names.name_of(NEW, "PART") == "New Brand"
    assert names.name_of(FLOW_FREE, "FLOW_FREE") == "Microsoft Power Automate Free"


@pytest.mark.parametrize("content", [b"", b"<html>", b"\xff\xfe\x00", b"GUID,Name\n1,2\n", None])
def test_a_list_that_cannot_be_read_is_told_once_and_done_without(
    content: bytes | None, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    place = tmp_path / "names.csv"
    if content is not None:
        place.write_bytes(content)
    names = SkuNames(str(place))

    assert [names.name_of(SPB, "SPB") for _ in range(3)] == ["Microsoft 365 Business Premium"] * 3
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


class _Files(BaseHTTPRequestHandler):
    """Serves the list, an endless one, or nothing; counts what it was asked for."""

    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        body = {"/names.csv": CSV.encode("utf-8-sig"), "/long.csv": b"x" * 10_000_001}.get(self.path)
        self.send_response(404 if body is None else 200)
        self.send_header("Content-Length", str(len(body or b"")))
        self.end_headers()
        self.wfile.write(body or b"")

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def files() -> Iterator[tuple[str, list[str]]]:
    asked: list[str] = []
    server = HTTPServer(("127.0.0.1", 0), type("Files", (_Files,), {"asked": asked}))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    thread.join(10)
    server.server_close()


def test_a_list_is_fetched_once(files: tuple[str, list[str]]) -> None:
    address, asked = files
    names = SkuNames(f"{address}/names.csv")

    assert asked == []
    assert [names.name_of(NEW, "PART") for _ in range(3)] == ["New Brand"] * 3
    assert asked == ["/names.csv"]


@pytest.mark.parametrize("path", ["/missing.csv", "/long.csv"])
def test_an_address_that_does_not_give_the_list_is_done_without(
    path: str, files: tuple[str, list[str]], caplog: pytest.LogCaptureFixture
) -> None:
    address, _ = files

    assert SkuNames(address + path).name_of(SPB, "SPB") == "Microsoft 365 Business Premium"
    assert len([record for record in caplog.records if record.levelno == logging.WARNING]) == 1
