# One object over a long time: strips, aborts, forks, threads, and what is left over.
# SPDX-License-Identifier: GPL-2.0-or-later
"""Mercurial keeps changelog and manifests for as long as a process lives, and makes
file logs anew.  Nothing stale may be answered, and nothing may pile up."""

from __future__ import annotations

import gc
import os
import pathlib
import random
import threading
import weakref
from collections.abc import Iterator
from typing import Any, Callable

import pytest
from mercurial import commands, error, hg, phases, repair
from mercurial.node import nullid, wdirid

from hgext3rd.fastrevlog import settings, stores
from support import enginelab
from support.enginelab import Transaction


def checked(rl: Any, rev: int) -> bytes:
    text = rl._inner.checked_text(rev, rl._inner.cindex[rev])
    assert text is not None
    return text


def all_ways(rl: Any) -> list[list[bytes]]:
    """Every text, read in every way that has caches of its own."""
    return [
        [checked(rl, rev) for rev in rl],
        [rl.revision(rev) for rev in reversed(range(len(rl)))][::-1],
        [enginelab.raw(rl._inner, rev) for rev in rl],
    ]


def chunks(rl: Any) -> list[bytes]:
    return [bytes(rl._inner._chunk(rev)) for rev in rl]


# strip, and other revisions in their place


@pytest.mark.parametrize("may_inline", [True, False])
@pytest.mark.parametrize("share", [True, False])
def test_other_revisions_after_a_strip(
    tmp_path: pathlib.Path, may_inline: bool, share: bool
) -> None:
    where = enginelab.opener(tmp_path, sparse=True)
    rl = enginelab.ours(where, may_inline=may_inline, share_texts=share)
    enginelab.write(rl, Transaction(where), enginelab.history(1, 30))
    for round_ in range(3):
        all_ways(rl)
        tr = Transaction(where)
        rl.strip(15 + round_, tr)
        restorer = rl._inner.restorer
        assert not restorer.text_cache
        assert not restorer.chunk_cache
        assert not rl._inner.files.window[1]
        tr.abort()  # what Mercurial's transaction does at its end: truncate
        assert len(rl) == 15 + round_
        revs = [
            (b"round %d, line %d\n" % (round_, rev) * 200, rev - 1, -1)
            for rev in range(15 + round_, 30)
        ]
        enginelab.write(rl, Transaction(where), revs)
        expected = enginelab.texts(enginelab.stock(where))
        assert all_ways(rl) == [expected] * 3
        assert chunks(rl) == chunks(enginelab.stock(where))
        for rev in rl:
            assert rl.rev(rl.node(rev)) == rev


@pytest.mark.parametrize("may_inline", [True, False])
def test_a_transaction_is_aborted_and_the_object_used_again(
    tmp_path: pathlib.Path, may_inline: bool
) -> None:
    where = enginelab.opener(tmp_path, sparse=True)
    rl = enginelab.ours(where, may_inline=may_inline)
    enginelab.write(rl, Transaction(where), enginelab.history(1, 20))
    tr = Transaction(where)
    enginelab.write(rl, tr, [(b"aborted\n" * 500, 19, -1)] * 5)
    all_ways(rl)
    tr.abort()
    # as a caller does that goes on with the object
    rl._inner.clear_cache()
    del rl.index[20:-1]
    enginelab.write(rl, Transaction(where), [(b"another\n" * 500, 19, -1)] * 5)
    expected = enginelab.texts(enginelab.stock(where))
    assert all_ways(rl) == [expected] * 3


# whole repositories, in process


class Repo:
    def __init__(self, ui: Any, path: pathlib.Path) -> None:
        self.ui = ui
        self.path = path
        for section, name, value in (
            (b"ui", b"username", b"test"),
            (b"ui", b"quiet", b"yes"),
            (b"devel", b"default-date", b"0 0"),
        ):
            ui.setconfig(section, name, value)
        self.repo = hg.repository(ui, bytes(path), create=True)
        stores.attach(self.repo, settings.Settings())
        assert self.repo.changelog._inner.is_fastrevlog

    def commit(self, text: bytes, **files: bytes) -> None:
        for name, content in files.items():
            (self.path / name).write_bytes(content)
        commands.commit(self.ui, self.repo, message=text, addremove=True)

    def strip(self, rev: int) -> None:
        with self.repo.wlock(), self.repo.lock():
            node = self.repo[rev].node()
            hg.update(self.repo, self.repo[rev - 1].node())
            repair.strip(self.ui, self.repo, [node], backup=False)


