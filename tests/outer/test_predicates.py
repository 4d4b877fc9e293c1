# outer/predicates.py and the walks behind revsets: as with Mercurial's own functions.
# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import json
import pathlib
import subprocess
import sys

import pytest

import hgext3rd.fastrevlog as package

# asked in one process, of fresh repository objects, with our functions and without
SCRIPT = """
import importlib, json, sys
from mercurial import extensions, hg, ui as uimod
try:
    from mercurial import initialization
    initialization.init()
except ImportError:
    pass
ui = uimod.ui.load()
ui.setconfig(b'extensions', b'fastrevlog', sys.argv[2].encode())
extensions.loadall(ui); extensions.populateui(ui)
path = sys.argv[1].encode()
hg.repository(ui, path)
name = [n for n in sys.modules if n.endswith('fastrevlog.install')][0]
install = sys.modules[name]
base = name[:-len('install')]
for module in ('predicates', 'generations', 'ancestors'):
    room = importlib.import_module(base + 'outer.' + module)
    for value in ('_FEW', '_FIRST'):
        if hasattr(room, value):
            setattr(room, value, int(sys.argv[3]))

def opened(enabled):
    mine = ui.copy()
    mine.setconfig(b'fastrevlog', b'enabled', enabled)
    repo = hg.repository(mine, path)
    return repo.filtered(b'visible'), repo.unfiltered()

def answer(spec, repo):
    try:
        found = repo.revs(spec)
        return type(found).__name__, repr(list(found)), repr(found.isascending())
    except Exception as exc:
        return type(exc).__name__, str(exc)

ours_opened = opened(b'yes')
assert ours_opened[0].changelog.filteredrevs
revset = sys.modules['mercurial.revset']
code = revset.symbols[b'roots'].__code__.co_filename
assert code.endswith('predicates.py') and 'fastrevlog' in code, code
assert ours_opened[1].changelog._fastrevlog_source.count == len(ours_opened[1])
ours, theirs = [], []
specs = [spec.encode() for spec in json.load(sys.stdin)]
for spec in specs:
    ours += [answer(spec, repo) for repo in ours_opened]
theirs_opened = opened(b'no')
install.remove()
for spec in specs:
    theirs += [answer(spec, repo) for repo in theirs_opened]
assert not getattr(theirs_opened[1].changelog._inner, 'is_fastrevlog', False)
print(json.dumps((ours, theirs)))
"""

SETS = [
    "all()",
    "tip",
    "5:",
    ":9",
    "12:3",
    "3 + 8 + 9",
    "wdir()",
    "wdir() + 4:8",
    "null",
    "null + 3",
    "head()",
    "merge()",
    "none()",
    "::11",
    "4::",
]
SPECS = [
    *(f"{name}({some})" for name in ("roots", "parents", "p1") for some in SETS),
    *(f"p2({some})" for some in SETS if "wdir" not in some),
    *(f"children({some})" for some in SETS),
    *(f"heads({some})" for some in SETS),
    *(f"::({some})" for some in SETS),
    *(f"({some})::" for some in SETS),
    *(f"_firstancestors({some})" for some in SETS),
    *(f"_firstdescendants({some})" for some in SETS),
    *(f"only({some}, 6)" for some in SETS),
    *(f"only({some})" for some in SETS),
    *(f"({some}) and merge()" for some in SETS),
    *(f"merge() and ({some})" for some in SETS),
    *(f"draft() and ::({some})" for some in SETS),
    *(f"last(::({some}), 3)" for some in SETS),
    "parents()",
    "p1()",
    "merge(3)",
    "roots()",
    "children(10:) and 3:",
    "reverse(::tip)",
    "first(roots(3:), 2)",
    "ancestors(tip, depth=3)",
    "descendants(2, depth=3)",
    "not ::tip",
    "sort(roots(2:) + merge(), -rev)",
]


@pytest.fixture
def repo(tmp_path: pathlib.Path, hg_path: pathlib.Path, hgrc: pathlib.Path) -> str:
    """A history with merges, hidden revisions and a public part, not inline."""
    path = tmp_path / "repo"
    (tmp_path / "small.py").write_text(
        "from mercurial import revlog\nrevlog._maxinline = 64\n", encoding="utf-8"
    )
    with hgrc.open("a") as config:
        config.write("[experimental]\nevolution=all\n")
        config.write(f"[extensions]\nsmall={tmp_path / 'small.py'}\n")

    def hg(*args: str) -> bytes:
        line = [str(hg_path), "-R", str(path), *args]
        return subprocess.run(line, check=True, capture_output=True).stdout

    subprocess.run([str(hg_path), "init", str(path)], check=True)
    hg("debugbuilddag", "+5:fork+4*fork+3/fork+6<4+2:x+9<x+3/fork+4+3<12+2")
    hg("phase", "-p", "-r", "3")
    hg("debugobsolete", hg("log", "-r", "tip", "-T{node}").decode())
    return str(path)


def test_revsets(repo: str) -> None:
    for patience in (1, 400):
        compare(repo, patience)


def compare(repo: str, patience: int) -> None:
    """Ask; ``patience`` is how much Mercurial's functions do before ours."""
    extension = str(pathlib.Path(package.__file__).parent)
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, repo, extension, str(patience)],
        input=json.dumps(SPECS),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    ours, theirs = json.loads(done.stdout)
    assert len(ours) == len(theirs) == 2 * len(SPECS)
    for number, answers in enumerate(zip(ours, theirs)):
        assert answers[0] == answers[1], SPECS[number // 2]
    # the questions are not all answered by errors, or by nothing
    assert sum(len(one) == 3 and one[1] != "[]" for one in ours) > 250
