"""The Functions entry point. The platform wants it at the root; everything else is a blueprint."""

import azure.functions as func

from functions import api, callbacks, console, counts, poison, records, timers, workers

app = func.FunctionApp()
app.register_functions(api.blueprint)
app.register_functions(callbacks.blueprint)
app.register_functions(console.blueprint)
app.register_functions(counts.blueprint)
app.register_functions(poison.blueprint)
app.register_functions(records.blueprint)
app.register_functions(timers.blueprint)
app.register_functions(workers.blueprint)
