# engine/walks.py: the same as Mercurial's walks, on graphs of every shape.
# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import itertools
import random
from typing import Any

import pytest
from mercurial import ancestor, dagop

from hgext3rd.fastrevlog.engine import columns, index, missing, walks
from support import graphs

SIZES = [1, 2, 5, 30, 200, 200, 1400, 3000]


class History:
    """A graph, its columns, and some of its revisions."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        size = self.dice.choice(SIZES)
        self.parents = graphs.graph(self.dice, size)
        data = graphs.index_bytes(self.parents)
        self.proxy = index.IndexProxy(graphs.parse(data))
        self.proxy.source = index.Source(data, size)
        made = self.proxy.columns(False)
        assert made is not None
        self.columns: columns.Columns = made

    def some(self, most: int = 4, least: int = 0) -> list[int]:
        size = len(self.parents)
        return self.dice.sample(range(size), self.dice.randint(least, min(size, most)))


class Refused(Exception):
    """A parent that Mercurial may not be told of was asked for."""


@pytest.mark.parametrize("sparse", [0, 8, 1 << 40])
@pytest.mark.parametrize(
    ("steps", "fall"), [(0, 1), (0, 40), (4, 1024), (1, 40), (99, 1)]
)
@pytest.mark.parametrize("seed", range(30))
def test_missing(
    seed: int, steps: int, fall: int, sparse: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the C index, in short and long falls; as thought to be quicker; by marks."""
    monkeypatch.setattr(missing, "_STEPS", steps)
    monkeypatch.setattr(missing, "_FEW_STEPS", min(steps, 2))
    monkeypatch.setattr(missing, "_SPARSE", sparse)
    monkeypatch.setattr(missing, "_CROSSED", [1, 4, 50][seed % 3])
    monkeypatch.setattr(missing, "_FEW", seed)
    monkeypatch.setattr(missing, "_FIRST_FALL", fall)
    history = History(seed)
    for _ in range(5):
        known, wanted = history.some(), history.some(least=1)
        refused: frozenset[int] = frozenset()

        def parents(rev: int) -> tuple[int, int]:
            if rev in refused:  # noqa: B023
                raise Refused
            return history.parents[rev]

        theirs = ancestor.incrementalmissingancestors(parents, known)
        expected = theirs.missingancestors(wanted)
        assert missing.missing(history.columns, known, wanted) == expected
        refused = frozenset(history.some(1, 1))
        answer = missing.missing(history.columns, known, wanted, refused)
        every = {
            *ancestor.lazyancestors(history.parents.__getitem__, [*known, *wanted])
        }
        if not refused & {*every, *known, *wanted}:
            assert answer == expected
        try:
            theirs = ancestor.incrementalmissingancestors(parents, known)
            assert theirs.missingancestors(wanted) == expected
        except Refused:
            assert answer is None
        else:
            assert answer is None or answer == expected


