# The little world in which a scenario runs: a folder, hg, and a record.
# SPDX-License-Identifier: GPL-2.0-or-later
"""One scenario is played twice in the same folder: by stock, then by fastrevlog.

The same folder, so that no path differs and nothing has to be masked. The second
playing is compared with the first step by step: what was printed, the exit code,
and every byte of every store after every command.
"""

from __future__ import annotations

import contextlib
import difflib
import json
import os
import random
import re
import shlex
import shutil
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable

from support import snapshot
from support.cmdserver import CommandServer
from support.running import (
    CONTROL,
    EXTENSION,
    HERE,
    Result,
    Runner,
    hg_process,
    hg_version,
)

COMMON_RC = f"""
[ui]
interactive = no
merge = internal:merge3
ssh = sh {shlex.quote(str(HERE / "dummyssh.sh"))}
timeout = 30
[devel]
default-date = 0 0
all-warnings = yes
fileindex.garbage-timestamp = 0
[format]
use-persistent-nodemap = no
[web]
address = localhost
push_ssl = no
allow-push = *
[server]
bundle1 = yes
"""
# Commands of extensions: these are on for the one command, and cost the others nothing.
EXTENSION_OF = {
    "rebase": "rebase",
    "share": "share",
    "strip": "strip",
    "uncommit": "uncommit",
    "unshare": "share",
}


_DURATION = re.compile(rb"(duration=|in )\d+\.\d+(?= s|\n)|\(\d[\d.]* \w+/sec\)")


class Divergence(AssertionError):
    """fastrevlog did something that stock had not done."""


@dataclass
class Step:
    """One command, what it did, and the stores after it."""

    what: str
    result: Result
    stores: snapshot.Snapshot


@dataclass
class Report:
    """The sum of what `fastrevlog.report` told in one playing."""

    served: Counter = field(default_factory=Counter)
    refused: Counter = field(default_factory=Counter)
    texts: int = 0
    entries: int = 0
    internal_errors: int = (
        0  # errors of fastrevlog that Mercurial's own code made up for
    )
    lines: int = 0

    @classmethod
    def read(cls, path: Path) -> Report:
        total = cls()
        if path.exists():
            for line in path.read_text(encoding="utf-8").splitlines():
                told = json.loads(line)
                total.served.update(told["served"])
                total.refused.update(told["refused"])
                total.texts += told["texts"]
                total.entries += told["entries"]
                total.internal_errors += bool(told.get("internal_errors"))
                total.lines += 1
        return total


