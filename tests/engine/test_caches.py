# engine/caches.py: one budget for all, nothing stale, nothing left when dropped.
# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import pathlib
import random
import threading
from collections.abc import Iterator
from typing import Any

import enginelab
import pytest
from mercurial.revlogutils import constants

from hgext3rd.fastrevlog.engine import caches

CENSORED = constants.REVIDX_ISCENSORED


@pytest.fixture(autouse=True)
def limit() -> Iterator[None]:
    before = caches.budget.limit
    caches.drop_all()
    yield
    caches.budget.limit = before
    caches.drop_all()


def held(*dictionaries: dict[Any, Any]) -> int:
    return sum(len(value) for each in dictionaries for value in each.values())


def test_the_budget_is_never_exceeded() -> None:
    rng = random.Random(1)
    budget = caches.Budget(100_000)
    dictionaries: list[dict[Any, Any]] = [{} for _ in range(5)]
    for step in range(3000):
        value = b"x" * rng.choice([0, 10, 1000, 20_000, 30_000])
        cache = rng.choice(dictionaries)
        budget.put(cache, rng.randrange(50), value, len(value))
        assert budget.used <= budget.limit
        assert held(*dictionaries) <= budget.limit
        if not step % 500:
            # a revlog that forgot its texts
            dictionaries[0] = {}
    assert budget.evicted > 100


def test_what_would_crowd_out_everything_is_not_kept() -> None:
    budget = caches.Budget(1000)
    cache: dict[int, bytes] = {}
    budget.put(cache, 1, b"x" * 250, 250)
    budget.put(cache, 2, b"x" * 251, 251)
    assert list(cache) == [1]


def test_no_budget_means_no_entries() -> None:
    budget = caches.Budget(0)
    cache: dict[int, bytes] = {}
    for size in (0, 1, 1000):
        budget.put(cache, size, b"x" * size, size)
    assert not cache
    assert budget.used == 0


def test_the_oldest_leave_first_and_newer_values_stay() -> None:
    budget = caches.Budget(4 * (200 + caches._OVERHEAD))
    cache: dict[int, bytes] = {}
    values = {key: b"%d" % key * 200 for key in range(6)}
    for key in range(4):
        budget.put(cache, key, values[key], 200)
    newer = b"n" * 200
    budget.put(cache, 1, newer, 200)
    assert list(cache) == [1, 2, 3]
    budget.put(cache, 4, values[4], 200)
    # the entry that left the queue was the old one of 1
    assert cache[1] is newer
    assert sorted(cache) == [1, 2, 3, 4]


def test_a_smaller_limit_takes_effect_with_the_next_entry() -> None:
    budget = caches.Budget(100_000)
    cache: dict[int, bytes] = {}
    for key in range(20):
        budget.put(cache, key, b"x" * 1000, 1000)
    budget.limit = 10_000
    budget.put(cache, 99, b"x", 1)
    assert budget.used <= 10_000
    assert 99 in cache


def test_cleared_means_empty_everywhere() -> None:
    budget = caches.Budget(100_000)
    dictionaries: list[dict[Any, Any]] = [{}, {}]
    for key in range(20):
        budget.put(dictionaries[key % 2], key, b"x", 1)
    budget.clear()
    assert dictionaries == [{}, {}]
    assert budget.used == 0
    budget.put(dictionaries[0], 1, b"x", 1)
    assert dictionaries[0]


def test_threads_may_use_it_together() -> None:
    budget = caches.Budget(200_000)
    dictionaries: list[dict[Any, Any]] = [{} for _ in range(4)]
    failures: list[BaseException] = []

    def work(cache: dict[Any, Any]) -> None:
        try:
            for key in range(6000):
                budget.put(cache, key % 300, b"x" * (key % 700), key % 700)
        except BaseException as exc:
            failures.append(exc)

    threads = [threading.Thread(target=work, args=(each,)) for each in dictionaries]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    budget.shrink()
    # an update may be lost between threads, not the order of magnitude
    assert held(*dictionaries) < 2 * budget.limit
    budget.clear()
    assert dictionaries == [{}] * 4


# through inner revlogs


@pytest.fixture
def where(tmp_path: pathlib.Path) -> Any:
    made = enginelab.opener(tmp_path)
    enginelab.built(made, 4, 50, may_inline=False)
    return made


def checked(rl: Any, rev: int) -> bytes:
    text = rl._inner.checked_text(rev, rl.index.cindex[rev])
    assert text is not None
    return text


def everything(*revlogs: Any) -> int:
    """Bytes of all texts and chunks that the process holds for ``revlogs``."""
    total = held(caches.texts_by_node)
    for rl in revlogs:
        restorer = rl._inner.restorer
        total += sum(len(entry[1]) for entry in restorer.text_cache.values())
        total += held(restorer.chunk_cache)
    return total


@pytest.mark.parametrize("limit_kib", [0, 4, 64])
def test_revlogs_share_one_budget(where: Any, limit_kib: int) -> None:
    caches.budget.limit = limit_kib << 10
    revlogs = [enginelab.ours(where, share_texts=share) for share in (True, False)]
    expected = [enginelab.stock(where).rawdata(rev) for rev in revlogs[0]]
    rng = random.Random(2)
    for _ in range(300):
        rl = rng.choice(revlogs)
        rev = rng.randrange(len(rl))
        assert checked(rl, rev) == expected[rev]
        assert everything(*revlogs) <= caches.budget.limit
        assert caches.budget.used <= caches.budget.limit


def test_shared_base_texts_count_as_well(where: Any) -> None:
    caches.budget.limit = 64 << 10
    one = enginelab.ours(where, share_texts=True)
    other = enginelab.ours(where, share_texts=True)
    for rev in one:
        # what one restores is the base of what the other restores next
        checked((one, other)[rev % 2], rev)
        assert everything(one, other) <= caches.budget.limit


def test_nothing_survives_drop_all(where: Any) -> None:
    one = enginelab.ours(where, share_texts=True)
    other = enginelab.ours(where, share_texts=True)
    for rev in range(0, len(one), 2):
        checked(one, rev)
    for rev in range(1, len(one), 2):
        checked(other, rev)
    assert everything(one, other)
    caches.drop_all()
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
    assert (rl.node(7), 7) not in caches.texts_by_node
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


def test_little_is_held_while_much_is_written() -> None:
    budget = caches.Budget(64 << 20)
    cache: dict[int, bytes] = {}
    budget.narrow()
    budget.narrow()
    for key in range(200):
        budget.put(cache, key, bytes(100_000), 100_000)
    assert held(cache) <= 8 << 20
    budget.widen()
    assert budget.limit < 64 << 20
    budget.widen()
    assert budget.limit == 64 << 20
    # a smaller limit of the user's counts, and one that is set meanwhile stays
    budget.limit = 1 << 20
    budget.narrow()
    assert budget.limit == 1 << 20
    budget.limit = 5
    budget.widen()
    assert budget.limit == 5
