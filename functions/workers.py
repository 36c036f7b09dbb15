"""Queue workers: one message, one company, or one source between the nights."""

from __future__ import annotations

import logging

import azure.functions as func

from shared.bootstrap import ports
from shared.errors import Refused, TrueUpError
from shared.queues import DUE_MESSAGE, POISON_QUEUE, SYNC_QUEUE, ReadMessage, message_in
from shared.sync import due, lanes, moments, poison

blueprint = func.Blueprint()
log = logging.getLogger(__name__)

#: Seconds until a parked message is looked at again that could not be noted.
_LATER = 300


@blueprint.queue_trigger(arg_name="message", queue_name=SYNC_QUEUE, connection="AzureWebJobsStorage")
def sync_worker(message: func.QueueMessage) -> None:
    """Syncs one company of one run, or goes on with a reading between the nights.

    A message that cannot be read is parked at once: it will not read better later.
    """
    text = message.get_body().decode(errors="replace")
    if text == DUE_MESSAGE:
        due.called(ports())
        return
    try:
        wanted = message_in(text)
    except Refused as error:
        log.error("message %s: %s", message.id, error)
        ports().queue.send_poison(text)
        return
    if isinstance(wanted, ReadMessage):
        moments.go_on(ports(), wanted)
    else:
        lanes.work(ports(), wanted, message.dequeue_count or 1)


@blueprint.queue_trigger(arg_name="message", queue_name=POISON_QUEUE, connection="AzureWebJobsStorage")
def poison_worker(message: func.QueueMessage) -> None:
    """What nobody could work on becomes a finding. Behind this queue is no other: what fails here waits for longer."""
    text = message.get_body().decode(errors="replace")
    try:
        poison.note(ports(), text)
    except TrueUpError as error:
        log.error("message %s could not be noted: %s", message.id, error)
        ports().queue.send_poison(text, delay=_LATER)