class World:
    """What a scenario gets to work with.

    `expected` holds the steps of the first playing; None makes this one the
    first.
    """

    def __init__(
        self,
        base: Path,
        runner: Runner,
        rc: str = "",
        expected: list[Step] | None = None,
        extension: bool = False,
    ) -> None:
        self.base = base
        self.root = base / "run"
        self.runner = runner
        self.expected = expected
        self.steps: list[Step] = []
        self.version = hg_version()
        self.random = random.Random(2026)
        self.report_path = base / "report.jsonl"
        self._hidden: dict[bytes, bytes] = {}
        self.root.mkdir(parents=True)
        self.rc = base / "hgrc"
        self.configured = bool(rc)  # beyond what is common to all
        text = COMMON_RC + rc
        # Stock, as it comes, needs no process for each command.
        self.stays = not extension and "[extensions]" not in rc
        if extension and not CONTROL:
            text += f"\n[extensions]\nfastrevlog = {EXTENSION}\n"
            text += f"[fastrevlog]\nreport = {self.report_path}\n"
        self.rc.write_text(text, encoding="utf-8")
        self.env = dict(runner.env, HGRCPATH=str(self.rc), WORLD=str(self.root))
        self.env.update(runner.hg_for_children())
        # Some extensions keep caches in the home folder.
        self.env["HOME"] = self.env["XDG_CACHE_HOME"] = str(self.root / "home")
        for left in (self.report_path, runner.uuids):
            with contextlib.suppress(FileNotFoundError):
                left.unlink()

    # -- files of the working folders ------------------------------------------

    def path(self, name: str) -> Path:
        """The file or folder `name` of this world."""
        return self.root / name

    def write(self, name: str, data: bytes | str) -> None:
        """Write a file, making its folder."""
        path = self.path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data.encode("utf-8") if isinstance(data, str) else data)

    def append(self, name: str, data: bytes | str) -> None:
        """Add to the end of a file."""
        with open(self.path(name), "ab") as file:
            file.write(data.encode("utf-8") if isinstance(data, str) else data)

    def noise(self, size: int) -> bytes:
        """`size` bytes that do not compress; the same in both playings."""
        return self.random.randbytes(size)

    def lines(self, count: int, tag: str = "line") -> str:
        """`count` lines of text that compress somewhat."""
        return "".join(
            f"{tag} {number} {self.random.getrandbits(40):x}\n"
            for number in range(count)
        )

    # -- commands --------------------------------------------------------------

    def hg(
        self,
        command: str,
        *more: str,
        repo: str | None = "repo",
        code: int | None = 0,
        stdin: bytes = b"",
        timeout: float = 60,
        env: dict[str, str] | None = None,
    ) -> Result:
        """Run one command, record it, and compare it with the first playing.

        `command` is split as a shell would, `more` is taken as it is. `repo` is
        the folder to run in, the world's own for None. `code` is the exit code
        that stock must end with; None for any.
        """
        args = shlex.split(command) + list(more)
        if args[0] in EXTENSION_OF:
            args += ["--config", f"extensions.{EXTENSION_OF[args[0]]}="]
        cwd = self.path(repo) if repo else self.root
        result = self.runner.run(
            args,
            cwd,
            dict(self.env, **(env or {})),
            stdin=stdin,
            timeout=timeout,
            stays=() if self.stays and "extensions." not in " ".join(args) else None,
        )
        return self.record(f"[{repo or '.'}] hg {shlex.join(args)}", result, code)

    def record(
        self, what: str, result: Result, code: int | None = None, stores: bool = True
    ) -> Result:
        """Note a step; in the second playing, compare it with the first's."""
        result = Result(
            result.status,
            self._mask(result.out),
            self._mask(result.err),
            result.timed_out,
        )
        state = snapshot.take(self.root, only_stores=True) if stores else {}
        step = Step(self._mask(what.encode()).decode(), result, state)
        self.steps.append(step)
        if self.expected is None:
            if code is not None and result.status != code:
                raise AssertionError(
                    f"stock: {what}: exit code {result.status}, not {code}\n"
                    + (result.out + result.err).decode("utf-8", "replace")
                )
            if result.timed_out:
                raise AssertionError(f"stock: {what}: timed out")
        else:
            self._compare(step)
        return result

    def _compare(self, ours: Step) -> None:
        assert self.expected is not None
        number = len(self.steps) - 1
        if number >= len(self.expected):
            raise Divergence(f"step {number} is one more than stock had: {ours.what}")
        stock = self.expected[number]
        problems: list[str] = []
        if stock.what != ours.what:
            problems.append(f"another command: stock ran {stock.what}")
        if stock.result.status != ours.result.status:
            problems.append(f"exit code {stock.result.status} / {ours.result.status}")
        for name in ("out", "err"):
            one, two = getattr(stock.result, name), getattr(ours.result, name)
            if one != two:
                problems += [f"std{name}:"] + _diff(one, two)
        problems += snapshot.differences(stock.stores, ours.stores)
        if problems:
            raise Divergence(f"step {number}, {ours.what}:\n" + "\n".join(problems))

    def hide(self, changing: str, name: str) -> None:
        """Show `changing` as `name` in what is compared (a port, a process id)."""
        self._hidden[changing.encode()] = name.encode()

    def _mask(self, data: bytes) -> bytes:
        for changing, name in self._hidden.items():
            data = data.replace(changing, name)
        return _DURATION.sub(b"*", data)

    # -- shorthands ------------------------------------------------------------

    def init(self, repo: str = "repo", config: str = "") -> None:
        """Make a repository; `config` is as on a command line."""
        self.hg(f"init {repo} {config}", repo=None)

    def commit(self, message: str, *more: str, repo: str = "repo") -> None:
        """Commit everything, adding and removing as needed."""
        self.hg("commit -A -m", message, *more, repo=repo)

    def store(self, repo: str = "repo") -> Path:
        """The store folder of a repository."""
        return self.path(repo) / ".hg" / "store"

    # -- servers ---------------------------------------------------------------

    @contextlib.contextmanager
    def serving(self, repo: str = "repo", *more: str) -> Iterator[str]:
        """`hg serve` on loopback; the value is the address, ending in a slash."""
        process = hg_process(
            ["serve", "-p", "0", "--print-url", "-E", str(self.base / "errors"), *more],
            self.path(repo),
            self.env,
        )
        try:
            assert process.stdout
            url = process.stdout.readline().decode().strip()
            found = re.search(r":(\d+)/", url)
            assert found, url
            self.hide(":" + found.group(1), ":$PORT")
            yield f"http://localhost:{found.group(1)}/"
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)
            assert process.stdout
            process.stdout.close()
        errors = self.base / "errors"
        told = errors.read_bytes() if errors.exists() else b""
        with contextlib.suppress(FileNotFoundError):
            errors.unlink()
        self.record(f"[{repo}] what hg serve logged", Result(0, b"", told))

    @contextlib.contextmanager
    def command_server(self, repo: str = "repo") -> Iterator[Callable[..., Result]]:
        """A command server on a pipe; the value runs one command in it."""
        process = hg_process(
            ["serve", "--cmdserver", "pipe"],
            self.path(repo),
            self.env,
            stdin=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        server = CommandServer(process)

        def run(command: str, *more: str, code: int | None = 0) -> Result:
            args = shlex.split(command) + list(more)
            result = Result(*server.run(args))
            return self.record(f"[{repo}] cmdserver: {shlex.join(args)}", result, code)

        try:
            yield run
        finally:
            server.close()


def _diff(stock: bytes, ours: bytes) -> list[str]:
    one, two = (
        [line[:200] for line in data.decode("utf-8", "backslashreplace").splitlines()]
        for data in (stock, ours)
    )
    lines = list(difflib.unified_diff(one, two, "stock", "fastrevlog", lineterm=""))
    return (lines or ["(they differ in line ends or beyond column 200)"])[:80]


def play_twice(
    base: Path, runner: Runner, play: Callable[[World], None], rc: str = ""
) -> tuple[World, Report]:
    """Play a scenario with stock and with fastrevlog; raise where they differ."""
    shutil.rmtree(base, ignore_errors=True)
    base.mkdir(parents=True)
    stock = World(base, runner, rc)
    play(stock)
    final = snapshot.take(stock.root)
    os.rename(stock.root, base / "stock")
    ours = World(base, runner, rc, expected=stock.steps, extension=True)
    play(ours)
    if len(ours.steps) != len(stock.steps):
        raise Divergence(f"{len(ours.steps)} steps, stock had {len(stock.steps)}")
    found = snapshot.differences(final, snapshot.take(ours.root))
    if found:
        raise Divergence("at the end:\n" + "\n".join(found))
    return ours, Report.read(ours.report_path)
