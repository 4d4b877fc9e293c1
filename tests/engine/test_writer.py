# engine/writer.py: the same files, and the same told to the transaction, as stock.
# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import os
import pathlib
from typing import Any

import pytest

from support import enginelab
from support.enginelab import KIND_CHANGELOG, Bench, Script, Transaction

SHAPES: dict[str, dict[str, Any]] = {
    "inline": {},
    "split": {"may_inline": False},
    "no general delta": {"general_delta": False},
    "sparse zstd": {"sparse": True, "engine": b"zstd", "may_inline": False},
    "not compressed": {"engine": b"none"},
}
if enginelab.HAS_DELTA_INFO:
    SHAPES["delta info"] = {"delta_info": True}


@pytest.fixture
def bench(tmp_path: pathlib.Path) -> Bench:
    return Bench(tmp_path)


def ends(rl: Any) -> Any:
    """Where the write handles say that they are."""
    index, data, sidedata = rl._inner._writinghandles
    return index.tell(), data and data.tell(), sidedata


# appending


@pytest.mark.parametrize("shape", SHAPES)
def test_one_context(bench: Bench, shape: str) -> None:
    def script(rl: Any, tr: Transaction) -> Any:
        added = enginelab.write(rl, tr, enginelab.history(1, 70))
        return added, enginelab.texts(rl)

    assert bench.same(script, **SHAPES[shape])


