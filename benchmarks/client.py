# Talks to a worker: the process that does micro rows in a set-up's interpreter.
# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import json
import os
import subprocess
from types import TracebackType
from typing import Any

from .setups import Setup, SetupError, script_line

_SCRIPT = os.path.join(os.path.dirname(__file__), "worker.py")


class Worker:
    """A running worker; a context manager that ends it."""

    def __init__(
        self,
        setup: Setup,
        repo: str,
        env: dict[str, str],
        *,
        sizes: dict[str, int] | None = None,
        seed: int = 0,
        plan: dict[str, Any] | None = None,
    ) -> None:
        self.setup = setup
        self._process = subprocess.Popen(
            script_line(setup, _SCRIPT),
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
        )
        self._send(
            {
                "repo": repo,
                "config": setup.config,
                "sizes": sizes or {},
                "seed": seed,
                "plan": plan,
            }
        )

    def __enter__(self) -> Worker:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the process: it stops at the end of its input."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        if self._process.wait() < 0:
            raise SetupError(f"set-up {self.setup.name}: the worker was killed")

    def _send(self, message: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(message) + "\n")
        self._process.stdin.flush()

    def ask(self, op: str, **request: Any) -> dict[str, Any]:
        """Have an operation done; see `worker` for the operations.

        Raises SetupError if the worker died (it has said why on stderr).
        """
        assert self._process.stdout is not None
        try:
            self._send({"op": op, **request})
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            raise SetupError(f"set-up {self.setup.name}: the worker died in {op}")
        reply: dict[str, Any] = json.loads(line)
        return reply
