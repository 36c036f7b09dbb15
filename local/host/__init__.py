"""A stand-in for the Azure Functions host: HTTP, storage queues and timers of a Python v2 app, by the platform's rules.

What it cannot show: scale-out, the timers' lease between instances, the platform's sign-in, other bindings.
"""
