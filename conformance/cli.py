# The command line of ``python -m conformance``.
# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import argparse
import concurrent.futures
import dataclasses
import itertools
import json
import pathlib
import queue
import subprocess
import sys
import threading
import time
import venv
from typing import Any

from . import extension, subsets
from .runner import Outcome, Setup, run
from .source import CACHE, PROJECT, Unavailable, chg, hg_version, source
from .state import State, clean, summary
from .telling import describe, line
from .verdict import DIFFERS, ONLY, UNSTEADY, difference, judge

PORTS_PER_JOB = 40


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    made = argparse.ArgumentParser(
        prog="python -m conformance",
        description="Run Mercurial's own test suite with fastrevlog enabled.",
        epilog="subsets: " + ", ".join(sorted(subsets.SUBSETS)),
    )
    add = made.add_argument
    add("tests", nargs="*", help="test files, globs or subsets (default: storage)")
    add(
        "--subset",
        action="append",
        default=[],
        help="a subset's name; may be given again",
    )
    add(
        "--hg-version",
        help="the Mercurial to test, 7.2.4 say (default: that of --venv)",
    )
    add("--venv", type=pathlib.Path, help="use this environment instead of making one")
    add("--source", type=pathlib.Path, help="unpacked source distribution of Mercurial")
    add(
        "--state",
        type=pathlib.Path,
        help="folder for results (default: .conformance/VERSION)",
    )
    add(
        "--resume",
        action="store_true",
        help="go on: leave out files that have a result",
    )
    add("--retest", action="store_true", help="run only files that were not clean")
    add("--part", default="1/1", metavar="I/N", help="run one part of N")
    add("--jobs", type=int, default=1, help="test files at a time (default: 1)")
    add(
        "--timeout",
        type=int,
        default=900,
        help="seconds a test may take (default: 900)",
    )
    add(
        "--port",
        type=int,
        default=25000,
        help="first port for servers (default: 25000)",
    )
    add(
        "--config",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a setting, fastrevlog.workers=3 say; may be given again",
    )
    add("--user", help="run tests as this user (as root, many are skipped)")
    add(
        "--chg",
        action="store_true",
        help="run hg through chg, which takes a quarter of the time; leaves out"
        " the tests that cannot (they say: skipped)",
    )
    add("--list", action="store_true", help="print the test files and stop")
    add("--summary", action="store_true", help="print the summary of what ran and stop")
    add(
        "--extension",
        type=pathlib.Path,
        default=PROJECT / "hgext3rd" / "fastrevlog",
        help="the extension's package (default: this project's)",
    )
    return made


def main(arguments: list[str] | None = None) -> int:
    """Run the command; 0 if clean, 1 if fastrevlog is to blame, 2 for bad usage."""
    options = parser().parse_args(arguments)
    try:
        conformance = Conformance(options)
    except (Unavailable, ValueError, subprocess.CalledProcessError) as error:
        print(f"conformance: {error}", file=sys.stderr)
        return 2
    if options.list:
        print("\n".join(conformance.files))
        return 0
    if not options.summary:
        try:
            conformance.run()
        except KeyboardInterrupt:
            print("\ninterrupted; --resume goes on", file=sys.stderr)
            conformance.finish()
            return 130
    return conformance.finish()


def environment(version: str) -> pathlib.Path:
    """Make (once) a virtual environment with that Mercurial; return its folder."""
    folder = (
        CACHE / "venvs" / f"hg-{version}-py{sys.version_info[0]}.{sys.version_info[1]}"
    )
    if not (folder / "bin" / "hg").exists():
        venv.create(folder, with_pip=True, clear=True)
        install = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet"]
        subprocess.run([*install, f"mercurial=={version}", "zstandard"], check=True)
    return folder


