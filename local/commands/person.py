"""Who gives a command at a machine, for the history."""

from __future__ import annotations

import getpass

from shared.sync.approvals import Person


def person(name: str | None, command: str) -> Person:
    """`name`, or who is signed in to this machine; an account without a name, as in some containers, the command."""
    try:
        return Person(name or getpass.getuser(), command)
    except (OSError, KeyError):
        return Person(command)
