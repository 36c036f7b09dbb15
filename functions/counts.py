"""Takes counts that scripts and people push. Authorised by the source's own key, not by a key of the platform."""

from __future__ import annotations

import logging

import azure.functions as func

from functions.answers import answer, answers_errors
from functions.gate import Gate, limited
from functions.push_body import customer_id, push_from_csv, push_from_json, pushes_from_csv
from shared.bootstrap import ports
from shared.errors import Refused
from shared.sync import pushes
from shared.sync.shapes.machines import Accepted

blueprint = func.Blueprint()
log = logging.getLogger(__name__)

KEY_HEADER = "x-trueup-key"
#: A script that pushes one customer after the other is not held up; one that guesses keys is.
GATE = Gate(per_minute=600)


@blueprint.route(
    "api/counts/{source}/{customer}", trigger_arg_name="request", methods=["PUT"], auth_level=func.AuthLevel.ANONYMOUS
)
@limited(GATE)
@answers_errors
def push_counts(request: func.HttpRequest) -> func.HttpResponse:
    """The counts of one customer, as JSON, or as CSV with `?key=…&at=…&complete=…`."""
    source = request.route_params["source"]
    if not _may_push(request, source):
        return _refuse_key(source)
    customer = customer_id(request.route_params["customer"])
    body = request.get_body()
    push = push_from_csv(body, dict(request.params)) if _is_csv(request) else push_from_json(body)
    return answer({"source": source, "customer": customer, **_told(pushes.accept(ports(), source, customer, push))})


@blueprint.route(
    "api/counts/{source}", trigger_arg_name="request", methods=["PUT"], auth_level=func.AuthLevel.ANONYMOUS
)
@limited(GATE)
@answers_errors
def push_file(request: func.HttpRequest) -> func.HttpResponse:
    """The counts of several customers, as CSV with a column customer and `?key=…&at=…&complete=…`."""
    source = request.route_params["source"]
    if not _may_push(request, source):
        return _refuse_key(source)
    if not _is_csv(request):
        raise Refused(
            "only CSV can hold several customers",
            remedy="Send it with Content-Type: text/csv, or each customer alone to /api/counts/{source}/{customer}.",
        )
    found = pushes_from_csv(request.get_body(), dict(request.params))
    taken = pushes.accept_all(ports(), source, found)
    return answer({"source": source, "customers": {customer: _told(each) for customer, each in taken.items()}})


def _may_push(request: func.HttpRequest, source: str) -> bool:
    key: str = request.headers.get(KEY_HEADER, "")
    return pushes.may_push(ports(), source, key)


def _refuse_key(source: str) -> func.HttpResponse:
    """The same for a wrong key and for a source that there is not."""
    log.warning("somebody may not push counts to %.40r", source)
    remedy = "Send the key that PUSHED_KEYS holds for this source in the header X-TrueUp-Key."
    return answer({"error": "this key may not push to this source", "remedy": remedy}, 401)


def _is_csv(request: func.HttpRequest) -> bool:
    kind: str = request.headers.get("content-type", "")
    return kind.partition(";")[0].strip().casefold() == "text/csv"


def _told(accepted: pushes.Accepted) -> Accepted:
    return {"stored": accepted.stored, "older": accepted.older, "repeated": accepted.repeated}
