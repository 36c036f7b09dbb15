"""Reading settings from the environment so that every problem is found at once.

Problems name a setting and say what it should look like. They never show a value: secrets get pasted into wrong fields.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from ipaddress import ip_address
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

from shared.environment import SETTINGS, Setting, ShownSetting, for_example, setting_names

ChoiceT = TypeVar("ChoiceT", bound=StrEnum)

_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_PLACEHOLDER = re.compile(r"<[^<>]+>")


class Given:
    """The settings as given, trimmed; an empty one is not set. Collects what is wrong with them.

    Every reading method answers something of its type even after a problem, so that all problems are found.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.problems: list[str] = []
        self._values = {name: value for name in setting_names() if (value := environment.get(name, "").strip())}
        self._unusable: set[str] = set()
        for name, value in self._values.items():
            if _PLACEHOLDER.search(value):
                self._unusable.add(name)
                self.problem(name, f"still holds a <placeholder> of the example; put in your own, {for_example(name)}")
            elif value.startswith("@Microsoft.KeyVault("):
                self._unusable.add(name)
                self.problem(
                    name,
                    "its Key Vault reference was not resolved; make the secret that it names in the vault, give the "
                    "app's identity the role Key Vault Secrets User, then have the references refreshed",
                )

    def problem(self, name: str, sentence: str) -> None:
        self.problems.append(f"{name}: {sentence}")

    def has(self, name: str) -> bool:
        return name in self._values

    def shown(self) -> tuple[ShownSetting, ...]:
        """Every setting, for people to look at."""
        return tuple(ShownSetting(each.name, each.meaning, self._shown(each)) for each in SETTINGS)

    def _shown(self, setting: Setting) -> str | None:
        return "set" if setting.secret and self.has(setting.name) else self.text(setting.name)

    def pass_over(self, name: str) -> None:
        """Takes a setting as not given, whatever is wrong with it: nothing will read it."""
        self._values.pop(name, None)
        self.problems = [problem for problem in self.problems if not problem.startswith(f"{name}: ")]

    def any_of(self, prefix: str) -> bool:
        return any(name.startswith(prefix) for name in self._values)

    def text(self, name: str) -> str | None:
        return None if name in self._unusable else self._values.get(name)

    def required(self, name: str, why: str = "") -> str:
        if not self.has(name):
            self.problem(name, f"is missing{why}; set it, {for_example(name)}")
        return self.text(name) or ""

    def exactly_one(self, name: str, other: str, why: str = "") -> None:
        if self.has(name) and self.has(other):
            self.problem(name, f"must not be set beside {other}; keep one of them")
        elif not (self.has(name) or self.has(other)):
            self.problem(name, f"is missing{why}, and so is {other}; set one of them, {for_example(name)}")

    def whole_number(self, name: str, *, default: int, lowest: int, highest: int) -> int:
        text = self.text(name)
        if text is None:
            return default
        if re.fullmatch(r"[0-9]{1,9}", text) and lowest <= int(text) <= highest:
            return int(text)
        self.problem(name, f"must be a whole number from {lowest} to {highest}")
        return default

    def choice(self, name: str, options: type[ChoiceT], default: ChoiceT) -> ChoiceT:
        """One of an enumeration's values, whatever its case."""
        text = (self.text(name) or default.value).lower()
        if text in set(options):
            return options(text)
        self.problem(name, f"must be {' or '.join(options)}")
        return default

    def matching(self, name: str, pattern: str, description: str) -> str | None:
        text = self.text(name)
        if text is not None and not re.fullmatch(pattern, text):
            self.problem(name, f"must be {description}, {for_example(name)}")
        return text

    def url(self, name: str) -> str | None:
        text = self.text(name)
        if text is None:
            return None
        sentence = url_problem(text)
        if sentence:
            self.problem(name, f"{sentence}, {for_example(name)}")
        return text.rstrip("/")

    def guid(self, name: str) -> str | None:
        identifiers = self.guids(name)
        if len(identifiers) > 1:
            self.problem(name, "must be one id, not several")
        return identifiers[0] if identifiers else None

    def guids(self, name: str) -> tuple[str, ...]:
        """Ids separated by commas, in lower case, each once."""
        parts = [part.strip().lower() for part in (self.text(name) or "").split(",") if part.strip()]
        if not all(_GUID.fullmatch(part) for part in parts):
            self.problem(name, f"must hold ids of 32 hexadecimal digits, {for_example(name)}")
        return tuple(dict.fromkeys(parts))

    def file(self, name: str) -> str | None:
        text = self.text(name)
        if text is not None and not Path(text).is_file():
            self.problem(name, "must name a file that exists")
        return text


def url_problem(text: str) -> str | None:
    """What is wrong with a URL; None when it can be used. Plain http never leaves this machine."""
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return "must be a URL"
    if parts.scheme not in ("http", "https") or not host:
        return "must be a URL that begins with https://"
    if "@" in parts.netloc or parts.query or parts.fragment:
        return "must be a URL without user name, query and fragment"
    if parts.scheme == "http" and not is_loopback(host):
        return "must begin with https:// (http:// is for this machine only)"
    return None


def is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
