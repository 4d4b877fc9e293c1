# What is written: byte for byte what Mercurial's builder in Python writes.
# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mercurial.revlogutils import nodemap

from hgext3rd.fastrevlog.engine.nodemap import docket as docketmod
from hgext3rd.fastrevlog.engine.nodemap import persist, tree
from support import nodemaps

KINDS = ("random", "alike", "zeros")


def added(nodes: list[bytes], known: int) -> tuple[bytes, bytes, int]:
    """``(map of the first, what is appended, bytes replaced)``, as ours makes them.

    Compared with what Mercurial's builder makes of the same nodes.
    """
    index = nodemaps.index_of(nodes)
    part = nodemaps.index_of(nodes[:known])
    data = persist.whole(part)
    assert data == nodemap.persistent_data(part)
    docket = docketmod.Docket(b"0a", known - 1, nodes[known - 1], len(data))
    on_disk = tree.NodeTree(nodemaps.Data(data).pread, docket, index)
    replaced, new = persist.increment(on_disk, docket, index)
    root, last = nodemap.parse_data(data)
    _counted, theirs = nodemap.update_persistent_data(index, root, last, known - 1)
    assert new == theirs
    return data, new, replaced


@given(
    st.integers(0, 1 << 32),
    st.integers(1, 60),
    st.sampled_from(KINDS),
    st.floats(0, 1),
)
@settings(max_examples=150, deadline=None)
def test_whole_and_increment(seed: int, number: int, kind: str, part: float) -> None:
    nodes = nodemaps.random_nodes(random.Random(seed), number, kind)
    known = max(1, int(number * part))
    data, new, replaced = added(nodes, known)
    root, _last = nodemap.parse_data(data + new)
    assert sorted(nodemap._all_revisions(root)) == list(range(number))
    # what nothing points to any more is what was counted
    used = sum(1 for _block in nodemap._walk_trie(root))
    assert replaced == len(data) + len(new) - used * docketmod.BLOCK_SIZE


@pytest.mark.parametrize("kind", KINDS)
def test_larger(kind: str) -> None:
    rnd = random.Random(5)
    nodes = nodemaps.random_nodes(rnd, 3000, kind)
    for known in (1, 1500, 2990, 2999, 3000):
        added(nodes, known)


def test_nothing_new_adds_nothing() -> None:
    nodes = nodemaps.random_nodes(random.Random(6), 30, "random")
    assert added(nodes, 30)[1:] == (b"", 0)


def test_no_revision_no_data() -> None:
    assert persist.whole(nodemaps.index_of([])) == b""


def test_the_same_node_twice() -> None:
    node = b"a" * 20
    with pytest.raises(ValueError, match="same node"):
        persist.whole(nodemaps.index_of([node, node]))
    index = nodemaps.index_of([node, node])
    docket, data = nodemaps.map_of(index, 1)
    on_disk = tree.NodeTree(nodemaps.Data(data).pread, docket, index)
    with pytest.raises(docketmod.Misfit):
        persist.increment(on_disk, docket, index)


def test_nodes_that_differ_in_the_last_digit() -> None:
    nodes = [b"a" * 19 + bytes([last]) for last in range(16)]
    data, _new, _replaced = added(nodes, 8)
    # 38 digits in common, then two more that tell them apart
    assert len(data) // docketmod.BLOCK_SIZE == 40
