# Damaged repositories: a clean error, no traceback, no hang, no more damage.
# SPDX-License-Identifier: GPL-2.0-or-later
"""Every way of `support.damage`, applied to four revlogs, read and written by hg.

Stock Mercurial does the same first. Where it ends cleanly, fastrevlog has to end in
the same way; where it shows a traceback, runs out of memory or hangs, fastrevlog
has to do better. What stock did is not prescribed here, but shown: set
FASTREVLOG_TEST_TABLE to a file name, and both behaviours are written there, side by
side.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from support import running, snapshot
from support.damage import DAMAGES, PERMISSIONS, SPLIT_ONLY, Damage, Log
from support.running import Result
from tests.scenarios.world import Report, World

# bytes of address space: a bomb costs the time to fill it, in stock Mercurial
MEMORY = 256 << 20
TIMEOUT = 90.0  # seconds; a hang is one however busy the machine is
LOGS = {
    "inline file": "data/f",
    "split file": "data/big",
    "changelog": "00changelog",
    "manifest": "00manifest",
}
COMMANDS = (
    "log -p -r all() --stat",
    "cat -r all() f big",
    "bundle --all ../bundle.hg",
    "log -r only(tip,1) -T {node}",
    "verify",
    "update -C 0",
    "commit -A -m attempt",
)
CLEAN = ("fine", "abort", "damage found")


@dataclass
class Outcome:
    """How one command ended."""

    kind: str
    result: Result
    store: snapshot.Snapshot


def kind_of(result: Result) -> str:
    told = result.out + result.err
    if result.timed_out:
        return "hang"
    if result.status < 0:
        return f"signal {-result.status}"
    if b"Traceback" in told or b"unknown exception" in told:
        return "traceback"
    if b"abort: out of memory" in told:
        return "out of memory"
    if result.status == 0:
        return "fine"
    if b"abort: " in result.err:
        return "abort"
    if result.status == 1:
        return "damage found"
    return f"status {result.status}"


def message_of(result: Result) -> str:
    """The line that tells a user what is wrong."""
    lines = result.err.decode("utf-8", "replace").splitlines()
    for line in reversed(lines):
        if line.startswith("abort: ") or "Error" in line:
            return line
    return lines[-1] if lines else ""


class Lab:
    """A folder where one repository is damaged again and again."""

    def __init__(self, folder: Path, runner: running.Runner) -> None:
        self.folder = folder
        self.runner = runner
        world = World(folder, runner)
        build(world)
        self.good = folder / "good"
        os.rename(world.path("repo"), self.good)
        # The newest manifests stand in this cache of Mercurial's too, damaged or not;
        # which of them are still there when they are asked for depends on how many a
        # process has read before, and so on which worker gets which changeset.
        for cache in ("wcache", "cache"):
            held = self.good / ".hg" / cache / "manifestfulltextcache"
            held.unlink(missing_ok=True)
        self.repo = world.path("repo")
        self.stock = world.env
        world.rc.rename(folder / "hgrc-stock")
        self.stock["HGRCPATH"] = str(folder / "hgrc-stock")
        shutil.rmtree(world.root)
        ours = World(folder, runner, extension=True)
        self.ours = ours.env
        self.report_path = ours.report_path

    def treat(self, log: str, damage: Damage, env: dict[str, str]) -> list[Outcome]:
        """Damage a fresh copy and run every command in it."""
        self.discard()
        shutil.copytree(self.good, self.repo, symlinks=True)
        damage(Log(self.repo / ".hg" / "store" / LOGS[log]))
        outcomes: list[Outcome] = []
        for command in COMMANDS:
            if command.startswith("commit"):
                for name in ("f", "big", "new"):
                    with open(self.repo / name, "ab") as file:
                        file.write(b"attempt\n")
            args = command.split()
            result = self.runner.run(
                args,
                self.repo,
                env,
                timeout=TIMEOUT,
                memory=MEMORY,
                humble=True,
                stays=() if env is self.stock else None,
            )
            store = snapshot.take(self.repo / ".hg" / "store")
            outcomes.append(Outcome(kind_of(result), result, store))
        return outcomes

    def discard(self) -> None:
        """Remove the repository, whatever its permissions."""
        for path, _, _ in os.walk(self.repo):
            os.chmod(path, 0o755)
        shutil.rmtree(self.repo, ignore_errors=True)


def build(w: World) -> None:
    """A repository with an inline and a split log, chains, and a nice size."""
    w.init()
    base = w.lines(300)
    for number in range(6):
        w.write("repo/f", base + f"{number}\n" * number)
        w.write("repo/big", w.noise(25000) if number < 2 else w.noise(30000))
        w.write(f"repo/other{number}", w.lines(3))
        w.commit(f"revision {number}\n" + w.lines(8))
    for number in range(3):
        w.append("repo/big", f"{number}\n")
        w.append("repo/f", f"more {number}\n")
        w.commit(f"append {number}")


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with running.quick_folder() as folder:
        runner = running.Runner(folder / "hg")
        yield Lab(folder / "lab", runner)
        runner.close()


def cases() -> Iterator[Any]:
    """Every damage of every log.

    Each damage is seen in one of the logs whenever tests run, by turns, and in all four
    of them by `make test-slow`. (`tests/engine/test_badfiles.py` has each in an inline
    and in a split log, read by the engine and with all of fastrevlog in place.)
    """
    for known in (DAMAGES, PERMISSIONS, SPLIT_ONLY):
        for number, (name, damage) in enumerate(known.items()):
            for place, log in enumerate(LOGS):
                if known is SPLIT_ONLY and log != "split file":
                    continue
                often = known is SPLIT_ONLY or place == number % len(LOGS)
                marks = () if often else (pytest.mark.slow,)
                yield pytest.param(log, name, damage, id=f"{log}: {name}", marks=marks)


@pytest.mark.parametrize("log, name, damage", cases())
def test_damage(lab: Lab, log: str, name: str, damage: Damage) -> None:
    before = Report.read(lab.report_path)
    stock = lab.treat(log, damage, lab.stock)
    ours = lab.treat(log, damage, lab.ours)
    after = Report.read(lab.report_path)
    note(f"{log}: {name}", stock, ours)
    problems: list[str] = []
    for command, one, two in zip(COMMANDS, stock, ours):
        problems += judge(command, one, two)
    problems += judge_store(stock, ours)
    if not running.CONTROL:
        assert after.lines > before.lines, "no report: the extension was not there"
        # A changelog that cannot even be opened leaves nothing to serve.
        if any(outcome.kind in ("fine", "damage found") for outcome in ours):
            assert sum(after.served.values()) > sum(before.served.values())
        assert not problems, "\n".join(problems)


def judge(command: str, stock: Outcome, ours: Outcome) -> list[str]:
    """What is wrong with the way our command ended."""
    shown = (
        f"{command}: stock: {stock.kind}: {message_of(stock.result)}; "
        f"ours: {ours.kind}: {message_of(ours.result)}"
    )
    if ours.kind == stock.kind == "traceback" and is_mercurials(stock, ours):
        return []
    if ours.kind not in CLEAN:
        return [shown]
    if stock.kind in CLEAN and ours.kind != stock.kind:
        return [shown]
    if ours.kind == stock.kind == "abort" and not same_words(stock, ours):
        return [shown]
    if ours.kind == stock.kind == "fine" and ours.result.out != stock.result.out:
        return [f"{command}: fine, with another output than stock's"]
    return []


def same_words(stock: Outcome, ours: Outcome) -> bool:
    """Do both say the same? We may refuse what stock expands, or tries to."""
    theirs, told = message_of(stock.result), message_of(ours.result)
    if "expands beyond" in told or "denied: " in told or "Is a directory" in told:
        return True
    # How much less than nothing was read is a matter of Mercurial's windows.
    short = "partial read of revlog "
    if short in theirs and short in told:
        theirs, told = theirs.rpartition(", got ")[0], told.rpartition(", got ")[0]
    return theirs == told


def is_mercurials(stock: Outcome, ours: Outcome) -> bool:
    """Is our traceback stock's own?

    The C index raises ValueError over impossible parents from `headrevs`, for
    example, and Mercurial's outer layers call it as they do without us.
    """
    return message_of(stock.result) == message_of(ours.result)


def judge_store(stock: list[Outcome], ours: list[Outcome]) -> list[str]:
    """Did we change what we must not change?"""
    if ours[-1].kind == "fine":
        if stock[-1].kind != "fine":
            return ["commit went through where stock's did not"]
        return snapshot.differences(stock[-1].store, ours[-1].store)
    before, after, theirs = ours[0].store, ours[-1].store, stock[-1].store
    # Over some damage Mercurial's own rollback gives up; then we may do no worse.
    return [
        f"{name} was changed by a failed commit"
        for name in before
        if after.get(name) != before[name]
        and after.get(name) != theirs.get(name)
        and not name.startswith("undo.")
    ]


def note(title: str, stock: list[Outcome], ours: list[Outcome]) -> None:
    """Write both behaviours down, when asked to."""
    table = os.environ.get("FASTREVLOG_TEST_TABLE")
    if not table:
        return
    with open(table, "a", encoding="utf-8") as file:
        file.write(f"\n== {title}\n")
        for command, one, two in zip(COMMANDS, stock, ours):
            for who, outcome in (("stock", one), ("ours ", two)):
                message = message_of(outcome.result)[:150]
                file.write(f"{command:24.24} {who} {outcome.kind:14} {message}\n")