@pytest.fixture
def served(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Repo]:
    monkeypatch.setenv("HGRCPATH", "")
    with enginelab.installed() as ui:
        yield Repo(ui, tmp_path / "repo")


def test_a_repository_is_stripped_and_added_to(served: Repo) -> None:
    for rev in range(8):
        served.commit(b"commit %d" % rev, f=b"text %d\n" % rev * 40)
    kept = served.repo.file(b"f")
    assert [kept.read(rev) for rev in kept][-1] == b"text 7\n" * 40
    changelog = served.repo.unfiltered().changelog
    before = [changelog.revision(rev) for rev in changelog]
    served.strip(4)
    for rev in range(4, 8):
        served.commit(b"other commit %d" % rev, f=b"other %d\n" % rev * 40)
    changelog = served.repo.unfiltered().changelog
    after = [changelog.revision(rev) for rev in changelog]
    assert after[:4] == before[:4]
    assert all(b"other commit %d" % rev in after[rev] for rev in range(4, 8))
    log = served.repo.file(b"f")
    assert [log.read(rev) for rev in log][4:] == [
        b"other %d\n" % rev * 40 for rev in range(4, 8)
    ]
    again = hg.repository(served.ui, bytes(served.path)).unfiltered().changelog
    assert [again.revision(rev) for rev in again] == after


def test_an_aborted_commit_leaves_nothing_behind(served: Repo) -> None:
    served.commit(b"first", f=b"first\n")
    hooks = served.repo.ui.setconfig
    hooks(b"hooks", b"pretxncommit.no", lambda **kw: True)
    with pytest.raises(error.HookAbort):
        served.commit(b"refused", f=b"refused\n")
    hooks(b"hooks", b"pretxncommit.no", None)
    served.commit(b"second", f=b"second\n")
    assert [served.repo[rev].description() for rev in served.repo] == [
        b"first",
        b"second",
    ]
    log = served.repo.file(b"f")
    assert [log.read(rev) for rev in log] == [b"first\n", b"second\n"]


@pytest.fixture
def with_secret(served: Repo) -> Any:
    for rev in range(6):
        served.commit(b"commit %d" % rev, f=b"text %d\n" % rev)
    repo = served.repo
    with repo.lock(), repo.transaction(b"test") as tr:
        phases.retractboundary(repo, tr, phases.secret, [repo[5].node()])
    return repo


