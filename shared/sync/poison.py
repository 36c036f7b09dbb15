"""Messages that nobody could work on: each is a finding until it was tried again, dismissed, or is long over."""

from __future__ import annotations

import hashlib
from datetime import timedelta

from shared.billing.findings import Finding, FindingKind
from shared.errors import Gone, Refused
from shared.queues import DUE_MESSAGE, ReadMessage, SyncMessage, message_in
from shared.state.poison import PoisonMessage
from shared.state.runs import Stage
from shared.sync.demand import sync_in_run
from shared.sync.due import look
from shared.sync.msp import settle
from shared.sync.ports import Ports

#: Characters. Ours are much shorter; of what is longer only the beginning is kept.
LONGEST = 4_000
#: As much of a message as is shown.
_SHOWN = 200
#: So long a message is told after its run is over.
_TOLD = timedelta(days=7)


def note(ports: Ports, text: str) -> Finding:
    """Keeps a message and opens its finding: one for each company of a run. Safe to repeat."""
    key = _key(text)
    known = ports.poison.get(_id(key))
    ports.poison.put(
        PoisonMessage(
            _id(key),
            text[:LONGEST],
            known.since if known else ports.clock.now(),
            known.times + 1 if known else 1,
        )
    )
    finding = Finding(
        FindingKind.POISON,
        key,
        f"A message of the queue could not be worked on: {shown(text)}.",
        f"POST /api/poison/{_id(key)}/retry has it tried again, DELETE /api/poison/{_id(key)} dismisses it. If it "
        "comes back, look into the log for its error.",
    )
    settle(ports, lambda standing: standing == (finding.kind.value, key), [finding])
    return finding


def shown(text: str) -> str:
    """The beginning of a message, on one line."""
    beginning = "".join(character for character in text[:_SHOWN] if character.isprintable())
    return beginning + ("…" if len(text) > _SHOWN else "")


def retry(ports: Ports, message_id: str) -> str | None:
    """Has a message worked on again and answers the run that does so, None when nothing was left to be done.

    Where its run has gone on without it, its company is looked at in a new one. Raises `Gone` for an unknown id,
    `Refused` for what is no message.
    """
    message = _found(ports, message_id)
    run = look(ports) if message.text == DUE_MESSAGE else _sent_again(ports, _readable(message))
    _remove(ports, message)
    return run


def dismiss(ports: Ports, message_id: str) -> None:
    """Forgets a message and closes its finding. Raises `Gone` for an unknown id."""
    _remove(ports, _found(ports, message_id))


def close_old(ports: Ports) -> None:
    """Closes what was told long enough, once its run has ended or is not known."""
    old = ports.clock.now() - _TOLD
    for message in ports.poison.all():
        if message.since < old and not _is_open(ports, _key(message.text).rpartition("/")[0]):
            _remove(ports, message)


def _sent_again(ports: Ports, sync: SyncMessage | ReadMessage) -> str | None:
    if isinstance(sync, ReadMessage):
        ports.queue.send_reading(sync)
        return None
    row = ports.runs.row(sync.run, sync.company)
    waits = row is not None and row.stage is Stage.CLAIMED and row.claim == sync.claim
    if row is not None and waits and ports.runs.keep_claim(row, ports.clock.now()):
        ports.queue.send(sync)
        return sync.run
    return sync_in_run(ports, [sync.company], sync.mode)


def _readable(message: PoisonMessage) -> SyncMessage | ReadMessage:
    try:
        return message_in(message.text)
    except Refused as refused:
        refused.remedy = f"It reads no better the next time: DELETE /api/poison/{message.id} dismisses it."
        raise


def _found(ports: Ports, message_id: str) -> PoisonMessage:
    message = ports.poison.get(message_id[:_SHOWN])
    if message is None:
        raise Gone(f"there is no message {message_id[:_SHOWN]!r}", remedy="GET /api/poison lists them.")
    return message


def _remove(ports: Ports, message: PoisonMessage) -> None:
    """The finding goes first: after a crash between the two the message is still there to be removed."""
    settle(ports, lambda key: key[0] == FindingKind.POISON.value and _id(key[1]) == message.id, [])
    ports.poison.remove(message.id)


def _is_open(ports: Ports, run: str) -> bool:
    header = ports.runs.header(run) if run else None
    return header is not None and header.ended is None


def _key(text: str) -> str:
    """`run/company`, or a digest of what is no message of a run."""
    try:
        message = SyncMessage.read(text)
    except Refused:
        return _id(text)
    return f"{message.run}/{message.company}"


def _id(key: str) -> str:
    return hashlib.sha256(key.encode(errors="replace")).hexdigest()[:12]
