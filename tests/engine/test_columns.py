# engine/columns.py: what the C index says, taken from its bytes.
# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import contextlib
import random
import sys
from array import array
from typing import Any

import pytest

from hgext3rd.fastrevlog.engine import caches, columns, digits, index
from support import graphs

BLOCK = columns.BLOCK
SIZES = [1, 2, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 17]


def canonical(parents: graphs.Parents) -> graphs.Parents:
    return [pair if pair[0] >= 0 else pair[::-1] for pair in parents]


def proxy_of(parents: graphs.Parents, with_source: bool = True) -> index.IndexProxy:
    data = graphs.index_bytes(parents)
    made = index.IndexProxy(graphs.parse(data))
    if with_source:
        made.source = index.Source(memoryview(data), len(parents))
    return made


def all_pairs(made: columns.Columns) -> graphs.Parents:
    made.fill_all()
    return list(zip(made.p1, made.p2))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("with_source", [True, False])
@pytest.mark.parametrize("order", [True, False])
def test_all_revisions(size: int, with_source: bool, order: bool) -> None:
    parents = graphs.graph(random.Random(size), size)
    proxy = proxy_of(parents, with_source)
    made = proxy.columns(order)
    assert made is not None
    assert len(made) == size
    assert [entry[5:7] for entry in map(proxy.cindex.__getitem__, range(size))] == (
        parents
    )
    assert all_pairs(made) == (canonical(parents) if order else parents)
    made.order(0, size)
    assert set(made.state) == {columns.ORDERED}


def test_a_block_is_filled_when_it_is_asked_for() -> None:
    parents = graphs.graph(random.Random(5), 3 * BLOCK)
    made = proxy_of(parents).columns(False)
    assert made is not None
    made.order(BLOCK, BLOCK + 1)
    assert list(made.state) == [columns.UNKNOWN, columns.ORDERED, columns.UNKNOWN]
    assert list(zip(made.p1, made.p2))[BLOCK : 2 * BLOCK] == parents[BLOCK : 2 * BLOCK]
    made.fill(2)
    assert list(made.state) == [columns.UNKNOWN, columns.ORDERED, columns.FILLED]


@pytest.mark.parametrize("with_source", [True, False])
def test_appended_and_deleted_revisions(with_source: bool) -> None:
    parents = graphs.graph(random.Random(9), BLOCK + 20)
    proxy = proxy_of(parents, with_source)
    first = proxy.columns(True)
    assert first is not None
    assert all_pairs(first) == canonical(parents)
    for number in range(BLOCK):
        parents.append((len(parents) - 1 - number % 3, 7 if number % 2 else -1))
        graphs.append(proxy, *parents[-1])
    grown = proxy.columns(True)
    assert grown is not None
    # what was there is not made again
    assert grown.state[0]
    assert all_pairs(grown) == canonical(parents)
    # what others hold does not change
    assert len(first) == BLOCK + 20
    # a strip, and other revisions in the place of those that went
    del proxy[10:-1]
    assert not proxy.held
    parents = [*parents[:10], (3, -1), (10, 4)]
    for pair in parents[10:]:
        graphs.append(proxy, *pair)
    after = proxy.columns(True)
    assert after is not None
    assert all_pairs(after) == canonical(parents)


def test_columns_are_held_within_the_budget() -> None:
    share = caches.Share(1 << 20, caches.Budget())
    parents = graphs.graph(random.Random(1), 2000)
    proxy = proxy_of(parents)
    proxy.share = share
    made = proxy.columns(True)
    assert proxy.columns(True) is made
    assert 2000 * columns.BYTES_PER_REV <= share.used <= 2000 * 8 + 1000
    share.ask(100)
    assert not proxy.held
    # no room: made, used, and not kept
    again = proxy.columns(True)
    assert again is not None
    assert again is not made
    assert all_pairs(again) == canonical(parents)
    assert not proxy.held


def all_older(column: Any, first: int) -> bool:
    parents, count = digits.number(column), len(column)
    return digits.none_younger(parents, first, count) and digits.none_below_null(
        parents, count
    )


def test_order() -> None:
    dice = random.Random(4)
    for _ in range(2000):
        first = dice.choice([0, 1, 7, 511, 70000])
        count = dice.randint(1, 40)
        column = array("i", (dice.randint(-1, first + n - 1) for n in range(count)))
        if dice.random() < 0.6:
            wrong = [-2, -(2**31), 2**31 - 1, first + count, first, first - 1, 0]
            column[dice.randrange(count)] = dice.choice(wrong)
        expected = all(-1 <= p < first + n for n, p in enumerate(column))
        assert all_older(column, first) == expected, (column, first)
        expected = all(p < first + n for n, p in enumerate(column))
        parents = digits.number(column)
        assert digits.none_younger(parents, first, count) == expected


