"""`dev.py bench`: every budget, measured and printed beside its limit."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence

from local.bench.budgets import HEAD, Measured
from local.bench.console import console
from local.bench.importing import importing
from local.bench.nights import measures, nights, thousand
from local.bench.one_company import one_company
from shared.errors import Misconfigured

#: Each bench, and the budgets that it measures.
BENCHES: dict[Callable[[int], Iterator[Measured]], tuple[str, ...]] = {
    importing: ("import", "import-early"),
    one_company: ("tables", "cpu", "plan"),
    nights: (*measures("quiet"), *measures("changed"), "forced"),
    console: ("page-list", "page-company"),
    thousand: measures("thousand"),
}
#: Takes so long that it is measured only when one of its budgets is named.
NAMED_ONLY = BENCHES[thousand]


def bench(companies: int, only: Sequence[str] | None) -> int:
    """Prints one line per budget; 0 also when some are over. `only` names budgets; None: all but `NAMED_ONLY`."""
    known = [name for names in BENCHES.values() for name in names]
    unknown = sorted(set(only or ()) - set(known))
    if unknown:
        raise Misconfigured([f"there is no budget {', '.join(unknown)}; there are {', '.join(known)}"], system="bench")
    wanted = set(only or known) - (set() if only else set(NAMED_ONLY))
    # Companies that cannot be read belong to the made-up MSP: their warnings would stand between the lines.
    logging.basicConfig(level=logging.ERROR)
    print(HEAD, flush=True)
    for run, names in BENCHES.items():
        if wanted & set(names):
            for measured in run(companies):
                if measured.name in wanted:
                    print(measured, flush=True)
    return 0
