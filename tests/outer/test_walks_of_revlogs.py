# outer/parents, ancestors, missing, generations: Mercurial's answers, in its order.
# SPDX-License-Identifier: GPL-2.0-or-later
"""A changelog without texts, once with fastrevlog and once without.

What is asked of both is asked through Mercurial's own functions, on visible and on
filtered changelogs; answers that end in an error have to end in the same one.
"""

from __future__ import annotations

import itertools
import pathlib
import random
import sys
import types
from collections.abc import Iterator
from typing import Any, Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mercurial import ancestor, dagop, repoview, smartset
from mercurial.node import nullrev, wdirrev

from hgext3rd.fastrevlog.engine import columns, index, walks
from hgext3rd.fastrevlog.outer import ancestors, generations, missing
from support import enginelab, graphs

try:
    from mercurial.utils import dag_util
except ImportError:  # 7.0
    from mercurial import dagop as dag_util  # type: ignore[no-redef]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[pathlib.Path]:
    with enginelab.installed():
        yield tmp_path_factory.mktemp("graphs")


@pytest.fixture(autouse=True)
def _no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Short ways are taken at once, so that small graphs take them."""
    monkeypatch.setattr(generations, "_PURE", (__name__,))
    for module in ("ancestors", "generations"):
        name = f"hgext3rd.fastrevlog.outer.{module}"
        monkeypatch.setattr(sys.modules[name], "_FIRST", 2)
    monkeypatch.setattr(missing, "_NEAR", 0)
    monkeypatch.setattr(missing.missing, "_MANY", 9)
    monkeypatch.setattr(missing.missing, "_STEPS", 1)
    monkeypatch.setattr(missing.missing, "_FIRST_FALL", 5)
    monkeypatch.setattr(ancestors, "_NEAR", 2)
    monkeypatch.setattr(ancestors, "_C_WALKS", 3)
    monkeypatch.setattr(walks, "_STEPS", 2)
    monkeypatch.setattr(walks, "_WIDTH", 4)
    monkeypatch.setattr(walks, "_FIRST_FALL", 2)


class Pair:
    """The same graph with fastrevlog, ``ours``, and without, ``theirs``."""

    def __init__(
        self, folder: pathlib.Path, parents: graphs.Parents, hidden: Any = ()
    ) -> None:
        where = enginelab.store_opener(folder)
        where.options = enginelab.opener(folder).options
        where.write(b"log.i", graphs.index_bytes(parents))
        kind = enginelab.KIND_CHANGELOG
        self.ours = enginelab.stock(where, kind=kind)
        assert self.ours._inner.is_fastrevlog
        assert self.ours._fastrevlog_source.count == len(parents)
        self.theirs = enginelab.stock(where, kind=kind)
        # Mercurial's code on the C index: none of our short ways is for that
        self.theirs.index = self.theirs.index.cindex
        self.theirs._fastrevlog_source = index.NO_SOURCE
        self.parents = parents
        if hidden:
            self.ours = repoview.wrapchangelog(self.ours, frozenset(hidden))
            self.theirs = repoview.wrapchangelog(self.theirs, frozenset(hidden))
        else:
            self.ours.filteredrevs = self.theirs.filteredrevs = frozenset()

    def same(self, ask: Callable[[Any], Any]) -> Any:
        """What both say to ``ask``."""
        ours, theirs = outcome(ask, self.ours), outcome(ask, self.theirs)
        assert ours == theirs
        return ours


def outcome(ask: Callable[[Any], Any], cl: Any) -> Any:
    """What ``ask`` said of ``cl``, and the error that ended it."""
    said = []
    try:
        answer = ask(cl)
        if not hasattr(answer, "__next__"):
            return answer
        for one in answer:
            said.append(one)
    except Exception as exc:
        return said, type(exc), str(exc)
    return said


def repo_of(cl: Any) -> Any:
    """As much of a repository as Mercurial's walks want."""
    ctx = types.SimpleNamespace(
        parents=lambda: [types.SimpleNamespace(rev=lambda: len(cl) - 1)]
    )

    class Repo:
        changelog = cl
        unfiltered = lambda self: self  # noqa: E731
        __len__ = lambda self: len(cl)  # noqa: E731
        __getitem__ = lambda self, rev: ctx  # noqa: E731

    return Repo()