@pytest.mark.parametrize("seed", range(20))
def test_bands(seed: int) -> None:
    """Ancestors down to some revision, and what is below that."""
    dice = random.Random(seed)
    size = dice.choice([3, 40, BLOCK, 2 * BLOCK + 9])
    parents = graphs.graph(dice, size)
    for _ in range(20):
        made = proxy_of(parents).columns(False)
        assert made is not None
        low = dice.choice([0, dice.randrange(size)])
        stop = dice.randint(low + 1, size)
        band = made.band(low, stop)
        crossing = {rev for rev in range(low, stop) if below(parents[rev], low) >= 0}
        assert crossing <= {*band.crossing} <= {*range(low, stop)}
        assert [*band.crossing] == sorted(band.crossing)
        revs = [dice.randrange(low, stop) for _ in range(dice.randint(1, 3))]
        found, rest = set(), revs[:]
        while rest:
            rev = rest.pop()
            if rev >= low and rev not in found:
                found.add(rev)
                rest += parents[rev]
        assert band.ancestors(revs) == sorted(found)
        both = {parent for rev in found for parent in parents[rev]}
        expected = {parent for parent in both if 0 <= parent < low}
        assert band.parents_below(sorted(found)) == expected
        # what was learned is of use to other questions
        blocks = range(low // BLOCK, (stop + BLOCK - 1) // BLOCK)
        assert all(made.state[block] >= columns.OLDER for block in blocks)
        made.order(0, size)
        assert set(made.state) == {columns.ORDERED}
        assert made.ancestors([stop - 1])[-1] == stop - 1


def below(pair: tuple[int, int], low: int) -> int:
    """The greatest of two parents that is below ``low``, or -1."""
    return max((parent for parent in pair if parent < low), default=-1)


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("bad", [-2, BLOCK + 3, 2**31 - 1])
def test_a_band_with_damage(bad: int, which: int) -> None:
    parents = [(rev - 1, -1) for rev in range(3 * BLOCK)]
    pair = [BLOCK + 2, -1]
    pair[which] = bad
    parents[BLOCK + 3] = (pair[0], pair[1])
    made = proxy_of(parents).columns(False)
    assert made is not None
    # bands beside it are answered, and say nothing of it
    assert made.band(2 * BLOCK, 3 * BLOCK).ancestors([3 * BLOCK - 1]) == list(
        range(2 * BLOCK, 3 * BLOCK)
    )
    assert made.band(0, BLOCK).ancestors([BLOCK - 1]) == list(range(BLOCK))
    for low, stop in ((BLOCK + 4, 3 * BLOCK), (BLOCK, 3 * BLOCK), (0, BLOCK + 4)):
        if bad != -2:
            with pytest.raises(columns.Disordered):
                made.band(low, stop)
        elif low <= BLOCK + 3:
            # this the C index refuses when it comes there
            with pytest.raises(columns.Disordered):
                made.band(low, stop).ancestors([stop - 1])
    with pytest.raises(columns.Disordered):
        made.ancestors([3 * BLOCK - 1])
    with pytest.raises(columns.Disordered):
        made.order(0, 3 * BLOCK)


def test_a_band_with_damage_at_its_edge() -> None:
    """A part of a block that was looked at is not all of it."""
    for bad in (BLOCK + 10, 2 * BLOCK - 10):
        parents = [(rev - 1, -1) for rev in range(3 * BLOCK)]
        parents[bad] = (bad + 1, -1)
        for low, stop in ((BLOCK + 100, 3 * BLOCK), (0, BLOCK + 100)):
            made = proxy_of(parents).columns(False)
            assert made is not None
            with contextlib.suppress(columns.Disordered):
                made.band(low, stop)
            with pytest.raises(columns.Disordered):
                made.ancestors([3 * BLOCK - 1])


def test_numbers_are_of_a_bounded_size(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    orig = digits._digits

    def asked_digits(count: int) -> tuple[int, int]:
        asked.append(count)
        return orig(count)

    monkeypatch.setattr(digits, "_digits", asked_digits)
    size = 70_000
    made = proxy_of([(rev - 1, -1) for rev in range(size)]).columns(True)
    assert made is not None
    assert set(made.band(1000, size).crossing) <= {1000, 1001}
    assert made.ancestors([size - 1]) == list(range(size))
    assert max(asked) == columns._RUN * BLOCK
    # nothing is looked at again
    asked.clear()
    assert made.ancestors([size - 1]) == list(range(size))
    assert not asked


@pytest.mark.parametrize("bad", [-2, 2**31 - 1, BLOCK + 3, BLOCK + 4, 2 * BLOCK])
@pytest.mark.parametrize("which", [0, 1])
def test_damage(bad: int, which: int) -> None:
    parents = graphs.graph(random.Random(2), 2 * BLOCK)
    pair = [0, 1]
    pair[which] = bad
    parents[BLOCK + 3] = (pair[0], pair[1])
    made = proxy_of(parents).columns(False)
    assert made is not None
    made.order(0, BLOCK)
    for start, stop in ((0, 2 * BLOCK), (BLOCK, BLOCK + 1)):
        with pytest.raises(columns.Disordered) as caught:
            made.order(start, stop)
        assert caught.value.stop == stop
    with pytest.raises(columns.Disordered):
        made.ancestors([BLOCK + 3, 2 * BLOCK - 1])
    # values are handed on as they are
    assert all_pairs(made) == parents


def test_both_orders_of_bytes(monkeypatch: Any) -> None:
    """A machine of the other order would read what this one sees swapped."""
    other = "big" if sys.byteorder == "little" else "little"
    entries = graphs.index_bytes([(1, 2), (-1, 258), (0x01020304, -1)])
    here = columns._parents(entries)
    number = digits.number(here[0])
    assert number == 1 + (0xFFFFFFFF << 32) + (0x01020304 << 64)
    monkeypatch.setattr(sys, "byteorder", other)
    there = columns._parents(entries)
    assert digits.number(there[0]) == number
    for column in there:
        column.byteswap()
    assert there == here
    assert list(zip(*here)) == [(1, 2), (-1, 258), (0x01020304, -1)]
