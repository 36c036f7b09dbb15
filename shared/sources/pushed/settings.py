"""Who may push counts, and how long a push is believed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

#: Begins the name of a pushed source in rules and keys: `pushed:rmm`.
PREFIX = "pushed:"
#: What comes behind it.
NAME = r"[a-z0-9][a-z0-9-]{0,30}"


@dataclass(frozen=True)
class PushedSettings:
    """`keys` are the keys of each pushed source by the name it was given; more than one while a key is replaced."""

    keys: Mapping[str, tuple[str, ...]] = field(repr=False)
    age: timedelta = timedelta(hours=26)
