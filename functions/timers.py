"""Timers: the tick starts scheduled jobs, the watchdog keeps open runs going, people are told, the store is backed up.

UTC, as on the platform.
"""

from __future__ import annotations

import azure.functions as func

from shared.bootstrap import notice_ports, ports
from shared.notices import health
from shared.notices.alarm import Alarm
from shared.sync import backups, due, lanes, night, unfinished

blueprint = func.Blueprint()
_alarm = Alarm()


@blueprint.timer_trigger(arg_name="timer", schedule="0 */5 * * * *", use_monitor=True)
def tick(timer: func.TimerRequest) -> None:
    """Starts what is due by the schedules, which are in the MSP's own time zone."""
    night.tick(ports())


@blueprint.timer_trigger(arg_name="timer", schedule="30 */2 * * * *", use_monitor=True)
def watchdog(timer: func.TimerRequest) -> None:
    """Refills the lanes of open runs, gives up on companies whose workers keep dying, closes finished runs.

    Then has the companies looked at that are due and of which no message came, and finishes an edit of the rules whose
    worker died.
    """
    lanes.watch(ports())
    due.look(ports())
    unfinished.finish_edit(ports())


@blueprint.timer_trigger(arg_name="timer", schedule="45 */5 * * * *", use_monitor=True)
def notices(timer: func.TimerRequest) -> None:
    """Watches over everything and tells people what is due.

    A timer of its own: a night that hangs must not keep anybody from being told.
    """
    _alarm.go_round(notice_ports())


@blueprint.timer_trigger(arg_name="timer", schedule="15 40 * * * *", use_monitor=True)
def backup(timer: func.TimerRequest) -> None:
    """Backs the store up once a day: every hour it looks whether that was done."""
    backups.back_up(ports())


@blueprint.timer_trigger(arg_name="timer", schedule="15 */5 * * * *", use_monitor=True)
def service_health(timer: func.TimerRequest) -> None:
    """Asks Microsoft once an hour for the health of customers' services, and brings the tickets about it up to date.

    A timer of its own: asking every tenant takes minutes, for which nobody else shall wait.
    """
    health.look_at_services(notice_ports())
