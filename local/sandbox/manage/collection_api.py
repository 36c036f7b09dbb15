"""The collections beside additions: companies, agreements, catalog, set-up tables, invoices, callbacks."""

from __future__ import annotations

from functools import partial

from aiohttp import web

from local.sandbox.manage import agreements, fields, recap, registrations
from local.sandbox.manage.answers import no_endpoint
from local.sandbox.manage.api import Api, body_of, one
from local.sandbox.manage.conditions import Expression
from local.sandbox.manage.fields import FieldSet
from local.sandbox.manage.listing import Source, count_answer, list_answer
from local.sandbox.manage.records import Record

#: Path, collection, the name of one record in errors, and what can be asked about it.
_PLAIN: tuple[tuple[str, str, str, FieldSet], ...] = (
    ("company/companies", "companies", "Company", fields.COMPANY),
    ("finance/agreements/types", "agreementTypes", "AgreementType", fields.AGREEMENT_TYPE),
    ("finance/billingCycles", "billingCycles", "BillingCycle", fields.BILLING_CYCLE),
    ("finance/invoices", "invoices", "Invoice", fields.INVOICE),
    ("procurement/catalog", "catalog", "CatalogItem", fields.CATALOG_ITEM),
    ("procurement/types", "productTypes", "ProductType", fields.PRODUCT_TYPE),
    ("procurement/unitOfMeasures", "unitsOfMeasure", "UnitOfMeasure", fields.UNIT_OF_MEASURE),
    ("system/callbacks", "callbacks", "Callback", fields.CALLBACK),
    ("system/members", "members", "Member", fields.MEMBER),
)


class CollectionApi(Api):
    """Reads every collection; writes agreements, the catalog and callbacks."""

    def routes(self) -> list[web.RouteDef]:
        routes = [
            self.route("PATCH", r"finance/agreements/{id:\d+}", self._patch_agreement),
            self.route("POST", "procurement/catalog", self._post_catalog_item),
            self.route("POST", "system/callbacks", self._post_callback),
            self.route("DELETE", r"system/callbacks/{id:\d+}", self._delete_callback),
        ]
        for path, collection, name, declared in _PLAIN:
            rows = partial(self._rows, collection)
            routes += self._readable(path, path, collection, name, Source(declared, rows, lambda record: record))
        filed = Source(fields.SUBCATEGORY, partial(self._rows, "subcategories"), lambda record: record)
        routes += self._readable(
            "procurement/subcategories/", "procurement/subcategories", "subcategories", "SubCategory", filed
        )
        of_agreements = partial(self._rows, "agreements")
        view = partial(agreements.view, self.instance)
        source = Source(fields.AGREEMENT, of_agreements, view)
        routes += self._readable("finance/agreements", "finance/agreements", "agreements", "Agreement", source)
        source = Source(fields.AGREEMENT_RECAP, of_agreements, partial(recap.view, self.instance))
        return routes + self._readable(
            "finance/agreementrecap/", "finance/agreementrecap", "agreements", "Agreement", source
        )

    def _readable(self, listed: str, path: str, collection: str, name: str, source: Source) -> list[web.RouteDef]:
        """List, count and get of one collection."""

        async def get(request: web.Request) -> web.Response:
            return one(request, source.view(self.found(collection, name, request.match_info["id"])))

        async def list_(request: web.Request) -> web.Response:
            return list_answer(request, source)

        async def count(request: web.Request) -> web.Response:
            return count_answer(request, source)

        return [
            self.route("GET", listed, list_),
            self.route("GET", path + "/count", count),
            self.route("GET", path + r"/{id:\d+}", get),
        ]

    def _rows(self, collection: str, condition: Expression | None) -> list[Record]:
        """All records; only a company's agreements where the condition names the company, as there may be thousands."""
        company = condition.pinned(("company", "id")) if condition and collection == "agreements" else None
        return self.records.all(collection) if company is None else self.records.of_parent(collection, int(company))

    async def _patch_agreement(self, request: web.Request) -> web.Response:
        operations = await body_of(request)
        agreement = self.found("agreements", "Agreement", request.match_info["id"])
        after = agreements.change(agreement, operations)
        stored = self.replace(request, "agreements", agreement, after)
        return web.json_response(agreements.view(self.instance, stored))

    async def _post_catalog_item(self, request: web.Request) -> web.Response:
        record = registrations.new_catalog_item(self.instance, await body_of(request))
        return web.json_response(self.create(request, "catalog", record), status=201)

    async def _post_callback(self, request: web.Request) -> web.Response:
        record = registrations.new_callback(self.instance, await body_of(request))
        return web.json_response(self.create(request, "callbacks", record), status=201)

    async def _delete_callback(self, request: web.Request) -> web.Response:
        callback_id = int(request.match_info["id"])
        if self.records.get("callbacks", callback_id) is None:
            raise no_endpoint()
        return self.delete(request, "callbacks", callback_id)
