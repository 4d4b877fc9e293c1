# Each operation of the storage fails once, and is lost once: what is there stays true.
# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import pathlib
from collections.abc import Iterator
from typing import Any

import pytest
from mercurial import error

from support import enginelab
from support.faults import Fault, FaultyStorage

KEPT = 6  # revisions that are there before
FORMS = ["inline", "split", "splits"]


def before(folder: pathlib.Path, form: str) -> tuple[Any, list[bytes]]:
    """A revlog with some revisions, written by Mercurial's own code."""
    folder.mkdir()
    where = enginelab.opener(folder, engine=b"zstd")
    revs = enginelab.large(KEPT) if form == "splits" else enginelab.history(3, KEPT)
    rl = enginelab.stock(where, may_inline=form != "split")
    enginelab.write(rl, enginelab.Transaction(where), revs)
    return where, enginelab.texts(enginelab.stock(where))


def more(form: str) -> list[enginelab.Stored]:
    """What is added: enough to outgrow an inline revlog where it shall."""
    if form == "splits":
        return enginelab.large(14)[KEPT:]
    return [(b"text %d\n" % rev * 40, rev - 1, -1) for rev in range(KEPT, KEPT + 4)]


def attempts(
    tmp_path: pathlib.Path, form: str, lost: bool
) -> Iterator[tuple[Any, list[bytes], Any, Fault]]:
    """A store for each operation that can go wrong: the n-th does, in the n-th."""
    for number in range(1, 200):
        where, texts = before(tmp_path / str(number), form)
        rl = enginelab.ours(where)
        fault = Fault(number, lost)
        rl._inner.storage = FaultyStorage(where, fault)
        rl._inner.files.storage = rl._inner.storage
        yield where, texts, rl, fault
        if not fault.happened:
            assert number > 3, "nothing went through the storage"
            return
    raise AssertionError("no end")


@pytest.mark.parametrize("form", FORMS)
def test_a_write_that_fails_is_taken_back(tmp_path: pathlib.Path, form: str) -> None:
    for where, texts, rl, fault in attempts(tmp_path, form, lost=False):
        files = enginelab.files(where)
        tr = enginelab.Transaction(where)
        try:
            enginelab.write(rl, tr, more(form))
            tr.close()
        except OSError as exc:
            assert exc.filename == fault.happened
            tr.abort()
            found = enginelab.files(where)
            assert {name: found.get(name) for name in files} == files, fault.happened
        else:
            assert not fault.happened, "nobody minds: " + fault.happened
        kept = enginelab.texts(enginelab.stock(where))
        assert kept[:KEPT] == texts, fault.happened
        assert len(kept) == (KEPT if fault.happened else KEPT + len(more(form)))
        assert not rl._inner.is_open


@pytest.mark.parametrize("form", ["inline", "split"])
def test_a_write_that_is_lost_is_never_read_as_a_text(
    tmp_path: pathlib.Path, form: str
) -> None:
    for where, texts, rl, fault in attempts(tmp_path, form, lost=True):
        tr = enginelab.Transaction(where)
        added = more(form)
        try:
            enginelab.write(rl, tr, added)
        except error.RevlogError:
            continue  # seen while it was written, by reading back
        right = dict(zip(map(rl.node, rl), [*texts, *(text for text, *_ in added)]))
        try:
            fresh = enginelab.ours(where)
        except error.RevlogError:
            assert fault.happened
            continue
        for rev in fresh:
            node = fresh.node(rev)
            if node not in right:  # the entry was lost: nothing leads to it
                assert fault.happened and rev >= KEPT
                continue
            try:
                assert fresh.revision(rev) == right[node], fault.happened
            except (error.RevlogError, IndexError):
                assert fault.happened and rev >= KEPT


@pytest.mark.parametrize("lost", [False, True], ids=["fails", "is short"])
@pytest.mark.parametrize("form", ["inline", "split"])
def test_a_read_that_goes_wrong_does_so_once(
    tmp_path: pathlib.Path, form: str, lost: bool
) -> None:
    """An error, or the right text; and the next time the right text."""
    for number in range(1, 100):
        folder = tmp_path / str(number)
        where, texts = before(folder, form)
        rl = enginelab.ours(where)
        fault = Fault(number, lost)
        # not what was read when it was opened
        rl._inner.files.window = (0, b"")
        rl._inner.storage = FaultyStorage(where, fault)
        rl._inner.files.storage = rl._inner.storage
        wrong = 0
        for rev in [3, 0, 5, 4, 1, 2]:
            try:
                assert rl.revision(rev) == texts[rev], fault.happened
            except (OSError, error.RevlogError):
                assert fault.happened
                wrong += 1
        assert wrong <= 1
        assert [rl.revision(rev) for rev in rl] == texts, fault.happened
        if not fault.happened:
            assert number > 2
            return
    raise AssertionError("no end")