@pytest.mark.parametrize("shape", SHAPES)
def test_many_contexts_that_nest_and_read(bench: Bench, shape: str) -> None:
    def script(rl: Any, tr: Transaction) -> Any:
        revs = enginelab.history(2, 40)
        seen: list[Any] = []
        for at in range(0, 40, 8):
            with rl._writing(tr):
                for one in revs[at : at + 8]:
                    enginelab.write(rl, tr, [one])
                    seen.append(ends(rl))
                # what is pending is read back, the oldest chunks as well
                seen += [rl.rawdata(len(rl) - 1), rl.rawdata(at // 2)]
                rl._inner.clear_cache()
                seen.append(rl.rawdata(len(rl) - 1))
            seen.append(rl._inner.is_open)
        return seen, enginelab.texts(rl)

    bench.same(script, **SHAPES[shape])


def test_a_context_without_revisions(bench: Bench) -> None:
    def script(rl: Any, tr: Transaction) -> Any:
        with rl._writing(tr):
            inner = rl._inner
            return inner.is_writing, inner.is_open, inner.is_delaying, len(inner)

    files = bench.same(script, may_inline=False)
    assert files == {"log.i": b"", "log.d": b""}


def test_the_positions_that_a_concurrency_checker_sees(bench: Bench) -> None:
    def script(rl: Any, tr: Transaction) -> Any:
        seen = []
        rl._concurrencychecker = lambda handle, name, expected: seen.append(
            (name, handle.tell(), expected)
        )
        enginelab.write(rl, tr, enginelab.history(3, 12))
        assert all(position == expected for _name, position, expected in seen)
        return seen

    bench.same(script, may_inline=False)


def test_a_file_that_is_longer_than_the_index_says(bench: Bench) -> None:
    def script(rl: Any, tr: Transaction) -> Any:
        enginelab.write(rl, tr, enginelab.history(4, 5))
        with rl.opener(b"log.d", b"ab") as fp:
            fp.write(b"left by a crash")
        seen = []
        with rl._writing(tr):
            enginelab.write(rl, tr, [(b"another text", 4, -1)])
            seen.append(ends(rl))
        return seen

    bench.same(script, may_inline=False)


def test_hard_links_are_broken(bench: Bench) -> None:
    def script(rl: Any, tr: Transaction) -> Any:
        revs = enginelab.history(5, 20)
        enginelab.write(rl, tr, revs[:10])
        for name in (b"log.i", b"log.d"):
            os.link(rl.opener.join(name), rl.opener.join(b"linked-" + name))
        rl.data_config.check_ambig = True
        enginelab.write(rl, tr, revs[10:])
        return enginelab.texts(rl)

    bench.same(script, may_inline=False)


# splitting


@pytest.mark.parametrize("kind", [enginelab.KIND_MANIFEST, KIND_CHANGELOG])
@pytest.mark.parametrize("one_context", [True, False])
@pytest.mark.parametrize("end", ["close", "abort", None])
def test_splitting_an_inline_revlog(
    bench: Bench, kind: int, one_context: bool, end: str | None
) -> None:
    def script(rl: Any, tr: Transaction) -> Any:
        revs = enginelab.large()
        seen: list[Any] = []
        if one_context:
            enginelab.write(rl, tr, revs)
        else:
            for one in revs:
                enginelab.write(rl, tr, [one])
                seen += [rl._inner.inline, rl._indexfile, rl._inner.index_file]
        seen += enginelab.texts(rl)
        if end is not None:
            getattr(tr, end)()
            seen += [rl._inner.inline, rl._indexfile, rl._inner.index_file]
        return seen

    files = bench.same(script, kind=kind)
    assert "log.d" in files or end == "abort"
    if end == "close":
        assert len(files["log.i"]) == 64 * len(enginelab.large())


def test_a_split_after_revisions_of_an_earlier_transaction(bench: Bench) -> None:
    def script(rl: Any, tr: Transaction) -> Any:
        enginelab.write(rl, tr, enginelab.large(4))
        again = type(tr)(rl.opener)
        enginelab.write(rl, again, enginelab.large())
        before = enginelab.texts(rl)
        again.abort()
        # opened anew, nothing of the aborted transaction is left
        return before, again.calls, enginelab.texts(enginelab.stock(rl.opener))

    bench.same(script)


def test_a_revlog_can_be_read_after_its_split_was_taken_back(
    tmp_path: pathlib.Path,
) -> None:
    where = enginelab.opener(tmp_path)
    rl = enginelab.ours(where)
    enginelab.write(rl, Transaction(where), enginelab.large(4))
    tr = Transaction(where)
    enginelab.write(rl, tr, enginelab.large()[4:])
    assert not rl._inner.inline
    tr.abort()
    assert rl._inner.inline
    rl._inner.forget()
    expected = [text for text, _p1, _p2 in enginelab.large(4)]
    assert [enginelab.raw(rl._inner, rev) for rev in range(4)] == expected


# hiding


def hiding(pending: bool, more: bool) -> Script:
    def script(rl: Any, tr: Transaction) -> Any:
        revs = enginelab.history(8, 30)
        inner = rl._inner
        seen: list[Any] = []

        def look() -> None:
            seen.append((inner.is_delaying, inner.index_file))
            seen.append(inner.canonical_index_file)
            seen.append(sorted(enginelab.files(rl.opener).items()))
            seen.extend(enginelab.texts(rl))

        seen.append(inner.delay())
        look()
        enginelab.write(rl, tr, revs[:10])
        look()
        seen.append(inner.delay())
        enginelab.write(rl, tr, revs[10:20])
        look()
        if pending:
            seen.append(inner.write_pending())
            look()
            if more:
                enginelab.write(rl, tr, revs[20:])
                seen.append(inner.write_pending())
                look()
        seen.append(inner.finalize_pending())
        look()
        return seen

    return script


@pytest.mark.parametrize("pending", [False, True])
@pytest.mark.parametrize("more", [False, True])
@pytest.mark.parametrize("there_before", [0, 15])
def test_what_is_added_is_hidden_until_the_end(
    bench: Bench, pending: bool, more: bool, there_before: int
) -> None:
    def script(rl: Any, tr: Transaction) -> Any:
        if there_before:
            enginelab.write(rl, tr, enginelab.history(9, there_before))
        # left by a transaction that was killed
        rl.opener.write(b"log.i.a", b"stale")
        return hiding(pending, more)(rl, tr)

    files = bench.same(script, kind=KIND_CHANGELOG, may_inline=False)
    assert files.keys() <= {"log.i", "log.d", "log.i.a"}


def test_nothing_to_hide(bench: Bench) -> None:
    def script(rl: Any, tr: Transaction) -> Any:
        enginelab.write(rl, tr, enginelab.history(9, 3))
        inner = rl._inner
        return inner.delay(), inner.write_pending(), inner.finalize_pending()

    bench.same(script, kind=KIND_CHANGELOG, may_inline=False)


def test_hooks_look_for_the_side_file_of_the_true_name(bench: Bench) -> None:
    def script(rl: Any, tr: Transaction) -> Any:
        enginelab.write(rl, tr, enginelab.large())
        assert rl._inner.index_file.endswith(b".s")
        rl._inner.delay()
        enginelab.write(rl, tr, [(b"hidden", 3, -1)])
        return rl._inner.write_pending(), rl._inner.canonical_index_file

    bench.same(script, kind=KIND_CHANGELOG)
