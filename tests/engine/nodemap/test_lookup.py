# Look-ups in a map against the C index and against a dictionary.
# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hgext3rd.fastrevlog.engine import counters
from hgext3rd.fastrevlog.engine import index as indexmod
from hgext3rd.fastrevlog.engine.nodemap import docket as docketmod
from hgext3rd.fastrevlog.engine.nodemap import lookup, persist, proxy
from support import nodemaps
from support.nodemaps import NULL, answer

BY_NODE = ("get_rev", "rev", "has_node", "shortest")


def compare(asked: Any, truth: Any, nodes: list[bytes], lengths: Any) -> int:
    """Ask both about ``nodes`` and their beginnings; how many questions."""
    number = 0
    for node in nodes:
        for name in BY_NODE:
            got = answer(getattr(asked, name), node)
            assert got == answer(getattr(truth, name), node), (name, node)
        digits = node.hex().encode()
        for length in lengths:
            got = answer(asked.partialmatch, digits[:length])
            assert got == answer(truth.partialmatch, digits[:length]), digits[:length]
        number += len(BY_NODE) + len(lengths)
    return number


def asked_everything(
    rnd: random.Random, number: int, known: int, kind: str, dictionary: bool
) -> int:
    """Ask a map of the first ``known`` revisions, and the same with the rest added."""
    nodes = nodemaps.random_nodes(rnd, number, kind)
    strangers = nodemaps.random_nodes(rnd, 10, kind) + [NULL, b"\xff" * 20]
    index = nodemaps.index_of(nodes)
    truth = nodemaps.Dictionary(nodes) if dictionary else nodemaps.index_of(nodes)
    docket, data = nodemaps.map_of(index, known)
    mapped = nodemaps.proxy_of(index, docket, data)
    source, replaced, new = mapped.nodemap_data_incremental()
    assert source == docket
    longer = docketmod.Docket(
        docket.uid, number - 1, nodes[-1], len(data + new), replaced
    )
    questions = 0
    for asked in (mapped, nodemaps.proxy_of(index, longer, data + new)):
        questions += compare(asked, truth, nodes + strangers, nodemaps.PREFIX_LENGTHS)
        assert asked.why_not is None
    return questions


@given(
    st.integers(0, 1 << 32),
    st.integers(1, 40),
    st.sampled_from(("random", "alike", "zeros")),
    st.floats(0, 1),
)
@settings(max_examples=60, deadline=None)
def test_against_a_dictionary(seed: int, number: int, kind: str, part: float) -> None:
    rnd = random.Random(seed)
    asked_everything(rnd, number, max(1, int(number * part)), kind, True)


