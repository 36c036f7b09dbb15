"""`dev.py release`: whether a tag may become a release, and what its notes say."""

from __future__ import annotations

import re

from local.package.lock import REPOSITORY
from shared.errors import Refused
from shared.version import VERSION


def release(tag: str) -> int:
    """Prints what this version brings. Raises `Refused` with everything that keeps the tag from being one."""
    changelog = (REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8")
    print(notes(tag, VERSION, changelog))
    return 0


def notes(tag: str, version: str, changelog: str) -> str:
    """The newest section of the changelog, without its title. Raises `Refused`."""
    sections = re.split(r"^## (.+)$", changelog, flags=re.M)
    title, text = (sections[1].strip(), sections[2].strip()) if len(sections) > 2 else ("", "")
    problems = []
    if tag != f"v{version}":
        problems.append(f"the tag is {tag}, the version of shared/version.py {version}: tag v{version}, or change it")
    if title != version:
        problems.append(f"CHANGELOG.md begins with {title!r}: its newest section must be called {version}")
    if not text:
        problems.append(f"CHANGELOG.md says nothing of {version}")
    if problems:
        raise Refused("; ".join(problems), remedy='CONTRIBUTING.md, "A release", has the steps.')
    return text
