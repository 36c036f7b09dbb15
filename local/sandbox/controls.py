"""The controls below /_sandbox: what a test or a demo turns and reads."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from typing import Any

from aiohttp import web
from pydantic import BaseModel, ConfigDict, ValidationError

from local.sandbox import cove, huntress, huntress_rows
from local.sandbox.azure import AzureBilling, AzureUsage
from local.sandbox.callbacks import Callbacks, Sending
from local.sandbox.calls import CallBook
from local.sandbox.clock import Clock
from local.sandbox.faults import FaultBook
from local.sandbox.graph.health import Health, HealthBook
from local.sandbox.graph.mail import PostOffice
from local.sandbox.manage.additions import view as addition_view
from local.sandbox.manage.instance import Instance
from local.sandbox.manage.invoices import list_invoices, run_invoices, undo_invoice
from local.sandbox.manage.person import act
from local.sandbox.pax8 import Pax8Change, change, invoice_row, make_invoice
from local.sandbox.seats import Seats, set_seats
from local.sandbox.switches import Switches
from local.sandbox.teams import Teams
from local.sandbox.world import Msp
from shared.errors import Gone, TrueUpError

Handler = Callable[[web.Request], Awaitable[Any]]


@dataclass(slots=True)
class Sandbox:
    """Everything that the controls reach. `settings` is the environment that makes TrueUp use this sandbox."""

    msp: Msp
    clock: Clock
    switches: Switches
    faults: FaultBook
    calls: CallBook
    azure: AzureBilling
    health: HealthBook
    post_office: PostOffice
    teams: Teams
    settings: dict[str, str] = field(default_factory=dict)


class _Moment(BaseModel):
    model_config = ConfigDict(extra="forbid")
    now: datetime


class _Through(BaseModel):
    model_config = ConfigDict(extra="forbid")
    through: date


def control_routes(sandbox: Sandbox) -> list[web.RouteDef]:
    """The controls of design §8; each answers JSON, and 400 or 404 with `{"error"}` for what cannot be done."""
    controls = _Controls(sandbox)
    routes: list[tuple[str, str, Handler]] = [
        ("GET", "calls", controls.calls),
        ("DELETE", "calls", controls.clear_calls),
        ("GET", "clock", controls.clock),
        ("PUT", "clock", controls.set_clock),
        ("PUT", "seats", controls.set_seats),
        ("PUT", "azure", controls.use_azure),
        ("PUT", "health", controls.set_health),
        ("GET", "mails", controls.mails),
        ("GET", "teams", controls.teams),
        ("GET", "huntress", controls.huntress),
        ("PUT", "huntress", controls.set_huntress),
        ("POST", "huntress/invoices", controls.make_huntress_invoice),
        ("GET", "cove", controls.cove),
        ("PUT", "cove", controls.set_cove),
        ("PUT", "pax8", controls.change_pax8),
        ("POST", "pax8/invoices", controls.make_pax8_invoice),
        ("PUT", "faults", controls.set_faults),
        ("PUT", "switches", controls.set_switches),
        ("GET", "invoices", controls.invoices),
        ("POST", "invoices", controls.run_invoices),
        ("DELETE", r"invoices/{id:\d+}", controls.undo_invoice),
        ("GET", "additions", controls.additions),
        ("POST", "person", controls.person),
        ("POST", "callbacks", controls.send_callbacks),
        ("GET", "msp", controls.summary),
    ]
    own = [web.route(method, f"/_sandbox/{path}", _answering(handler)) for method, path, handler in routes]
    return [*own, *controls.callbacks.routes()]


class _Controls:
    """One method per control; what it returns is sent as JSON."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._records = sandbox.msp.records
        instance = Instance(self._records, sandbox.clock, sandbox.switches)
        self.callbacks = Callbacks(instance, sandbox.msp.account.company)

    async def calls(self, _: web.Request) -> Any:
        return self._sandbox.calls.to_json()

    async def clear_calls(self, _: web.Request) -> Any:
        self._sandbox.calls.clear()
        return self._sandbox.calls.to_json()

    async def clock(self, _: web.Request) -> Any:
        return {"now": self._sandbox.clock.now().isoformat().replace("+00:00", "Z")}

    async def set_clock(self, request: web.Request) -> Any:
        self._sandbox.clock.set(_Moment.model_validate(await request.json()).now)
        return await self.clock(request)

    async def set_seats(self, request: web.Request) -> Any:
        seats = Seats.model_validate(await request.json())
        return set_seats(self._sandbox.msp, seats, self._sandbox.clock.today())

    async def use_azure(self, request: web.Request) -> Any:
        return self._sandbox.azure.use(AzureUsage.model_validate(await request.json()))

    async def set_health(self, request: web.Request) -> Any:
        return self._sandbox.health.set(Health.model_validate(await request.json()))

    async def mails(self, _: web.Request) -> Any:
        """What was sent by Graph."""
        return {"mails": [asdict(mail) for mail in self._sandbox.post_office.sent]}

    async def teams(self, _: web.Request) -> Any:
        """What stands in the channels, and how much was lost on the way there."""
        teams = self._sandbox.teams
        return {"cards": [asdict(card) for card in teams.cards], "lost": teams.lost}

    async def huntress(self, _: web.Request) -> Any:
        organizations = self._sandbox.msp.huntress.organizations.values()
        return {"organizations": [huntress_rows.organization_summary(item) for item in organizations]}

    async def set_huntress(self, request: web.Request) -> Any:
        counts = huntress.HuntressCounts.model_validate(await request.json())
        return huntress.set_counts(self._sandbox.msp.huntress, counts)

    async def make_huntress_invoice(self, request: web.Request) -> Any:
        invoice = huntress.HuntressInvoice.model_validate(await request.json())
        return huntress.make_invoice(self._sandbox.msp.huntress, invoice)

    async def cove(self, _: web.Request) -> Any:
        tree = self._sandbox.msp.cove
        return {"customers": [cove.customer_summary(tree, customer.id) for customer in tree.customers()]}

    async def set_cove(self, request: web.Request) -> Any:
        counts = cove.CoveCounts.model_validate(await request.json())
        return cove.set_counts(self._sandbox.msp.cove, counts)

    async def change_pax8(self, request: web.Request) -> Any:
        wanted = Pax8Change.model_validate(await request.json())
        return change(self._sandbox.msp.pax8, wanted, self._sandbox.clock.now())

    async def make_pax8_invoice(self, request: web.Request) -> Any:
        """For the month that holds a day: `through`."""
        month = _Through.model_validate(await request.json()).through
        return invoice_row(make_invoice(self._sandbox.msp.pax8, month))

    async def set_faults(self, request: web.Request) -> Any:
        body = await request.json()
        self._sandbox.faults.set(body)
        return body

    async def set_switches(self, request: web.Request) -> Any:
        self._sandbox.switches.update(await request.json())
        return self._sandbox.switches.to_json()

    async def invoices(self, _: web.Request) -> Any:
        return {"invoices": list_invoices(self._records)}

    async def run_invoices(self, request: web.Request) -> Any:
        through = _Through.model_validate(await request.json()).through
        return {"invoices": run_invoices(self._records, self._sandbox.clock, self._sandbox.switches, through)}

    async def undo_invoice(self, request: web.Request) -> Any:
        number = int(request.match_info["id"])
        undo_invoice(self._records, number)
        return {"undone": number}

    async def additions(self, _: web.Request) -> Any:
        instance = Instance(self._records, self._sandbox.clock, self._sandbox.switches)
        return {"additions": [addition_view(instance, addition) for addition in self._records.all("additions")]}

    async def person(self, request: web.Request) -> Any:
        return act(self._records, self._sandbox.clock, await request.json())

    async def send_callbacks(self, request: web.Request) -> Any:
        sending = Sending.model_validate(await request.json())
        return await self.callbacks.send(sending, self._sandbox.settings["MICROSOFT_AUTHORITY"])

    async def summary(self, _: web.Request) -> Any:
        """The MSP at a glance, and the settings with which TrueUp finds it."""
        msp = self._sandbox.msp
        company_of = {linked.tenant: linked.company for linked in msp.linked}
        tenants = [
            {
                "id": tenant.id,
                "name": tenant.name,
                "domain": tenant.domain,
                "partner": tenant.partner,
                "consent": tenant.consent.value,
                "company": company_of.get(tenant.id),
                "users": len(tenant.users),
                "skus": tenant.skus(),
            }
            for tenant in msp.tenants.values()
        ]
        return {
            "companies": [{"id": company["id"], "name": company["name"]} for company in self._records.all("companies")],
            "tenants": tenants,
            "pax8": [{"id": company.id, "name": company.name} for company in msp.pax8.companies.values()],
            "partners": [{"id": partner.id, "name": partner.name} for partner in msp.partners],
            "account": {"company": msp.account.company, "publicKey": msp.account.public_key},
            "settings": self._sandbox.settings,
        }


def _answering(handler: Handler) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def answer(request: web.Request) -> web.Response:
        try:
            return web.json_response(await handler(request))
        except Gone as gone:
            return web.json_response({"error": f"{gone} {gone.remedy}"}, status=404)
        except TrueUpError as refused:
            return web.json_response({"error": f"{refused} {refused.remedy}"}, status=refused.status or 400)
        except ValidationError as invalid:
            return web.json_response({"error": json.loads(invalid.json(include_url=False))}, status=400)
        except ValueError as invalid:
            return web.json_response({"error": str(invalid)}, status=400)

    return answer
