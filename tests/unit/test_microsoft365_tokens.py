"""Tokens through the real azure-identity, before an Entra that we own on this machine; and Graph over a real socket."""

from __future__ import annotations

import base64
import json
import logging
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import NameOID

from shared.billing.counts import FailureKind, ReadFailure, Reading
from shared.bootstrap import make_notice_ports, make_ports
from shared.errors import Gone, Misconfigured, NotPermitted, Refused, Retryable
from shared.settings import load_settings
from shared.sources.microsoft365 import Microsoft365Source
from shared.sources.microsoft365.certificate import last_day
from shared.sources.microsoft365.tokens import Tokens, make_credential
from tests.unit.fake_graph import CLIENT, OTHER, PARTNER, REQUEST_ID, TENANT, settings
from tests.unit.test_settings import MANAGE, MICROSOFT, STORAGE

UNKNOWN = "bbbbbbbb-0000-4000-8000-00000000dead"
BROKEN = "bbbbbbbb-0000-4000-8000-00000000beef"
IDENTITY = "cccccccc-0000-4000-8000-000000000002"


class Entra:
    """Answers like Entra, like a managed identity endpoint and like Graph, by path; keeps what it was told."""

    def __init__(self) -> None:
        self.forms: list[dict[str, str]] = []
        self.paths: list[str] = []
        self.identity_calls: list[str] = []
        self.truncate = False

    def answer(self, method: str, path: str, headers: Any, body: bytes) -> tuple[int, bytes]:
        self.paths.append(f"{method} {path}")
        if path.startswith("/identity"):
            self.identity_calls.append(path)
            proof = {"access_token": "proof-of-identity", "expires_on": "4102444800", "token_type": "Bearer"}
            return 200, json.dumps(proof).encode()
        if path.startswith("/graph"):
            rows = [{"id": name, "status": 200, "body": {"value": []}} for name in ("skus", "subscriptions", "users")]
            return 200, json.dumps({"responses": rows}).encode()
        tenant = path.split("/")[1]
        if tenant == UNKNOWN:
            return 400, refusal("AADSTS90002: Tenant not found.")
        if tenant == BROKEN:
            return 200, b"<html>"
        if method == "GET":
            base = f"https://{headers['Host']}/{tenant}"
            return 200, json.dumps(
                {
                    "token_endpoint": f"{base}/oauth2/v2.0/token",
                    "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
                    "issuer": f"{base}/v2.0",
                }
            ).encode()
        self.forms.append({"tenant": tenant} | {name: values[0] for name, values in parse_qs(body.decode()).items()})
        if tenant == OTHER:
            return 400, refusal("AADSTS700016: Application was not found in the directory.")
        token = {"token_type": "Bearer", "expires_in": 3599, "access_token": f"token-of-{tenant}"}
        return 200, json.dumps(token).encode()


def refusal(text: str) -> bytes:
    description = f"{text} Trace ID: 1 Correlation ID: {REQUEST_ID} Timestamp: 2026-11-21 02:00:00Z"
    return json.dumps({"error": "invalid_request", "error_description": description}).encode()


def serve(entra: Entra, context: ssl.SSLContext | None = None) -> Iterator[int]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            status, body = entra.answer(self.command, self.path, self.headers, self.rfile.read(length))
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body) * (2 if entra.truncate else 1)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET  # noqa: N815

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join(10)
    server.server_close()


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def entra() -> Entra:
    return Entra()


@pytest.fixture
def secure(entra: Entra, authority: trustme.CA, tmp_path: Path) -> Iterator[dict[str, str]]:
    """Settings that lead to our Entra over TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    for port in serve(entra, context):
        yield {"authority": f"https://localhost:{port}", "ca_file": str(tmp_path / "ca.pem")}


@pytest.fixture
def plain(entra: Entra) -> Iterator[str]:
    for port in serve(entra):
        yield f"http://127.0.0.1:{port}"


ENDS = datetime.now(UTC) + timedelta(days=1)


@pytest.fixture(scope="module")
def certificate() -> bytes:
    """A key and its self-signed certificate as PEM, as one uploads it to an app registration."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "TrueUp")])
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(ENDS - timedelta(days=2))
        .not_valid_after(ENDS)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return private + signed.public_bytes(serialization.Encoding.PEM)


def test_one_secret_credential_gives_tokens_for_every_tenant_and_keeps_them(
    entra: Entra, secure: dict[str, str]
) -> None:
    tokens = Tokens(settings(**secure), None)

    assert [tokens.token(tenant).token for tenant in (TENANT, PARTNER, TENANT, PARTNER)] == [
        f"token-of-{tenant}" for tenant in (TENANT, PARTNER, TENANT, PARTNER)
    ]
    assert [(form["tenant"], form["client_id"], form["client_secret"]) for form in entra.forms] == [
        (TENANT, CLIENT, "hush-hush"),
        (PARTNER, CLIENT, "hush-hush"),
    ]
    assert "https://graph.microsoft.com/.default" in entra.forms[0]["scope"]


def test_a_certificate_signs_in_from_a_file_or_from_data(
    entra: Entra, secure: dict[str, str], certificate: bytes, tmp_path: Path
) -> None:
    (tmp_path / "app.pem").write_bytes(certificate)
    encoded = base64.encodebytes(certificate).decode()

    for where in ({"certificate_file": str(tmp_path / "app.pem")}, {"certificate_data": encoded}):
        tokens = Tokens(settings(**secure, credential="certificate", client_secret=None, **where), None)
        assert tokens.token(TENANT).token == f"token-of-{TENANT}"

    assert all("client_assertion" in form and "client_secret" not in form for form in entra.forms)


