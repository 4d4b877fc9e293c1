# engine/index.py: the proxy answers as Mercurial's C index does.
# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import gc
import pathlib
import sys
from typing import Any, Callable

import pytest
from mercurial import error, scmutil

from hgext3rd.fastrevlog.engine import index
from support import enginelab

COUNT = 40


@pytest.fixture
def where(tmp_path: pathlib.Path) -> Any:
    made = enginelab.opener(tmp_path, sparse=True)
    # not inline: Mercurial's C code writes beyond its table of offsets when it
    # scans an inline index from which revisions were deleted
    enginelab.built(made, 6, COUNT, may_inline=False)
    return made


_makers: list[Any] = []


@pytest.fixture(params=[index.IndexProxy, index.IndexProxy.bound], autouse=True)
def _either_proxy(request: pytest.FixtureRequest) -> None:
    _makers[:] = [request.param]


def pair(where: Any) -> tuple[index.IndexProxy, Any]:
    """The proxy, and a C index of its own for comparison."""
    return _makers[0](enginelab.stock(where).index), enginelab.stock(where).index


def answer(call: Callable[[], Any]) -> Any:
    """What came of a call, in a form that can be compared."""
    try:
        got = call()
    except Exception as exc:
        return type(exc), str(exc)
    return got


def node(where: Any, rev: int) -> bytes:
    return enginelab.stock(where).node(rev)


CALLS: dict[str, list[tuple[Any, ...]]] = {
    "ancestors": [(5, 9), (30,), (3, COUNT), ("x",)],
    "clearcaches": [()],
    "commonancestorsheads": [(20, 31), (3, 3)],
    "computephasesmapsets": [({1: {3}, 2: {9, 11}},), ({},)],
    "deltachain": [(30, None), (30, 5), (0, None), (COUNT, None), (-1, None)],
    "entry_binary": [(0,), (7,), (COUNT,), (-1,)],
    "findsnapshots": [({}, 0), ({}, 0, 20)],
    "get": [(3,)],
    "headrevs": [(), ({COUNT - 1},), (None, 10)],
    "headrevsdiff": [(3, 30), (30, 3)],
    "issnapshot": [(0,), (12,), (-1,), (COUNT,)],
    "pack_header": [(1,), (0x30001,)],
    "reachableroots2": [(0, [30], [2], True), (5, [9], [], False)],
    "replace_sidedata_info": [(3, 0, 0, 0, 0)],
    "slicechunktodensity": [(list(range(COUNT)), 0.5, 10), ([1, 30], 0.9, 1)],
    "stats": [()],
}
# these take nodes: N stands for the node of revision 7, and its beginnings
WITH_NODES: dict[str, list[Any]] = {
    "get_rev": ["N", b"x" * 20, b"short", 7, None],
    "has_node": ["N", b"x" * 20, b"short", None],
    "rev": ["N", b"x" * 20, b"\0" * 20, b"short", 7, None],
    "partialmatch": ["H", "H8", b"0", b"zz", b""],
    "shortest": ["N", b"x" * 20, b"short"],
    "get": ["N", b"x" * 20],
}


def test_every_method_is_known_to_these_tests(where: Any) -> None:
    _proxy, cindex = pair(where)
    methods = {
        name
        for name in dir(cindex)
        if not name.startswith("_") and callable(getattr(cindex, name))
    }
    assert methods - {"append"} == CALLS.keys() | WITH_NODES.keys()


@pytest.mark.parametrize("name", sorted(CALLS))
def test_methods(where: Any, name: str) -> None:
    proxy, cindex = pair(where)
    for _again in range(2):
        for args in CALLS[name]:
            expected = answer(lambda args=args: getattr(cindex, name)(*args))
            assert answer(lambda args=args: getattr(proxy, name)(*args)) == expected


@pytest.mark.parametrize("name", sorted(WITH_NODES))
def test_methods_that_take_nodes(where: Any, name: str) -> None:
    proxy, cindex = pair(where)
    seven: Any = node(where, 7)
    stands_for = {"N": seven, "H": seven.hex().encode(), "H8": seven.hex().encode()[:8]}
    for asked in WITH_NODES[name]:
        arg = stands_for.get(asked, asked) if isinstance(asked, str) else asked
        expected = answer(lambda arg=arg: getattr(cindex, name)(arg))
        assert answer(lambda arg=arg: getattr(proxy, name)(arg)) == expected


def test_items_length_and_iteration(where: Any) -> None:
    proxy, cindex = pair(where)
    assert len(proxy) == len(cindex) == COUNT
    assert bool(proxy)
    for rev in (0, 1, COUNT - 1, -1, COUNT, -2, -COUNT, 10**12, None, "x"):
        expected = answer(lambda rev=rev: cindex[rev])
        assert answer(lambda rev=rev: proxy[rev]) == expected
    seven: Any = node(where, 7)
    assert answer(lambda: proxy[seven]) == answer(lambda: cindex[seven])
    assert list(proxy) == list(cindex)
    assert proxy.entry_size == cindex.entry_size
    assert dict(proxy.nodemap.items()) if hasattr(proxy.nodemap, "items") else True


def test_containment(where: Any) -> None:
    proxy, cindex = pair(where)
    for item in (0, -1, COUNT - 1, COUNT, node(where, 7), b"x" * 20, b"\0" * 20):
        expected = answer(lambda item=item: item in cindex)
        assert answer(lambda item=item: item in proxy) == expected


