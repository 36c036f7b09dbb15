"""The daily backup: when it is made, what is kept, and who is told when there is none."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest

from shared.errors import NotPermitted, TrueUpError
from shared.notices.watch import watch
from shared.state.backups import Backup, BackupRecordStore, Backups
from shared.state.company_state import MSP
from shared.state.rows import Row
from shared.sync.backups import back_up
from shared.sync.checkup import check_alarms, check_stored
from shared.sync.lanes import start_run
from shared.web.pages.setup import CHECKS
from tests import builders as b
from tests.fakes.app import app_for
from tests.fakes.browser import Browser
from tests.fakes.notices import NoticeHouse
from tests.fakes.tables import InMemoryTables
from tests.flow.test_console import ADMIN, PLATFORM


class FakeBlobs:
    """Backups in memory, written at the house's time. `broken` is raised by every call."""

    def __init__(self, house: BackedUpHouse) -> None:
        self._house = house
        self.held: dict[date, tuple[datetime, bytes]] = {}
        self.broken: TrueUpError | None = None

    def all(self) -> list[Backup]:
        self._answer()
        return sorted(Backup(day, written, len(data)) for day, (written, data) in self.held.items())

    def write(self, day: date, pieces: Iterable[bytes]) -> None:
        self._answer()
        self.held[day] = (self._house.clock.now(), b"".join(pieces))

    def read(self, day: date) -> Iterator[bytes]:
        self._answer()
        yield self.held[day][1]

    def delete(self, day: date) -> None:
        self._answer()
        del self.held[day]

    def _answer(self) -> None:
        if self.broken is not None:
            raise self.broken


class Whole(InMemoryTables):
    """One table of one row: what a copy holds is proved elsewhere."""

    def tables(self) -> list[str]:
        return ["Rules"]

    def pages(self, table: str) -> Iterator[list[Row]]:
        yield [Row("p", "r", {"schema": 1}, "etag")]


class BackedUpHouse(NoticeHouse):
    def __init__(self) -> None:
        super().__init__()
        self.rules(b.rules())
        self.blobs = FakeBlobs(self)
        made = Backups(Whole(), self.blobs, 3, BackupRecordStore(self.tables))
        self.ports = replace(self.ports, backups=made)

    def hours(self, hours: int, *, timer: bool = True) -> list[str]:
        """The timer's hours, each with a look of the watch; what the timer did."""
        told = []
        for _ in range(hours):
            if timer:
                told.append(back_up(self.ports))
            watch(self.notices)
            self.clock.pass_by(hours=1)
        return told

    def told(self) -> list[str]:
        findings = self.ports.company_state.load(MSP).findings.values()
        return [each.finding.text for each in findings if each.finding.kind == "backup-missing"]


@pytest.fixture
def house() -> BackedUpHouse:
    return BackedUpHouse()


def test_the_store_is_backed_up_once_a_day_and_as_many_days_are_kept_as_the_setting_says(house):
    told = house.hours(24 * 6)

    made = [each for each in told if each.startswith("1 rows")]
    assert len(made) == 7  # from 02:00 of the first day to 01:00 of the seventh
    assert {each for each in told if each not in made} <= {"there is one of today", "there is one of today, 1 removed"}
    assert [day.day for day in house.blobs.held] == [24, 25, 26, 27]
    assert house.told() == []


def test_a_backup_waits_for_the_end_of_a_run_but_not_for_ever(house):
    house.hours(1)
    start_run(house.ports, "stuck", "nightly", [1])

    told = house.hours(40)

    assert told.count("waits for the end of a run") == 14  # from midnight until the one before is 36 hours old
    assert [day.day for day in house.blobs.held] == [21, 22]


def test_that_there_is_no_backup_is_told_with_what_was_in_the_way_and_closes_with_the_next_one(house):
    house.hours(1)
    house.blobs.broken = NotPermitted("trueup-backups: the storage account did not let us in", remedy="Give the role.")

    house.hours(48)
    assert house.told() == []
    house.hours(1)

    assert house.told() == [
        "The store was last backed up on 21 Nov 2026, 02:00 UTC. What was in the way: "
        "trueup-backups: the storage account did not let us in Give the role."
    ]
    assert list(house.blobs.held) == [date(2026, 11, 21)]

    house.blobs.broken = None
    house.hours(1)
    assert house.told() == []


def test_that_there_never_was_a_backup_is_told_although_its_timer_is_disabled(house):
    house.hours(49, timer=False)
    assert house.told() == []

    house.hours(1, timer=False)
    assert house.told() == ["The store was never backed up."]


def test_backups_that_are_deleted_by_somebody_do_not_count(house):
    house.hours(1)
    house.clock.pass_by(days=3)
    house.blobs.held.clear()

    assert back_up(house.ports) == "1 rows"
    assert house.ports.backups.record.load(house.clock.now()).newest == house.clock.now()


def test_none_are_made_and_none_missed_where_the_setting_says_so(house):
    house.ports = replace(house.ports, backups=None)

    assert set(house.hours(60)) == {"none are made"}
    assert (house.blobs.held, house.told()) == ({}, [])


def test_old_backups_stay_while_none_are_made(house):
    house.hours(1)
    house.clock.pass_by(days=90)
    start = house.clock.now() - timedelta(hours=1)
    house.blobs.held = {day: (start, data) for day, (_, data) in house.blobs.held.items()}
    start_run(house.ports, "stuck", "nightly", [1])

    assert back_up(house.ports) == "waits for the end of a run"
    assert list(house.blobs.held) == [date(2026, 11, 21)]


def test_the_checkup_tells_of_a_store_that_is_not_backed_up_and_writes_nothing(house):
    def told() -> list[tuple[str, ...]]:
        return [check.problems for check in check_stored(house.ports) if check.name == "last backup"]

    assert told() == [()]
    assert house.ports.backups.record.known() is None

    house.hours(1)
    assert told() == [()]
    house.clock.pass_by(hours=48)
    assert told() == [
        ("The store was last backed up on 21 Nov 2026, 02:00 UTC. The function backup tries again every hour.",)
    ]
    house.ports = replace(house.ports, backups=None)
    assert told() == []


def test_the_first_steps_call_every_check_by_a_name_that_people_read(house):
    page = Browser(app_for(house.ports, PLATFORM), ADMIN).get("/console/setup")
    assert page.status_code == 200
    assert "The last backup" in page.words
    checks = [*check_stored(house.ports), check_alarms(house.ports)]
    assert {check.name for check in checks} == set(CHECKS)