def outcome(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except Exception as exc:
        return type(exc), str(exc)


@pytest.mark.parametrize("cached", [False, True])
def test_filtered_revisions_stay_filtered(with_secret: Any, cached: bool) -> None:
    whole = with_secret.unfiltered().changelog
    node = whole.node(5)
    public = with_secret.filtered(b"served").changelog
    if cached:
        assert b"commit 5" in whole.revision(5)
    for name in ("revision", "rawdata", "read", "changelogrevision"):
        with pytest.raises(error.FilteredIndexError):
            getattr(public, name)(5)
        with pytest.raises(error.FilteredLookupError):
            getattr(public, name)(node)
        assert getattr(public, name)(4)
    assert public.heads() == [whole.node(4)]


NOT_REVISIONS = [
    -1,
    -2,
    6,
    2**31 - 1,
    2**40,
    None,
    "x",
    b"",
    b"abc",
    nullid,
    wdirid,
    b"q" * 20,
    1.5,
]


def test_what_is_no_revision_is_answered_as_mercurial_does(with_secret: Any) -> None:
    from hgext3rd.fastrevlog import install

    def answers() -> list[Any]:
        got = []
        whole = with_secret.unfiltered().changelog
        for rl in (whole, with_secret.filtered(b"served").changelog):
            for asked in NOT_REVISIONS:
                got += [
                    outcome(lambda rl=rl, asked=asked: rl.revision(asked)),
                    outcome(lambda rl=rl, asked=asked: rl.rawdata(asked)),
                ]
        return got

    ours = answers()
    with install.taken_out():
        with_secret.invalidate(clearfilecache=True)
        assert not hasattr(with_secret.changelog._inner, "is_fastrevlog")
        assert ours == answers()


def test_a_revision_may_be_a_subclass_of_int(with_secret: Any) -> None:
    assert with_secret.changelog.revision(True) == with_secret.changelog.revision(1)


# processes and threads


@pytest.fixture
def split(tmp_path: pathlib.Path) -> Any:
    where = enginelab.opener(tmp_path, sparse=True)
    enginelab.built(where, 6, 80, may_inline=False)
    return where


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
@pytest.mark.parametrize("share", [True, False])
def test_forked_processes_read_through_one_open_file(split: Any, share: bool) -> None:
    """As the workers of an update do, which inherit descriptors and caches."""
    expected = enginelab.texts(enginelab.stock(split))
    rl = enginelab.ours(split, share_texts=share)
    with rl.reading():
        checked(rl, 40)
        children = []
        for child in range(4):
            pid = os.fork()
            if not pid:
                wrong = 1
                try:
                    rng = random.Random(child)
                    for _ in range(100):
                        rev = rng.randrange(len(expected))
                        rl._inner.forget()
                        if checked(rl, rev) != expected[rev]:
                            break
                    else:
                        wrong = 0
                finally:
                    os._exit(wrong)
            children.append(pid)
        for _ in range(100):
            rl._inner.forget()
            rev = random.randrange(len(expected))
            assert checked(rl, rev) == expected[rev]
    for pid in children:
        assert os.waitpid(pid, 0)[1] == 0


def test_threads_with_revlogs_of_their_own(split: Any) -> None:
    """As those of a web server."""
    expected = enginelab.texts(enginelab.stock(split))
    share = stores.of(split).share
    assert share is not None
    share.ask(30_000)
    wrong: list[Any] = []

    def work(seed: int) -> None:
        rng = random.Random(seed)
        try:
            for _ in range(8):
                rl = enginelab.ours(split, share_texts=bool(seed & 1))
                for _ in range(40):
                    rev = rng.randrange(len(expected))
                    if checked(rl, rev) != expected[rev]:
                        wrong.append(rev)
        except BaseException as exc:
            wrong.append(exc)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


# what is left over


@pytest.mark.parametrize("written", [False, True], ids=["read", "written"])
def test_a_file_log_is_gone_when_nobody_has_it(split: Any, written: bool) -> None:
    """Thousands are made: they must not wait for the garbage collector."""
    gc.collect()
    gc.disable()
    try:
        rl = enginelab.ours(split, share_texts=True)
        checked(rl, 20)
        if written:
            with rl._writing(Transaction(split)):
                assert rl._inner.is_writing
        gone = weakref.ref(rl._inner)
        del rl
        assert gone() is None
    finally:
        gc.enable()


def test_reading_and_writing_do_not_know_each_other(split: Any) -> None:
    """Neither of the two, nor what they share, leads back to the inner revlog."""
    inner = enginelab.ours(split)._inner
    for part in (inner.files, inner.writer, inner.restorer):
        held = [
            getattr(part, name, None)
            for cls in type(part).__mro__
            for name in getattr(cls, "__slots__", ())
        ]
        assert inner not in held
    assert inner.writer.files is inner.restorer.files is inner.files


def test_no_descriptor_is_left_open(split: Any) -> None:
    folder = "/proc/self/fd"
    if not os.path.isdir(folder):
        pytest.skip("needs /proc")
    before = len(os.listdir(folder))
    for _ in range(20):
        rl = enginelab.ours(split)
        with rl.reading():
            checked(rl, 30)
        rl._inner.forget()
        checked(rl, 10)
        with rl._writing(Transaction(split)):
            checked(rl, 20)
    assert len(os.listdir(folder)) == before
