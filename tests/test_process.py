# The end of a process: no last collection in hg's own, and only there.
# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import os
import pathlib
import subprocess
import sys
from typing import Any, Callable

import pytest

# what is registered first runs last: after whatever fastrevlog has arranged
PROBE = """\
import atexit, gc, os, sys
def tell():
    sys.stdout.flush()
    os.write(1, b'frozen\\n' if gc.get_freeze_count() else b'as ever\\n')
atexit.register(tell)
"""
HOST = (
    PROBE
    + """
from mercurial import extensions, hg, ui
mine = ui.ui.load()
extensions.loadall(mine)
repo = hg.repository(mine, os.fsencode(sys.argv[1]))
assert type(repo.unfiltered().changelog._inner).__module__.endswith('hg' + sys.argv[2])
"""
)


@pytest.fixture
def repo(tmp_path: pathlib.Path, hg: Any, hgrc: pathlib.Path) -> pathlib.Path:
    path = tmp_path / "repo"
    hg("init", str(path), cwd=tmp_path)
    (path / "file").write_text("one\n")
    hg("commit", "-qAm", "first", cwd=path)
    probe = tmp_path / "probe.py"
    probe.write_text(PROBE)
    with hgrc.open("a") as more:
        more.write(f"[extensions]\nprobe = {probe}\n")
    return path


def test_hg_ends_without_a_last_collection(
    repo: pathlib.Path, started_hg: Any, served: Callable[[], Any]
) -> None:
    served()
    assert started_hg("cat", "-r", "0", "file", cwd=repo).stdout == b"one\nfrozen\n"
    assert served().served["filelog"] == 1


def test_without_a_repository_nothing_is_arranged(
    repo: pathlib.Path, started_hg: Any, tmp_path: pathlib.Path
) -> None:
    assert started_hg("version", "-q", cwd=tmp_path).stdout.endswith(b"\nas ever\n")


def test_switched_off_nothing_is_arranged(repo: pathlib.Path, started_hg: Any) -> None:
    off = ("--config", "fastrevlog.enabled=no")
    assert started_hg(*off, "cat", "file", cwd=repo).stdout == b"one\nas ever\n"


def test_another_program_ends_as_it_likes(
    repo: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    from mercurial import revlog

    from hgext3rd.fastrevlog.compat import detect

    found = detect.detect(revlog)
    assert not isinstance(found, str)
    done = subprocess.run(
        [sys.executable, "-c", HOST, str(repo), found.name.replace(".", "")],
        capture_output=True,
        check=True,
    )
    assert done.stdout == b"as ever\n" * 2  # HOST, and the probe it loads


CYCLE = """\
from mercurial import registrar
cmdtable = {}
command = registrar.command(cmdtable)
@command(b'cycle', [(b'', b'hang', None, b'on the repository')], b'')
def cycle(ui, repo, **opts):
    lock = repo.lock()
    lock.box = [lock]
    if opts['hang']:
        lock.box.append(repo.unfiltered())
        repo.unfiltered().box = lock
"""


@pytest.mark.skipif(not hasattr(os, "symlink"), reason="a lock is a link")
@pytest.mark.parametrize("where", [[], ["--hang"]])
def test_a_lock_in_a_cycle_is_released(
    repo: pathlib.Path, started_hg: Any, hgrc: pathlib.Path, where: list[str]
) -> None:
    """As without us, by the last collection."""
    extension = repo.parent / "cycle.py"
    extension.write_text(CYCLE)
    with hgrc.open("a") as more:
        more.write(f"cycle = {extension}\n")
    assert started_hg("cycle", *where, cwd=repo, code=None).returncode == 0
    assert not os.path.lexists(repo / ".hg" / "store" / "lock")


def test_nor_after_a_commit(
    repo: pathlib.Path, started_hg: Any, served: Callable[[], Any]
) -> None:
    """What is left of its transaction has no journal."""
    (repo / "file").write_text("two\n")
    served()
    assert started_hg("commit", "-m", "second", cwd=repo).stdout == b"frozen\n"
    assert served().entries >= 3


OPEN = """\
from mercurial import registrar, transaction
cmdtable = {}
command = registrar.command(cmdtable)
@command(b'left-open', [(b'', b'wrapped', None, b'')], b'')
def left_open(ui, repo, **opts):
    if opts['wrapped']:
        orig = transaction.transaction.__del__
        def last_word(self):
            ui.write(b'a last word\\n')
            orig(self)
        last_word.__module__ = orig.__module__
        transaction.transaction.__del__ = last_word
    with repo.lock():
        tr = repo.transaction(b'test')
        tr.box = [tr]
        if opts['wrapped']:
            tr.close()
            tr.release()
"""


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_transaction_that_has_a_last_word_has_it(
    repo: pathlib.Path, started_hg: Any, hgrc: pathlib.Path, wrapped: bool
) -> None:
    """One that was left open, and one whose end an extension has taken in hand."""
    extension = repo.parent / "open.py"
    extension.write_text(OPEN)
    with hgrc.open("a") as more:
        more.write(f"open = {extension}\n")
    args = ["left-open", *(["--wrapped"] if wrapped else [])]
    ours = started_hg(*args, cwd=repo, code=None)
    assert b"as ever\n" in ours.stdout
    if wrapped:
        assert b"a last word\n" in ours.stdout
    else:
        assert b"in __del__" in ours.stderr  # Mercurial's own way to end
