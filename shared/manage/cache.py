"""What is worth remembering between two companies of a night."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Generic, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")


class Cache(Generic[Key, Value]):
    """Values for `seconds` after they were kept. Two threads that miss the same key at once both ask."""

    def __init__(self, seconds: float, clock: Callable[[], float]) -> None:
        self._seconds = seconds
        self._clock = clock
        self._kept: dict[Key, tuple[float, Value]] = {}

    def fresh(self, keys: Iterable[Key]) -> dict[Key, Value]:
        """Those of the keys whose value is not too old."""
        now = self._clock()
        entries = {key: self._kept[key] for key in keys if key in self._kept}
        return {key: value for key, (until, value) in entries.items() if now < until}

    def keep(self, values: Mapping[Key, Value]) -> dict[Key, Value]:
        """Remembers the values and gives them back."""
        until = self._clock() + self._seconds
        self._kept.update({key: (until, value) for key, value in values.items()})
        return dict(values)
