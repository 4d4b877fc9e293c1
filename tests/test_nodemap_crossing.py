# One repository with node maps, written by turns by fastrevlog, stock and Rust.
# SPDX-License-Identifier: GPL-2.0-or-later
"""After each operation another program checks the maps and looks up nodes.

FASTREVLOG_TEST_RUST_HG names an hg that was built with Rust; without it stock, with its
slow path, and fastrevlog take turns.
"""

from __future__ import annotations

import os
import pathlib
import random
import re
import subprocess

import pytest

from support.reports import read_report
from support.running import EXTENSION, Runner

RUST = os.environ.get("FASTREVLOG_TEST_RUST_HG")
ALWAYS = pathlib.Path(__file__).resolve().parent.parent / "support" / "mapalways.py"
CHECKED = re.compile(r"revisions in index: +(\d+)\nrevisions in nodemap: (\d+)\n")
# Mercurial leaves a map as it was, which no longer fits
LEAVES_IT = ("strip", "rollback")


class Crossing:
    """The repository, and who works on it."""

    def __init__(
        self, folder: pathlib.Path, rnd: random.Random, runner: Runner
    ) -> None:
        self.runner = runner
        self.repo = folder / "repo"
        self.other = folder / "other"
        self.rnd = rnd
        self.log: list[str] = []
        self.first_files = 0  # the revision whose manifest is the first with files
        ours = [f"--config=extensions.fastrevlog={EXTENSION}"]
        ours += [f"--config=extensions.always={ALWAYS}"]
        self.report = folder / "report"
        ours += [f"--config=fastrevlog.report={self.report}"]
        slow = ["--config=storage.all-slow-path=allow"]
        self.who = {"ours": ours, "stock": slow}
        if RUST:
            self.who["rust"] = []

    def hg(self, who: str, *args: str, fails: bool = False) -> str:
        command = [*self.who[who], "--config=extensions.strip=", *args]
        env = {"PATH": os.environ["PATH"], "HGRCPATH": "", "HGUSER": "test"}
        if who == "rust":
            assert RUST
            found = subprocess.run(
                [RUST, *command], cwd=self.repo, env=env, capture_output=True
            )
            status, out, err = found.returncode, found.stdout, found.stderr
        else:
            stays = ["strip"] if who == "stock" else None
            done = self.runner.run(command, self.repo, env, stays=stays)
            status, out, err = done.status, done.out, done.err
        said = (out + err).decode("utf-8", "replace")
        assert (status != 0) == fails, (self.log[-5:], who, args, said)
        assert "Traceback" not in said, said
        return out.decode()

    def start(self) -> None:
        """A history whose changelog and manifest are not inline."""
        self.repo.mkdir()
        yes = "--config=format.use-persistent-nodemap=yes"
        self.hg("stock", "init", ".", yes)
        self.hg("stock", "debugbuilddag", "+1400")
        self.first_files = 1400
        for part in range(2):
            for number in range(4000 - 3900 * part):
                name = f"{self.rnd.getrandbits(64):x}-{part}-{number}"
                (self.repo / name).write_text(name)
            self.hg("stock", "commit", "-q", "-A", "-m", f"files {part}")
        self.hg("stock", "clone", "-q", "-U", "--pull", ".", str(self.other))

    def commit(self, who: str, fails: bool = False) -> None:
        name = f"f{self.rnd.randrange(40)}"
        (self.repo / name).write_text(str(self.rnd.random()))
        extra = ["--config=hooks.pretxncommit.no=false"] if fails else []
        self.hg(who, "commit", "-q", "-A", "-m", name, *extra, fails=fails)
        if fails:
            self.hg(who, "update", "-q", "-C", ".")

    def operate(self, who: str, what: str) -> None:
        if what == "commit":
            for _ in range(self.rnd.randrange(1, 4)):
                self.commit(who)
        elif what == "abort":
            self.commit(who, fails=True)
        elif what == "pull":
            on_other = ["-R", str(self.other)]
            self.hg("stock", "update", "-q", "-C", "tip", *on_other)
            for _ in range(self.rnd.randrange(1, 6)):
                (self.other / "o").write_text(str(self.rnd.random()))
                self.hg("stock", "commit", "-q", "-A", "-m", "o", *on_other)
            self.hg(who, "pull", "-q", "-f", str(self.other))
        elif what == "strip":
            back = self.rnd.randrange(1, 5)
            # Stripped to nothing, then added to and rolled back, a manifest is left
            # without its index file: debugupdatecaches of stock and of Rust fails.
            tip = int(self.hg("stock", "log", "-r", "tip", "-T", "{rev}"))
            if tip - back <= self.first_files:
                return self.commit(who)
            self.hg(who, "phase", "-q", "-d", "-f", "all()")
            self.hg(who, "update", "-q", "-C", "-r", f"-{back + 1}")
            self.hg(who, "strip", "-q", "--no-backup", "-r", f"-{back}")
        elif what == "rollback":
            self.commit(who)
            yes = ("--config=ui.rollback=yes", "--force")
            self.hg(who, "rollback", "-q", *yes)
            self.hg(who, "update", "-q", "-C", "tip")
        else:
            for answer in ("no", "yes"):
                wanted = f"--config=format.use-persistent-nodemap={answer}"
                self.hg(who, "debugupgraderepo", "-q", "--run", "--no-backup", wanted)

    def check(self, by: str, whole: bool) -> None:
        """``by`` finds nothing wrong with the maps.

        Mercurial makes a map of an inline manifest when it upgrades, and does not look
        at it again.  Of an empty one it does not tell.
        """
        data = self.repo / ".hg" / "store" / "00manifest.d"
        whole = whole and data.exists() and data.stat().st_size > 0
        for which in ([], ["--manifest"]) if whole else ([],):
            said = self.hg(by, "debugnodemap", "--check", *which)
            found = CHECKED.fullmatch(said)
            assert found, (self.log[-5:], by, which, said)
            assert found[1] == found[2], (self.log[-5:], by, which, said)

    def look_up(self, by: str) -> None:
        told = self.hg("stock", "log", "-r", "tip", "-T", "{rev} {node}")
        tip, node = told.split()
        assert self.hg(by, "log", "-r", node[:14], "-T", "{rev}") == tip

    def turn(self, what: str, whole: bool) -> None:
        """One operation by one, and a look at it by another."""
        who, by = self.rnd.sample(sorted(self.who), 2)
        self.log.append(f"{who} {what}, {by} checks")
        self.operate(who, what)
        if what in LEAVES_IT:
            self.look_up(by)
            self.hg(who, "debugupdatecaches")
        self.check(by, whole)
        self.look_up(by)


def test_by_turns(tmp_path: pathlib.Path, runner: Runner) -> None:
    crossing = Crossing(tmp_path, random.Random(1), runner)
    crossing.repo.mkdir()
    yes = "--config=format.use-persistent-nodemap=yes"
    crossing.hg("ours", "init", ".", yes)
    crossing.hg("ours", "debugbuilddag", "+1400")
    for what in ("commit", "abort", "strip", "commit"):
        crossing.turn(what, False)
    assert read_report(crossing.report).total_served > 0


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", range(4))
def test_two_hundred_operations(
    tmp_path: pathlib.Path, seed: int, runner: Runner
) -> None:
    rnd = random.Random(seed)
    crossing = Crossing(tmp_path, rnd, runner)
    crossing.start()
    operations = ("commit", "commit", "pull", "strip", "rollback", "abort", "upgrade")
    for _ in range(50):
        crossing.turn(rnd.choice(operations), True)
    assert read_report(crossing.report).total_served > 0
