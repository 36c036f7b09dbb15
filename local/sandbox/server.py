"""Starts the sandbox: one application, served on a plain port and on one with TLS."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from aiohttp import web

from local.sandbox.azure import AzureBilling, azure_routes
from local.sandbox.calls import CallBook
from local.sandbox.clock import Clock
from local.sandbox.controls import Sandbox, control_routes
from local.sandbox.cove import PATH as COVE_PATH
from local.sandbox.cove import Cove
from local.sandbox.entra import Tokens, entra_routes
from local.sandbox.faults import FaultBook
from local.sandbox.graph import Graph, graph_routes
from local.sandbox.graph.health import HealthBook
from local.sandbox.graph.mail import PostOffice
from local.sandbox.huntress import PREFIX as HUNTRESS_PREFIX
from local.sandbox.huntress import Huntress
from local.sandbox.manage.app import manage_routes
from local.sandbox.partner_center import partner_center_routes
from local.sandbox.pax8 import Pax8, pax8_routes
from local.sandbox.switches import Switches
from local.sandbox.teams import Teams
from local.sandbox.tls import server_context
from local.sandbox.trouble import Trouble
from local.sandbox.world import Msp, make_msp

_HOST = "127.0.0.1"


@dataclass(frozen=True)
class Options:
    """How to start. Port 0 picks a free one; `latency` is in seconds per system; no `ca_file` makes a temporary one."""

    port: int = 0
    tls_port: int = 0
    companies: int = 40
    seed: int = 1
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    latency: Mapping[str, float] = field(default_factory=dict)
    ca_file: Path | None = None


@dataclass(frozen=True)
class RunningSandbox:
    """A sandbox that answers. `url` and `tls_url` end without a slash."""

    url: str
    tls_url: str
    ca_file: Path
    sandbox: Sandbox

    @property
    def msp(self) -> Msp:
        return self.sandbox.msp


@asynccontextmanager
async def running(options: Options) -> AsyncIterator[RunningSandbox]:
    """The sandbox, for as long as the block lasts; on leaving it stops answering and forgets everything."""
    msp, clock = make_msp(options.companies, options.seed, options.now.date()), Clock(options.now)
    sandbox = Sandbox(
        msp=msp,
        clock=clock,
        switches=Switches(),
        faults=FaultBook(options.seed),
        calls=CallBook(),
        azure=AzureBilling(msp, clock),
        health=HealthBook(msp),
        post_office=PostOffice(msp),
        teams=Teams(),
    )
    trouble = Trouble(sandbox.faults, options.latency)
    runner = web.AppRunner(_application(sandbox, trouble), access_log=None, shutdown_timeout=1)
    with tempfile.TemporaryDirectory(prefix="trueup-sandbox-") as folder:
        ca_file = options.ca_file or Path(folder) / "ca.pem"
        await runner.setup()
        try:
            await web.TCPSite(runner, _HOST, options.port).start()
            await web.TCPSite(runner, _HOST, options.tls_port, ssl_context=server_context(ca_file)).start()
            (_, port), (_, tls_port) = runner.addresses
            started = RunningSandbox(f"http://{_HOST}:{port}", f"https://localhost:{tls_port}", ca_file, sandbox)
            sandbox.settings = sandbox_settings(started)
            yield started
        finally:
            await trouble.close()
            _hang_up(runner)
            await runner.cleanup()


def _hang_up(runner: web.AppRunner) -> None:
    """Drops open connections at once: a TLS connection would otherwise wait for its client's goodbye."""
    for connection in runner.server.connections if runner.server else ():
        if connection.transport is not None:
            connection.transport.abort()


def _application(sandbox: Sandbox, trouble: Trouble) -> web.Application:
    tokens = Tokens()
    msp = sandbox.msp
    app = web.Application(middlewares=[sandbox.calls.middleware, trouble.middleware])
    app.add_routes(control_routes(sandbox))
    graph = Graph(msp, tokens, sandbox.health)
    app.add_routes(graph_routes(graph, sandbox.post_office, sandbox.faults.item_fault))
    app.add_routes(azure_routes(sandbox.azure, graph))
    app.add_routes(Huntress(msp.huntress).routes())
    app.add_routes(Cove(msp.cove).routes())
    app.add_routes(manage_routes(msp.records, sandbox.clock, sandbox.switches, msp.account))
    app.add_routes(entra_routes(msp, tokens))
    app.add_routes(partner_center_routes(msp, tokens, sandbox.clock))
    app.add_routes(pax8_routes(Pax8(msp.pax8)))
    app.add_routes(sandbox.teams.routes())
    return app


def sandbox_settings(running: RunningSandbox) -> dict[str, str]:
    """The environment with which TrueUp reads and writes this sandbox instead of the real thing."""
    msp = running.msp
    return {
        "MANAGE_BASE_URL": f"{running.url}/v4_6_release/apis/3.0",
        "MANAGE_COMPANY": msp.account.company,
        "MANAGE_PUBLIC_KEY": msp.account.public_key,
        "MANAGE_PRIVATE_KEY": msp.account.private_key,
        "MANAGE_CLIENT_ID": msp.account.client_id,
        "MICROSOFT_PARTNER_TENANTS": ",".join(partner.id for partner in msp.partners),
        "MICROSOFT_DIRECT_TENANTS": ",".join(tenant.id for tenant in msp.direct_tenants()),
        "MICROSOFT_CLIENT_ID": msp.client_id,
        "MICROSOFT_CREDENTIAL": "secret",
        "MICROSOFT_CLIENT_SECRET": msp.client_secret,
        "MICROSOFT_AUTHORITY": running.tls_url,
        "MICROSOFT_GRAPH_URL": f"{running.url}/graph/v1.0",
        "MICROSOFT_CA_FILE": str(running.ca_file),
        "PAX8_CLIENT_ID": msp.pax8.client_id,
        "PAX8_CLIENT_SECRET": msp.pax8.client_secret,
        "PAX8_URL": f"{running.url}/pax8/v1",
        "PAX8_TOKEN_URL": f"{running.url}/pax8/v1/token",
        "HUNTRESS_PUBLIC_KEY": msp.huntress.public_key,
        "HUNTRESS_PRIVATE_KEY": msp.huntress.private_key,
        "HUNTRESS_URL": f"{running.url}{HUNTRESS_PREFIX}",
        "COVE_PARTNER": msp.cove.name,
        "COVE_USERNAME": msp.cove.username,
        "COVE_TOKEN": msp.cove.token,
        "COVE_URL": f"{running.url}{COVE_PATH}",
        "TRUEUP_CLOCK_URL": f"{running.url}/_sandbox/clock",
    }
