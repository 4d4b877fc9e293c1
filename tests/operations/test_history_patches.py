# `hg export` and diffs of many files with workers: what is seen is what stock shows.
# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from .history import Lab, write

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")

COLOR = ("--color=always", "--config", "ui.color=yes")
MANY = 60  # files


@pytest.fixture(scope="module")
def many(lab: Lab) -> Path:
    """Changesets with many files, of all sorts."""
    root = lab.folder / "many"
    dice = random.Random(5)
    lab.hg("init", str(root), cwd=lab.folder)
    for i in range(4):
        for j in range(MANY):
            path = root / f"dir{j % 7}/file{j}"
            if j % 10 == 9:
                write(path, bytes(dice.randrange(256) for _k in range(300)))
            elif i != 2 or j % 4:
                lines = [f"{j} {dice.randrange(4)} \n" for _k in range(j)]
                write(path, "".join(lines) + "end" * (j % 3))
            elif path.exists():
                path.unlink()
            if path.exists():
                os.chmod(path, 0o755 if i == 3 and j % 6 == 0 else 0o644)
        if i == 3:
            for j in (1, 13, 25):
                lab.hg(*("rename", f"dir{j % 7}/file{j}", f"dir0/renamed{j}"), cwd=root)
                lab.hg("copy", f"dir{(j + 1) % 7}/file{j + 1}", f"copy{j}", cwd=root)
        lab.hg("addremove", "-q", cwd=root)
        lab.hg("commit", "-m", f"number {i}", cwd=root)
    return root


EXPORTS = [
    ("export", "0:tip"),
    ("export", "0:tip", "--git"),
    ("export", "0:tip", "--git", *COLOR),
    ("export", "0:tip", "--switch-parent"),
    ("export", "tip:0", "--nodates", "--text"),
    ("export", "-r", "reverse(all())", "-v"),
]


@pytest.mark.parametrize("args", EXPORTS, ids=" ".join)
def test_export(lab: Lab, everything: Path, args: tuple[str, ...]) -> None:
    result, counts = lab.same(*args, cwd=everything)
    assert result.out
    assert not result.status
    assert counts.by_workers["export"] >= 20


def test_export_of_a_list(lab: Lab, everything: Path) -> None:
    _result, counts = lab.same("export", "0:tip", "-T", "json", cwd=everything)
    reason = "export: output: a list, or not standard output"
    assert counts.in_one_process[reason] == 1


TO_FILES = [
    ("0:tip", "-o", "%r.patch", "-v"),
    ("0:tip", "-o", "%n-of-%N-%m.patch", "--git"),
    ("0:tip", "-o", "all.patch", "-v"),
    # several in a file, in an order of their own
    ("-r", "tip:0", "-o", "%b-%R.patch", "--switch-parent", *COLOR),
    ("0:tip", "-o", "no-such-folder/%r.patch"),
    ("0:tip", "-o", "%q.patch"),
]


@pytest.mark.parametrize("args", TO_FILES, ids=" ".join)
def test_export_to_files(lab: Lab, everything: Path, args: tuple[str, ...]) -> None:
    found = []
    for ours in (False, True):
        counts = None
        if ours:
            result, counts = lab.ours("export", *args, cwd=everything)
        else:
            result = lab.stock("export", *args, cwd=everything)
        files = sorted(everything.glob("*.patch"))
        found.append((result, {path.name: path.read_bytes() for path in files}))
        for path in files:
            path.unlink()
    assert found[0] == found[1]
    assert counts is not None and not counts.in_one_process
    if not found[0][0].status:
        assert found[0][1] and counts.by_workers["export"] >= 20


def test_export_to_a_full_disk(lab: Lab, everything: Path) -> None:
    lab.same("export", "0:tip", "-o", "/dev/full", cwd=everything)


