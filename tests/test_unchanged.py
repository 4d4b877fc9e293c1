# unchanged.py: whatever another extension wrapped is called as Mercurial would call it.
# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import functools
import pathlib
import types
from collections.abc import Iterator
from typing import Any

import pytest
from mercurial import changelog, extensions, filelog, revlog

from hgext3rd.fastrevlog import table, unchanged
from hgext3rd.fastrevlog.operations.verify import wrap
from hgext3rd.fastrevlog.outer import reading, templates
from support import enginelab

PLAIN = ("mercurial.revlog",)


def wrapper(orig: Any, *args: Any, **kwargs: Any) -> Any:
    return orig(*args, **kwargs)


def looks_alike(function: Any) -> Any:
    """A wrapper that says of itself what the wrapped function says."""

    @functools.wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return wrapped


def test_where_a_function_was_written() -> None:
    assert unchanged.home(revlog.revlog.hash) == "mercurial.revlog"
    assert unchanged.home(property(revlog.revlog.hash)) == "mercurial.revlog"
    assert unchanged.home(staticmethod(revlog.revlog.hash)) == "mercurial.revlog"
    assert unchanged.home(looks_alike(revlog.revlog.hash)) == __name__
    assert unchanged.home(functools.partial(wrapper, revlog.revlog.hash)) == __name__
    assert unchanged.home(None) == ""
    assert unchanged.home(len) == "builtins"
    assert unchanged.is_of("mercurial.filelog", filelog.filelog.read)
    assert not unchanged.is_of("mercurial.filelog", filelog.filelog.read, wrapper)


def test_ours_counts_as_what_it_stands_for() -> None:
    with enginelab.installed():
        ours = revlog.revlog._revisiondata
        assert ours.__module__.endswith("outer.reading")
        assert unchanged.home(ours) == "mercurial.revlog"
        # and what copies its attributes does not
        assert unchanged.home(looks_alike(ours)) == __name__


def test_wrappers_that_are_known_to_be_harmless() -> None:
    before = filelog.filelog.renamed
    extensions.wrapfunction(filelog.filelog, "renamed", wrapper)
    try:
        wrapped = filelog.filelog.renamed
        assert unchanged.home(wrapped) != "mercurial.filelog"
        bare = unchanged.without(wrapped, (__name__,))
        assert unchanged.home(bare) == "mercurial.filelog"
        assert unchanged.without(wrapped, ("hgext.lfs.wrapper",)) is wrapped
    finally:
        extensions.unwrapfunction(filelog.filelog, "renamed", wrapper)
    assert filelog.filelog.renamed is before


# each way of wrapping, before us and after us, for each method that is left out

HOLDERS = ["class", "subclass", "object"]


@pytest.fixture
def where(tmp_path: pathlib.Path) -> Any:
    # 7.0 and 7.1: only a store with an fncache is served
    made = enginelab.store_opener(tmp_path)
    enginelab.built(made, 3, 12, may_inline=False)
    return made


