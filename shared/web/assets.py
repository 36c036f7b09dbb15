"""The stylesheet and the script of the pages; their URLs change with what they hold, so that browsers keep them."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from fastapi import APIRouter, HTTPException, Response

_FOLDER = Path(__file__).parent / "static"
#: The files that there are: a path of a request never becomes a path of the file system.
_TYPES = {"console.css": "text/css; charset=utf-8", "console.js": "text/javascript; charset=utf-8"}
#: A URL with the fingerprint of what it answers never answers anything else.
_FOR_EVER = "public, max-age=31536000, immutable"

#: Nobody has to be signed in: these are the same for everybody, and the pages that ask to sign in need them.
router = APIRouter(include_in_schema=False)


@router.get("/console/static/{fingerprint}/{name}")
def asset(fingerprint: str, name: str) -> Response:
    """One file. With the fingerprint of another version, which an open page may ask for, it is not kept."""
    if name not in _TYPES:
        raise HTTPException(404, "there is no such file")
    keep = _FOR_EVER if fingerprint == _fingerprint(name) else "no-cache"
    return Response(_content(name), media_type=_TYPES[name], headers={"Cache-Control": keep})


def url_of(name: str) -> str:
    """Where a page finds one of the files."""
    return f"/console/static/{_fingerprint(name)}/{name}"


@cache
def _content(name: str) -> bytes:
    return (_FOLDER / name).read_bytes()


@cache
def _fingerprint(name: str) -> str:
    return hashlib.sha256(_content(name)).hexdigest()[:16]
