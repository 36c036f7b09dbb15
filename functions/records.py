"""The API for machines: what was ever done to a company."""

from __future__ import annotations

from urllib.parse import quote

import azure.functions as func

from functions.answers import answer, answers_errors
from functions.parameters import company_of
from shared.bootstrap import ports
from shared.sync import history

blueprint = func.Blueprint()


@blueprint.route(
    "api/companies/{id}/history", trigger_arg_name="request", methods=["GET"], auth_level=func.AuthLevel.FUNCTION
)
@answers_errors
def company_history(request: func.HttpRequest) -> func.HttpResponse:
    """`?before=…`: the newest entries, or a page of those before the place that an earlier answer named."""
    return answer(history.page(ports(), company_of(request), history.PAGE, request.params.get("before")))


@blueprint.route(
    "api/companies/{id}/history.csv", trigger_arg_name="request", methods=["GET"], auth_level=func.AuthLevel.FUNCTION
)
@answers_errors
def company_history_table(request: func.HttpRequest) -> func.HttpResponse:
    """All of it for a spreadsheet. Where one answer cannot hold it, `Link` and the last line say how it goes on."""
    company = company_of(request)
    table = history.table(ports(), company, request.params.get("before"))
    headers = {"Content-Disposition": f'attachment; filename="company-{company}-history.csv"'}
    if table.following is not None:
        headers["Link"] = f'<?before={quote(table.following)}>; rel="next"'
    return func.HttpResponse(table.text, headers=headers, mimetype="text/csv", charset="utf-8")
