"""The sandbox in a thread of its own, for tests and for programs that are not asyncio."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from types import TracebackType

from local.sandbox.server import Options, RunningSandbox, running, sandbox_settings
from local.sandbox.world import Msp

_PATIENCE = 60


class SandboxThread:
    """A sandbox that answers from the moment it is made until `stop`. Raises what kept it from starting.

    Its records belong to its thread: change them through the controls, or look at `msp` while nothing is under way.
    """

    def __init__(self, options: Options) -> None:
        self._options = options
        self._loop = asyncio.new_event_loop()
        self._stopping = asyncio.Event()
        self._ready = threading.Event()
        self._started: RunningSandbox | None = None
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="sandbox", daemon=True)
        self._thread.start()
        if not self._ready.wait(_PATIENCE):
            raise TimeoutError(f"the sandbox did not start within {_PATIENCE} seconds")
        if self._failure is not None:
            raise self._failure

    @property
    def running(self) -> RunningSandbox:
        if self._started is None:
            raise RuntimeError("the sandbox is not running")
        return self._started

    @property
    def url(self) -> str:
        return self.running.url

    @property
    def tls_url(self) -> str:
        return self.running.tls_url

    @property
    def ca_file(self) -> Path:
        return self.running.ca_file

    @property
    def msp(self) -> Msp:
        return self.running.msp

    def settings(self) -> dict[str, str]:
        return sandbox_settings(self.running)

    def stop(self) -> None:
        """Stops answering and waits for the thread to end; a second call does nothing."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stopping.set)
            self._thread.join(_PATIENCE)

    def __enter__(self) -> SandboxThread:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._serve())
        except BaseException as failure:
            self._failure = failure
        finally:
            self._loop.close()
            self._ready.set()

    async def _serve(self) -> None:
        async with running(self._options) as started:
            self._started = started
            self._ready.set()
            await self._stopping.wait()
