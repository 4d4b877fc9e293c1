# Benchmarks of whole hg commands, set-ups interleaved.
# SPDX-License-Identifier: GPL-2.0-or-later
"""Usage, from the top of the project:

    python -m benchmarks.commands -R /path/to/repo --work /path/to/scratch \\
        --setup stock=/path/to/hg --setup rust=/path/to/rust/hg \\
        --setup fastrevlog=/path/to/hg,extensions.fastrevlog=hgext3rd/fastrevlog

Each set-up gets a copy of the repository's .hg below ``--work``; the repository
itself is only read.  Each row begins with an untimed run in every set-up, which
proves who served it and watches memory; then the set-ups take turns.

What the figures mean: docs/measuring.md.
"""

from __future__ import annotations

import argparse
import os
import pathlib
import shutil
import statistics
import sys
import tempfile
import time
from typing import Any

from support import reports

from . import cli, processes, results, setups
from .client import Worker
from .command_rows import BUNDLE, ROWS, ZSTD_BUNDLE, Plan, Row
from .setups import Setup, SetupError


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.commands",
        description="Whole hg commands; the first set-up is the reference.",
    )
    rows = {name: row.what for name, row in ROWS.items()}
    cli.add_options(parser, rows, rounds=7, budget=180.0)
    parser.add_argument("--work", help="folder for the copies (default: a temporary)")
    parser.add_argument(
        "--timeout", type=float, default=900.0, help="seconds a command may take"
    )
    return parser


class Home:
    """A set-up's own folder, with its copy of the repository."""

    def __init__(self, setup: Setup, folder: str, env: dict[str, str]) -> None:
        self.setup = setup
        self.folder = folder
        self.env = env
        self.report = pathlib.Path(folder) / "report"
        self.out = os.path.join(folder, "out")

    def fill(self, repo: str) -> None:
        """Copy the repository's history, warm its caches; raises SetupError."""
        source = os.path.join(repo, ".hg")
        if os.path.exists(os.path.join(source, "sharedpath")):
            raise SetupError(f"{repo} is a share: name the repository it shares")
        drop = shutil.ignore_patterns("dirstate*", "*lock", "undo*", "cache", "wcache")
        store = os.path.join(source, "store")

        def ignored(folder: str, names: list[str]) -> set[str]:
            # below the store's top there is history, whatever its name
            return set(drop(folder, names)) if folder in (source, store) else set()

        target = os.path.join(self.folder, "repo", ".hg")
        shutil.copytree(source, target, symlinks=True, ignore=ignored)
        self.untimed("debugupdatecaches")

    def line(self, args: list[str], *, report: bool = False) -> list[str]:
        """The argument list for a row's arguments."""
        proof = ["--config", f"fastrevlog.report={self.report}"] if report else []
        elsewhere = "-R" in args or args[0] in ("clone", "init", "version")
        where = [] if elsewhere else ["-R", "repo"]
        return self.setup.command(*proof, *where, *args)

    def untimed(self, *args: str) -> None:
        """Run a command that must succeed; raises SetupError if it does not."""
        done = processes.run(self.line(list(args)), cwd=self.folder, env=self.env)
        if done.code:
            said = f"{self.setup.name}: {' '.join(args)}: exit code {done.code}"
            raise SetupError(f"{said}: {done.errors}")

    def once(self, row: Row, plan: Plan, timeout: float, *, proof: bool) -> Run:
        """Prepare and run a row once."""
        shutil.rmtree(self.out, ignore_errors=True)
        os.mkdir(self.out)
        for args in row.before:
            self.untimed(*args(plan))
        self.report.unlink(missing_ok=True)
        report = proof and self.setup.is_fastrevlog
        outcome = processes.run(
            self.line(row.args(plan), report=report),
            cwd=self.folder,
            env=self.env,
            timeout=timeout,
            sample=proof,
        )
        made = ""
        if row.makes and outcome.code >= 0:
            made = processes.digest_tree(
                os.path.join(self.folder, row.makes),
                leave_out=("undo*", "journal*", ".hg"),
            )
        return Run(outcome, made, reports.read_report(self.report) if report else None)


class Run:
    """An outcome, the digest of what was made, and the extension's own word."""

    def __init__(
        self, outcome: processes.Outcome, made: str, proof: reports.Counts | None
    ) -> None:
        self.outcome = outcome
        self.made = made
        self.proof = proof


def proven(row: Row, proof: reports.Counts | None) -> bool | None:
    """Whether the extension did the row's work; None where it has none to do."""
    if proof is None or not row.uses:
        return None
    return proof.total_served > 0 and (row.uses != "write" or proof.entries > 0)


