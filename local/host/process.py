"""The functions host as a child process, for the demo and the tests."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from local.child import Child

REPOSITORY = Path(__file__).resolve().parents[2]


class HostProcess(Child):
    """A host that is ready: `url` is where it listens, without a slash at the end.

    `environment` is added to this process's own. `options` are further arguments of `python -m local.host`; `python`
    finds it in `cwd`. Raises
    `Refused` with the end of its log when it is not ready `within` seconds. `terminate` drains it, `kill` does not.
    """

    def __init__(
        self,
        app: Path,
        environment: Mapping[str, str],
        *,
        log: Path,
        port: int = 0,
        options: Sequence[str] = (),
        within: float = 60,
        python: Path = Path(sys.executable),
        cwd: Path = REPOSITORY,
    ) -> None:
        super().__init__(
            "functions host",
            [str(python), "-m", "local.host", "--app", str(app.resolve()), "--port", str(port), *options],
            cwd=cwd,
            environment={**os.environ, **environment},
            log=log,
            announcements=[r"^host ready on (\S+): "],
        )
        self.url = self.wait_until_ready(within)[0][1]