class Conformance:
    """A run over a list of test files."""

    def __init__(self, options: argparse.Namespace) -> None:
        if not (options.venv or options.hg_version):
            raise ValueError("give --hg-version or --venv")
        self.options = options
        home = (options.venv or environment(options.hg_version)).absolute()
        python = home / "bin" / "python"
        self.version = hg_version(python)
        if options.hg_version not in (None, self.version):
            raise ValueError(f"{home} has Mercurial {self.version}")
        tree = (options.source or source(self.version, python)).absolute()
        self.state = State(
            (options.state or PROJECT / ".conformance" / self.version).absolute()
        )
        every = [
            p.name for p in (tree / "tests").iterdir() if p.suffix in (".t", ".py")
        ]
        wanted = [*options.subset, *options.tests] or ["storage"]
        chosen = subsets.choose((n for n in every if n.startswith("test-")), wanted)
        self.files = subsets.part(chosen, options.part)
        folder = self.state.folder / "extensions"
        package, self.code = extension.snapshot(options.extension.absolute(), folder)
        twin = extension.twin(package, folder)
        self.fast = Setup(
            python,
            home / "bin" / "hg",
            tree,
            package,
            options.timeout,
            options.user,
            chg(tree, self.version) if options.chg else None,
            tuple(options.config),
        )
        self.base = dataclasses.replace(self.fast, extension=twin)
        self.paths = ((str(package), "$EXTENSION"), (str(twin), "$EXTENSION"))
        self.print_lock = threading.Lock()

    def todo(self) -> list[str]:
        """Return the test files that are still to run."""
        known = self.state.load()
        files = self.files
        if self.options.retest:
            files = [f for f in files if f in known and not clean(known[f])]
        elif self.options.resume:
            files = [f for f in files if f not in known]
        return files

    def run(self) -> None:
        """Run what is to run, writing each result down as it comes."""
        files = self.todo()
        print(f"Mercurial {self.version}, fastrevlog {self.code}: {len(files)} files")
        slots: queue.Queue[int] = queue.Queue()
        for job in range(self.options.jobs):
            slots.put(job)
        number = itertools.count(1)

        def one(file: str) -> None:
            job = slots.get()
            try:
                entry = self.test(file, job)
            finally:
                slots.put(job)
            self.state.append(entry)
            with self.print_lock:
                print(f"[{next(number):4d}/{len(files)}] {line(entry)}", flush=True)

        with concurrent.futures.ThreadPoolExecutor(self.options.jobs) as pool:
            pending = [pool.submit(one, file) for file in files]
            try:
                for future in pending:
                    future.result()
            except BaseException:
                for future in pending:
                    future.cancel()
                raise

    def test(self, file: str, job: int) -> dict[str, Any]:
        """Run one test file, and its baseline if something fails; return the entry."""
        slot = (
            self.state.folder / "slots" / f"{self.options.part.replace('/', '-')}-{job}"
        )
        port = self.options.port + job * PORTS_PER_JOB
        fast = run(self.fast, file, slot, port)
        verdicts: dict[str, str] = {}
        if fast.bad:
            base = run(self.base, file, slot, port)
            verdicts = judge(fast, base, self.paths)
            suspects = [n for n, v in verdicts.items() if v in (ONLY, DIFFERS)]
            if suspects:
                self._again(file, slot, port, base, verdicts, suspects)
                self._keep(file, fast, base, suspects)
        return {
            "file": file,
            "code": self.code,
            "results": fast.results,
            "messages": fast.messages,
            "verdicts": verdicts,
            "counts": fast.counts.as_dict(),
            "seconds": round(fast.seconds, 2),
            "when": round(time.time()),
        }

    def _again(
        self,
        file: str,
        slot: pathlib.Path,
        port: int,
        base: Outcome,
        verdicts: dict[str, str],
        suspects: list[str],
    ) -> None:
        """Run once more: what passes, or fails as the baseline does, is unsteady."""
        second = run(self.fast, file, slot, port)
        later = judge(second, base, self.paths)
        for name in suspects:
            if later.get(name) not in (ONLY, DIFFERS):
                verdicts[name] = UNSTEADY

    def _keep(
        self, file: str, fast: Outcome, base: Outcome, suspects: list[str]
    ) -> None:
        kept = {"fastrevlog.out": fast.output, "baseline.out": base.output}
        for name in suspects:
            kept[f"{name}.fastrevlog.err"] = fast.errors.get(name, "")
            kept[f"{name}.baseline.err"] = base.errors.get(name, "")
            kept[f"{name}.diff"] = difference(fast, base, name, self.paths)
        self.state.keep(file, kept)

    def finish(self) -> int:
        """Print and write the summary; return the exit code."""
        entries = self.state.load()
        total = {
            "mercurial": self.version,
            "python": sys.version.split()[0],
            **summary(entries, self.files),
        }
        path = self.state.folder / "summary.json"
        path.write_text(json.dumps(total, indent=1) + "\n", encoding="utf-8")
        print(describe(total))
        print(f"written to {path}; outputs of failing tests are beside it, in failures")
        blame = [*total["verdicts"][ONLY], *total["verdicts"][DIFFERS]]
        return 1 if blame or not total["counts"]["served"] else 0