class Measuring:
    """One row in all set-ups: its line of the result, and its problems."""

    def __init__(self, row: Row, homes: list[Home], plan: Plan, timeout: float) -> None:
        self.row, self.homes, self.plan, self.timeout = row, homes, plan, timeout
        self.runs: dict[str, list[Run]] = {home.setup.name: [] for home in homes}
        self.problems: list[str] = []

    def once(self, home: Home, *, proof: bool) -> None:
        run = home.once(self.row, self.plan, self.timeout, proof=proof)
        name = home.setup.name
        self.runs[name].append(run)
        first = self.runs[name][0]
        same = (run.outcome.digest, run.made) == (first.outcome.digest, first.made)
        if not same:
            self.note(f"{name} does not do the same each time")

    def note(self, problem: str) -> None:
        text = f"{self.row.name}: {problem}"
        if text not in self.problems:
            self.problems.append(text)

    def measure(self, args: argparse.Namespace, loops: list[float]) -> None:
        for home in self.homes:
            self.once(home, proof=True)
        start = time.monotonic()
        done = 0
        while cli.goes_on(args, done, time.monotonic() - start, self.row.repeat):
            loops.append(results.yardstick())
            for home in self.homes:
                self.once(home, proof=False)
            done += 1

    def compare(self) -> list[str]:
        """The set-ups that printed or made something else; notes what differs."""
        leaders: dict[str, str] = {}
        differs: list[str] = []
        for home in self.homes:
            name = home.setup.name
            version = home.setup.facts["hgver"] if self.row.by_version else ""
            leader = leaders.setdefault(version, name)
            this, other = self.runs[name][0], self.runs[leader][0]
            if this.outcome.digest != other.outcome.digest:
                self.note(f"{name} prints or exits otherwise than {leader}")
                differs.append(name)
            if this.made != other.made:
                self.note(f"{name} makes something else than {leader}")
                differs.append(name)
        return sorted(set(differs))

    def line(self, clock: str) -> dict[str, Any]:
        """The row of the result."""
        line: dict[str, Any] = {"name": self.row.name, "what": self.row.what}
        line["results"] = {}
        line["differs"] = self.compare()
        line["same"] = not line["differs"]
        line["proven"] = None
        for home in self.homes:
            name = home.setup.name
            untimed, *timed = self.runs[name]
            found = results.summary(
                [run.outcome.wall for run in timed],
                [run.outcome.cpu for run in timed],
                clock,
            )
            peaks = [run.outcome.peak for run in timed if run.outcome.peak]
            if peaks:
                found["peak"] = int(statistics.median(peaks))
            found["tree_peak"] = untimed.outcome.tree_peak
            found["code"] = untimed.outcome.code
            found["digest"] = untimed.outcome.digest
            found["proof"] = untimed.proof and untimed.proof.as_dict()
            line["results"][name] = found
            if untimed.outcome.code:
                said = untimed.outcome.errors.splitlines()
                self.note(f"{name}: exit code {untimed.outcome.code}: {said[:3]}")
            served = proven(self.row, untimed.proof)
            if served is False:
                self.note(f"{name}: no proof of service: {found['proof']}")
            if served is not None:
                line["proven"] = served and line["proven"] is not False
        results.add_ratios(line, self.homes[0].setup.name)
        return line


def measure(args: argparse.Namespace, work: str) -> dict[str, Any]:
    """The whole run; answers the result.  Raises SetupError."""
    env = setups.environment(setups.write_hgrc(work))
    setups.inspect_all(args.setup, env)
    repo = os.path.abspath(args.repo)
    with Worker(args.setup[0], repo, env) as child:
        plan = child.ask("plan")
    if plan["annotate"] is None and "annotate" in args.rows:
        args.rows.remove("annotate")
    result = results.new("commands", args.setup)
    result["parameters"] = cli.parameters(args)
    result["repository"] = {k: v for k, v in plan.items() if k != "files"}
    homes = []
    for n, setup in enumerate(args.setup):
        home = Home(setup, os.path.join(work, f"{n}"), env)
        os.mkdir(home.folder)
        home.fill(repo)
        homes.append(home)
    for name, kind, bundle in (
        ("unbundle", "none-v2", BUNDLE),
        ("unbundle-zstd", "zstd-v2", ZSTD_BUNDLE),
    ):
        if name in args.rows:
            homes[0].untimed("bundle", "-q", "--all", "-t", kind, bundle)
    record = cli.Record(result, args)
    for name in args.rows:
        record.begin(name)
        measuring = Measuring(ROWS[name], homes, plan, args.timeout)
        measuring.measure(args, record.loops)
        record.add(measuring.line(args.clock), measuring.problems)
    return result


def main() -> int:
    parser = arguments()
    args = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory(prefix="commands-", dir=args.work) as work:
            result = measure(args, work)
    except SetupError as exc:
        sys.exit(f"commands: {exc}")
    return cli.finish(result)


if __name__ == "__main__":
    sys.exit(main())
