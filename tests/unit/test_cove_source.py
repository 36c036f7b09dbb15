"""Cove: the chain of visas holds, every device is counted once and as what it is, and nothing is guessed."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from shared.billing.counts import FailureKind, ReadFailure, Reading
from shared.errors import Incomplete, NotPermitted, Retryable, TrueUpError
from shared.http.wire import Answer
from shared.sources.cove.columns import COLUMNS, column
from shared.sources.cove.session import VISA_SECONDS
from tests.unit.fake_vendors import SECRET, Call, FakeCove, Hours, cove_source, device, partner, server

DAY = date(2026, 11, 21)
TB = 1024**4


def alder(*devices: dict[str, Any], state: str = "InProduction") -> FakeCove:
    return FakeCove([partner(2001, state=state), partner(2002)], list(devices))


def fleet(cove: FakeCove) -> dict[str, Reading | ReadFailure]:
    return cove_source(cove)[0].read_fleet(DAY, {})


def counted(reading: Reading | ReadFailure | None) -> dict[str, Decimal]:
    assert isinstance(reading, Reading), reading
    return {count.sku: count.purchased for count in reading.counts}


@pytest.mark.parametrize(
    ("columns", "sku"),
    [
        ({"I32": 2, "I81": "Physical"}, "physical-server"),
        ({"I32": 2, "I81": "Undefined"}, "physical-server"),
        ({"I32": 2, "I81": "Virtual"}, "virtual-server"),
        ({"I32": 1, "I81": "Physical"}, "workstation"),
        ({"I32": 1, "I81": "Virtual"}, "workstation"),
        ({"I32": 1, "I10": "Documents 28 days"}, "documents"),
    ],
)
def test_a_device_is_counted_as_what_the_vendor_bills_it_as(columns: dict[str, object], sku: str) -> None:
    cove = alder(server(1, 2001, **columns), server(2, 2002))
    assert counted(fleet(cove)["2001"]) == {sku: 1, "used-storage": 1000, "selected-storage": 800}


def test_a_device_that_was_never_installed_or_has_no_system_is_no_device() -> None:
    cove = alder(server(1, 2001), device(2, 2001, I59=0), server(3, 2001, I32=0, I14=5, D09F03=5))
    assert counted(fleet(cove)["2001"]) == {"physical-server": 1, "used-storage": 1005, "selected-storage": 805}


def test_storage_is_in_bytes_exactly_and_a_level_and_nothing_else_is_one() -> None:
    cove = alder(server(1, 2001, I14=188_702_358_870, D09F03=3 * TB + 1), server(2, 2001, I14=7, I80=1))
    reading = fleet(cove)["2001"]
    assert counted(reading)["used-storage"] == 188_702_358_877
    assert counted(reading)["selected-storage"] == 3 * TB + 801
    assert isinstance(reading, Reading)
    assert {count.sku for count in reading.counts if count.level} == {"used-storage", "selected-storage"}


def test_protected_users_are_those_of_microsoft_365_and_recovery_is_told_apart() -> None:
    cove = alder(
        server(1, 2001, I80=1, D09F20=99),
        server(2, 2001, I80=2),
        device(3, 2001, I59=2, I14=5 * TB, D09F20=25),
        device(4, 2001, I59=2, I14=5 * TB, D09F20=3),
    )
    found = counted(fleet(cove)["2001"])
    assert (found["m365-user"], found["recovery-testing"], found["standby-image"]) == (28, 1, 1)
    assert found["used-storage"] == 2000


def test_sites_belong_to_their_customer_resellers_between_to_nobody_and_so_do_our_own_devices() -> None:
    tree = [
        partner(1500, level="Reseller"),
        partner(2001, parent=1500),
        partner(2002),
        partner(3001, parent=2001, level="Site"),
    ]
    cove = FakeCove(tree, [server(1, 2001), server(2, 3001), server(3, 1500), server(4, 101), server(5, 2002)])
    found = fleet(cove)
    assert list(found) == ["2001", "2002"]
    assert [counted(found[number])["physical-server"] for number in found] == [2, 1]


def test_a_customer_in_trial_has_nothing_that_is_billed() -> None:
    reading = fleet(alder(server(1, 2001), state="InTrial"))["2001"]
    assert counted(reading) == {}
    assert isinstance(reading, Reading)
    assert reading.scope.covers("physical-server")


def test_a_customer_that_does_not_say_whether_it_is_in_trial_is_a_failure_of_its_own() -> None:
    found = fleet(alder(server(1, 2001), server(2, 2002), state="Suspended"))
    assert isinstance(found["2001"], ReadFailure)
    assert counted(found["2002"])["physical-server"] == 1


@pytest.mark.parametrize(
    "columns",
    [{"I59": 7}, {"I59": ""}, {"I32": "Server"}, {"I80": 3}, {"I14": "12 GB"}, {"I14": -1}, {"D09F03": "1e9"}],
    ids=str,
)
def test_a_device_that_cannot_be_understood_is_a_failure_of_its_customer_alone(columns: dict[str, object]) -> None:
    found = fleet(alder(server(1, 2001, **columns), server(2, 2002)))
    assert isinstance(found["2001"], ReadFailure)
    assert found["2001"].kind is FailureKind.READ_FAILED
    assert counted(found["2002"])["physical-server"] == 1


def test_a_column_that_one_device_lacks_is_empty_and_one_that_all_lack_was_not_told() -> None:
    without = server(1, 2001)
    without["Settings"] = [setting for setting in without["Settings"] if not setting.keys() & {"I14", "I80"}]
    reading = fleet(alder(without, server(2, 2002)))["2001"]
    assert counted(reading) == {"physical-server": 1, "selected-storage": 800}
    assert isinstance(reading, Reading)
    assert reading.scope.covers("used-storage")

    untold = fleet(alder(without))["2001"]
    assert isinstance(untold, Reading)
    covered = [untold.scope.covers(sku) for sku in ("used-storage", "recovery-testing", "physical-server")]
    assert covered == [False, False, True]


@pytest.mark.parametrize(
    ("code", "wanted"),
    [("D09F03", "D09F03"), ("D9F3", "D09F03"), ("T3", "D09F03"), ("TM", "D09F20"), ("US", "I14"), ("i014", "I14")],
)
def test_columns_are_known_in_every_spelling(code: str, wanted: str) -> None:
    assert column(code) == wanted


def test_old_spellings_count_like_new_ones_and_the_password_is_never_asked_for() -> None:
    cove = alder(device(1, 2001, AT=1, OT=2, I81="Virtual", PN="All-In", US=9, T3=8, I80=0), server(2, 2002))
    assert counted(fleet(cove)["2001"]) == {"virtual-server": 1, "used-storage": 9, "selected-storage": 8}
    assert not {"I3", "QW"} & set(COLUMNS)


def test_a_single_customer_reads_as_in_the_fleet() -> None:
    tree = [partner(2001), partner(3001, parent=2001, level="Site"), partner(2002)]
    cove = FakeCove(tree, [server(1, 2001), server(2, 3001, I81="Virtual"), server(3, 2002)])
    source, _ = cove_source(cove)
    assert source.read("2001", DAY) == source.read_fleet(DAY, {})["2001"]


@pytest.mark.parametrize("customer", ["2999", "3001", "Alder Dental", ""])
def test_who_is_no_customer_any_more_is_gone(customer: str) -> None:
    cove = FakeCove([partner(2001), partner(3001, parent=2001, level="Site")], [server(1, 2001)])
    failure = cove_source(cove)[0].read(customer, DAY)
    assert isinstance(failure, ReadFailure)
    assert failure.kind is FailureKind.CUSTOMER_GONE
    assert failure.customer == customer


def test_pages_are_read_until_an_empty_one_whatever_the_server_gives_at_once() -> None:
    cove = alder(*(server(number, 2001) for number in range(1, 8)))
    cove.most_rows = 3
    assert counted(fleet(cove)["2001"])["physical-server"] == 7
    assert cove.methods == ["Login", "EnumeratePartners", *["EnumerateAccountStatistics"] * 5]


class Restless(FakeCove):
    """Says something else than it would when devices are listed; `pages` counts how often they were."""

    pages = 0

    def __init__(self, change: Callable[[Restless], list[dict[str, Any]] | None]) -> None:
        owners = [2001] * 5 + [2002] * 5
        super().__init__(
            [partner(2001), partner(2002)], [server(number, owner) for number, owner in enumerate(owners, 1)]
        )
        self.most_rows = 5
        self._change = change

    def __call__(self, call: Call) -> object:
        if call.body["method"] == "EnumerateAccountStatistics":
            self.pages += 1
            rows = self._change(self)
            if rows is not None:
                return self.answered({"result": rows})
        return super().__call__(call)


def servers(cove: FakeCove) -> list[Decimal]:
    return [counted(reading)["physical-server"] for reading in fleet(cove).values()]


def test_a_device_that_goes_while_pages_are_read_takes_no_other_with_it() -> None:
    def one_goes(cove: Restless) -> None:
        if cove.pages == 2:
            del cove.devices[0]

    assert servers(Restless(one_goes)) == [4, 5]


def test_a_device_that_comes_while_pages_are_read_is_counted() -> None:
    def one_comes(cove: Restless) -> None:
        if cove.pages == 2:
            cove.devices.append(server(11, 2002))

    assert servers(Restless(one_comes)) == [5, 6]


def test_an_empty_page_before_the_end_is_not_the_end() -> None:
    assert servers(Restless(lambda cove: [] if cove.pages == 2 else None)) == [5, 5]


def test_a_list_that_never_stands_still_is_no_list() -> None:
    with pytest.raises(Incomplete, match="changed each time"):
        fleet(Restless(lambda cove: [] if cove.pages % 2 == 0 else None))


class Deaf(FakeCove):
    """Tells the devices of everybody, whoever was asked for."""

    def _below(self, _: int) -> list[dict[str, Any]]:
        return self.devices


def test_devices_of_others_are_not_a_customers_although_the_vendor_lists_them() -> None:
    deaf = Deaf([partner(2001), partner(2002)], [server(1, 2001), server(2, 2002)])
    failure = cove_source(deaf)[0].read("2001", DAY)
    assert isinstance(failure, ReadFailure)
    assert "devices of others" in failure.reason


@pytest.mark.parametrize("number", [3.5, 1e30, -1, "2001", True])
def test_an_id_that_is_no_whole_number_makes_the_list_incomplete(number: object) -> None:
    with pytest.raises(Incomplete, match="number"):
        fleet(FakeCove([partner(2001) | {"Id": number}], []))


def test_rows_that_come_twice_and_devices_of_nobody_make_the_list_incomplete() -> None:
    for devices in ([server(1, 2001), server(1, 2001)], [server(1, 2777)]):
        with pytest.raises(Incomplete):
            fleet(alder(*devices))
    circle = FakeCove([partner(1, parent=2, level="Site"), partner(2, parent=1, level="Site")], [server(1, 1)])
    with pytest.raises(Incomplete, match="no root"):
        fleet(circle)
    with pytest.raises(Incomplete, match="twice"):
        fleet(FakeCove([partner(1), partner(1)], []))


def test_one_login_serves_many_reads_and_a_new_one_follows_a_long_silence() -> None:
    hours = Hours()
    cove = alder(server(1, 2001))
    source, _ = cove_source(cove, hours)
    source.customers()
    source.read("2001", DAY)
    assert cove.methods.count("Login") == 1
    hours.now += VISA_SECONDS
    source.customers()
    assert cove.methods.count("Login") == 2


def test_a_visa_that_is_not_taken_any_more_is_replaced_once_and_only_once() -> None:
    cove = alder(server(1, 2001))
    source, _ = cove_source(cove)
    source.customers()
    cove.visa += 100
    assert [item.id for item in source.customers()] == ["2001", "2002"]
    assert cove.methods.count("Login") == 2

    never, wire = cove_source(lambda call: cove(call) if call.body["method"] == "Login" else cove.error(1701))
    with pytest.raises(TrueUpError, match="1701"):
        never.customers()
    assert [call.body["method"] for call in wire.calls] == ["Login", "EnumeratePartners"] * 2


@pytest.mark.parametrize("status", [400, 401, 403, 500])
def test_a_refusal_is_known_by_its_number_under_any_status(status: int) -> None:
    cove = alder(server(1, 2001))

    def under(call: Call) -> object:
        answer = cove(call)
        return Answer(status, {}, json.dumps(answer)) if isinstance(answer, dict) and "error" in answer else answer

    hours = Hours()
    source, _ = cove_source(under, hours)
    source.customers()
    cove.visa += 100
    assert [item.id for item in source.customers()] == ["2001", "2002"]
    assert cove.methods.count("Login") == 2

    hours.now += VISA_SECONDS
    cove.password = "another"
    with pytest.raises(NotPermitted, match="2100"):
        source.customers()
    assert hours.slept == []


@pytest.mark.parametrize("body", ['{"error": {"code": 999}}', '{"error": "no"}', "[]", "<html>"])
def test_what_cove_refuses_without_a_number_that_we_know_is_what_its_status_says(body: str) -> None:
    for status, kind in [(401, NotPermitted), (503, Retryable)]:
        source, _ = cove_source(lambda _, status=status: Answer(status, {}, body))
        with pytest.raises(kind, match=str(status)):
            source.customers()


@pytest.mark.parametrize(("code", "kind"), [(2100, NotPermitted), (13501, NotPermitted), (999, TrueUpError)])
def test_refusals_say_what_to_do_and_not_what_cove_said(
    code: int, kind: type[TrueUpError], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    source, _ = cove_source(lambda _: FakeCove.error(code))
    with pytest.raises(kind) as refused:
        source.customers()
    assert str(code) in str(refused.value)
    assert refused.value.remedy
    assert SECRET not in caplog.text + str(refused.value) + refused.value.remedy + "".join(source.check())


def test_the_check_asks_for_one_device_with_every_column() -> None:
    cove = alder(server(1, 2001), server(2, 2001))
    source, wire = cove_source(cove)
    assert source.check() == []
    query = wire.calls[-1].body["params"]["query"]
    assert (query["RecordsCount"], query["Columns"]) == (1, list(COLUMNS))