def test_few_ancestors_far_apart_are_walked_by_marks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where nearly nothing is an ancestor, nearly nothing is looked at."""
    size = 40 * columns.BLOCK
    parents = [(max(0, rev - 4000) if rev else -1, -1) for rev in range(size)]
    made = made_of(parents)
    monkeypatch.setattr(missing, "_fall", None)
    found = missing.missing(made, [100], [size - 1])
    assert found == list(range((size - 1) % 4000, size, 4000))
    assert made.state.count(columns.UNKNOWN) > 30


def test_many_parents_far_below_are_compared_at_once() -> None:
    """Falls would carry them along, again and again."""
    dice = random.Random(3)
    size = 20 * columns.BLOCK
    parents = [(rev - 1, dice.randrange(rev) if rev > 1 else -1) for rev in range(size)]
    made = made_of(parents)
    bands = []
    orig = columns.Columns.band

    def band(self: columns.Columns, low: int, stop: int) -> columns.Band:
        bands.append((low, stop))
        return orig(self, low, stop)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(columns.Columns, "band", band)
        found = missing.missing(made, [size // 2], [size - 1])
    assert found == list(range(size // 2 + 1, size))
    assert len(bands) <= 3


def made_of(parents: list[tuple[int, int]]) -> columns.Columns:
    data = graphs.index_bytes(parents)
    proxy = index.IndexProxy(graphs.parse(data))
    proxy.source = index.Source(data, len(parents))
    made = proxy.columns(True)
    assert made is not None
    return made


@pytest.mark.parametrize("seed", range(30))
def test_descending_and_membership(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walks, "_FIRST_FALL", [0, 3, 1024][seed % 3])
    history = History(seed)
    for _ in range(3):
        revs = history.some(least=1)
        low = history.dice.choice([0, 0, min(revs), max(revs) // 2])
        theirs = ancestor.lazyancestors(
            history.parents.__getitem__, revs, stoprev=0, inclusive=True
        )
        expected = [rev for rev in theirs if rev >= low]
        assert list(walks.descending(history.columns, revs, low)) == expected
        few = itertools.islice(walks.descending(history.columns, revs), 7)
        assert list(few) == list(itertools.islice(theirs, 7))
        members = walks.Membership(history.columns, revs)
        questions = [history.dice.randrange(len(history.parents)) for _ in range(50)]
        everything = set(theirs)
        for rev in questions:
            assert (rev in members) == (rev in everything)


@pytest.mark.parametrize("steps", [0, 1, 6])
@pytest.mark.parametrize("seed", range(30))
def test_ascending(seed: int, steps: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walks, "_STEPS", steps)
    history = History(seed)
    size = len(history.parents)
    for _ in range(3):
        revs = history.some(least=1)
        hidden = set(history.some(3)) if history.dice.random() < 0.5 else set()

        def visible(start: int = 0, hidden: Any = hidden) -> Any:
            return (rev for rev in range(start, size) if rev not in hidden)

        below = dagop.descendantrevs(revs, visible, history.parents.__getitem__)
        expected = sorted({*below, *(set(revs) - hidden)})
        assert (
            list(walks.ascending(history.columns, set(revs), min(revs), hidden))
            == expected
        )


@pytest.mark.parametrize("seed", range(20))
def test_first_parents_and_cuts(seed: int) -> None:
    history = History(seed)
    parents = history.parents

    def is_cut(rev: int) -> bool:
        return rev % 7 == 3

    for only_first, cut in ((True, None), (False, is_cut), (True, is_cut)):
        revs = history.some(least=1)
        seen, rest = set(), [rev for rev in revs if cut is None or not cut(rev)]
        while rest:
            rev = rest.pop()
            if rev >= 0 and rev not in seen and (cut is None or not cut(rev)):
                seen.add(rev)
                rest += parents[rev][:1] if only_first else parents[rev]
        found = walks.descending(history.columns, revs, 0, only_first, cut)
        assert list(found) == sorted(seen, reverse=True)


def test_a_walk_looks_at_no_more_than_it_needs() -> None:
    size = 20 * columns.BLOCK
    data = graphs.index_bytes([(rev - 1, -1) for rev in range(size)])
    proxy = index.IndexProxy(graphs.parse(data))
    proxy.source = index.Source(data, size)
    made = proxy.columns(True)
    assert made is not None
    walk = walks.descending(made, [size - 1])
    assert next(walk) == size - 1
    assert made.state.count(columns.ORDERED) == 1
    assert missing.missing(made, [size - 300], [size - 1]) == list(
        range(size - 299, size)
    )
    assert made.state.count(columns.ORDERED) <= 2
    first = walks.ascending(made, {100}, 100)
    assert next(first) == 100
    assert made.state.count(columns.ORDERED) <= 3


def test_damage_is_found_before_anything_is_said_of_it() -> None:
    size = 3 * columns.BLOCK
    parents = [(rev - 1, -1) for rev in range(size)]
    parents[columns.BLOCK + 5] = (columns.BLOCK + 9, -1)
    data = graphs.index_bytes(parents)
    proxy = index.IndexProxy(graphs.parse(data))
    made = proxy.columns(True)
    assert made is not None
    said: list[int] = []
    with pytest.raises(columns.Disordered) as caught:
        said.extend(walks.descending(made, [size - 1]))
    assert caught.value.stop == 2 * columns.BLOCK
    with pytest.raises(columns.Disordered):
        missing.missing(made, [], [size - 1])
    with pytest.raises(columns.Disordered):
        missing.missing(made, [size - 700], [size - 1, columns.BLOCK + 6])
    with pytest.raises(columns.Disordered):
        list(walks.ascending(made, {0}, 0))
    with pytest.raises(columns.Disordered):
        made.descendants({0}, 5)
    assert 0 in walks.Membership(made, [columns.BLOCK - 1])
    with pytest.raises(columns.Disordered):
        assert 0 in walks.Membership(made, [size - 1])
