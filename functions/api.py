"""The API for machines: start a sync, ask how things stand."""

from __future__ import annotations

from typing import Annotated, Literal

import azure.functions as func
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from functions.answers import answer, answers_errors
from functions.gate import Gate, limited
from functions.parameters import DIGITS, company_of
from shared.billing.rules import Mode
from shared.bootstrap import ports
from shared.errors import Misconfigured, Refused
from shared.sync import demand, views

blueprint = func.Blueprint()

CompanyId = Annotated[int, Field(gt=0, lt=10**DIGITS, strict=True)]

#: As many companies as one request may name.
_MOST = 5000
#: Bytes: some times as many companies as that.
LARGEST = 256 * 1024
#: Of whoever asks whether the app is well.
_GATE = Gate(per_minute=120)


class SyncRequest(BaseModel):
    """`{"companies": [250] or "all", "mode"?}`; the mode can only be more careful than a company's own."""

    model_config = ConfigDict(extra="forbid")

    companies: Annotated[list[CompanyId], Field(min_length=1, max_length=_MOST)] | Literal["all"]
    mode: Mode | None = None


@blueprint.route("api/sync", trigger_arg_name="request", methods=["POST"], auth_level=func.AuthLevel.FUNCTION)
@answers_errors
def sync(request: func.HttpRequest) -> func.HttpResponse:
    """One company: 200 with its outcome, 409 while it is busy. Several or all: 202 with the id of a run."""
    body = request.get_body()
    if len(body) > LARGEST:
        return answer(
            {"error": f"the body has more than {LARGEST:,} bytes", "remedy": 'Send {"companies": "all"}.'}, 413
        )
    try:
        wanted = SyncRequest.model_validate_json(body)
    except ValidationError as error:
        raise Refused(_problems(error), remedy='Send {"companies": [250]} or {"companies": "all"}.') from error
    if wanted.companies != "all" and len(wanted.companies) == 1:
        return answer(views.synced(demand.sync_now(ports(), wanted.companies[0], wanted.mode, "api")))
    companies = None if wanted.companies == "all" else wanted.companies
    return answer({"run": demand.sync_in_run(ports(), companies, wanted.mode)}, 202)


@blueprint.route("api/status", trigger_arg_name="request", methods=["GET"], auth_level=func.AuthLevel.FUNCTION)
@answers_errors
def status(request: func.HttpRequest) -> func.HttpResponse:
    """Last night, open runs, counts of findings by kind, sources, version."""
    return answer(views.status(ports()))


@blueprint.route("api/runs", trigger_arg_name="request", methods=["GET"], auth_level=func.AuthLevel.FUNCTION)
@answers_errors
def runs(request: func.HttpRequest) -> func.HttpResponse:
    """The newest runs."""
    return answer(views.runs(ports()))


@blueprint.route("api/runs/{id}", trigger_arg_name="request", methods=["GET"], auth_level=func.AuthLevel.FUNCTION)
@answers_errors
def run(request: func.HttpRequest) -> func.HttpResponse:
    """One run with a row per company."""
    return answer(views.run(ports(), request.route_params["id"]))


@blueprint.route("api/companies/{id}", trigger_arg_name="request", methods=["GET"], auth_level=func.AuthLevel.FUNCTION)
@answers_errors
def company(request: func.HttpRequest) -> func.HttpResponse:
    """One company with its waiting plan and open findings."""
    return answer(views.company(ports(), company_of(request)))


@blueprint.route("api/health", trigger_arg_name="request", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
@limited(_GATE)
def health(request: func.HttpRequest) -> func.HttpResponse:
    """200 when the settings are sound, 503 without details when they are not."""
    try:
        ports()
    except Misconfigured:
        return answer({"status": "misconfigured"}, 503)
    return answer({"status": "ok"})


def _problems(error: ValidationError) -> str:
    """One sentence per field: of `companies` pydantic tells what is wrong with each of its two forms."""
    found = {str(problem["loc"][0]) if problem["loc"] else "the body": problem["msg"] for problem in error.errors()}
    if "companies" in found:
        found["companies"] = f'must be "all" or a list of 1 to {_MOST} company ids, whole numbers above 0'
    return "; ".join(f"{field}: {problem}" for field, problem in found.items())
