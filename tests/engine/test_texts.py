# engine/texts.py: every text is Mercurial's, in any order, under any budget.
# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import pathlib
import random
from typing import Any

import pytest
from mercurial import error

from hgext3rd.fastrevlog import stores
from hgext3rd.fastrevlog.engine import texts as textsmod
from support import enginelab

SHAPES: dict[str, dict[str, Any]] = {
    "inline": {},
    "split": {"may_inline": False},
    "inline, no general delta": {"general_delta": False},
    "split, no general delta": {"general_delta": False, "may_inline": False},
    "sparse": {"sparse": True, "may_inline": False, "sr_min_gap_size": 64},
    "sparse, inline": {"sparse": True, "sr_min_gap_size": 64},
    "zstd": {"engine": b"zstd", "may_inline": False},
    "not compressed": {"engine": b"none"},
}
if enginelab.HAS_DELTA_INFO:
    SHAPES["delta info"] = {"delta_info": True, "may_inline": False}
ORDERS = ["random", "ascending", "descending", "back and forth"]
BUDGETS = [0, 6_000, 64 << 20]


_made: dict[str, tuple[Any, list[bytes]]] = {}


@pytest.fixture(params=list(SHAPES))
def history(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Any, list[bytes]]:
    """A store with a history written by Mercurial, and its texts."""
    shape = request.param
    if shape not in _made:
        config = dict(SHAPES[shape])
        may_inline = config.pop("may_inline", True)
        where = enginelab.opener(tmp_path_factory.mktemp("shape"), **config)
        _made[shape] = (where, enginelab.built(where, 11, 90, may_inline=may_inline))
    return _made[shape]


def limit(where: Any, size: int) -> None:
    """Let the caches of this store hold ``size`` bytes, and nothing yet."""
    share = stores.of(where).share
    assert share is not None
    share.clear()
    share.ask(size)


def in_order(order: str, count: int, seed: int = 0) -> list[int]:
    revs = list(range(count))
    if order == "descending":
        revs.reverse()
    elif order == "random":
        revs = random.Random(seed).choices(revs, k=2 * count)
    elif order == "back and forth":
        revs = [rev for at in revs for rev in (at, max(at - 3, 0), count - 1 - at)]
    return revs


def checked(rl: Any, rev: int) -> bytes | None:
    return rl._inner.checked_text(rev, rl.index.cindex[rev])


@pytest.mark.parametrize("budget", BUDGETS)
@pytest.mark.parametrize("order", ORDERS)
def test_every_text_is_right(
    history: tuple[Any, list[bytes]], order: str, budget: int
) -> None:
    where, texts = history
    limit(where, budget)
    raw, plain, shared = (
        enginelab.ours(where, share_texts=share) for share in (False, False, True)
    )
    for rev in in_order(order, len(texts)):
        assert enginelab.raw(raw._inner, rev) == texts[rev]
        # the outer revlog, which uses the caches of the inner one in its own ways
        assert raw.rawdata(rev) == texts[rev]
        assert checked(plain, rev) == texts[rev]
        assert checked(shared, rev) == texts[rev]
    with raw.reading():
        for rev in in_order(order, len(texts), 1):
            assert raw.revision(raw.node(rev)) == texts[rev]


def chunks(inner: Any, revs: list[int], target: int | None = None) -> list[bytes]:
    # where it reads sparsely, Mercurial leaves out some that are empty
    return [bytes(each) for each in inner._chunks(revs, target) if len(each)]


def test_chunks_are_mercurials(history: tuple[Any, list[bytes]]) -> None:
    where, texts = history
    stock = enginelab.stock(where)
    rng = random.Random(3)
    for _ in range(60):
        ours = enginelab.ours(where)._inner
        rev = rng.randrange(len(texts))
        chain = stock._inner._deltachain(rev)[0]
        assert ours._deltachain(rev)[0] == chain
        wanted = sorted(rng.sample(range(len(texts)), 5))
        for revs in (chain, chain[1:], wanted):
            expected = chunks(stock._inner, revs)
            assert chunks(ours, revs) == expected
            assert chunks(ours, revs) == expected
            assert chunks(ours, revs, 100) == expected
        assert bytes(ours._chunk(rev)) == bytes(stock._inner._chunk(rev))
        first, last = sorted((rev, rng.randrange(len(texts))))
        theirs = stock._inner.get_segment_for_revs(first, last)
        got = ours.get_segment_for_revs(first, last)
        assert (got[0], bytes(got[1])) == (theirs[0], bytes(theirs[1]))
        assert len(ours._chunks(chain)) == len(chain)
    assert ours._chunks([]) == []