@pytest.mark.parametrize("kind", ["random", "alike", "zeros"])
def test_against_the_c_index(kind: str) -> None:
    rnd = random.Random(1)
    for number, known in ((1, 1), (2, 1), (700, 700), (700, 600)):
        asked_everything(rnd, number, known, kind, False)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_million_questions() -> None:
    rnd = random.Random(2)
    questions = 0
    while questions < 1_000_000:
        number = rnd.choice((10, 1000, 20_000))
        known = number - rnd.choice((0, 0, 1, number // 10))
        kind = rnd.choice(("random", "alike", "zeros"))
        questions += asked_everything(rnd, number, known, kind, False)


@pytest.fixture
def mapped() -> Any:
    nodes = nodemaps.random_nodes(random.Random(3), 200, "random")
    index = nodemaps.index_of(nodes)
    return nodemaps.proxy_of(index, *nodemaps.map_of(index))


def test_what_is_no_node(mapped: Any) -> None:
    plain = mapped.cindex
    for bad in (b"", b"abc", "text", 3, -1, 10**30, None, bytearray(20), b"a" * 21):
        for name in BY_NODE:
            got = answer(getattr(mapped, name), bad)
            assert got == answer(getattr(plain, name), bad), (name, bad)
    for bad in (b"", b"xyz", b"a" * 41, b"12 4", b"+1", "12", b"0x12", b"\0"):
        assert answer(mapped.partialmatch, bad) == answer(plain.partialmatch, bad), bad
    assert (5 in mapped, -1 in mapped, 200 in mapped) == (True, True, False)
    assert mapped[7][7] in mapped
    assert b"q" * 20 not in mapped
    assert mapped.why_not is None


def test_upper_case_digits(mapped: Any) -> None:
    node = mapped[7][7]
    assert mapped.partialmatch(node.hex()[:12].upper().encode()) == node


def test_blocks_are_read_not_the_file(mapped: Any) -> None:
    docket, data = mapped.docket, mapped._reader.data
    fresh = nodemaps.proxy_of(mapped.cindex, docket, data)
    assert fresh.get_rev(mapped[100][7]) == 100
    assert 1 <= fresh._reader.reads <= 4


def test_appended_revisions_are_found(mapped: Any) -> None:
    entry = list(mapped[199])
    for number in range(3):
        node = bytes([number]) * 20
        entry[7] = node
        mapped.append(tuple(entry))
        assert mapped.get_rev(node) == 200 + number
        assert mapped.partialmatch(node.hex().encode()[:30]) == node
    assert mapped.behind == 3
    del mapped[200:-1]
    assert mapped.get_rev(b"\1" * 20) is None
    assert mapped.why_not is None
    del mapped[100:-1]
    assert mapped.why_not == "index: stripped"
    assert mapped.get_rev(mapped[50][7]) == 50
    assert mapped.nodemap_data_incremental()[0] is docketmod.NO_DOCKET


def test_asking_often_changes_to_the_c_tree(mapped: Any) -> None:
    mapped._lookup.limit = 5
    truth = mapped.cindex
    for rev in range(10):
        assert mapped.get_rev(mapped[rev][7]) == rev
    assert mapped.why_not == proxy.ASKED_OFTEN
    # from now on it costs what it costs without a map
    for name in proxy._LOOKUPS:
        assert getattr(mapped, name) == getattr(truth, name)
    assert type(mapped).__contains__ == truth.__contains__
    # the map is still there to be added to
    assert mapped.nodemap_data_incremental()[0] == mapped.docket
    mapped.attach(mapped.docket, mapped._reader)
    assert mapped.why_not == proxy.ASKED_OFTEN


def test_small_indexes_and_maps_far_behind_are_left_to_c(mapped: Any) -> None:
    docket, reader = mapped.docket, mapped._reader
    plain = proxy.MappedIndexProxy.bound(mapped.cindex)
    plain.attach(docket, reader)
    assert plain.why_not == proxy.SMALL
    plain.small_index = 0
    short, data = nodemaps.map_of(mapped.cindex, 100)
    plain.attach(short, nodemaps.Data(data))
    assert plain.why_not == "C tree: the map is far behind"
    assert plain.get_rev(mapped[150][7]) == 150


def test_the_data_of_a_plain_proxied_index() -> None:
    nodes = nodemaps.random_nodes(random.Random(3), 20, "random")
    index = nodemaps.index_of(nodes)
    made = indexmod.IndexProxy.bound(index).nodemap_data_all()
    assert made == persist.whole(index)


def test_it_is_let_go_of_at_once(mapped: Any) -> None:
    import gc
    import weakref

    gc.disable()
    try:
        gone = weakref.ref(
            nodemaps.proxy_of(mapped.cindex, mapped.docket, mapped._reader.data)
        )
        assert gone() is None
    finally:
        gc.enable()


def test_trouble_reading_is_counted(mapped: Any) -> None:
    def pread(length: int, offset: int) -> bytes:
        raise OSError("gone")

    counters.counters.nodemaps.clear()
    mapped._lookup.tree._pread = pread
    assert mapped.get_rev(mapped[9][7]) == 9
    assert mapped.why_not == "data: OSError"
    assert counters.counters.nodemaps == {"data: OSError": 1}
    counters.counters.nodemaps.clear()


def test_trouble_of_ours_is_an_internal_error(mapped: Any) -> None:
    def pread(length: int, offset: int) -> bytes:
        raise ZeroDivisionError("ours")

    for name in ("get_rev", "rev", "shortest"):
        asked = nodemaps.proxy_of(mapped.cindex, mapped.docket, mapped._reader.data)
        asked._lookup.tree._pread = pread
        assert getattr(asked, name)(mapped[9][7]) == getattr(mapped, name)(mapped[9][7])
        assert asked.why_not == "data: ZeroDivisionError"
    asked = nodemaps.proxy_of(mapped.cindex, mapped.docket, mapped._reader.data)
    asked._lookup.tree._pread = pread
    assert asked.partialmatch(mapped[9][7].hex().encode()[:12]) == mapped[9][7]
    assert counters.counters.internal_errors == {"node map: ZeroDivisionError: ours": 4}
    counters.counters.internal_errors.clear()


def test_an_unknown_node_is_looked_for_where_that_is_cheap(mapped: Any) -> None:
    """A slot that says "nothing" where a revision was: the one thing no block shows."""
    node = mapped[9][7]
    words = bytearray(mapped._reader.data)
    slot = (docketmod.BLOCK_SIZE // -(2**2) * 0) or words.index(
        (-2 - 9).to_bytes(4, "big", signed=True)
    )
    words[slot : slot + 4] = b"\xff" * 4
    asked = nodemaps.proxy_of(mapped.cindex, mapped.docket, bytes(words))
    assert asked.get_rev(node) == 9
    assert str(asked.why_not).startswith("data: ")
    assert lookup.CONFIRM_BELOW >= 100_000


def test_numbers_are_in_the_index_as_ever(mapped: Any) -> None:
    size = len(mapped)
    for number in (-2, -1, 0, size - 1, size):
        assert (number in mapped) is (number in mapped.cindex)
    assert mapped.why_not is None