def test_export_of_damage_to_files(lab: Lab, everything: Path) -> None:
    """Files that stock had written by then are written."""
    path = everything / ".hg/store/data/a.i"
    sound = path.read_bytes()
    found = []
    try:
        path.write_bytes(sound[: len(sound) // 2] + bytes(len(sound) // 2))
        for run in (lab.stock, lab.ours):
            done = run("export", "0:tip", "-o", "%r.patch", cwd=everything)
            result = done[0] if isinstance(done, tuple) and len(done) == 2 else done
            files = sorted(everything.glob("*.patch"))
            contents = {file.name: file.read_bytes() for file in files}
            found.append((getattr(result, "status", None), contents))
            for file in files:
                file.unlink()
    finally:
        path.write_bytes(sound)
    assert found[0] == found[1]
    assert found[0][0] and len(found[0][1]) > 2


DIFFS = [
    ("diff", "-r", "0", "-r", "tip"),
    ("diff", "-r", "0", "-r", "tip", "--git"),
    ("diff", "-r", "tip", "-r", "2", "--git", *COLOR),
    ("diff", "-r", "null", "-r", "tip", "--git", "--binary"),
    ("diff", "-r", "0", "-r", "1", "--git", "--config", "diff.nobinary=yes"),
    ("diff", "-r", "0", "-r", "2", "--stat"),
    ("diff", "-r", "0", "-r", "2", "-w", "-U", "0", "--show-function"),
    ("diff", "-r", "0", "-r", "tip", "--reverse", "-a"),
    ("diff", "-r", "0", "-r", "tip", "--root", "dir3"),
    ("diff", "-r", "0", "-r", "tip", *COLOR, "--config", "experimental.word-diff=yes"),
    ("diff", "-r", "0", "-r", "1", "--config", "experimental.extendedheader.index=9"),
    ("log", "-p", "--git", "--config", "diff.showfunc=yes"),
    ("log", "--stat", "-r", "3"),
]


@pytest.mark.parametrize("args", DIFFS, ids=" ".join)
def test_diff_of_many_files(lab: Lab, many: Path, args: tuple[str, ...]) -> None:
    result, counts = lab.same(*args, cwd=many)
    assert result.out
    assert not result.status
    if "--root" not in args:  # few files
        assert counts.by_workers["diff"] >= 20


def test_few_files(lab: Lab, everything: Path) -> None:
    _result, counts = lab.same("diff", "-r", "0", "-r", "5", cwd=everything)
    assert not counts.by_workers["diff"]
    assert not counts.in_one_process


def test_working_directory(lab: Lab, many: Path) -> None:
    _result, counts = lab.same("diff", "-r", "0", "--git", cwd=many)
    assert counts.in_one_process["diff: files: of the working directory"] == 1


def test_damage(lab: Lab, many: Path) -> None:
    """What stock had shown by then is shown, then the error."""
    path = many / ".hg/store/data/dir3/file31.i"
    sound = path.read_bytes()
    path.write_bytes(sound[: len(sound) // 2] + bytes(len(sound) - len(sound) // 2))
    try:
        args = ("diff", "-r", "0", "-r", "tip")
        expected = lab.stock(*args, cwd=many)
        one = ("--config", "fastrevlog.workers=1")
        in_one_process, _counts = lab.ours(*args, *one, cwd=many)
        result, _counts = lab.ours(*args, cwd=many)
    finally:
        path.write_bytes(sound)
    assert result == in_one_process
    assert result.out == expected.out
    assert result.status


def test_large_changeset(lab: Lab) -> None:
    """Its files are shared by all workers, between other changesets."""
    root = lab.folder / "large"
    lab.hg("init", str(root), cwd=lab.folder)
    for i in range(8):
        for j in range(310 if i in (2, 5) else 3):
            write(root / f"file{j}", f"{i} {j}\n")
        lab.hg("commit", "-Aqm", f"number {i}", cwd=root)
    _result, counts = lab.same("log", "-p", "--stat", cwd=root)
    assert counts.by_workers["log"] == 5
    # twice each, but for the first file of a diff
    assert counts.by_workers["diff"] == 2 * 2 * 309
