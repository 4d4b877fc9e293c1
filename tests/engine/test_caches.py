# engine/caches.py: one budget for all, nothing stale, nothing left when dropped.
# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import pathlib
import random
import threading
import weakref
from typing import Any

import pytest
from mercurial.revlogutils import constants

from hgext3rd.fastrevlog import stores
from hgext3rd.fastrevlog.engine import caches
from support import enginelab

CENSORED = constants.REVIDX_ISCENSORED


def share_of(limit: int) -> caches.Share:
    """A share, the only one of its share."""
    return caches.Share(limit, caches.Budget())


def held(*dictionaries: dict[Any, Any]) -> int:
    return sum(len(value) for each in dictionaries for value in each.values())


def test_the_limit_is_never_exceeded() -> None:
    rng = random.Random(1)
    share = share_of(100_000)
    dictionaries: list[dict[Any, Any]] = [{} for _ in range(5)]
    for step in range(3000):
        value = b"x" * rng.choice([0, 10, 1000, 20_000, 30_000])
        cache = rng.choice(dictionaries)
        share.put(cache, rng.randrange(50), value, len(value))
        assert share.used <= share.limit
        assert held(*dictionaries) <= share.limit
        if not step % 500:
            # a revlog that forgot its texts
            dictionaries[0] = {}
    assert share.budget.evicted > 100


def test_what_would_crowd_out_everything_is_not_kept() -> None:
    share = share_of(1000)
    cache: dict[int, bytes] = {}
    share.put(cache, 1, b"x" * 250, 250)
    share.put(cache, 2, b"x" * 251, 251)
    assert list(cache) == [1]


def test_no_memory_means_no_entries() -> None:
    share = share_of(0)
    cache: dict[int, bytes] = {}
    for size in (0, 1, 1000):
        share.put(cache, size, b"x" * size, size)
    assert not cache
    assert share.used == 0


def test_the_oldest_leave_first_and_newer_values_stay() -> None:
    share = share_of(4 * (200 + caches._OVERHEAD))
    cache: dict[int, bytes] = {}
    values = {key: b"%d" % key * 200 for key in range(6)}
    for key in range(4):
        share.put(cache, key, values[key], 200)
    newer = b"n" * 200
    share.put(cache, 1, newer, 200)
    assert list(cache) == [1, 2, 3]
    share.put(cache, 4, values[4], 200)
    # the entry that left the queue was the old one of 1
    assert cache[1] is newer
    assert sorted(cache) == [1, 2, 3, 4]


def test_a_smaller_limit_takes_effect_at_once() -> None:
    share = share_of(100_000)
    cache: dict[int, bytes] = {}
    for key in range(20):
        share.put(cache, key, b"x" * 1000, 1000)
    share.ask(10_000)
    assert share.used <= 10_000
    assert share.budget.used == share.used
    share.put(cache, 99, b"x", 1)
    assert 99 in cache


def test_cleared_means_empty_everywhere() -> None:
    share = share_of(100_000)
    dictionaries: list[dict[Any, Any]] = [{}, {}]
    for key in range(20):
        share.put(dictionaries[key % 2], key, b"x", 1)
    share.clear()
    assert dictionaries == [{}, {}]
    assert share.used == 0
    share.put(dictionaries[0], 1, b"x", 1)
    assert dictionaries[0]


def test_threads_may_use_it_together() -> None:
    share = share_of(200_000)
    dictionaries: list[dict[Any, Any]] = [{} for _ in range(4)]
    failures: list[BaseException] = []

    def work(cache: dict[Any, Any]) -> None:
        try:
            for key in range(6000):
                share.put(cache, key % 300, b"x" * (key % 700), key % 700)
        except BaseException as exc:
            failures.append(exc)

    threads = [threading.Thread(target=work, args=(each,)) for each in dictionaries]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    share.shrink()
    # an update may be lost between threads, not the order of magnitude
    assert held(*dictionaries) < 2 * share.limit
    share.clear()
    assert dictionaries == [{}] * 4


