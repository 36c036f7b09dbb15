"""Every fault of the sandbox at every kind of call, and what comes of it: the one place where that is written down.

The fault lasts for a whole look at one company, unless its name says "once". What is expected of that look:

ok        the change is written, as if nothing had been
not       nothing reaches Manage and the company fails; the next look writes it
finding   nothing reaches Manage and a finding says why; the next look writes it
unknown   nobody knows whether the write took effect, and it did not: it is not repeated before it had time to arrive
done      nobody knows whether the write took effect, and it did: the next look finds it and writes nothing
believed  Manage says yes and does nothing: the next look notices and writes it
-         the fault is not one of such a call
"""

from __future__ import annotations

MANAGE = ("agreements", "additions", "product", "create", "update", "delete")
MICROSOFT = ("batch", "token")
CALLS = (*MANAGE, *MICROSOFT)

_TABLE = """
fault                    agreements additions product  create   update   delete   batch    token
latency:20               ok         ok        ok       ok       ok       ok       ok       ok
429:1                    not        not       not      not      not      not      not      not
429:1 once               ok         ok        ok       ok       ok       ok       ok       ok
429:120                  not        not       not      not      not      not      not      not
429-no-retry-after       not        not       not      not      not      not      not      not
500-timeout              not        not       not      unknown  unknown  unknown  not      not
500-timeout once         ok         ok        ok       unknown  ok       ok       ok       ok
502-html                 not        not       not      unknown  unknown  unknown  not      not
502-html once            ok         ok        ok       unknown  ok       ok       ok       ok
503-html                 not        not       not      unknown  unknown  unknown  not      not
503-html once            ok         ok        ok       unknown  ok       ok       ok       ok
reset-before             not        not       not      unknown  unknown  unknown  not      not
reset-before once        ok         ok        ok       unknown  ok       ok       ok       ok
reset-after              not        not       not      done     done     done     not      not
reset-after once         ok         ok        ok       done     ok       ok       ok       ok
late-commit:50           not        not       not      done     done     done     not      not
late-commit:50 once      ok         ok        ok       done     ok       ok       ok       ok
truncated                not        not       not      done     done     ok       not      not
html-200                 not        not       not      done     done     ok       not      not
empty-body               not        not       not      done     done     ok       not      not
no-effect                -          -         -        unknown  not      believed -        -
short-page               ok         ok        ok       -        -        -        ok       -
empty-page               ok         ok        ok       -        -        -        ok       -
endless                  not        not       not      -        -        -        not      -
wrong-counts             -          -         -        -        -        -        finding  -
"""


def expectations() -> list[tuple[str, str, str]]:
    """Call, fault and what is expected, row by row; without what cannot be."""
    head, *rows = [line.rsplit(maxsplit=len(CALLS)) for line in _TABLE.strip().splitlines()]
    assert tuple(head[1:]) == CALLS
    return [
        (call, fault.strip(), expected)
        for fault, *cells in rows
        for call, expected in zip(CALLS, cells, strict=True)
        if expected != "-"
    ]


def as_expected(call: str, expected: str, *faults: str) -> list[str]:
    """These faults, of which the table says the same. How long they last (`429:120`) may differ."""
    table = {(at, fault.partition(":")[0]): outcome for at, fault, outcome in expectations() if "once" not in fault}
    for fault in faults:
        assert table[call, fault.partition(":")[0]] == expected, f"{fault} at {call}: the table says otherwise"
    return list(faults)
