# ancestry.py: the same walks as Mercurial's, on graphs of every shape.
# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import pathlib
import random
import subprocess
import sys

import pytest
from mercurial import ancestor

from hgext3rd.fastrevlog.outer import ancestry

Parents = list[tuple[int, int]]


def graph(dice: random.Random, size: int) -> Parents:
    """Parents of each rev: roots, lines, merges, some far back."""
    parents = []
    for rev in range(size):
        near = range(max(rev - dice.choice([1, 2, 5, size]), 0), rev)
        p1 = dice.choice(near) if near and dice.random() > 0.05 else -1
        p2 = dice.choice(near) if near and dice.random() > 0.7 else -1
        parents.append((p1, -1 if p1 < 0 or p1 == p2 else p2))
    return parents


@pytest.mark.parametrize("seed", range(60))
def test_missing_revs(seed: int) -> None:
    dice = random.Random(seed)
    size = dice.choice([1, 2, 5, 30, 200])
    parents = graph(dice, size)
    for _ in range(20):
        common = set(dice.sample(range(size), dice.randint(0, min(size, 4))))
        heads = set(dice.sample(range(size), dice.randint(0, min(size, 4))))
        theirs = ancestor.incrementalmissingancestors(parents.__getitem__, common)
        expected = theirs.missingancestors(heads)
        table = {rev: parents[rev] for rev in range(dice.randint(0, size))}
        asked = parents.__getitem__
        assert ancestry.missing_revs(asked, common, heads, {}) == expected
        assert ancestry.missing_revs(asked, common, heads, table) == expected


SCRIPT = """
import random, sys
from mercurial import error, extensions, hg, initialization, ui as uimod
initialization.init()
ui = uimod.ui.load()
ui.setconfig(b'extensions', b'fastrevlog', sys.argv[2].encode())
extensions.loadall(ui); extensions.populateui(ui)
repo = hg.repository(ui, sys.argv[1].encode())
visible = repo.filtered(b'visible').changelog
assert visible._inner.is_fastrevlog
ours = type(visible).findmissingrevs
theirs = ours.__closure__ and [
    cell.cell_contents for cell in ours.__closure__
    if getattr(cell.cell_contents, '__module__', '') == 'mercurial.revlog'
    and getattr(cell.cell_contents, '__name__', '') == 'findmissingrevs'
][0]
def outcome(function, *args):
    try:
        return function(visible, *args)
    except (error.Error, IndexError, ValueError, AssertionError) as exc:
        return type(exc), str(exc)
dice = random.Random(3)
every = list(range(-1, len(visible) + 1))
compared = raised = 0
for _ in range(400):
    args = [dice.sample(every, dice.randint(0, 3)) for _side in range(2)]
    answer = outcome(ours, *args)
    assert answer == outcome(theirs, *args), (args, answer)
    compared += isinstance(answer, list)
    raised += isinstance(answer, tuple)
for args in ((), (None, [2]), ([2], None)):
    assert outcome(ours, *args) == outcome(theirs, *args), args
print(compared > 50, raised > 20)
"""


def test_null_unknown_and_filtered(
    tmp_path: pathlib.Path, hg_path: pathlib.Path, hgrc: pathlib.Path
) -> None:
    """What is no plain visible revision gets Mercurial's own answer or error."""
    import hgext3rd.fastrevlog as package

    repo = tmp_path / "repo"
    hg = [str(hg_path), "--cwd", str(tmp_path)]
    subprocess.run([*hg, "init", "repo"], check=True)
    dag = "debugbuilddag -R repo +5:fork+4*fork+3/fork+6"
    subprocess.run([*hg, *dag.split()], check=True)
    obsolete = ["--config", "experimental.evolution=all"]
    node = subprocess.run(
        [*hg, "-R", "repo", "log", "-r", "tip", "-T{node}"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    mark = [*hg, "-R", "repo", *obsolete, "debugobsolete", node]
    subprocess.run([*hg, "-R", "repo", "phase", "-d", "-f", "-r", "all()"], check=True)
    subprocess.run(mark, check=True, capture_output=True)
    path = pathlib.Path(package.__file__).parent
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(repo), str(path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "True True\n", done.stderr
