"""What follows a form: the page that it leads to, with a sentence about what was done or why it was not."""

from __future__ import annotations

import logging
from collections.abc import Callable

from fastapi import Request
from fastapi.responses import RedirectResponse

from shared.errors import Misconfigured, TrueUpError
from shared.web.pages.frame import next_page

log = logging.getLogger(__name__)


class NotDone(Exception):
    """Raised by what a form asks for where nothing was done; the message says why and what to do."""


def acted(request: Request, path: str, work: Callable[[], str]) -> RedirectResponse:
    """Does what a form asks for and leads to the page at this path; `work` gives the sentence about what it did."""
    try:
        return next_page(request, path, work())
    except NotDone as why:
        return next_page(request, path, str(why), "problem")
    except Misconfigured as error:
        return next_page(request, path, " ".join([*error.problems, error.remedy]).strip(), "problem")
    except TrueUpError as error:
        log.warning("%s %s: %s", request.method, request.url.path, error)
        return next_page(request, path, f"{_sentence(str(error))} {error.remedy}".strip(), "problem")


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith('.') else '.'}"
