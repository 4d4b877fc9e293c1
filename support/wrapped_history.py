# Shows history with something wrapped, by Mercurial alone and with workers.
# SPDX-License-Identifier: GPL-2.0-or-later
"""Run with a folder that has a repository ``repo``; writes ``counts.json`` beside it.

A process of its own, since workers are not forked where there are threads, and read
nothing where the standard streams are not those of the process.
"""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import re
import sys
from collections.abc import Callable
from typing import Any

import pytest
from mercurial import (
    cmdutil,
    commands,
    context,
    dagop,
    dispatch,
    formatter,
    graphmod,
    grep,
    hg,
    logcmdutil,
    mdiff,
    patch,
)
from mercurial import ui as uimod

from hgext3rd.fastrevlog import process, settings, stores
from hgext3rd.fastrevlog.operations.history import annotate, displayers, files, search
from support import enginelab
from support.wrapping import Counted

# modules that have moved: since 7.2; of 7.0, since then
outgoing_impl: Any = sys.modules.get("mercurial.cmd_impls.outgoing", hg)
annotating: Any = sys.modules.get("mercurial.utils.dag_util", dagop)
assert dispatch.run  # loaded now: it registers what commands need
Wrap = Callable[[Any], None]


def show_log(ui: Any, repo: Any, wrap: Wrap, stat: bool = False) -> None:
    differ = logcmdutil.changesetdiffer()
    opts = {b"patch": not stat, b"stat": stat}
    displayer = logcmdutil.changesetdisplayer(ui, repo, opts, differ, buffered=True)
    wrap(displayer)
    revs = repo.revs(b"sort(all(), -rev)")
    logcmdutil.displayrevs(ui, repo, revs, displayer, None)


def show_graph(ui: Any, repo: Any, wrap: Wrap) -> None:
    displayer = logcmdutil.changesetdisplayer(ui, repo, {b"patch": True}, buffered=True)
    wrap(displayer)
    revs = repo.revs(b"sort(all(), -rev)")
    logcmdutil.displaygraphrevs(ui, repo, revs, displayer, None)


def show_list(ui: Any, repo: Any, wrap: Wrap) -> None:
    opts = {b"patch": True, b"template": b"json"}
    displayer = logcmdutil.changesetdisplayer(ui, repo, opts, buffered=True)
    wrap(displayer._fm)
    revs = repo.revs(b"sort(all(), -rev)")
    logcmdutil.displayrevs(ui, repo, revs, displayer, None)


def show_outgoing(ui: Any, repo: Any, wrap: Wrap) -> None:
    displayer = logcmdutil.changesetdisplayer(ui, repo, {b"patch": True})
    wrap(displayer)
    nodes = [repo[rev].node() for rev in repo]
    for node in outgoing_impl._outgoing_filter(repo, nodes, {}):
        displayer.show(repo[node])


def show_stat(ui: Any, repo: Any, wrap: Wrap) -> None:
    show_log(ui, repo, wrap, stat=True)


def show_differ(ui: Any, repo: Any, wrap: Wrap) -> None:
    show_log(ui, repo, lambda displayer: wrap(displayer._differ))


def show_found(ui: Any, repo: Any, wrap: Wrap) -> None:
    searcher = grep.grepsearcher(ui, repo, re.compile(b"number"), diff=True)
    wrap(searcher)
    revs = repo.revs(b"sort(all(), -rev)")
    # Mercurial's own, as that of `hg grep`; it matches all files
    matcher_of = logcmdutil.changesetdiffer()._makefilematcher
    found = searcher.searchfiles(revs, matcher_of)
    for name, ctx, before, after in found:
        lines = [state.line for state in (*before, *after)]
        ui.write(b"%s %d %s\n" % (name, ctx.rev(), b" ".join(lines)))
        if len(lines) > 3:
            searcher.skipfile(name, ctx.rev())


def show_annotated(ui: Any, repo: Any, wrap: Wrap) -> None:
    for line in repo[b"tip"][b"a"].annotate():
        ui.write(b"%d %d %s" % (line.fctx.rev(), line.lineno, line.text))


def show_exported(ui: Any, repo: Any, wrap: Wrap) -> None:
    with ui.formatter(b"export", {}) as fm:
        wrap(fm)
        cmdutil.export(repo, repo.revs(b"all()"), fm, fntemplate=b"")


def show_diff(ui: Any, repo: Any, wrap: Wrap) -> None:
    for piece in patch.diff(repo, repo[b"null"].node(), repo[b"tip"].node()):
        ui.write(piece)


