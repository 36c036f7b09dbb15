"""The REST face of the sandbox's Manage.

A middleware around it may set `request["fault"]` to ask for the co-operation of a handler: `no-effect` (a write answers
success and does nothing), `short-page`, `empty-page`, `endless` (see `listing`).
"""

from __future__ import annotations

from aiohttp import web

from local.sandbox.clock import Clock
from local.sandbox.manage.account import Account
from local.sandbox.manage.addition_api import AdditionApi
from local.sandbox.manage.answers import no_endpoint
from local.sandbox.manage.api import VERSION, Api
from local.sandbox.manage.collection_api import CollectionApi
from local.sandbox.manage.contact_api import ContactApi
from local.sandbox.manage.instance import Instance
from local.sandbox.manage.records import ManageRecords
from local.sandbox.manage.ticket_api import TicketApi
from local.sandbox.switches import Switches

CODEBASE = "v2026_1/"

_BASE_TEMPLATE = "/{codebase}{_a}apis{_b}3.0{_c}"


def manage_routes(records: ManageRecords, clock: Clock, switches: Switches, account: Account) -> list[web.RouteDef]:
    """The routes of one Manage, for `app.add_routes`: discovery, and the REST API below every codebase."""
    instance = Instance(records, clock, switches)
    return [
        *AdditionApi(instance, account).routes(),
        *CollectionApi(instance, account).routes(),
        *TicketApi(instance, account).routes(),
        *ContactApi(instance, account).routes(),
        *_SystemApi(instance, account).routes(),
    ]


def route_template(request: web.Request) -> str:
    """The route of a request without its base path, for example `finance/agreements/{agreement}/additions`."""
    resource = request.match_info.route.resource
    return "" if resource is None else resource.canonical.removeprefix(_BASE_TEMPLATE)


class _SystemApi(Api):
    """Discovery, the system itself, and every address that does not exist."""

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/login/companyinfo/{company}", self._company_info),
            self.route("GET", "system/info", self._system_info),
            self.route("*", "{path:.*}", self._nothing_here),
        ]

    async def _company_info(self, request: web.Request) -> web.Response:
        """Discovery, without authentication. A company that does not exist is `null`."""
        company = self.account.company
        if request.match_info["company"].casefold() != company.casefold():
            return web.json_response(None)
        return web.json_response(
            {
                "CompanyName": company,
                "Codebase": CODEBASE,
                "VersionCode": f"v{VERSION}",
                "VersionNumber": "v4.6.12345",
                "CompanyID": company,
                "IsCloud": False,
            }
        )

    async def _system_info(self, request: web.Request) -> web.Response:  # noqa: ARG002 (a handler)
        info = {"version": f"v{VERSION}.105333", "isCloud": False, "serverTimeZone": "UTC", "licenseBits": []}
        return web.json_response(info)

    async def _nothing_here(self, request: web.Request) -> web.Response:  # noqa: ARG002 (a handler)
        raise no_endpoint()