def test_a_share_is_bounded_by_its_own_setting_alone() -> None:
    budget = caches.Budget()
    small, large = caches.Share(10_000, budget), caches.Share(100_000, budget)
    of_small: dict[int, bytes] = {}
    of_large: dict[int, bytes] = {}
    for key in range(200):
        small.put(of_small, key, b"x" * 1000, 1000)
        large.put(of_large, key, b"x" * 1000, 1000)
        assert small.used <= 10_000
        assert large.used <= 100_000
        assert budget.used <= budget.limit == 100_000
    # neither took from the other what it may hold
    assert held(of_small) >= 6000
    assert held(of_large) >= 60_000
    small.ask(0)
    assert not of_small
    assert held(of_large) >= 60_000
    large.ask(5000)
    assert held(of_large) <= 5000
    assert budget.limit == 5000


def test_many_shares_take_no_more_than_the_largest_may() -> None:
    budget = caches.Budget()
    shares = [caches.Share(50_000, budget) for _ in range(10)]
    dictionaries: list[dict[Any, Any]] = [{} for _ in shares]
    for key in range(100):
        for share, cache in zip(shares, dictionaries):
            share.put(cache, key, b"x" * 1000, 1000)
    assert held(*dictionaries) <= 50_000
    assert sum(share.used for share in shares) <= 50_000
    # what a store held that is no more is free again
    share = cache = None  # type: ignore[assignment]
    shares = shares[:1]
    dictionaries = dictionaries[:1]
    for key in range(100):
        shares[0].put(dictionaries[0], key, b"x" * 1000, 1000)
    assert held(*dictionaries) > 35_000


# through inner revlogs


@pytest.fixture
def where(tmp_path: pathlib.Path) -> Any:
    made = enginelab.opener(tmp_path)
    enginelab.built(made, 4, 50, may_inline=False)
    return made


def memory_of(where: Any) -> caches.Share:
    share = stores.of(where).share
    assert share is not None
    return share


def checked(rl: Any, rev: int) -> bytes:
    text = rl._inner.checked_text(rev, rl.index.cindex[rev])
    assert text is not None
    return text


def memory(rl: Any) -> caches.Share:
    share: caches.Share = rl._inner.storage.share
    return share


def everything(*revlogs: Any) -> int:
    """Bytes of all texts and chunks that the process holds for ``revlogs``."""
    total = held(memory(revlogs[0]).by_node)
    for rl in revlogs:
        restorer = rl._inner.restorer
        total += sum(len(entry[1]) for entry in restorer.text_cache.values())
        total += held(restorer.chunk_cache)
    return total


@pytest.mark.parametrize("limit_kib", [0, 4, 64])
def test_revlogs_of_a_store_have_one_share(where: Any, limit_kib: int) -> None:
    memory_of(where).ask(limit_kib << 10)
    revlogs = [enginelab.ours(where, share_texts=share) for share in (True, False)]
    expected = [enginelab.stock(where).rawdata(rev) for rev in revlogs[0]]
    rng = random.Random(2)
    for _ in range(300):
        rl = rng.choice(revlogs)
        rev = rng.randrange(len(rl))
        assert checked(rl, rev) == expected[rev]
        assert everything(*revlogs) <= memory_of(where).limit
        assert memory_of(where).used <= memory_of(where).limit


def test_shared_base_texts_count_as_well(where: Any) -> None:
    memory_of(where).ask(64 << 10)
    one = enginelab.ours(where, share_texts=True)
    other = enginelab.ours(where, share_texts=True)
    for rev in one:
        # what one restores is the base of what the other restores next
        checked((one, other)[rev % 2], rev)
        assert everything(one, other) <= memory_of(where).limit


def test_nothing_survives_clear(where: Any) -> None:
    one = enginelab.ours(where, share_texts=True)
    other = enginelab.ours(where, share_texts=True)
    for rev in range(0, len(one), 2):
        checked(one, rev)
    for rev in range(1, len(one), 2):
        checked(other, rev)
    assert everything(one, other)
    memory_of(where).clear()
    assert everything(one, other) == 0


