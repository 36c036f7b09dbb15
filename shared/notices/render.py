"""A digest as a message: subject, plain text and HTML."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from shared.notices.digest import Digest, Heading, Section

if TYPE_CHECKING:
    from jinja2 import Environment

_TEMPLATES = Path(__file__).parent / "templates"
_NOTHING = "nothing to tell"


def subject_of(digest: Digest) -> str:
    """TrueUp, 11/21/2026: waits for you 2 (1 new), changed in ConnectWise Manage 14."""
    told = [section for section in digest.sections if section.count or section.amount]
    parts = [
        f"{section.title[0].lower()}{section.title[1:]} {section.amount or _counted(section, ' ({} new)')}"
        for section in told
    ]
    nothing_new = [] if any(section.new or section.amount for section in told) or not told else ["nothing new"]
    return f"{digest.title}: {', '.join([*nothing_new, *parts]) or _NOTHING}"


def _counted(section: Section, new: str) -> str:
    """How much there is, and how much of it is new where that is only a part."""
    return f"{section.count}{new.format(section.new) if 0 < section.new < section.count else ''}"


def text_of(digest: Digest, console: str) -> str:
    """Plain text. `console` is the address of the console, "" for no links."""
    return _render("digest.txt", digest, console)


def html_of(digest: Digest, console: str) -> str:
    """HTML without anything from elsewhere: mail programs show it as it stands."""
    return _render("digest.html", digest, console)


def _render(template: str, digest: Digest, console: str) -> str:
    return _templates().get_template(template).render(digest=digest, console=console, link=_link, counted=_counted)


def _link(console: str, heading: Heading) -> str:
    """Where the console shows the same; "" for nowhere."""
    path = f"/companies/{quote(str(heading.company))}" if heading.company is not None else heading.page
    return f"{console}{path}" if console and path else ""


@cache
def _templates() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=lambda name: name is not None and name.endswith(".html"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
