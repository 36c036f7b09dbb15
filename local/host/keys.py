"""Function keys: they stop accidents, they are not identity."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass

from shared.errors import Misconfigured

MASTER_SETTING = "HOST_MASTER_KEY"
DEFAULT_SETTING = "HOST_DEFAULT_KEY"


@dataclass(frozen=True, slots=True)
class Keys:
    """The master key opens everything, the default key every function of level `function`."""

    master: str
    default: str

    def allow(self, level: str, presented: str) -> bool:
        """Whether a key opens an authorisation level (anonymous, function or admin, in any case)."""
        accepted = {"ANONYMOUS": None, "FUNCTION": (self.master, self.default), "ADMIN": (self.master,)}[level.upper()]
        return accepted is None or any(_equal(key, presented) for key in accepted)


def read_keys(environment: Mapping[str, str]) -> Keys:
    """The keys from the environment. Raises `Misconfigured` when one is not set."""
    unset = [name for name in (MASTER_SETTING, DEFAULT_SETTING) if not environment.get(name)]
    if unset:
        raise Misconfigured([f"--auth needs the setting {name}" for name in unset])
    return Keys(environment[MASTER_SETTING], environment[DEFAULT_SETTING])


def _equal(key: str, presented: str) -> bool:
    return hmac.compare_digest(key.encode(), presented.encode())
