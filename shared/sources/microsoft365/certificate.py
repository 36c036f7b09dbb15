"""The certificate by which the app proves itself: when it ends."""

from __future__ import annotations

import base64
from datetime import date
from pathlib import Path

from shared.sources.microsoft365.settings import MicrosoftSettings

_PEM = b"-----BEGIN"


def last_day(settings: MicrosoftSettings) -> date | None:
    """The last day (UTC) of the certificate in the settings. None without one, and where it cannot be read.

    What cannot be read gives no token either, and is told by the check of the source.
    """
    if settings.credential != "certificate":
        return None
    try:
        return _last_day(_content(settings))
    except (ValueError, OSError):
        return None


def _content(settings: MicrosoftSettings) -> bytes:
    if settings.certificate_file is not None:
        return Path(settings.certificate_file).read_bytes()
    return base64.b64decode("".join((settings.certificate_data or "").split()), validate=True)


def _last_day(content: bytes) -> date | None:
    """Of the first certificate, which is the one that signs; others vouch for it."""
    from cryptography import x509  # not before it is used: it takes a tenth of a second
    from cryptography.hazmat.primitives.serialization import pkcs12

    if _PEM in content:
        return x509.load_pem_x509_certificate(content).not_valid_after_utc.date()
    certificate = pkcs12.load_key_and_certificates(content, None)[1]
    return None if certificate is None else certificate.not_valid_after_utc.date()
