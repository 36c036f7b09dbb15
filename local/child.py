"""A program that runs beside us: started with a log file, known to be ready by what it prints, ended by its own id."""

from __future__ import annotations

import queue
import re
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from shared.errors import Refused


class Child:
    """A running program. Everything it prints goes to the file `log`.

    `announcements` are the patterns of the lines it prints on its standard output when it is ready, in that order.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        log: Path,
        announcements: Sequence[str],
        cwd: Path | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self.log = log
        self._awaited = [re.compile(pattern) for pattern in announcements]
        self._heard: queue.SimpleQueue[re.Match[str] | None] = queue.SimpleQueue()
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as errors:
            self._process = subprocess.Popen(
                command, cwd=cwd, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors
            )
        self._listener = threading.Thread(target=self._listen, name=f"output of {name}", daemon=True)
        self._listener.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs; negative when a signal ended it."""
        return self._process.poll()

    def wait_until_ready(self, within: float) -> list[re.Match[str]]:
        """The announcements, once all were printed. `within` is in seconds.

        Raises `Refused` with the end of the log when the program ended or said too little; it is ended then.
        """
        deadline = time.monotonic() + within
        try:
            return [self._next_announcement(deadline, within) for _ in self._awaited]
        except BaseException:
            # Interrupted as well: whoever was to end this program never got hold of it.
            if self.exit_code is None:
                self.kill()
            raise

    def terminate(self, within: float = 30) -> int:
        """Ask it to end (SIGTERM) and wait; kill it when it has not ended `within` seconds. Gives the exit code."""
        self._process.terminate()
        try:
            self._process.wait(within)
        except subprocess.TimeoutExpired:
            self._process.kill()
        return self._reap()

    def kill(self) -> int:
        """End it at once (SIGKILL), as the platform does. Gives the exit code."""
        self._process.kill()
        return self._reap()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.exit_code is None:
            self.terminate()

    def _reap(self) -> int:
        code = self._process.wait()
        self._listener.join()
        return code

    def _next_announcement(self, deadline: float, within: float) -> re.Match[str]:
        try:
            match = self._heard.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            raise self._failure(f"was not ready within {within:g} s") from None
        if match is None:
            raise self._failure("ended before it was ready")
        return match

    def _listen(self) -> None:
        """Copy the output to the log line by line, so that the program never blocks on a full pipe."""
        awaited = list(self._awaited)
        assert self._process.stdout is not None
        with self.log.open("ab") as log, self._process.stdout as output:
            for line in output:
                log.write(line)
                log.flush()
                match = awaited[0].search(line.decode(errors="replace")) if awaited else None
                if match:
                    awaited.pop(0)
                    self._heard.put(match)
        self._heard.put(None)

    def _failure(self, what: str) -> Refused:
        if self.exit_code is None:
            self.kill()
        tail = self.log.read_text(errors="replace").strip().splitlines()[-15:]
        return Refused(
            f"{self.name} {what}. The end of its log:\n" + "\n".join(tail),
            system=self.name,
            remedy=f"Read {self.log}.",
        )
