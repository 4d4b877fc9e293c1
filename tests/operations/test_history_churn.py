# `hg churn` with workers: what is seen is what stock shows.
# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import os
from pathlib import Path

import pytest

from .history import Lab

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")

CHURN = ("churn", "--config", "extensions.churn=")


@pytest.mark.parametrize(
    "args",
    [
        (),
        ("--diffstat",),
        ("--diffstat", "--color=always"),
        ("-f", "%Y-%m", "-s"),
        ("-r", "tip:3", "-T", "{rev}"),
        ("-r", "sort(all(), user)"),
        ("dir", "-I", "**new*"),
        ("-v", "--debug"),
    ],
    ids=" ".join,
)
def test_churn(lab: Lab, everything: Path, args: tuple[str, ...]) -> None:
    result, counts = lab.same(*CHURN, *args, cwd=everything)
    assert not result.status and result.out
    assert not counts.in_one_process
    assert counts.by_workers["churn"] >= 10


def test_number_of_changesets(lab: Lab, everything: Path) -> None:
    """Nothing is compared."""
    _result, counts = lab.same(*CHURN, "-c", cwd=everything)
    assert not counts.by_workers


def test_damage(lab: Lab, everything: Path) -> None:
    path = everything / ".hg/store/data/a.i"
    sound = path.read_bytes()
    try:
        path.write_bytes(sound[: len(sound) // 2] + bytes(len(sound) // 2))
        expected = lab.stock(*CHURN, cwd=everything)
        one = ("--config", "fastrevlog.workers=1")
        in_one_process, _counts = lab.ours(*CHURN, *one, cwd=everything)
        result, _counts = lab.ours(*CHURN, cwd=everything)
    finally:
        path.write_bytes(sound)
    assert result == in_one_process
    assert (result.status, result.out) == (expected.status, expected.out)
    assert result.status


TROUBLE = """
import os, signal, sys
from mercurial import extensions, patch

def extsetup(ui):
    package = extensions.find(b'fastrevlog').__name__

    def diff(orig, repo, node1, node2, *args, **kw):
        process = sys.modules[package + '.process'].state
        if process.in_worker and repo[node2].rev() == 8:
            if os.environ['TROUBLE'] == 'kill':
                os.kill(os.getpid(), signal.SIGKILL)
            repo.ui.warn(b'from a worker')
        return orig(repo, node1, node2, *args, **kw)

    extensions.wrapfunction(patch, 'diff', diff)
"""


@pytest.mark.parametrize("what", ["kill", "warn"])
def test_trouble_of_a_worker(lab: Lab, everything: Path, what: str) -> None:
    path = lab.folder / "trouble.py"
    path.write_text(TROUBLE, encoding="utf-8")
    expected = lab.stock(*CHURN, cwd=everything)
    extension = ("--config", f"extensions.trouble={path}")
    result, counts = lab.ours(*CHURN, *extension, cwd=everything, TROUBLE=what)
    assert result == expected
    assert counts.by_workers["churn"] >= 1


WRAPS = """
from mercurial import extensions
from hgext import churn

def extsetup(ui):
    def lines(orig, *args):
        added, removed = orig(*args)
        return added + 1, removed

    extensions.wrapfunction(churn, 'changedlines', lines)
"""


def test_a_count_of_somebody_else(lab: Lab, everything: Path) -> None:
    path = lab.folder / "wraps.py"
    path.write_text(WRAPS, encoding="utf-8")
    config = ("--config", f"extensions.wraps={path}")
    _result, counts = lab.same(*CHURN, *config, cwd=everything)
    assert not counts.by_workers
