"""Manage's callbacks, sent by anybody until the signature says otherwise, and the end of our registration for them."""

from __future__ import annotations

import logging

import azure.functions as func

from functions.answers import answer, answers_errors
from functions.gate import Gate, limited
from shared.bootstrap import ports
from shared.errors import Refused, TrueUpError
from shared.sync import callbacks, registration

blueprint = func.Blueprint()
log = logging.getLogger(__name__)

#: Bytes. A callback holds one record.
LARGEST = 256 * 1024
#: A change of many agreements at once is told one by one; what is turned away is seen the next night.
GATE = Gate(per_minute=600)


@blueprint.route(
    "api/callbacks/manage", trigger_arg_name="request", methods=["POST"], auth_level=func.AuthLevel.ANONYMOUS
)
@limited(GATE)
def manage_callback(request: func.HttpRequest) -> func.HttpResponse:
    """204 once it is noted, 4xx without any effect for what is no callback of ours, 503 where that is not known now.

    Nothing is told to the sender, and nothing that it sent is logged.
    """
    try:
        return func.HttpResponse(status_code=_noted(request))
    except Refused as refused:
        log.info("callback refused: %s", refused)
        return func.HttpResponse(status_code=400)
    except TrueUpError as error:
        log.warning("callback not noted: %s", error)
        return func.HttpResponse(status_code=503)


@blueprint.route(
    "api/callbacks/manage", trigger_arg_name="request", methods=["DELETE"], auth_level=func.AuthLevel.FUNCTION
)
@answers_errors
def remove_callbacks(request: func.HttpRequest) -> func.HttpResponse:
    """Deletes our entries in Manage. While `TRUEUP_CALLBACK_URL` is set, the next night registers anew."""
    return answer({"removed": registration.remove(ports())})


def _noted(request: func.HttpRequest) -> int:
    if ports().callback_url is None:
        return 404
    body = request.get_body()
    if len(body) > LARGEST:
        return 413
    callbacks.receive(ports(), ports().callback_reader.read(body, request.headers.get("x-content-signature", "")))
    return 204
