# A repository with one of everything, and commands run with workers and without.
# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from support.reports import Counts, read_report
from support.running import EXTENSION, Result, Runner

RC = """
[ui]
interactive = no
merge = internal:merge3
[devel]
default-date = 0 0
all-warnings = yes
[extensions]
rebase =
[experimental]
evolution = all
[alias]
log = log
"""


class Lab:
    """Runs a command with stock Mercurial and with forced workers."""

    def __init__(self, folder: Path) -> None:
        self.runner = Runner(folder / "runner")
        self.folder = folder
        self.report = folder / "report.jsonl"
        self.stock_rc = folder / "stock.rc"
        self.stock_rc.write_text(RC, encoding="utf-8")
        self.ours_rc = folder / "ours.rc"
        self.ours_rc.write_text(
            RC + f"[extensions]\nfastrevlog = {EXTENSION}\n"
            f"[fastrevlog]\nworkers = 3\nreport = {self.report}\n",
            encoding="utf-8",
        )

    def hg(self, *args: str, cwd: Path, **env: str) -> bytes:
        """Run a command of stock Mercurial that has to succeed."""
        result = self._run(self.stock_rc, args, cwd, env)
        assert result.status == 0, (args, result)
        return result.out

    def stock(self, *args: str, cwd: Path, **env: str) -> Result:
        return self._run(self.stock_rc, args, cwd, env)

    def ours(self, *args: str, cwd: Path, **env: str) -> tuple[Result, Counts]:
        """What fastrevlog does with three workers, and its report."""
        self.report.unlink(missing_ok=True)
        result = self._run(self.ours_rc, args, cwd, env)
        return result, read_report(self.report)

    def same(self, *args: str, cwd: Path, **env: str) -> tuple[Result, Counts]:
        """Run both, and compare all that can be seen."""
        expected = self.stock(*args, cwd=cwd, **env)
        result, counts = self.ours(*args, cwd=cwd, **env)
        assert result.out == expected.out, args
        assert result.err == expected.err, args
        assert result.status == expected.status, args
        assert not counts.internal_errors
        return result, counts

    def _run(
        self, rc: Path, args: tuple[str, ...], cwd: Path, env: dict[str, str]
    ) -> Result:
        full = dict(self.runner.env, HGRCPATH=str(rc), **env)
        stock = rc is self.stock_rc and "extensions." not in " ".join(args)
        return self.runner.run(args, cwd, full, stays=["rebase"] if stock else None)


def write(path: Path, text: str | bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)


def make_everything(hg: Callable[..., bytes], root: Path) -> None:
    """One of everything that a diff can show, in about forty revisions."""
    hg("init", str(root), cwd=root.parent)

    def commit(message: str, *more: str) -> None:
        hg("commit", "-Am", message, *more, cwd=root)

    lines = [f"line {i}\n" for i in range(60)]
    write(root / "a", "".join(lines))
    write(root / "dir/b", "one\ntwo\n")
    write(root / "bin", bytes(range(256)))
    commit("first\n\nwith a body\n", "-u", "Ann <ann@example.org>")
    for i in range(8):
        lines[i * 7] = f"changed {i}\twith a tab and caf\u00e9 \n"
        write(root / "a", "".join(lines))
        write(root / f"dir/new{i}", f"number {i}\n" * i)
        commit(f"change {i}", "-d", f"{i * 1000} -7200", "-u", f"user{i % 3}")
    hg("tag", "v1", "-r", "3", cwd=root)
    hg("rename", "dir/b", "dir/renamed", cwd=root)
    hg("copy", "a", "copied", cwd=root)
    write(root / "copied", "".join(lines[5:]))
    commit("rename and copy")
    write(root / "bin", bytes(reversed(range(256))))
    os.chmod(root / "dir/new3", 0o755)
    write(root / "no-newline", "no newline")
    commit("binary, mode")
    os.symlink("a", root / "link")
    hg("remove", "dir/new1", cwd=root)
    write(root / "empty", "")
    commit("symlink, removal, empty file")
    hg("branch", "side", cwd=root)
    commit("empty diff")
    write(root / "a", "".join(lines[:40]) + "side\n")
    write(root / "side", "side\n")
    commit("on the side")
    hg("update", "default", cwd=root)
    for i in range(3):
        write(root / "dir/new4", f"default {i}\r\n  indented\n" * (i + 2))
        write(root / "no-newline", f"no newline {i}")
        commit(f"on default {i}")
    hg("merge", "side", cwd=root)
    commit("merge")
    hg("bookmark", "mark", cwd=root)
    for i in range(4):
        write(root / "later", f"draft {i}\n")
        commit(f"draft {i}")
    hg("phase", "--public", "-r", "5", cwd=root)
    hg("phase", "--force", "--secret", "-r", "tip", cwd=root)
    # an obsolete changeset with a child that is not, and one that is hidden
    hg("update", "-r", "tip^", cwd=root)
    write(root / "later", "amended\n")
    hg("commit", "--amend", "-m", "amended", cwd=root)
    write(root / "later", "amended twice\n")
    hg("commit", "--amend", "-m", "amended twice", cwd=root)
