"""An Installation whose server runs in this process, so that a test can turn its clock and break its disk."""

import asyncio
import os
import threading
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import uvloop

from proxy.app import App
from proxy.config import Config
from tests.e2e.cluster import Cluster
from tests.e2e.installation import COMMAND_TIMEOUT, Installation


class InProcess(Installation):
    """`ahead` seconds are added to the server's clock; people's machines keep theirs."""

    def __init__(self, folder: Path, cluster: Cluster, admin: Callable[..., str]) -> None:
        super().__init__(folder, cluster, admin)
        self.ahead = 0.0
        self.app: App
        self._loop = uvloop.new_event_loop()

    def now(self) -> float:
        """The server's clock, in seconds since the epoch."""
        return time.time() + self.ahead

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Run `work` on the server's loop, and wait for it."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(COMMAND_TIMEOUT)

    def _serve(self) -> None:
        thread = threading.Thread(target=self._loop.run_forever, name="kwit serve", daemon=True)
        thread.start()

        def end() -> None:
            self._loop.call_soon_threadsafe(self._loop.stop)
            thread.join(COMMAND_TIMEOUT)
            self._loop.close()

        self._held.callback(end)
        config = Config.load(self.folder / "kwit.yaml")
        self.app = App(config, environ=os.environ, say=lambda _: None, clock=self.now)
        self.run(self.app.start())
        self._held.callback(lambda: self.run(self.app.stop()))
