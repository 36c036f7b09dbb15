"""The console's app on the stores of one test."""

from __future__ import annotations

from fastapi import FastAPI

from shared.sync.ports import Ports
from shared.web.app import make_app
from shared.web.principal import Access

#: Made for the first test that asks: the first request to an app takes a quarter of a second, later ones a hundredth.
_MADE: list[FastAPI] = []


def app_for(ports: Ports, access: Access) -> FastAPI:
    """The one app of this process, from now on for these stores and people."""
    if not _MADE:
        _MADE.append(make_app(ports, access))
    (app,) = _MADE
    app.state.ports, app.state.access = ports, access
    return app
