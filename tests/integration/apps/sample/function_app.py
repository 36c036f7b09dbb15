"""A function app that shows everything the functions host can do. Its handlers note what they did in a file."""

import json
import os
import threading
import typing
from pathlib import Path

import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
pages = func.Blueprint()


def note(*words: object) -> None:
    with Path(os.environ["SAMPLE_NOTES"]).open("a", encoding="utf-8") as notes:
        notes.write(json.dumps([os.getpid(), *words]) + "\n")


def meet() -> None:
    """Wait until two processes work on messages."""
    pause = threading.Event()
    for _ in range(1500):
        notes = map(json.loads, Path(os.environ["SAMPLE_NOTES"]).read_text(encoding="utf-8").splitlines())
        if len({process for process, word, *_ in notes if word == "work"}) >= 2:
            return
        pause.wait(0.02)


# Routes: tried in the order of the function names, whatever their templates say.


@app.function_name("a_first")
@app.route("order/first")
def before_the_catch_all(req: func.HttpRequest) -> str:
    return "a_first"


@app.function_name("b_catch_all")
@app.route("order/{*rest}")
def the_catch_all(req: func.HttpRequest) -> str:
    return f"b_catch_all {req.route_params.get('rest')}"


@app.function_name("c_swallowed")
@app.route("order/second")
def after_the_catch_all(req: func.HttpRequest) -> str:
    return "c_swallowed"


@app.route("echo/{number:int}/{tail?}", methods=["POST"])
def echo(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    answer = {
        "method": req.method,
        "route": dict(req.route_params),
        "query": dict(req.params),
        "header": req.headers.get("X-Sample"),
        "body": req.get_body().decode(),
        "function": context.function_name,
        "invoked": bool(context.invocation_id),
    }
    return func.HttpResponse(
        json.dumps(answer), status_code=201, mimetype="application/json", headers={"X-Made": "here"}
    )


@app.route("by-guid/{id:guid}", methods=["GET"])
def by_guid(req: func.HttpRequest) -> str:
    return req.route_params["id"]


@app.route("crash")
def crash(req: func.HttpRequest) -> str:
    raise RuntimeError("this text must not reach the caller")


@app.route("nothing")
async def nothing(req: func.HttpRequest):  # the platform refuses the annotation None for a route
    note("nothing")


@app.route("cookies")
def cookies(req: func.HttpRequest) -> func.HttpResponse:
    response = func.HttpResponse("two")
    response.headers.add("Set-Cookie", "one=1; Path=/")
    response.headers.add("Set-Cookie", "two=2; HttpOnly")
    return response


@app.route("locked", auth_level=func.AuthLevel.FUNCTION)
def locked(req: func.HttpRequest) -> str:
    return "unlocked"


@app.route("master-only", auth_level=func.AuthLevel.ADMIN)
def master_only(req: func.HttpRequest) -> str:
    return "unlocked"


# An ASGI app behind one function.


async def site(scope, receive, send) -> None:
    body = (await receive())["body"]
    text = f"{scope['method']} {scope['path']}?{scope['query_string'].decode()} {len(body)}"
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": text.encode()})


@pages.route("web/{*path}", methods=["GET", "POST"])
async def web(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    return await func.AsgiMiddleware(site).handle_async(req, context)


app.register_functions(pages)


# Queues and timers.


@app.route("enqueue", methods=["POST"])
@app.queue_output(arg_name="messages", queue_name="%SAMPLE_QUEUE%", connection="AzureWebJobsStorage")
def enqueue(
    req: func.HttpRequest,
    messages: func.Out[typing.List[str]],  # noqa: UP006 - the platform does not take list[str] here
) -> func.HttpResponse:
    messages.set([json.dumps(message) for message in req.get_json()])
    return func.HttpResponse(status_code=202)


@app.queue_trigger(arg_name="msg", queue_name="%SAMPLE_QUEUE%", connection="AzureWebJobsStorage")
def work(msg: func.QueueMessage) -> None:
    message = msg.get_json()
    note("work", message["id"], msg.dequeue_count)
    if message["do"] == "fail" or (message["do"] == "fail once" and msg.dequeue_count == 1):
        raise RuntimeError("as asked")
    if message["do"] == "meet":
        meet()
    if message["do"] == "hang" and msg.dequeue_count == 1:
        threading.Event().wait(120)
    note("done", message["id"], msg.dequeue_count)


@app.timer_trigger(arg_name="timer", schedule="%SAMPLE_SCHEDULE%")
async def tick(timer: func.TimerRequest) -> None:
    note("tick", timer.past_due)
