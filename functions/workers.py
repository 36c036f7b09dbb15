"""Queue workers: one message, one company."""

from __future__ import annotations

import logging

import azure.functions as func

from shared.bootstrap import ports
from shared.errors import Refused
from shared.queues import POISON_QUEUE, SYNC_QUEUE, SyncMessage
from shared.sync import lanes, msp

blueprint = func.Blueprint()
log = logging.getLogger(__name__)


@blueprint.queue_trigger(arg_name="message", queue_name=SYNC_QUEUE, connection="AzureWebJobsStorage")
def sync_worker(message: func.QueueMessage) -> None:
    """Syncs one company of one run. A message that cannot be read is parked at once: it will not read better later."""
    text = message.get_body().decode(errors="replace")
    try:
        sync = SyncMessage.read(text)
    except Refused as error:
        log.error("message %s: %s", message.id, error)
        ports().queue.send_poison(text)
        return
    lanes.work(ports(), sync, message.dequeue_count or 1)


@blueprint.queue_trigger(arg_name="message", queue_name=POISON_QUEUE, connection="AzureWebJobsStorage")
def poison_worker(message: func.QueueMessage) -> None:
    """What nobody could work on becomes a finding."""
    msp.note_poison(ports(), message.get_body().decode(errors="replace"))