@st.composite
def histories(draw: Any) -> tuple[graphs.Parents, list[int], list[int], set[int]]:
    """A graph, two lists of some of its revs, and a few to be hidden."""
    size = draw(st.sampled_from([1, 2, 6, 25, 90]))
    dice = random.Random(draw(st.integers(0, 2**32)))
    parents = graphs.graph(dice, size)
    revs = st.lists(st.integers(0, size - 1), max_size=4)
    hidden = draw(st.sampled_from([set(), set(), {size - 1}, {size // 2}, {0, 1}]))
    return parents, draw(revs), draw(revs), hidden


many = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@many
@given(histories())
def test_parents(folder: pathlib.Path, history: Any) -> None:
    parents, _revs, _more, hidden = history
    pair = Pair(folder, parents, hidden)
    size = len(parents)
    for rev in [*range(size), -1, -2, size, wdirrev, -size - 1, None, b"x" * 20]:
        for name in ("parentrevs", "_uncheckedparentrevs"):
            pair.same(lambda cl, n=name, r=rev: getattr(cl, n)(r))
    assert pair.same(lambda cl: cl.parentrevs(graphs.node(0))) is not None


@many
@given(histories(), st.booleans())
def test_lazy_ancestors(folder: pathlib.Path, history: Any, inclusive: bool) -> None:
    parents, revs, more, hidden = history
    pair = Pair(folder, parents, hidden)
    for stop in (0, len(parents) // 3, -1):
        pair.same(lambda cl, s=stop: iter(cl.ancestors(revs, s, inclusive)))
        questions = [*more, *reversed(range(-2, len(parents) + 1)), wdirrev, None]

        def contained(cl: Any, questions: Any = questions, stop: int = stop) -> Any:
            found = cl.ancestors(revs, stop, inclusive)
            return [bool(found)] + [rev in found for rev in questions]

        pair.same(contained)
        backwards = questions[::-1]
        pair.same(lambda cl, q=backwards, s=stop: contained(cl, q, s))
    pair.same(lambda cl: iter(cl.ancestors([*revs, nullrev])))
    pair.same(lambda cl: iter(cl.ancestors([*revs, wdirrev])))


@many
@given(histories())
def test_missing(folder: pathlib.Path, history: Any) -> None:
    parents, common, heads, hidden = history
    pair = Pair(folder, parents, hidden)
    pair.same(lambda cl: cl.findmissingrevs(common, heads))
    pair.same(lambda cl: cl.findmissingrevs(None, heads))
    pair.same(lambda cl: cl.findmissingrevs(common, None))
    pair.same(lambda cl: cl.findmissingrevs([nullrev], heads))
    pair.same(lambda cl: cl.findmissingrevs(common, [*heads, len(parents)]))

    def nodes(cl: Any, common: Any = common, heads: Any = heads) -> Any:
        return cl.findmissing(map(graphs.node, common), map(graphs.node, heads))

    pair.same(nodes)
    pair.same(lambda cl: nodes(cl, [*common, len(parents)]))

    def incremental(cl: Any) -> Any:
        inc = cl.incrementalmissingrevs(common)
        found = [inc.hasbases(), inc.missingancestors(heads)]
        inc.addbases(heads[:1])
        found.append(inc.missingancestors(heads))
        rest = set(range(0, len(parents), 2))
        inc.removeancestorsfrom(rest)
        return [*found, rest, sorted(inc.basesheads())]

    pair.same(incremental)


@many
@given(histories())
def test_generations(folder: pathlib.Path, history: Any) -> None:
    parents, revs, _more, hidden = history
    pair = Pair(folder, parents, hidden)
    limits: list[dict[str, Any]] = [
        {},
        {"followfirst": True},
        {"startdepth": 1, "stopdepth": 3},
        {"cutfunc": lambda rev: rev % 5 == 2},
    ]
    for limit in limits:
        for given_revs in (revs, [*revs, wdirrev], [*revs, nullrev]):

            def up(cl: Any, revs: Any = given_revs, limit: Any = limit) -> Any:
                return iter(
                    dag_util._genrevancestors(
                        repo_of(cl),
                        smartset.baseset(revs),
                        limit.get("followfirst", False),
                        limit.get("startdepth"),
                        limit.get("stopdepth"),
                        limit.get("cutfunc"),
                    )
                )

            pair.same(up)
            if given_revs and "cutfunc" not in limit:

                def down(cl: Any, revs: Any = given_revs, limit: Any = limit) -> Any:
                    followfirst = limit.get("followfirst", False)
                    made = smartset.baseset(revs)
                    return iter(
                        dag_util._genrevdescendants(repo_of(cl), made, followfirst)
                    )

                pair.same(down)


@many
@given(histories())
def test_heads(folder: pathlib.Path, history: Any) -> None:
    parents, revs, more, hidden = history
    pair = Pair(folder, parents, hidden)
    size = len(parents)
    pair.same(lambda cl: cl.headrevs())
    pair.same(lambda cl: cl.headrevs(smartset.fullreposet(repo_of(cl))))
    for start, stop in itertools.product([0, *revs], [size, *more]):
        pair.same(lambda cl, a=start, b=stop: cl.headrevs(_span(cl, a, b)))
    for some in (revs, range(size), {*revs, *more}, [*revs, nullrev], [*revs, wdirrev]):
        pair.same(lambda cl, s=some: cl.headrevs(smartset.baseset(s)))
        pair.same(lambda cl, s=some: cl.headrevs(set(s)))
        pair.same(lambda cl, s=some: cl.headrevs(list(s)))


def _span(cl: Any, start: int, stop: int) -> Any:
    return smartset.spanset(repo_of(cl), start, stop)


def test_revisions_that_are_added_and_deleted_meanwhile(folder: pathlib.Path) -> None:
    dice = random.Random(11)
    parents = graphs.graph(dice, columns.BLOCK + 30)
    pair = Pair(folder, parents)
    tip = len(parents) - 1

    def both(change: Callable[[Any], None]) -> None:
        change(pair.ours.index)
        change(pair.theirs.index)

    def compare() -> None:
        size = len(pair.theirs.index)
        pair.same(lambda cl: [cl.parentrevs(rev) for rev in range(size)])
        pair.same(lambda cl: list(cl.ancestors([size - 1], inclusive=True)))
        pair.same(lambda cl: cl.findmissingrevs([size // 2], [size - 1]))
        pair.same(lambda cl: cl.headrevs(set(range(size))))

    compare()
    walk = iter(pair.ours.ancestors([tip], inclusive=True))
    some = list(itertools.islice(walk, 10))
    for rev in range(40):
        both(lambda made, p=tip - rev: graphs.append(made, p, -1))
        both(lambda made, p=tip - rev: graphs.append(made, -1, p))
        compare()
    expected = pair.theirs.ancestors([tip], inclusive=True)
    assert some + list(walk) == list(expected)

    def strip(made: Any) -> None:
        del made[columns.BLOCK - 7 : -1]

    both(strip)
    compare()
    for _ in range(30):
        both(lambda made: graphs.append(made, len(made) - 3, 1))
    compare()
    assert pair.ours._fastrevlog_source.count == 0


def test_damaged_parents(folder: pathlib.Path) -> None:
    """What an index cannot say is Mercurial's to deal with, whatever it does."""
    size = 3 * columns.BLOCK
    for bad in (-2, 2**31 - 1, size, columns.BLOCK + 5, columns.BLOCK + 6, size - 1):
        for which in (0, 1):
            parents = [(rev - 1, -1) for rev in range(size)]
            wrong = [3, 2]
            wrong[which] = bad
            parents[columns.BLOCK + 5] = (wrong[0], wrong[1])
            pair = Pair(folder, parents)
            tip = size - 1
            pair.same(lambda cl: cl.parentrevs(columns.BLOCK + 5))
            pair.same(lambda cl, t=tip: iter(cl.ancestors([t], inclusive=True)))
            pair.same(lambda cl, t=tip: cl.findmissingrevs([5], [t]))
            pair.same(lambda cl, t=tip: cl.findmissingrevs([], [t]))

            def up(cl: Any, tip: int = tip) -> Any:
                made = smartset.baseset([tip])
                return dag_util._genrevancestors(
                    repo_of(cl), made, False, None, None, None
                )

            def down(cl: Any) -> Any:
                made = smartset.baseset([0])
                return dag_util._genrevdescendants(repo_of(cl), made, False)

            # Mercurial's walk may well go in circles here
            pair.same(lambda cl: itertools.islice(up(cl), 2 * size))
            pair.same(lambda cl: iter(down(cl)))
            pair.same(lambda cl, t=tip: cl.headrevs(set(range(t + 1))))


@pytest.mark.parametrize("near", [0, 2, 24])
def test_membership_with_damaged_parents(
    near: int, folder: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error that ends Mercurial's walk is no answer."""
    monkeypatch.setattr(ancestors, "_NEAR", near)
    size = 72
    dice = random.Random(near)
    for bad in (size, size + 1, 2**31 - 1, 60):
        for which in (0, 1):
            parents = [
                (rev - 1, dice.randrange(-1, max(rev, 1))) for rev in range(size)
            ]
            wrong = [49, 20]
            wrong[which] = bad
            parents[50] = (wrong[0], wrong[1])
            pair = Pair(folder, parents)
            for top, target in itertools.product((50, 51, 60), range(60)):

                def asked(cl: Any, top: int = top, target: int = target) -> Any:
                    return said(lambda: target in cl.ancestors([top], inclusive=True))

                assert asked(pair.ours) == asked(pair.theirs), (top, target)


def said(ask: Callable[[], Any]) -> Any:
    try:
        return ask()
    except Exception:
        return "failed"


def test_what_others_wrap_is_called(folder: pathlib.Path) -> None:
    """By class, before and after, and on an object."""
    parents = [(rev - 1, -1) for rev in range(50)]
    pair = Pair(folder, parents)
    asked: list[int] = []

    def watched(rev: int) -> Any:
        asked.append(rev)
        return type(pair.ours).parentrevs(pair.ours, rev)

    for name, ask in (
        ("_uncheckedparentrevs", lambda cl: list(cl.ancestors([40]))),
        ("parentrevs", lambda cl: cl.findmissingrevs([3], [40])),
        ("_uncheckedparentrevs", lambda cl: cl.headrevs(set(range(50)))),
        (
            "parentrevs",
            lambda cl: list(
                dag_util._genrevancestors(
                    repo_of(cl), smartset.baseset([40]), False, None, None, None
                )
            ),
        ),
    ):
        setattr(pair.ours, name, watched)
        try:
            pair.same(ask)
        finally:
            delattr(pair.ours, name)
        assert len(asked) > 30, name
        asked.clear()
        # and else nobody is asked so often
        pair.same(ask)
        assert not asked

    theirs = dagop.headrevs

    def headrevs(revs: Any, parentsfn: Any) -> Any:
        asked.append(len(revs))
        return theirs(revs, parentsfn)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dagop, "headrevs", headrevs)
        pair.same(lambda cl: cl.headrevs(set(range(50))))
    # for stock and for us
    assert asked == [50, 50]
    asked.clear()

    class Other(type(pair.ours)):  # type: ignore[misc]
        def parentrevs(self, rev: int) -> Any:
            asked.append(rev)
            return super().parentrevs(rev)

    pair.ours.__class__ = Other
    pair.same(lambda cl: cl.findmissingrevs([3], [40]))
    assert len(asked) > 30


def test_short_ways_are_taken(folder: pathlib.Path, monkeypatch: Any) -> None:
    parents = [(rev - 1, -1) for rev in range(50)]
    pair = Pair(folder, parents)

    def refuse(*args: Any, **kw: Any) -> Any:
        raise AssertionError("Mercurial's own walk")

    assert type(pair.ours.ancestors([3])) is ancestors.LazyAncestors
    assert type(pair.theirs.ancestors([3])) is ancestor.lazyancestors
    stock = ancestor.incrementalmissingancestors
    monkeypatch.setattr(stock, "missingancestors", refuse)
    assert pair.ours.findmissingrevs([3], [40]) == list(range(4, 41))
    with pytest.raises(AssertionError):
        pair.theirs.findmissingrevs([3], [40])
    monkeypatch.setattr(pair.ours.index, "reachableroots2", refuse, raising=False)
    found = iter(pair.ours.ancestors([49]))
    assert list(found) == list(range(48, -1, -1))
