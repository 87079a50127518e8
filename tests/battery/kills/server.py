"""Lives of a server: `kwit serve` without its web listener, forked from a process that has imported everything.

`python -m tests.battery.kills.server KWIT_YAML` begins a life at each line it reads, says its process id, and once it
is over its status as os.waitpid has it.
"""

from __future__ import annotations

import os
import sys
import traceback
from pathlib import Path

from proxy.app import App
from proxy.config import Config
from proxy.server import run, until_stopped


async def live(config: Config) -> int:
    app = App(config, environ={}, say=lambda _: None, web=False)
    await app.start()
    return await until_stopped(app, config)


def main(path: Path) -> None:
    config = Config.load(path)
    for _ in sys.stdin:
        pid = os.fork()
        if pid == 0:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            status = 70
            try:
                status = run(lambda: live(config))
            except Exception:  # noqa: BLE001 - this is all that the child does
                traceback.print_exc()
            finally:
                sys.stderr.flush()
                os._exit(status)
        print(pid, flush=True)
        print(os.waitpid(pid, 0)[1], flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