# operation, the class or module (None: the object that it makes), names
ROWS: list[tuple[Callable[..., None], Any, Any]] = [
    (show_log, logcmdutil.changesetprinter, displayers.IN_WORKERS),
    (show_log, None, displayers.IN_WORKERS),
    (show_log, logcmdutil.changesetdiffer, displayers.IN_WORKERS_OF_DIFFER),
    (show_stat, logcmdutil.changesetdiffer, displayers.IN_WORKERS_OF_DIFFER),
    (show_graph, logcmdutil.changesetprinter, displayers.IN_WORKERS),
    (show_graph, None, displayers.IN_WORKERS[:3]),
    (show_graph, graphmod, ["asciiedges"]),
    (show_list, formatter.jsonformatter, displayers.IN_WORKERS_OF_LISTS),
    (show_list, None, displayers.IN_WORKERS_OF_LISTS[:6]),
    (show_outgoing, logcmdutil.changesetprinter, displayers.IN_WORKERS),
    (show_outgoing, None, displayers.IN_WORKERS[:3]),
    (show_differ, None, displayers.IN_WORKERS_OF_DIFFER),
    (show_found, grep.grepsearcher, search.IN_WORKERS),
    (show_found, grep, search.IN_WORKERS_OF_MODULE),
    (show_found, None, search.IN_WORKERS),
    (show_annotated, annotating, annotate.LEFT_OUT.split()),
    (show_annotated, mdiff, ["allblocks"]),
    (show_annotated, context.filectx, ["data"]),
    (show_exported, cmdutil, ["_exportsingle"]),
    (show_exported, None, ["_write"]),
    (show_diff, patch, files.IN_WORKERS),
    (show_diff, mdiff, ["unidiff"]),
    (show_diff, context.filectx, files.IN_WORKERS_OF_FILES),
    *((one, None, [""]) for one in (show_log, show_found, show_annotated)),
    *((one, None, [""]) for one in (show_exported, show_diff, show_graph)),
    *((one, None, [""]) for one in (show_list, show_outgoing)),
]
HOWS = ("itself", "subclass")


def cases() -> dict[str, tuple[Any, ...]]:
    """By name: operation, holder, the name that is wrapped, and how."""
    found = {}
    for operation, holder, names in ROWS:
        for name in names:
            where = "object" if holder is None else holder.__name__
            # a formatter's `_write` is its own, none of its class
            subclassed = holder is None and name not in ("", "_write")
            for how in HOWS if subclassed else HOWS[:1]:
                words = f"{operation.__name__}-{where}-{how}-{name or 'nothing'}"
                found[words] = operation, holder, name, how
    return found


@contextlib.contextmanager
def plain() -> Any:
    yield uimod.ui.load()


def shown(folder: pathlib.Path, served: bool, case: tuple[Any, ...]) -> list[Any]:
    """Calls of what is wrapped, the output, and what workers did."""
    operation, holder, name, how = case
    with contextlib.ExitStack() as stack:
        # what is wrapped is taken off before ours is, which is below
        served_by = enginelab.installed(fastrevlog__workers="3") if served else plain()
        ui = stack.enter_context(served_by)
        counted = Counted(stack.enter_context(pytest.MonkeyPatch.context()))

        def wrap(made: Any) -> None:
            if holder is None and name:
                if how == "subclass":
                    counted.another_class(made, name)
                else:
                    counted.on(made, name)

        ui.setconfig(b"experimental", b"evolution", b"all")
        repo = hg.repository(ui, bytes(folder / "repo"))
        if served:
            stores.attach(repo.unfiltered(), settings.of(ui))
        process.counters.reset()
        if holder is not None:
            counted.on(holder, name)
        operation(repo.ui, repo, wrap)
        ui.flush()
        done = sum(process.counters.by_workers.values())
        assert not process.counters.internal_errors
    size = os.lseek(1, 0, os.SEEK_CUR)
    os.lseek(1, 0, os.SEEK_SET)
    output = os.read(1, size)
    os.ftruncate(1, 0)
    os.lseek(1, 0, os.SEEK_SET)
    return [counted.count, output.decode("latin-1"), done]


def add_many_files(folder: pathlib.Path) -> None:
    """So many that the diff of one changeset is worth sharing."""
    ui = uimod.ui.load()
    ui.setconfig(b"ui", b"username", b"test")
    ui.setconfig(b"experimental", b"evolution", b"all")
    repo = hg.repository(ui, bytes(folder / "repo"))
    for number in range(40):
        (folder / "repo" / f"many{number}").write_text(f"number {number}\n")
    commands.commit(ui, repo, message=b"many", addremove=True)


def main(folder: pathlib.Path) -> None:
    add_many_files(folder)
    out = os.open(folder / "out", os.O_RDWR | os.O_CREAT | os.O_TRUNC)
    os.dup2(out, 1)
    found = {
        words: [shown(folder, served, case) for served in (False, True)]
        for words, case in cases().items()
    }
    (folder / "counts.json").write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
