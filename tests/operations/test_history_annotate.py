# `hg annotate` with workers: the lines are those that stock shows.
# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from .history import Lab, write

annotation = pytest.importorskip("hgext3rd.fastrevlog.operations.history.annotate")

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


@pytest.fixture(scope="module")
def branches(lab: Lab) -> Path:
    """A file whose history has branches, merges, and lines that come again."""
    root = lab.folder / "branches"
    lab.hg("init", str(root), cwd=lab.folder)
    dice = random.Random(7)
    lines = [f"{dice.randrange(9)}\n" for _i in range(60)]
    merge = ("--config", "ui.merge=internal:merge-local")
    for i in range(24):
        for _change in range(3):
            at = dice.randrange(len(lines))
            lines[at : at + dice.randrange(4)] = [
                f"{' ' * dice.randrange(3)}{dice.randrange(30)}\n"
                for _j in range(dice.randrange(4))
            ]
        write(root / "file", "".join(lines) + ("no end" if i % 5 == 0 else ""))
        lab.hg("commit", "-Am", f"change {i}", cwd=root)
        if i % 4 == 3:
            lab.hg("update", "-r", str(dice.randrange(i)), cwd=root)
            lines = (root / "file").read_text().splitlines(keepends=True)
        if i % 6 == 5:
            lab.stock("merge", "-r", "tip", *merge, cwd=root)
            lab.stock("commit", "-m", f"merge {i}", cwd=root)
            lines = (root / "file").read_text().splitlines(keepends=True)
        if i == 12:
            lab.hg("rename", "file", "other", cwd=root)
            lab.hg("commit", "-m", "away", cwd=root)
            lab.hg("rename", "other", "file", cwd=root)
            lab.hg("commit", "-m", "and back", cwd=root)
    return root


OPTIONS = [
    (),
    ("-u", "-n", "-c", "-d", "-l", "-f"),
    ("-n", "-l", "--no-follow"),
    ("-w",),
    ("-b", "-l", "-n"),
    ("-B",),
    ("-Z", "-u"),
    ("-a",),
    ("-T", "json"),
    ("-T", "{lines % '{rev} {lineno} {line}'}"),
    ("--skip", "4", "-n", "-l"),
    ("--skip", "5:9 + merge()", "-n", "-l"),
    ("--color=always", "-u"),
]


@pytest.mark.parametrize("options", OPTIONS, ids=" ".join)
def test_annotate(
    lab: Lab, everything: Path, branches: Path, options: tuple[str, ...]
) -> None:
    args = ("annotate", *options)
    result, counts = lab.same(*args, "-r", "tip", "file", cwd=branches)
    assert result.out
    assert counts.by_workers["annotate"] >= 5
    _result, counts = lab.same(*args, "copied", "a", "dir/new4", cwd=everything)
    assert counts.by_workers["annotate"] >= 5


def test_every_head(lab: Lab, branches: Path) -> None:
    heads = lab.hg("heads", "-t", "-T", "{rev}\n", cwd=branches).decode().split()
    for rev in heads[:6]:
        lab.same("annotate", "-n", "-l", "-r", rev, "file", cwd=branches)


def test_working_directory(lab: Lab, everything: Path) -> None:
    text = (everything / "copied").read_text(encoding="utf-8")
    write(everything / "copied", "new\n" + text + "at the end")
    try:
        args = ("annotate", "-n", "-l", "-r", "wdir()", "copied")
        result, counts = lab.same(*args, cwd=everything)
    finally:
        lab.hg("revert", "--no-backup", "copied", cwd=everything)
    assert b"+:" in result.out
    assert counts.by_workers["annotate"] >= 3


def test_binary(lab: Lab, everything: Path) -> None:
    lab.same("annotate", "bin", cwd=everything)
    lab.same("annotate", "-a", "bin", cwd=everything)


def test_damage(lab: Lab, branches: Path) -> None:
    path = branches / ".hg/store/data/file.i"
    sound = path.read_bytes()
    data = bytearray(sound)
    middle = len(data) // 2
    data[middle : middle + 30] = bytes(30)
    path.write_bytes(data)
    try:
        one = ("--config", "fastrevlog.workers=1")
        args = ("annotate", "-r", "tip", "file")
        expected, _counts = lab.ours(*args, *one, cwd=branches)
        result, _counts = lab.ours(*args, cwd=branches)
    finally:
        path.write_bytes(sound)
    assert result == expected
    assert result.err.startswith(b"abort: ")


@pytest.mark.parametrize("text", [b"", b"a", b"a\n", b"\n\n", b"a\nb", b"a\r\nb\n"])
def test_count_lines(text: bytes) -> None:
    assert annotation.count_lines(text) == len(text.splitlines(keepends=True))


def test_edit_is_merge() -> None:
    """Editing the parent's lines in place gives what a new list would."""
    dice = random.Random(3)
    for _round in range(300):
        length = dice.randrange(12)
        parent = (
            [f"owner {i}" for i in range(length)],
            list(range(100, 100 + length)),
            [bool(i % 2) for i in range(length)],
        )
        blocks = []
        a = b = 0
        while a < length and dice.random() < 0.8:
            a += dice.randrange(2)
            b += dice.randrange(3)
            size = min(dice.randrange(4), length - a)
            if size >= 0:
                blocks.append((a, a + size, b, b + size))
                a += size
                b += size
        count = b + dice.randrange(3)
        blocks.append((length, length, count, count))
        assert annotation._keeps_lengths(blocks, count)
        expected = annotation._merge([parent], [blocks], count, "child")
        copy = tuple(part[:] for part in parent)
        annotation._edit(copy, blocks, "child")
        assert copy == expected


@pytest.mark.parametrize(
    ("blocks", "count"),
    [
        ([(0, 2, 0, 1), (2, 2, 1, 1)], 1),  # not equally long
        ([(0, 2, 2, 4), (2, 3, 0, 1), (3, 3, 4, 4)], 4),  # not ascending
        ([(0, 1, 0, 1)], 2),  # no end
        ([], 0),
    ],
)
def test_blocks_that_are_not_as_they_should_be(
    blocks: list[tuple[int, int, int, int]], count: int
) -> None:
    assert not annotation._keeps_lengths(blocks, count)
