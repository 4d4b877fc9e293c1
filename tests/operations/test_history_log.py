# `hg log` and its like with workers: what is seen is what stock shows.
# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import os
from pathlib import Path

import pytest

from .history import Lab, write

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")

COLOR = ("--color=always", "--config", "ui.color=yes")
WORD_DIFF = ("--config", "experimental.word-diff=yes")


LOGS = [
    ("log", "-p"),
    ("log", "-p", "-v"),
    ("log", "-p", "--debug"),
    ("log", "-q", "-p"),
    ("log", "-p", "--git"),
    ("log", "-p", "--git", *COLOR),
    ("log", "-p", *COLOR),
    ("log", "-p", *COLOR, *WORD_DIFF),
    ("log", "-p", "--color=debug"),
    ("log", "-p", "--config", "diff.ignorews=yes", "--config", "diff.unified=0"),
    ("log", "--stat"),
    ("log", "--stat", *COLOR),
    ("log", "--stat", "-p", "--git", *COLOR),
    ("log", "-v", "-C"),
    ("log", "-v", "--copies", "-p", "--git"),
    ("log", "--hidden", "-p"),
    ("log", "--hidden", "-p", *COLOR),
    ("log", "-r", "0:tip", "-p"),
    ("log", "-r", "sort(all(), user)", "-p"),
    ("log", "-f", "-p", "copied"),
    ("log", "-f", "-p", "dir/renamed"),
    ("log", "-f", "-p", "dir"),
    ("log", "-p", "dir"),
    ("log", "-p", "-I", "**new*"),
    ("log", "--removed", "-p", "dir/new1"),
    ("log", "-f", "-L", "a,1:40", "-p"),
    ("log", "-k", "change", "-p"),
    ("log", "-M", "-p"),
    ("log", "-p", "-r", "secret() + merge() + obsolete() + .", "--hidden"),
    ("log", "-T", "{rev} {files % '{file} '}\n"),
    ("log", "-T", "{rev}:{node|short} {diff()}"),
    ("log", "-T", "{index} {rev} {diffstat} {file_adds} {file_copies}\n"),
    ("log", "-T", "{separate(' ', rev, latesttag, latesttagdistance, tags)}\n"),
    ("log", "-T", "{label('custom', desc)} {date|age}\n{stringify(diff)}", *COLOR),
    ("log", "-T", "changelog"),
    ("log", "-T", "changelog", "-p", "-v"),
    ("log", "-T", "phases", "-p"),
    ("log", "-T", "compact", "--stat"),
    ("log", "-T", "status", "--stat", *COLOR),
    ("log", "-T", "bisect", "-p"),
    ("log", "-T", "xml", "-v"),
    ("log", "-T", "show", "-p"),
]


@pytest.mark.parametrize("args", LOGS, ids=" ".join)
def test_log(lab: Lab, everything: Path, args: tuple[str, ...]) -> None:
    result, counts = lab.same(*args, cwd=everything)
    assert result.out
    assert not result.status
    assert not counts.in_one_process
    assert counts.by_workers["log"] >= 1


@pytest.mark.parametrize("width", ["7", "33", "200"])
def test_width(lab: Lab, everything: Path, width: str) -> None:
    _result, counts = lab.same("log", "--stat", cwd=everything, COLUMNS=width)
    assert counts.by_workers["log"] >= 20


@pytest.mark.parametrize(
    "config",
    ["fastrevlog.workers=1", "worker.enabled=no"],
)
def test_switched_off(lab: Lab, everything: Path, config: str) -> None:
    _result, counts = lab.same("log", "-p", "--config", config, cwd=everything)
    assert not counts.by_workers["log"]


@pytest.mark.parametrize(
    "say", [("--debug",), ("--config", "devel.debug.fastrevlog=yes")]
)
def test_the_reason_is_told(lab: Lab, everything: Path, say: tuple[str, ...]) -> None:
    args = ("log", "-p", *say, "--config", "worker.enabled=no")
    expected = lab.stock(*args, cwd=everything)
    result, counts = lab.ours(*args, cwd=everything)
    assert result.out == expected.out
    reason = "log: setting: worker.enabled is no"
    assert result.err == b"fastrevlog: in one process: %s\n" % reason.encode()
    assert counts.in_one_process == {reason: 1}
    status, _counts = lab.ours(
        *("debug::fastrevlog", "-T", "{history_in_one_process}\n"),
        *("--config", "worker.enabled=no"),
        cwd=everything,
    )
    assert status.out == b"setting: worker.enabled is no\n"


def test_little_work_is_done_in_one_process(lab: Lab, everything: Path) -> None:
    args = ("log", "-p", "-l", "3", "--config", "fastrevlog.workers=0")
    _result, counts = lab.same(*args, cwd=everything)
    assert not counts.by_workers["log"]
    assert not counts.in_one_process


