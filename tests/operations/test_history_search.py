# `hg grep --diff` with workers: the lines are those that stock finds.
# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import os
from pathlib import Path

import pytest

from .history import Lab, write

searching = pytest.importorskip("hgext3rd.fastrevlog.operations.history.search")

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


GREPS = [
    ("change",),
    ("-n", "-u", "-d", "line"),
    ("-i", "-l", "LINE"),
    ("--all", "e"),
    ("-r", "0:tip", "[0-9]"),
    ("-r", "sort(all(), user)", "n"),
    ("-r", "tip:0", "default", "dir"),
    ("-I", "**new*", "number"),
    ("-T", "json", "line 3"),
    ("--color=always", "-n", "line"),
    ("-a", "."),
    ("line", "-X", "a"),
]


@pytest.mark.parametrize("args", GREPS, ids=" ".join)
def test_grep(lab: Lab, everything: Path, args: tuple[str, ...]) -> None:
    result, counts = lab.same("grep", "--diff", *args, cwd=everything)
    assert result.out
    assert not result.status
    assert counts.by_workers["grep"] >= 6


def test_nothing_found(lab: Lab, everything: Path) -> None:
    result, counts = lab.same("grep", "--diff", "no such line", cwd=everything)
    assert result.status == 1
    assert counts.by_workers["grep"] >= 6


@pytest.mark.parametrize(
    "args", [("-f", "line"), ("-r", "5:tip", "line"), ("line",), ("-f", "--diff", "n")]
)
def test_other_searches(lab: Lab, everything: Path, args: tuple[str, ...]) -> None:
    _result, counts = lab.same("grep", *args, cwd=everything)
    assert not counts.by_workers["grep"]


def test_working_directory(lab: Lab, everything: Path) -> None:
    write(everything / "a", "an uncommitted line\n")
    try:
        args = ("grep", "--diff", "-r", "0:tip + wdir()", "line")
        result, counts = lab.same(*args, cwd=everything)
    finally:
        lab.hg("revert", "--no-backup", "a", cwd=everything)
    assert b"uncommitted" in result.out
    assert counts.by_workers["grep"] >= 6


def test_damage(lab: Lab, everything: Path) -> None:
    path = everything / ".hg/store/data/a.i"
    sound = path.read_bytes()
    middle = len(sound) // 2
    path.write_bytes(sound[:middle] + bytes(30) + sound[middle + 30 :])
    try:
        args = ("grep", "--diff", "-r", "tip:0", "line")
        one = ("--config", "fastrevlog.workers=1")
        expected, _counts = lab.ours(*args, *one, cwd=everything)
        result, _counts = lab.ours(*args, cwd=everything)
    finally:
        path.write_bytes(sound)
    assert result == expected
    assert result.err.startswith(b"abort: ")


@pytest.mark.parametrize("count", [0, 1, 7, 8, 9, 24, 25, 200])
def test_in_windows(count: int) -> None:
    found = list(searching.in_windows(reversed(range(count))))
    assert sorted(found) == list(range(count))
    assert found[:8] == sorted(range(count))[-8:]
    assert found[8:24] == sorted(range(max(0, count - 8)))[-16:]
