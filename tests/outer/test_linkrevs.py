# outer/linkrevs.py: file revisions are introduced where Mercurial says.
# SPDX-License-Identifier: GPL-2.0-or-later
"""Histories in which the same file revision was made on several branches."""

from __future__ import annotations

import pathlib
import struct
from typing import Any

import pytest
from mercurial import hg
from mercurial import ui as uimod
from mercurial.node import wdirrev

from hgext3rd.fastrevlog import settings, stores
from hgext3rd.fastrevlog.outer import linkrevs
from support import enginelab, histories

PARENTS = 24  # bytes; where the parents begin in an entry of an index
ENTRY = 64  # bytes
COUNT = 72  # changesets


def answers(repo: Any) -> list[Any]:
    """Where all file revisions come from, seen from all changesets."""
    found: list[Any] = []
    for rev in range(len(repo)):
        found.append(said(lambda: of_changeset(repo, repo[rev])))  # noqa: B023
    return found


def of_changeset(repo: Any, ctx: Any) -> list[Any]:
    found: list[Any] = []
    for path in ctx.files():
        if path not in ctx:
            continue
        fctx = ctx[path]
        found.append(said(fctx.introrev))
        for parent in fctx.parents():
            found += [said(parent.introrev), said(parent.rev)]
        follow = b"follow(%s, startrev=%d)"
        found.append(said(lambda: list(repo.revs(follow, path, ctx.rev()))))  # noqa: B023
        # as mergecopy, or nobody, asks
        count = len(repo)
        for source in (None, -1, 0, count - 1, count, wdirrev, True, 2**70):
            asked = fctx.filectx(fctx.filenode())
            found.append(said(lambda: asked._adjustlinkrev(source)))  # noqa: B023
        # of all its ancestors, as log and annotate ask
        revs = [count - 1] if ctx.rev() % 2 else [ctx.rev()]
        fctx._ancestrycontext = repo.changelog.ancestors(revs, inclusive=True)
        found.append(said(lambda: fctx._adjustlinkrev(count - 1)))  # noqa: B023
    return found


def said(ask: Any) -> Any:
    """An answer, or that there is none.  We have more words for damage."""
    try:
        return ask()
    except Exception:
        return "failed"


def both(folder: pathlib.Path, asked: list[Any]) -> list[Any]:
    """What Mercurial says, and so do we.  The C index's answers go into ``asked``."""
    alone = hg.repository(uimod.ui.load(), bytes(folder))
    theirs, seen = answers(alone.unfiltered()), answers(alone)
    with enginelab.installed() as ui, pytest.MonkeyPatch.context() as patch:
        orig = linkrevs._reaches

        def counted(index: Any, old: int, new: int) -> bool:
            asked.append(orig(index, old, new))
            found: bool = asked[-1]
            return found

        patch.setattr(linkrevs, "_reaches", counted)
        repo = hg.repository(ui, bytes(folder))
        stores.attach(repo.unfiltered(), settings.of(ui))
        assert answers(repo.unfiltered()) == theirs
        assert answers(repo) == seen
        assert repo.unfiltered().changelog._inner.is_fastrevlog
    return theirs


def make(folder: pathlib.Path, seed: int) -> Any:
    """A history, and at its end changesets that make the same of ``a``, on branches."""
    made = histories.Maker(folder, seed)
    made.many(60)
    for base in (0, 0, 20, 20):
        node = made.repo.changelog.node(base)
        same = made.files(node)[b"a"] + b"the same\n"
        node = made.commit({b"a": same}, (node,))
        node = made.commit({b"other": made.line()}, (node,))
        made.commit({b"a": same + made.line()}, (node,))
    return made


# with 2, Mercurial 7.1 fails to make the history: a copy that is merged
@pytest.mark.parametrize("seed", [0, 1, 3, 4, 5, 6, 7])
def test_histories(seed: int, tmp_path: pathlib.Path) -> None:
    make(tmp_path / "repo", seed)
    asked: list[bool] = []
    assert both(tmp_path / "repo", asked)
    # ancestors, and file revisions that are linked to another branch
    assert {*asked} == {True, False}


@pytest.mark.parametrize("parent", [-3, 2**31 - 1, COUNT, 59, 45])
@pytest.mark.parametrize("which", [0, 1])
def test_damage(parent: int, which: int, tmp_path: pathlib.Path) -> None:
    changelog = make(tmp_path / "repo", 3).repo.unfiltered().changelog
    index = changelog.index
    assert len(index) == COUNT
    rev = 40
    at = rev * ENTRY + PARENTS + 4 * which
    if changelog._inline:
        # texts are between the entries
        at += sum(index[before][1] for before in range(rev))
    path = tmp_path / "repo" / ".hg" / "store" / "00changelog.i"
    content = bytearray(path.read_bytes())
    assert struct.unpack_from(">i", content, at)[0] == index[rev][5 + which]
    struct.pack_into(">i", content, at, parent)
    path.write_bytes(content)
    asked: list[bool] = []
    both(tmp_path / "repo", asked)
    assert asked