class Calls:
    """Wraps a method and counts its calls."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        self._patch = monkeypatch

    def wrap(self, holder: Any, name: str) -> None:
        orig = getattr(holder, name)

        @functools.wraps(orig)
        def counted(*args: Any, **kwargs: Any) -> Any:
            self.count += 1
            return orig(*args, **kwargs)

        self._patch.setattr(holder, name, counted)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Iterator[Calls]:
    yield Calls(monkeypatch)


def read_all(rl: Any) -> list[bytes]:
    return [rl.revision(rev) for rev in range(len(rl))]


# what Mercurial calls to read, of what the short way leaves out
CALLED = ["_rawtext", "checkhash", "flags", "hash", "node", "parents"]


@pytest.mark.parametrize("name", CALLED)
@pytest.mark.parametrize("when", ["before", "after", "once read"])
def test_reading_calls_what_is_wrapped_on_the_class(
    where: Any, calls: Calls, name: str, when: str
) -> None:
    if when == "before":
        calls.wrap(revlog.revlog, name)
    with enginelab.installed():
        rl = enginelab.stock(where)
        if when == "once read":
            assert read_all(rl)
        if when != "before":
            calls.wrap(revlog.revlog, name)
        rl._inner.forget()
        before = calls.count
        assert read_all(rl)
        assert calls.count > before


@pytest.mark.parametrize("name", CALLED)
@pytest.mark.parametrize("once_read", [True, False])
def test_reading_calls_what_is_wrapped_on_the_object(
    where: Any, calls: Calls, name: str, once_read: bool
) -> None:
    with enginelab.installed():
        rl = enginelab.stock(where)
        if once_read:
            assert read_all(rl)
            rl._inner.forget()
        calls.wrap(rl, name)
        assert read_all(rl)
        assert calls.count


@pytest.mark.parametrize("name", CALLED)
def test_reading_calls_what_a_subclass_has(where: Any, name: str) -> None:
    called = []

    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        called.append(name)
        return getattr(revlog.revlog, name)(self, *args, **kwargs)

    with enginelab.installed():
        rl = enginelab.stock(where)
        assert read_all(rl)
        rl._inner.forget()
        rl.__class__ = type("Custom", (revlog.revlog,), {name: method})
        assert read_all(rl)
    assert called


def test_a_revlog_that_nobody_touched_takes_the_short_way(
    where: Any, calls: Calls
) -> None:
    with enginelab.installed():
        rl = enginelab.stock(where)
        calls.wrap(type(rl._inner), "unchecked_text")
        assert read_all(rl)
        assert reading.how_it_reads(revlog.revlog) == reading.PLAIN
        assert reading.how_it_reads(changelog.changelog) == reading.PLAIN
    assert not calls.count


@pytest.mark.parametrize("name", ["_revisiondata", "parentrevs", "findmissingrevs"])
def test_what_was_wrapped_before_us_stays_in_place(
    where: Any, calls: Calls, name: str
) -> None:
    calls.wrap(revlog.revlog, name)
    theirs = vars(revlog.revlog)[name]
    with enginelab.installed():
        assert vars(revlog.revlog)[name] is theirs
        rl = enginelab.stock(where)
        for rev in range(len(rl)):
            rl.revision(rev)
            rl.parentrevs(rev)
        rl.findmissingrevs([0], [len(rl) - 1])
        assert calls.count


@pytest.mark.parametrize("name", ["parentrevs", "incrementalmissingrevs"])
@pytest.mark.parametrize("holder", ["class", "object"])
def test_missing_revisions_by_other_parents(
    where: Any, calls: Calls, name: str, holder: str
) -> None:
    with enginelab.installed():
        rl = enginelab.stock(where)
        expected = rl.findmissingrevs([0], [len(rl) - 1])
        calls.wrap(rl if holder == "object" else revlog.revlog, name)
        assert rl.findmissingrevs([0], [len(rl) - 1]) == expected
        assert calls.count


@pytest.mark.parametrize("name", templates.LEFT_OUT)
@pytest.mark.parametrize("when", ["before", "after"])
def test_opening_calls_what_is_wrapped(
    where: Any, calls: Calls, name: str, when: str
) -> None:
    kind = enginelab.KIND_FILELOG
    if when == "before":
        calls.wrap(revlog.revlog, name)
    with enginelab.installed():
        for _ in range(3):
            enginelab.stock(where, kind=kind)
        if when == "after":
            calls.wrap(revlog.revlog, name)
        before = calls.count
        enginelab.stock(where, kind=kind)
        assert calls.count > before


def test_the_verifier_stands_back_for_each_wrapper(monkeypatch: Any) -> None:
    inner = types.SimpleNamespace(is_fastrevlog=True)
    verifier = object.__new__(wrap.verify.verifier)
    verifier.repo = types.SimpleNamespace(changelog=types.SimpleNamespace(_inner=inner))
    assert wrap._is_plain(verifier)
    for module, class_name, names in wrap.LEFT_OUT:
        holder = __import__(module, fromlist=["x"])
        holder = getattr(holder, class_name) if class_name else holder
        for name in names.split():
            with monkeypatch.context() as patch:
                patch.setattr(holder, name, looks_alike(getattr(holder, name)))
                assert not wrap._is_plain(verifier), name
    assert wrap._is_plain(verifier)


def test_every_row_says_why() -> None:
    assert all(row.why for row in table.TABLE)
