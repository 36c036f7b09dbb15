"""Downloads the files of an export: piece by piece, from Azure's own storage only, and for so long."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Protocol
from urllib.parse import quote, urlsplit

import requests
import urllib3

from shared.errors import Incomplete, Refused, Retryable
from shared.sources.microsoft365.settings import is_safe_url
from shared.sources.partner_billing.kinds import ExportKind

#: The platform ends a job after ten minutes, and the night must start.
DOWNLOAD_SECONDS = 180.0
_PIECE = 262_144
_STORAGE = ".blob.core.windows.net"


class Blobs(Protocol):
    """Where the files of an export lie."""

    def pieces(self, address: str, /) -> Iterator[bytes]:
        """A file's bytes, as they come. Raises a `TrueUpError` for a file that is not given whole."""


class StorageBlobs:
    """The real ones. An address holds the key to its file: it is never logged, shown or sent anywhere else."""

    def __init__(self, kind: ExportKind, ca_file: str | None = None) -> None:
        self._kind = kind
        self._verify: str | bool = ca_file or True

    def pieces(self, address: str, /) -> Iterator[bytes]:
        ends = time.monotonic() + DOWNLOAD_SECONDS
        try:
            with requests.get(
                address, stream=True, timeout=(10, 60), verify=self._verify, allow_redirects=False
            ) as answer:
                if answer.status_code != 200:
                    raise _not_given(self._kind, answer.status_code)
                for piece in answer.raw.stream(_PIECE, decode_content=False):
                    if time.monotonic() > ends:
                        raise _broke_off(self._kind, "it took too long")
                    yield piece
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            raise _broke_off(self._kind, type(error).__name__) from None


def address_of(kind: ExportKind, directory: str, name: str, key: str) -> str:
    """The address of one file. Raises `Refused` for one that is not in Azure's storage (or on this machine)."""
    address = f"{directory.rstrip('/')}/{quote(name.lstrip('/'))}"
    parts = urlsplit(address)
    host = parts.hostname or ""
    is_ours = is_safe_url(address) and (host.endswith(_STORAGE) or parts.scheme == "http")
    if not is_ours or parts.username is not None or parts.query or parts.fragment or ".." in parts.path:
        raise Refused(
            f"{kind.what[0].upper()}{kind.what[1:]} names files at a place that is not Azure's storage; they were not "
            "fetched.",
            system=kind.system,
            remedy="Check what answers at the Graph address in the settings.",
        )
    return f"{address}?{key.removeprefix('?')}"


def _not_given(kind: ExportKind, status: int) -> Incomplete:
    """The key to a file holds for some hours: a new export has a new one."""
    return Incomplete(
        f"A file of {kind.what} was not given ({status}).",
        system=kind.system,
        status=status,
        remedy="Nothing to do if the next night succeeds: a new export is asked for.",
    )


def _broke_off(kind: ExportKind, why: str) -> Retryable:
    return Retryable(
        f"A file of {kind.what} broke off ({why}).",
        system=kind.system,
        remedy="Nothing to do if the next night succeeds; otherwise check the network.",
    )