@pytest.mark.parametrize(
    "revs",
    [
        slice(30, -1),
        slice(30, None),
        slice(0, -1),
        slice(COUNT, -1),
        slice(COUNT - 1, COUNT),
        slice(10, 20),
        slice(30, -1, 2),
        slice(5, 5),
        3,
        -1,
        None,
    ],
    ids=str,
)
def test_deletion(where: Any, revs: Any) -> None:
    def delete(target: Any) -> Any:
        # the last node is looked up before, so that the node tree has to forget it
        assert target.rev(last) == COUNT - 1
        assert target.headrevs()

        def do() -> None:
            del target[revs]

        return answer(do), len(target), list(target), target.headrevs()

    last = node(where, COUNT - 1)
    proxy, cindex = pair(where)
    assert delete(proxy) == delete(cindex)
    assert proxy.has_node(last) == cindex.has_node(last)
    assert answer(lambda: proxy.rev(last)) == answer(lambda: cindex.rev(last))


def test_deletion_and_addition(where: Any) -> None:
    proxy, cindex = pair(where)
    entry = list(cindex[COUNT - 1])
    for target in (proxy, cindex):
        del target[COUNT - 5 : -1]
        for _ in range(3):
            entry[7] = b"%020d" % len(target)
            target.append(tuple(entry))
    assert list(proxy) == list(cindex)
    assert len(proxy) == COUNT - 2
    assert proxy.rev(b"%020d" % (COUNT - 3)) == COUNT - 3


def test_what_the_proxy_says_about_itself(where: Any) -> None:
    proxy, cindex = pair(where)
    assert proxy.rust_ext_compat == 0
    assert not proxy.is_rust
    assert proxy.cindex is not None
    for name in ("no_such_thing", "__wrapped__"):
        assert not hasattr(proxy, name)
        assert not hasattr(cindex, name)
    # not yet initialised, as a copy is for a moment
    assert not hasattr(object.__new__(index.IndexProxy), "cindex")
    assert not hasattr(object.__new__(index.IndexProxy), "rev")


def test_methods_cost_a_look_up_only_once(where: Any) -> None:
    proxy, _cindex = pair(where)
    assert "get_rev" not in vars(proxy)
    assert proxy.get_rev(node(where, 3)) == 3
    assert vars(proxy)["get_rev"] == proxy.cindex.get_rev


@pytest.mark.parametrize("make", [index.IndexProxy, index.IndexProxy.bound])
def test_the_c_index_goes_with_its_proxy(where: Any, make: Any) -> None:
    """It may be large, and long-lived processes open the changelog many times."""
    cindex = enginelab.stock(where).index
    gc.collect()
    gc.disable()
    try:
        before = sys.getrefcount(cindex)
        proxy = make(cindex)
        assert len(proxy) == COUNT
        assert proxy.rev(proxy[3][7]) == 3
        assert sys.getrefcount(cindex) > before
        del proxy
        assert sys.getrefcount(cindex) == before
    finally:
        gc.enable()
    # and another proxy of the same index is none the worse for it
    one, other = make(cindex), make(cindex)
    del one
    assert len(other) == COUNT
    assert other[3] == cindex[3]


def test_nodes_of_heads(where: Any) -> None:
    proxy, cindex = pair(where)
    assert proxy.head_node_ids() == [cindex[rev][7] for rev in cindex.headrevs()]
    empty = enginelab.stock(where, b"other")
    assert enginelab.ours(where, b"other").heads() == empty.heads()
    assert enginelab.ours(where).heads() == enginelab.stock(where).heads()


def test_the_outer_revlog_finds_the_same(where: Any) -> None:
    stock = enginelab.stock(where)
    ours = enginelab.ours(where)
    for rev in range(-1, COUNT):
        assert ours.node(rev) == stock.node(rev)
        assert ours.rev(stock.node(rev)) == rev
        assert ours.parentrevs(rev) == stock.parentrevs(rev)
        assert ours.shortest(stock.node(rev), 3) == stock.shortest(stock.node(rev), 3)
        prefix = stock.node(rev).hex().encode()[:10]
        assert ours._partialmatch(prefix) == stock._partialmatch(prefix)
        assert ours.chainbase(rev) == stock.chainbase(rev) if rev >= 0 else True
    assert ours.ancestor(ours.node(30), ours.node(20)) == stock.ancestor(
        stock.node(30), stock.node(20)
    )
    for bad in (b"x" * 20, b"short", "x", None):
        assert answer(lambda bad=bad: ours.rev(bad)) == answer(
            lambda bad=bad: stock.rev(bad)
        )
    with pytest.raises(error.LookupError):
        ours.lookup(b"x" * 20)


def test_the_shortest_prefix_uses_a_node_tree_of_c(where: Any) -> None:
    proxy, cindex = pair(where)
    five = node(where, 5)
    with enginelab.installed():
        assert isinstance(proxy, scmutil.parsers.index)
        assert isinstance(cindex, scmutil.parsers.index)
        tree = scmutil.parsers.nodetree(proxy, 4)
        for rev in (3, 5, 9, 20):
            tree.insert(rev)
        assert tree.shortest(five) >= 1
        assert scmutil.parsers.parse_index2 is not None
    assert not isinstance(proxy, scmutil.parsers.index)
