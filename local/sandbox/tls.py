"""A certificate authority of the sandbox's own, for TLS on this machine only."""

from __future__ import annotations

import ssl
from pathlib import Path

import trustme


def server_context(ca_file: Path) -> ssl.SSLContext:
    """TLS for localhost and 127.0.0.1. The authority that clients must trust is written to `ca_file` (PEM)."""
    authority = trustme.CA(organization_name="TrueUp sandbox")
    certificate = authority.issue_cert("localhost", "127.0.0.1")
    authority.cert_pem.write_to_path(str(ca_file))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    certificate.configure_cert(context)
    return context