def test_working_directory(lab: Lab, everything: Path) -> None:
    """Its changes are looked for by the parent, between those of the workers."""
    write(everything / "a", "uncommitted\n")
    try:
        args = ("log", "-p", "-r", "10:0 + wdir() + 11:tip")
        result, counts = lab.same(*args, cwd=everything)
    finally:
        lab.hg("revert", "--no-backup", "a", cwd=everything)
    assert b"+uncommitted" in result.out
    assert counts.by_workers["log"] >= 15


@pytest.mark.parametrize("extension", ["largefiles", "keyword", "eol", "show"])
def test_extensions(lab: Lab, everything: Path, extension: str) -> None:
    config = ["--config", f"extensions.{extension}="]
    config += ["--config", "keyword.**=", "--config", "keywordset.svn=yes"]
    _result, counts = lab.same("log", "-p", "--stat", *config, cwd=everything)
    assert counts.by_workers["log"] >= 20


def test_largefiles(lab: Lab, everything: Path) -> None:
    config = ("--config", "extensions.largefiles=")
    root = lab.folder / "large"
    lab.hg("init", str(root), cwd=lab.folder)
    for i in range(5):
        write(root / "big", f"big {i}\n")
        write(root / "small", f"small {i}\n")
        if not i:
            lab.hg("add", "--large", "big", *config, cwd=root)
        lab.hg("commit", "-Am", f"number {i}", *config, cwd=root)
    _result, counts = lab.same("log", "-p", *config, cwd=root)
    assert counts.by_workers["log"] >= 3
    lab.same("log", "-p", "big", *config, cwd=root)


def test_subrepositories(lab: Lab) -> None:
    root = lab.folder / "outer"
    lab.hg("init", str(root), cwd=lab.folder)
    lab.hg("init", str(root / "sub"), cwd=lab.folder)
    write(root / ".hgsub", "sub = sub\n")
    for i in range(5):
        write(root / "sub/inner", f"inner {i}\n")
        lab.hg("commit", "-Am", f"inner {i}", cwd=root / "sub")
        lab.hg("commit", "-Am", f"outer {i}", cwd=root)
    _result, counts = lab.same("log", "-p", cwd=root)
    assert counts.by_workers["log"] >= 3
    lab.same("log", "-p", "-S", cwd=root)


STRANGE = """
from mercurial import logcmdutil, registrar
templatekeyword = registrar.templatekeyword()
count = 0

@templatekeyword(b'counted', requires=())
def counted(context, mapping):
    global count
    count += 1
    return b'%d' % count

def extsetup(ui):
    if ui.configbool(b'strange', b'hook', False):
        from mercurial import extensions

        def hook(orig, self, ctx):
            global count
            count += 1
            self.ui.write(b'seen: %d\\n' % count)
            return orig(self, ctx)

        extensions.wrapfunction(logcmdutil.changesetprinter, '_exthook', hook)
"""


@pytest.mark.parametrize("hook", [True, False])
def test_an_extension_that_counts(lab: Lab, everything: Path, hook: bool) -> None:
    strange = lab.folder / "strange.py"
    strange.write_text(STRANGE, encoding="utf-8")
    config = ["--config", f"extensions.strange={strange}"]
    config += ["--config", f"strange.hook={hook}"]
    args = () if hook else ("-T", "{counted} {rev}\n")
    result, counts = lab.same("log", "-p", *args, *config, cwd=everything)
    assert b"seen: 20\n" in result.out if hook else b"\n20 " in result.out
    assert not counts.by_workers["log"]
    (reason,) = counts.in_one_process
    assert "extension" in reason


OWN_DISPLAYER = """
from mercurial import graphmod, logcmdutil, registrar
cmdtable = {}
command = registrar.command(cmdtable)

class displayer:
    '''Has no more than the loops ask for.'''

    def __init__(self, ui):
        self.ui, self.hunk = ui, {}

    def show(self, ctx, **props):
        self.hunk[ctx.rev()] = b'%d %s' % (ctx.rev(), b' '.join(ctx.files()))

    def flush(self, ctx):
        self.ui.write(self.hunk.pop(ctx.rev(), b'') + b'\\n')

    def close(self):
        pass

@command(b'own-log', [(b'G', b'graph', None, b'')])
def own_log(ui, repo, **opts):
    if opts['graph']:
        revdag = graphmod.dagwalker(repo, repo.revs(b'sort(all(), -rev)'))
        logcmdutil.displaygraph(
            ui, repo, revdag, displayer(ui), graphmod.asciiedges)
    else:
        logcmdutil.displayrevs(ui, repo, repo.revs(b'all()'), displayer(ui), None)
"""


@pytest.mark.parametrize("args", [(), ("-G",)])
def test_a_displayer_of_somebody_else(
    lab: Lab, everything: Path, args: tuple[str, ...]
) -> None:
    path = lab.folder / "own.py"
    path.write_text(OWN_DISPLAYER, encoding="utf-8")
    config = ("--config", f"extensions.own={path}")
    result, counts = lab.same("own-log", *args, *config, cwd=everything)
    assert not result.status and b"copied" in result.out
    assert not counts.by_workers
