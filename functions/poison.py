"""Messages that nobody could work on: see them, have one tried again, or dismiss it."""

from __future__ import annotations

import azure.functions as func

from functions.answers import answer, answers_errors
from shared.bootstrap import ports
from shared.sync import poison, views

blueprint = func.Blueprint()


@blueprint.route("api/poison", trigger_arg_name="request", methods=["GET"], auth_level=func.AuthLevel.FUNCTION)
@answers_errors
def poison_messages(request: func.HttpRequest) -> func.HttpResponse:
    """Every message, the oldest first."""
    return answer(views.poison(ports()))


@blueprint.route(
    "api/poison/{id}/retry", trigger_arg_name="request", methods=["POST"], auth_level=func.AuthLevel.FUNCTION
)
@answers_errors
def retry_poison(request: func.HttpRequest) -> func.HttpResponse:
    """202 with the run that works on it."""
    return answer({"run": poison.retry(ports(), request.route_params["id"])}, 202)


@blueprint.route("api/poison/{id}", trigger_arg_name="request", methods=["DELETE"], auth_level=func.AuthLevel.FUNCTION)
@answers_errors
def dismiss_poison(request: func.HttpRequest) -> func.HttpResponse:
    """200 once it is forgotten and its finding closed."""
    message = request.route_params["id"]
    poison.dismiss(ports(), message)
    return answer({"dismissed": message})
