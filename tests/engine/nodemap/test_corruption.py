# Damaged dockets and data: never a wrong answer, never a traceback.
# SPDX-License-Identifier: GPL-2.0-or-later
"""Every damage either changes no answer, or makes the index go over to C's tree."""

from __future__ import annotations

import random
from typing import Any

import pytest

from hgext3rd.fastrevlog.engine import counters
from hgext3rd.fastrevlog.engine.nodemap import docket as docketmod
from hgext3rd.fastrevlog.engine.nodemap import proxy
from support import nodemaps
from support.nodemaps import answer


def damaged(rnd: random.Random, data: bytes) -> bytes:
    """``data`` with one damage of a random kind."""
    words = bytearray(data)
    way = rnd.randrange(9)
    place = rnd.randrange(len(words))
    if way == 0:
        words[place] ^= 1 << rnd.randrange(8)
    elif way == 1:
        words[place] = rnd.randrange(256)
    elif way == 2:  # a sector of zeros, or of ones
        size = rnd.choice((64, 512))
        start = place // size * size
        words[start : start + size] = bytes([rnd.choice((0, 255))]) * size
        del words[len(data) :]
    elif way == 3:
        del words[place:]
    elif way == 4:  # a slot of another block
        slot, other = place // 4 * 4, rnd.randrange(len(words) // 4 + 1) * 4
        words[slot : slot + 4] = words[other : other + 4]
    elif way == 5:  # two blocks changed places
        one, two = place // 64 * 64, rnd.randrange(len(words) // 64 + 1) * 64
        first, second = words[one : one + 64], words[two : two + 64]
        words[one : one + 64], words[two : two + 64] = second, first
    elif way == 6:  # a pointer to any block, also its own: a loop
        slot = place // 4 * 4
        words[slot : slot + 4] = rnd.randrange(len(words) // 64 + 1).to_bytes(4, "big")
    elif way == 7:  # any revision
        slot = place // 4 * 4
        words[slot : slot + 4] = (-2 - rnd.randrange(600)).to_bytes(
            4, "big", signed=True
        )
    else:  # nothing
        slot = place // 4 * 4
        words[slot : slot + 4] = b"\xff" * 4
    return bytes(words)


def attached(index: Any, docket: bytes, data: bytes) -> Any:
    """The index with a map that may be damaged, as a repository is opened."""
    made = proxy.MappedIndexProxy.bound(index)
    made.small_index = 0
    made.max_behind = 1.0
    try:
        made.attach(docketmod.parse(docket), nodemaps.Data(data))
        made._lookup.limit = 1 << 60
    except docketmod.Misfit as exc:
        made.detach(exc.reason)
    return made


def sweep(seed: int, mutations: int) -> dict[str, int]:
    """Damage a map again and again; how often which misfit was seen."""
    rnd = random.Random(seed)
    nodes = nodemaps.random_nodes(rnd, 500, rnd.choice(("random", "zeros")))
    strangers = nodemaps.random_nodes(rnd, 20, "random")
    index = nodemaps.index_of(nodes)
    made, data = nodemaps.map_of(index, rnd.choice((500, 480)))
    docket = made.serialize()
    seen: dict[str, int] = {}
    counters.counters.nodemaps.clear()
    for _ in range(mutations):
        bad_docket, bad_data = docket, data
        if rnd.randrange(10) == 0:
            bad_docket = damaged(rnd, docket)
        else:
            for _ in range(rnd.choice((1, 1, 3))):
                bad_data = damaged(rnd, bad_data) if bad_data else b""
        asked = attached(index, bad_docket, bad_data)
        for node in rnd.sample(nodes, 40) + strangers[:5]:
            truth = index.get_rev(node)
            assert asked.get_rev(node) == truth
            assert asked.has_node(node) == (truth is not None)
            assert answer(asked.rev, node) == answer(index.rev, node)
            answer(asked.partialmatch, node.hex().encode()[: rnd.randrange(1, 41)])
            answer(asked.shortest, node)
        source, _replaced, new = attached(
            index, bad_docket, bad_data
        ).nodemap_data_incremental()
        assert (source is docketmod.NO_DOCKET) <= (new == b"")
        reason = str(asked.why_not)
        seen[reason] = seen.get(reason, 0) + 1
    counters.counters.nodemaps.clear()
    return seen


def test_damage() -> None:
    seen = sweep(1, 600)
    for reason in (
        "data: cut off",
        "data: points outside",
        "data: revision out of range",
        "data: revision at a wrong place",
        "data: block at a wrong place",
        "data: block out of use",
        "data: revision missing",
    ):
        assert seen.get(reason), seen


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10))
def test_much_damage(seed: int) -> None:
    sweep(seed, 2000)


def test_a_beginning_is_not_matched_by_another_node() -> None:
    """Answers about beginnings name a node that has it."""
    rnd = random.Random(4)
    nodes = nodemaps.random_nodes(rnd, 300, "random")
    index = nodemaps.index_of(nodes)
    docket, data = nodemaps.map_of(index)
    for _ in range(150):
        asked = attached(index, docket.serialize(), damaged(rnd, data))
        for node in rnd.sample(nodes, 10):
            digits = node.hex().encode()[: rnd.randrange(1, 12)]
            found = answer(asked.partialmatch, digits)
            if isinstance(found, bytes):
                assert found.hex().encode().startswith(digits)
    counters.counters.nodemaps.clear()


def test_a_loop_ends() -> None:
    nodes = nodemaps.random_nodes(random.Random(5), 50, "random")
    index = nodemaps.index_of(nodes)
    docket, data = nodemaps.map_of(index)
    blocks = len(data) // 64
    loop = b"".join(
        (number % (blocks - 1)).to_bytes(4, "big") * 16 for number in range(blocks)
    )
    asked = attached(index, docket.serialize(), loop)
    assert asked.get_rev(nodes[3]) == 3
    assert asked.why_not == "data: too deep"
    counters.counters.nodemaps.clear()