def test_the_last_day_of_a_certificate_is_read_from_a_file_or_from_data_in_either_form(
    certificate: bytes, tmp_path: Path
) -> None:
    key = serialization.load_pem_private_key(certificate, None)
    signed = x509.load_pem_x509_certificate(certificate)
    assert isinstance(key, rsa.RSAPrivateKey)
    bundle = pkcs12.serialize_key_and_certificates(b"TrueUp", key, signed, None, serialization.NoEncryption())
    (tmp_path / "app.pem").write_bytes(certificate)
    (tmp_path / "app.pfx").write_bytes(bundle)
    forms = [
        {"certificate_file": str(tmp_path / "app.pem")},
        {"certificate_file": str(tmp_path / "app.pfx")},
        {"certificate_data": base64.encodebytes(certificate).decode()},
        {"certificate_data": base64.encodebytes(bundle).decode()},
    ]

    days = [last_day(settings(credential="certificate", client_secret=None, **form)) for form in forms]

    assert days == [ENDS.date()] * 4


def test_the_end_of_the_certificate_in_the_settings_is_watched_beside_what_somebody_wrote_down(
    certificate: bytes,
) -> None:
    proof = {
        "MICROSOFT_CREDENTIAL": "certificate",
        "MICROSOFT_CERTIFICATE": base64.b64encode(certificate).decode(),
        "MICROSOFT_IDENTITY_CLIENT_ID": "",
        "NOTICE_SECRETS_END": "pax8=2027-01-15",
    }
    given = load_settings(STORAGE | MANAGE | MICROSOFT | proof)

    told = make_notice_ports(given, make_ports(given))

    assert told.secrets_end == {"pax8": date(2027, 1, 15), "microsoft365": ENDS.date()}


@pytest.mark.parametrize("data", ["cGVt", "not base64!", base64.b64encode(b"-----BEGIN").decode()])
def test_of_a_certificate_that_is_none_no_last_day_is_known(data: str) -> None:
    assert last_day(settings(credential="certificate", client_secret=None, certificate_data=data)) is None


def test_without_a_certificate_none_ends() -> None:
    assert last_day(settings()) is None


def test_a_managed_identity_proves_the_app_in_every_tenant(
    entra: Entra, secure: dict[str, str], plain: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IDENTITY_ENDPOINT", f"{plain}/identity")
    monkeypatch.setenv("IDENTITY_HEADER", "of-this-host")
    tokens = Tokens(
        settings(**secure, credential="managed-identity", identity_client_id=IDENTITY, client_secret=None), None
    )

    assert [tokens.token(tenant).token for tenant in (TENANT, PARTNER)] == [f"token-of-{TENANT}", f"token-of-{PARTNER}"]

    assert [form["client_assertion"] for form in entra.forms] == ["proof-of-identity"] * 2
    assert len(entra.identity_calls) == 1
    assert "AzureADTokenExchange" in entra.identity_calls[0]
    assert IDENTITY in entra.identity_calls[0]


def test_a_managed_identity_that_is_not_there_affects_every_tenant(
    secure: dict[str, str], plain: str, entra: Entra, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IDENTITY_ENDPOINT", f"{plain}/{BROKEN}/identity")
    monkeypatch.setenv("IDENTITY_HEADER", "of-this-host")
    tokens = Tokens(settings(**secure, credential="managed-identity", identity_client_id=IDENTITY), None)

    with pytest.raises(Refused, match="every tenant is affected"):
        tokens.token(TENANT)

    assert entra.forms == []


def test_a_tenant_without_consent_and_one_that_is_gone_are_told_apart(secure: dict[str, str]) -> None:
    tokens = Tokens(settings(**secure), None)

    with pytest.raises(NotPermitted) as refused:
        tokens.token(OTHER)
    with pytest.raises(Gone) as gone:
        tokens.token(UNKNOWN)

    assert refused.value.request_id == gone.value.request_id == REQUEST_ID
    assert f"{secure['authority']}/{OTHER}/adminconsent?client_id={CLIENT}" in refused.value.remedy


def test_an_answer_of_entra_that_cannot_be_understood_may_heal(secure: dict[str, str]) -> None:
    with pytest.raises(Retryable):
        Tokens(settings(**secure), None).token(BROKEN)


def test_a_whole_read_over_real_sockets_keeps_its_secrets(
    secure: dict[str, str], plain: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    microsoft = Microsoft365Source(settings(**secure, graph_url=f"{plain}/graph/v1.0"))

    assert microsoft.read(TENANT, date(2026, 11, 21)) == Reading("microsoft365", TENANT, date(2026, 11, 21), ())
    assert "hush-hush" not in caplog.text
    assert "token-of-" not in caplog.text


def test_a_body_that_breaks_off_is_a_failed_read(entra: Entra, secure: dict[str, str], plain: str) -> None:
    waits: list[float] = []
    microsoft = Microsoft365Source(settings(**secure, graph_url=f"{plain}/graph/v1.0"), sleep=waits.append)
    assert isinstance(microsoft.read(TENANT, date(2026, 11, 21)), Reading)
    before = len(entra.paths)
    entra.truncate = True

    outcome = microsoft.read(TENANT, date(2026, 11, 22))

    assert isinstance(outcome, ReadFailure)
    assert outcome.kind is FailureKind.READ_FAILED
    assert entra.paths[before:] == ["POST /graph/v1.0/$batch"] * 3
    assert waits == [2.0, 8.0]


@pytest.mark.parametrize(
    "where", [{"certificate_data": "not base64!"}, {"certificate_data": "cGVt"}, {"certificate_file": "/none.pem"}]
)
def test_a_certificate_that_is_none_is_misconfigured(where: dict[str, str]) -> None:
    with pytest.raises(Misconfigured, match="certificate"):
        make_credential(settings(credential="certificate", client_secret=None, **where))
