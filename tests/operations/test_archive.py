# Archives are the same as Mercurial's, to the byte, and so is what fails.
# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import os
import pathlib
import shutil
from typing import Any, Callable

import pytest

STOCK = "extensions.fastrevlog=!"
OURS = "fastrevlog.enabled=yes"


@pytest.fixture
def repo(tmp_path: pathlib.Path, hg: Any) -> pathlib.Path:
    """Thirty files in folders, an executable, a link, a renamed file, two revisions."""
    repo = tmp_path / "repo"
    hg("init", str(repo), cwd=tmp_path)
    for text in ("old", "new"):
        for number in range(30):
            path = repo / f"d{number % 4}" / "deep" / f"f{number}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{text} {number}\n" * number)
        (repo / "run").write_text(text)
        (repo / "run").chmod(0o755)
        if text == "old":
            (repo / "link").symlink_to("d0")
            (repo / "before").write_text("renamed")
        else:
            hg("rename", "before", "after", cwd=repo)
        hg("commit", "-qAm", text, cwd=repo)
    return repo


def tree(folder: pathlib.Path) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for path in sorted(folder.rglob("*")):
        stat = path.lstat()
        content: Any = os.readlink(path) if path.is_symlink() else None
        if path.is_file() and not path.is_symlink():
            content = stat.st_mtime, path.read_bytes()
        found[str(path.relative_to(folder))] = stat.st_mode, content
    return found


@pytest.mark.parametrize("kind", ["tar", "zip", "files"])
@pytest.mark.parametrize("damaged", [False, True], ids=["sound", "damaged"])
def test_an_archive(
    kind: str,
    damaged: bool,
    repo: pathlib.Path,
    tmp_path: pathlib.Path,
    hg: Any,
    served: Callable[[], Any],
) -> None:
    if damaged:
        path = repo / ".hg" / "store" / "data" / "d1" / "deep" / "f25.i"
        content = bytearray(path.read_bytes())
        content[-1] ^= 1
        path.write_bytes(content)
    results = []
    for config in (STOCK, OURS):
        out = tmp_path / "out"
        served()
        args = ("archive", "-t", kind, "-r", "1", "-X", "d3", str(out))
        done = hg(*args, "--config", config, cwd=repo, code=None)
        made: Any = tree(out) if out.is_dir() else None
        if out.is_file():
            made = out.read_bytes()
        shutil.rmtree(out) if out.is_dir() else out.unlink(missing_ok=True)
        results.append((done.returncode, done.stdout, done.stderr, made))
    if damaged and kind != "files":
        # how much of what is half done reaches the disk is up to the end of the process
        results = [(*result[:3], len(result[3] or b"") > 0) for result in results]
    assert results[0] == results[1]
    assert (results[0][0] == 0) is not damaged
    assert served().served["filelog"] >= 15


def test_a_folder_that_is_there_already(
    repo: pathlib.Path, tmp_path: pathlib.Path, hg: Any
) -> None:
    """Files are replaced, links are not followed, and what is in the way stops it."""
    results = []
    for config in (STOCK, OURS):
        for way in ("file", "link", "linked folder", "folder"):
            out = tmp_path / "out"
            (out / "d1").mkdir(parents=True)
            (tmp_path / "elsewhere").mkdir()
            (tmp_path / "precious").write_text("precious")
            if way == "file":
                (out / "run").write_text("another")
            elif way == "link":
                (out / "run").symlink_to(tmp_path / "precious")
            elif way == "linked folder":
                (out / "d2").symlink_to(tmp_path / "elsewhere")
            else:
                (out / "run" / "full").mkdir(parents=True)
            args = ("archive", "-t", "files", str(out), "--config", config)
            done = hg(*args, cwd=repo, code=None)
            assert (tmp_path / "precious").read_text() == "precious"
            elsewhere = tree(tmp_path / "elsewhere")
            results.append((config, done.returncode, done.stderr, tree(out), elsewhere))
            shutil.rmtree(out)
            shutil.rmtree(tmp_path / "elsewhere")
    half = len(results) // 2
    assert [one[1:] for one in results[:half]] == [one[1:] for one in results[half:]]


EXTENSION = """\
from mercurial import context, extensions
def data(orig, self):
    return orig(self).upper()
def uisetup(ui):
    extensions.wrapfunction(context.filectx, 'data', data)
"""


def test_an_extension_that_reads_files_its_own_way_is_heard(
    repo: pathlib.Path, tmp_path: pathlib.Path, hg: Any, hgrc: pathlib.Path
) -> None:
    extension = tmp_path / "loud.py"
    extension.write_text(EXTENSION)
    with hgrc.open("a") as more:
        more.write(f"[extensions]\nloud = {extension}\n")
    hg("archive", "-t", "files", str(tmp_path / "out"), cwd=repo)
    assert (tmp_path / "out" / "run").read_text() == "NEW"