def test_what_an_entry_says(history: tuple[Any, list[bytes]]) -> None:
    where, texts = history
    stock = enginelab.stock(where)._inner
    ours = enginelab.ours(where)._inner
    assert len(ours) == len(stock) == len(texts)
    for rev in range(len(texts)):
        for name in ("start", "length", "end", "deltaparent"):
            assert getattr(ours, name)(rev) == getattr(stock, name)(rev)
        assert bool(ours.issnapshot(rev)) == bool(stock.issnapshot(rev))
        for stop in (None, 0, rev // 2, rev):
            assert ours._deltachain(rev, stop) == stock._deltachain(rev, stop)
    assert ours.sidedata(3, None) == {}


def test_differences_between_texts(history: tuple[Any, list[bytes]]) -> None:
    where, _texts = history
    stock = enginelab.stock(where)
    ours = enginelab.ours(where)
    for old, new in [(0, 5), (5, 6), (6, 5), (-1, 4), (4, -1), (7, 7)]:
        assert ours.revdiff(old, new) == stock.revdiff(old, new)
    if hasattr(stock._inner, "rev_diff"):
        assert ours._inner.rev_diff(2, 30) == stock._inner.rev_diff(2, 30)
        with pytest.raises(error.ProgrammingError):
            ours._inner.rev_diff(2, 30, b"extra")


@pytest.fixture
def long_chain(tmp_path: pathlib.Path) -> tuple[Any, list[bytes]]:
    """A history in one long chain."""
    where = enginelab.opener(tmp_path, sparse=True)
    rng = random.Random(5)
    lines = [b"%040x\n" % rng.getrandbits(160) for _ in range(400)]
    revs = []
    for rev in range(120):
        lines[rng.randrange(400)] = b"%040x\n" % rng.getrandbits(160)
        revs.append((b"".join(lines), rev - 1, -1))
    rl = enginelab.stock(where, may_inline=False)
    enginelab.write(rl, enginelab.Transaction(where), revs)
    return where, [text for text, _p1, _p2 in revs]


@pytest.mark.parametrize("budget", [0, 60_000, 64 << 20])
def test_a_backward_walk_goes_stepwise(
    long_chain: tuple[Any, list[bytes]], budget: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    where, texts = long_chain
    limit(where, budget)
    steps: list[int] = []
    stepwise = textsmod.Restorer.apply_keeping_intermediates

    def counted(
        self: Any, base: bytes, revs: list[int], bins: list[Any], count: int
    ) -> bytes:
        steps.append(len(bins))
        assert len(revs) == len(bins)
        return stepwise(self, base, revs, bins, count)

    monkeypatch.setattr(textsmod.Restorer, "apply_keeping_intermediates", counted)
    rl = enginelab.ours(where)
    assert len(rl._inner._deltachain(len(texts) - 1)[0]) > 100
    for rev in range(len(texts)):
        assert checked(rl, rev) == texts[rev]
    assert not steps
    rl._inner.forget()
    for rev in reversed(range(len(texts))):
        assert checked(rl, rev) == texts[rev]
        # what was kept on the way is right as well
        for held_rev, (node, text, _checked) in rl._inner.restorer.text_cache.items():
            assert (node, text) == (rl.node(held_rev), texts[held_rev])
    if budget == 64 << 20:
        # some 48 texts for each of them
        assert 1 <= len(steps) <= 4
    elif not budget:
        assert not steps


def test_a_walk_costs_about_one_delta_a_text(
    long_chain: tuple[Any, list[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    where, texts = long_chain
    applied: list[int] = []
    patches = textsmod.mdiff.patches

    def counted(text: bytes, bins: list[Any]) -> bytes:
        applied.append(len(bins))
        return patches(text, bins)

    monkeypatch.setattr(textsmod.mdiff, "patches", counted)
    for order in ("ascending", "descending"):
        del applied[:]
        rl = enginelab.ours(where)
        for rev in in_order(order, len(texts)):
            assert checked(rl, rev) == texts[rev]
        assert sum(applied) < 5 * len(texts)


def test_texts_of_more_than_a_megabyte(tmp_path: pathlib.Path) -> None:
    rng = random.Random(6)
    for engine in (b"zlib", b"zstd"):
        (tmp_path / engine.decode()).mkdir()
        where = enginelab.opener(tmp_path / engine.decode(), engine=engine)
        large = b"".join(b"%x\n" % rng.getrandbits(60) for _ in range(90_000))
        other = rng.randbytes(1_100_000)
        texts = [large, large + b"more\n", other, b"", large]
        revs = [(text, rev - 1, -1) for rev, text in enumerate(texts)]
        rl = enginelab.stock(where)
        tr = enginelab.Transaction(where)
        enginelab.write(rl, tr, revs)
        tr.close()
        ours = enginelab.ours(where)
        for rev in (4, 2, 0, 3, 1):
            assert checked(ours, rev) == texts[rev]
            assert enginelab.raw(ours._inner, rev) == texts[rev]


def outcome(read: Any) -> Any:
    try:
        return bytes(read())
    except Exception as exc:
        return exc


# what a damaged repository may make of us: nothing else is known to callers
CLEAN = (error.StorageError, OSError, MemoryError, IndexError, SystemError)


@pytest.mark.parametrize("seed", range(8))
def test_damage_gives_mercurials_text_or_an_error(
    tmp_path: pathlib.Path, seed: int
) -> None:
    rng = random.Random(seed)
    engine = rng.choice([b"zlib", b"zstd", b"none"])
    sparse = bool(seed & 1)
    where = enginelab.opener(tmp_path, sparse=sparse, engine=engine)
    enginelab.built(where, seed, 20, may_inline=bool(seed & 2))
    good = enginelab.files(where)
    for _ in range(15):
        name = rng.choice(sorted(good))
        data = bytearray(good[name])
        if rng.random() < 0.2:
            del data[rng.randrange(64, len(data)) :]
        else:
            at = rng.randrange(4, len(data))
            data[at] = rng.choice([0, 0x7F, 0xFF, data[at] ^ 1, data[at] ^ 0x40])
        where.write(name.encode(), bytes(data))
        try:
            enginelab.stock(where)
        except error.RevlogError:
            where.write(name.encode(), good[name])
            continue
        rl = enginelab.ours(where)
        for rev in rng.sample(range(len(rl)), len(rl)):
            expected = outcome(lambda rev=rev: enginelab.stock(where).revision(rev))
            got = outcome(lambda rev=rev, rl=rl: rl.revision(rev))
            if isinstance(got, bytes):
                # an entry without data may lie where Mercurial finds no file
                assert got in (expected, b"")
            else:
                assert isinstance(got, CLEAN), repr(got)
        where.write(name.encode(), good[name])


def test_no_chunk_is_decompressed_in_vain(
    long_chain: tuple[Any, list[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first half of a chain is at hand, the rest has to be read."""
    where, texts = long_chain
    inner = enginelab.ours(where)._inner
    half = len(texts) // 2
    inner.files.window = (0, where.read(b"log.d")[: inner.end(half)])
    calls: list[int] = []
    decompress = textsmod._decompress

    def counted(chunk: Any, limit: int) -> Any:
        calls.append(limit)
        return decompress(chunk, limit)

    monkeypatch.setattr(textsmod, "_decompress", counted)
    last = len(texts) - 1
    assert enginelab.raw(inner, last) == texts[last]
    assert len(calls) == len(inner._deltachain(last)[0])
    inner.restorer.clear()
    del calls[:]
    assert enginelab.raw(inner, half) == texts[half]
    assert len(calls) == len(inner._deltachain(half)[0])


def test_a_full_text_that_was_just_written_is_not_read_again(
    long_chain: tuple[Any, list[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    where, texts = long_chain
    inner = enginelab.ours(where)._inner
    assert inner.cindex[0][3] == 0, "the first revision is stored whole"
    inner.restorer.keep_chunk(0, texts[0])

    def unread(*args: Any) -> Any:
        raise AssertionError("read")

    monkeypatch.setattr(type(inner.files), "fetch", unread)
    inner.files.window = (0, b"")
    assert inner.checked_text(0, inner.cindex[0]) == texts[0]
