# Commands run twice, without and with fastrevlog, and what they left compared.
# SPDX-License-Identifier: GPL-2.0-or-later
"""Run one hg command in two like folders and compare everything it did."""

from __future__ import annotations

import compileall
import dataclasses
import hashlib
import os
import pathlib
import shutil
import subprocess
import sys
import time

from support.reports import Counts, read_report

EXTENSION = pathlib.Path(__file__).resolve().parent.parent / "hgext3rd" / "fastrevlog"


@dataclasses.dataclass(frozen=True)
class Command:
    """One row of the demonstration.

    ``made`` names what the command writes, relative to the folder it runs in:
    it is removed before, and compared afterwards. ``before`` are commands to
    run first, neither timed nor counted. ``serves`` is whether there is anything
    for fastrevlog to do.
    """

    name: str
    args: tuple[str, ...]
    made: tuple[str, ...] = ()
    before: tuple[tuple[str, ...], ...] = ()
    serves: bool = True


@dataclasses.dataclass(frozen=True)
class Did:
    """What one run of a command did: exit code, output, files (path to digest)."""

    code: int
    out: bytes
    err: bytes
    files: dict[str, str]
    seconds: float
    counts: Counts


@dataclasses.dataclass(frozen=True)
class Row:
    """A command's comparison; ``differences`` is empty if all was the same.

    ``stock`` and ``fast`` are seconds, each the best of the runs on that side:
    on a machine that does other things too, the best is what can be compared.
    """

    command: Command
    differences: list[str]
    counts: Counts
    stock: float
    fast: float


class Side:
    """A folder, and ``hg`` as it runs there."""

    def __init__(
        self, folder: pathlib.Path, hg: pathlib.Path, fastrevlog: bool
    ) -> None:
        self.folder = folder
        self.hg = hg
        self.report = folder / "report.jsonl"
        self.options: list[str] = []
        if fastrevlog:
            # as pip does for what it installs, Mercurial among it
            compileall.compile_dir(EXTENSION, quiet=2)
            for setting in (
                f"extensions.fastrevlog={EXTENSION}",
                f"fastrevlog.report={self.report}",
            ):
                self.options += ["--config", setting]

    def hg_run(self, *args: str) -> subprocess.CompletedProcess[bytes]:
        """Run hg in this side's folder, with nobody's configuration."""
        environment = {k: v for k, v in os.environ.items() if not k.startswith("HG")}
        environment.update(HGRCPATH=os.devnull, HGPLAIN="1", HGUSER="demo", TZ="UTC")
        # Mercurial writes its fncache in the order of a set of strings.
        environment.update(PYTHONHASHSEED="0")
        # what an installation has compiled need not be compiled by each command
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        return subprocess.run(
            [str(self.hg), *args[:1], *self.options, *args[1:]],
            cwd=self.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )

    def do(self, command: Command) -> Did:
        """Run a command once, from a clean start."""
        for made in command.made:
            remove(self.folder / made)
        for args in command.before:
            done = self.hg_run(*args)
            if done.returncode:
                sys.exit(f"hg {' '.join(args)} failed: {done.stderr.decode()}")
        remove(self.report)
        start = time.perf_counter()
        done = self.hg_run(*command.args)
        seconds = time.perf_counter() - start
        files: dict[str, str] = {}
        for made in command.made:
            files.update(digests(self.folder, self.folder / made))
        counts = read_report(self.report)
        return Did(done.returncode, done.stdout, done.stderr, files, seconds, counts)


def remove(path: pathlib.Path) -> None:
    """Remove a file or a folder, or nothing."""
    if path.is_dir():
        shutil.rmtree(path)
    elif path.exists():
        path.unlink()


def digests(folder: pathlib.Path, made: pathlib.Path) -> dict[str, str]:
    """Return the digest of each file below ``made``.

    Of a repository these are the working files and the store; what lies beside
    the store (the dirstate, caches) holds time stamps.
    """
    if made.is_file():
        return {made.name: hashlib.sha256(made.read_bytes()).hexdigest()}
    found = {}
    for path in sorted(made.rglob("*")):
        inside = path.relative_to(made).parts
        beside = inside[0] == ".hg" and inside[1:2] != ("store",)
        if path.is_file() and not beside:
            name = str(path.relative_to(folder))
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def differences(stock: Did, fast: Did) -> list[str]:
    """Say what differs between two runs of a command."""
    found = []
    if stock.code or fast.code:
        found.append(f"exit codes {stock.code} and {fast.code}")
    if stock.out != fast.out:
        found.append("standard output")
    if stock.err != fast.err:
        found.append("standard error")
    for name in sorted({*stock.files, *fast.files}):
        if stock.files.get(name) != fast.files.get(name):
            found.append(name)
    return found


def compare(
    command: Command, stock: Side, fast: Side, rounds: int, seconds: float
) -> Row:
    """Run a command up to ``rounds`` times on each side, in turns; compare each pair.

    After ``seconds`` no further round begins.
    """
    end = time.monotonic() + seconds
    found: list[str] = []
    times: tuple[list[float], list[float]] = ([], [])
    while len(times[0]) < rounds and (not times[0] or time.monotonic() < end):
        first, second = stock.do(command), fast.do(command)
        found += [what for what in differences(first, second) if what not in found]
        times[0].append(first.seconds)
        times[1].append(second.seconds)
    return Row(command, found, second.counts, min(times[0]), min(times[1]))