def test_a_text_that_another_object_restored_is_shared(where: Any) -> None:
    one = enginelab.ours(where, share_texts=True)
    other = enginelab.ours(where, share_texts=True)
    alone = enginelab.ours(where, share_texts=False)
    text = checked(one, 20)
    assert checked(other, 20) is text
    assert checked(alone, 20) == text
    assert checked(alone, 20) is not text


def test_texts_of_flagged_revisions_are_not_taken_from_elsewhere(
    tmp_path: pathlib.Path,
) -> None:
    """A censored base is stored as another text than its node promises."""
    text = b"".join(b"line %d\n" % n for n in range(50))
    made = []
    for name, stored, flags in (
        ("whole", text, 0),
        ("censored", b"c" * len(text), CENSORED),
    ):
        (tmp_path / name).mkdir()
        where = enginelab.opener(tmp_path / name)
        rl = enginelab.stock(where)
        tr = enginelab.Transaction(where)
        node = enginelab.node_of(rl, text, -1, -1)
        null = enginelab.NULL
        with rl._writing(tr):
            rl.addrawrevision(stored, tr, 0, null, null, node, 0)
            base = stored + b"more\n"
            child = enginelab.node_of(rl, base, 0, -1)
            rl.addrawrevision(base, tr, 1, node, null, child, 0)
        # flagged only now: Mercurial itself bases no delta on such a revision
        index = bytearray(where.read(b"log.i"))
        index[6:8] = flags.to_bytes(2, "big")
        where.write(b"log.i", bytes(index))
        made.append(enginelab.ours(where, share_texts=True))
    whole, censored = made
    assert checked(whole, 0) == text
    assert censored.index[1][3] == 0
    checked(censored, 1)
    assert enginelab.raw(censored._inner, 0) == b"c" * len(text)


def test_a_dropped_text_is_dropped_for_all(where: Any) -> None:
    rl = enginelab.ours(where, share_texts=True)
    checked(rl, 7)
    rl._inner.drop_text(7)
    assert rl._inner.held_text(7) is None
    assert (rl.node(7), 7) not in memory(rl).by_node
    rl._inner.drop_text(7)


def test_a_checked_text_is_not_replaced(where: Any) -> None:
    rl = enginelab.ours(where)
    text = checked(rl, 7)
    rl._inner.keep_text(7, b"unchecked", False)
    assert rl._inner.held_text(7) == (text, True)
    rl._inner.drop_text(7)
    rl._inner.keep_text(7, b"unchecked", False)
    assert rl._inner.held_text(7) == (b"unchecked", False)


def test_a_text_of_another_node_is_not_given(where: Any) -> None:
    rl = enginelab.ours(where)
    rl._inner.restorer.text_cache[7] = (b"n" * 20, b"of an older revision 7", True)
    assert rl._inner.held_text(7) is None
    assert checked(rl, 7) == enginelab.stock(where).rawdata(7)


class Transaction:
    """What only has to be another one."""

    def add(self) -> None:
        pass


def test_little_is_held_while_much_is_written() -> None:
    share = share_of(64 << 20)
    cache: dict[int, bytes] = {}
    one = Transaction()
    with share.while_writing(one):
        assert share.limit == 64 << 20
        share.appended += 1500
    # Mercurial hands out proxies
    with share.while_writing(one), share.while_writing(weakref.proxy(one)):
        for key in range(200):
            share.put(cache, key, bytes(100_000), 100_000)
    assert 4 << 20 < held(cache) <= 8 << 20
    assert share.limit == 64 << 20
    # another transaction has written nothing yet
    with share.while_writing(Transaction()):
        assert share.limit == 64 << 20


def test_the_smaller_limit_counts_and_comes_back() -> None:
    share = share_of(1 << 20)
    with share.limited_to(2 << 20):
        assert share.limit == 1 << 20
        with share.limited_to(0):
            assert share.limit == 0
            share.ask(4 << 20)
            assert share.limit == 0
        assert share.limit == 2 << 20
    assert share.limit == 4 << 20
