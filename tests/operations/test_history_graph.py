# Changesets beside a graph, and lists of them, shown by workers.
# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from .history import Lab, write

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")

COLOR = ("--color=always", "--config", "ui.color=yes")


def _with(*config: str) -> tuple[str, ...]:
    return tuple(word for one in config for word in ("--config", one))


@pytest.fixture(scope="module")
def branchy(lab: Lab) -> Path:
    """Many lines side by side, which end and meet, so that widths vary."""
    root = lab.folder / "branchy"
    lab.hg("init", str(root), cwd=lab.folder)
    for i in range(24):
        if i > 3:
            lab.hg("update", "-q", "-C", str(i // 2 - 1), cwd=root)
        for j in range(3):
            write(root / f"file{(i + j) % 6}", f"number {i}\n" * (i + 1))
        lab.hg("commit", "-qAm", f"number {i}", cwd=root)
    for one, other in ((23, 22), (21, 24), (20, 25)):
        lab.hg("update", "-q", "-C", str(one), cwd=root)
        lab.hg("merge", "-q", "--tool", "internal:other", str(other), cwd=root)
        lab.hg("commit", "-qm", "merge", cwd=root)
    return root


GRAPHS = [
    ("log", "-G", "-p"),
    ("log", "-G", "--stat"),
    ("log", "-G", "--stat", "-p", "--git", *COLOR),
    ("log", "-G", "-v", "-p", "--color=debug"),
    ("log", "-G", "-r", "0:tip", "-p"),
    ("log", "-G", "-r", "merge() + head() + 0:4 + 9", "-p"),
    ("log", "-G", "-f", "-p"),
    ("log", "-G", "-p", "-l", "9"),
    ("log", "-G", "-q", "-p"),
    ("log", "-G", "--stat", *_with("experimental.graphshorten=yes")),
    ("log", "-G", "-p", *_with("experimental.graphstyle.missing=")),
    ("log", "-G", "-p", *_with("experimental.graphstyle.parent=!")),
    ("log", "-G", "-p", *_with("command-templates.graphnode={phase|firstline}")),
    ("log", "-G", "-T", "{rev} {fill(desc, termwidth - graphwidth)}\n"),
    ("log", "-G", "-T", "{index} {graphwidth} {graphnode} {termwidth}\n{diff}"),
    ("log", "-G", "-T", "compact", "-p"),
    ("log", "-G", "-T", "changelog", "-p"),
    ("log", "-G", "-T", "json", "-p"),
    ("show", "work", *_with("extensions.show=")),
]


@pytest.mark.parametrize("number", range(len(GRAPHS)), ids=str)
def test_graph(lab: Lab, everything: Path, branchy: Path, number: int) -> None:
    args = GRAPHS[number]
    root = everything if number % 3 == 2 else branchy
    result, counts = lab.same(*args, cwd=root)
    assert not result.status and result.out
    assert not counts.in_one_process
    assert counts.by_workers["log"] >= 3


@pytest.mark.parametrize("width", ["20", "47", "200"])
def test_width_beside_a_graph(lab: Lab, branchy: Path, width: str) -> None:
    """Each changeset has what the graph leaves it at its place."""
    _result, counts = lab.same("log", "-G", "--stat", cwd=branchy, COLUMNS=width)
    assert counts.by_workers["log"] == 26  # all but the first: no width was wrong
    args = ("-r", "head() + merge() + 3", "--stat")
    lab.same("log", "-G", *args, cwd=branchy, COLUMNS=width)


def test_lines_that_end(lab: Lab, branchy: Path) -> None:
    """Widths are right, too, where parents are missing, whose lines end at once."""
    args = ("log", "-G", "-T", "[{rev}] {graphwidth}\n", "-r", "7:20 - 9 - 11")
    missing = _with("experimental.graphstyle.missing=")
    result, counts = lab.same(*args, *missing, cwd=branchy)
    assert counts.by_workers["log"] == result.out.count(b"[") - 1 > 8


def test_working_directory(lab: Lab, branchy: Path) -> None:
    write(branchy / "file1", "uncommitted\n")
    try:
        args = ("log", "-G", "-p", "-r", "0:10 + wdir()")
        result, counts = lab.same(*args, cwd=branchy)
    finally:
        lab.hg("update", "-q", "-C", ".", cwd=branchy)
    assert b"+uncommitted" in result.out
    assert counts.by_workers["log"] >= 9


WRAPS = """
from mercurial import extensions, graphmod

def extsetup(ui):
    def edges(orig, *args):
        return orig(*args)

    extensions.wrapfunction(graphmod, 'asciiedges', edges)
"""


def test_a_graph_of_somebody_else(lab: Lab, branchy: Path) -> None:
    path = lab.folder / "wraps.py"
    path.write_text(WRAPS, encoding="utf-8")
    config = _with(f"extensions.wraps={path}")
    _result, counts = lab.same("log", "-G", "-p", *config, cwd=branchy)
    assert counts.in_one_process["log: graph: drawn by an extension"] == 1
    assert not counts.by_workers


LISTS = [
    ("-p",),
    ("-p", "--stat", "-v"),
    ("--debug", "-p", "--git"),
    ("-p", *COLOR),
    ("-p", "-r", "sort(all(), user)"),
    ("-C", "-v"),
    ("-p", "-q"),
]


@pytest.mark.parametrize("number", range(len(LISTS)), ids=str)
def test_lists(lab: Lab, everything: Path, number: int) -> None:
    args = LISTS[number]
    kind = "cbor" if number % 3 == 1 else "json"
    result, counts = lab.same("log", "-T", kind, *args, cwd=everything)
    assert not counts.in_one_process
    assert counts.by_workers["log"] >= 20
    if kind == "json":
        text = result.out.decode("latin-1")
        items = json.loads(text[text.index("[\n") :])
        assert len(items) == counts.by_workers["log"] + 1


def test_some_fields(lab: Lab, everything: Path) -> None:
    args = ("log", "-T", "json(rev, node, files, diff)")
    _result, counts = lab.same(*args, cwd=everything)
    assert counts.by_workers["log"] >= 20 or counts.in_one_process


def test_a_list_to_which_somebody_adds(lab: Lab, everything: Path) -> None:
    path = lab.folder / "adds.py"
    path.write_text(
        "from mercurial import extensions, logcmdutil\n"
        "def extsetup(ui):\n"
        "    def hook(orig, self, ctx):\n"
        "        return orig(self, ctx)\n"
        "    def show(orig, self, ctx, copies, props):\n"
        "        orig(self, ctx, copies, props)\n"
        "        self._fm.data(more=ctx.rev())\n"
        "    extensions.wrapfunction(logcmdutil.changesetformatter, '_show', show)\n",
        encoding="utf-8",
    )
    config = _with(f"extensions.adds={path}")
    result, counts = lab.same("log", "-T", "json", *config, cwd=everything)
    assert b'"more": 3' in result.out
    (reason,) = counts.in_one_process
    assert "extension" in reason
