# Dockets: what Mercurial writes and reads, and what does not fit.
# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from typing import Any

import pytest
from mercurial.revlogutils import nodemap

from hgext3rd.fastrevlog.engine.nodemap import docket as docketmod
from support import nodemaps

DOCKET = docketmod.Docket(b"0a1b2c3d", 3, b"n" * 20, 640, 64)


def test_it_is_what_mercurial_writes() -> None:
    theirs: Any = nodemap.NodeMapDocket(DOCKET.uid)
    theirs.tip_rev = DOCKET.tip_rev
    theirs.tip_node = DOCKET.tip_node
    theirs.data_length = DOCKET.data_length
    theirs.data_unused = DOCKET.data_unused
    assert DOCKET.serialize() == theirs.serialize()
    assert docketmod.parse(theirs.serialize()) == DOCKET
    # Mercurial compares its own with what the index says that it added to
    assert (theirs != DOCKET) is False
    assert theirs != docketmod.NO_DOCKET


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "docket: empty"),
        (b"\2" + DOCKET.serialize()[1:], "docket: unknown version"),
        (DOCKET.serialize()[:20], "docket: cut off"),
        (DOCKET.serialize()[:-1], "docket: cut off"),
        (DOCKET._replace(uid=b"../../x").serialize(), "docket: bad uid"),
        (DOCKET._replace(uid=b"").serialize(), "docket: bad uid"),
        (DOCKET._replace(data_length=0).serialize(), "docket: bad data length"),
        (DOCKET._replace(data_length=65).serialize(), "docket: bad data length"),
        (DOCKET._replace(data_length=1 << 60).serialize(), "docket: bad data length"),
    ],
)
def test_what_cannot_be_read(data: bytes, why: str) -> None:
    with pytest.raises(docketmod.Misfit) as caught:
        docketmod.parse(data)
    assert caught.value.reason == why


def test_every_cut_is_seen() -> None:
    whole = DOCKET.serialize()
    for size in range(len(whole)):
        with pytest.raises(docketmod.Misfit):
            docketmod.parse(whole[:size])


def test_another_history() -> None:
    nodes = [b"%020d" % rev for rev in range(5)]
    index = nodemaps.index_of(nodes)
    fits = docketmod.Docket(b"0a", 4, nodes[4], 64)
    docketmod.check(fits, index, 64)
    for bad, why in (
        (fits._replace(tip_rev=5), "index: shorter than the map"),
        (fits._replace(tip_rev=1 << 40), "index: shorter than the map"),
        (fits._replace(tip_node=nodes[3]), "index: another tip node"),
        (fits._replace(data_length=128), "data: cut off"),
    ):
        with pytest.raises(docketmod.Misfit) as caught:
            docketmod.check(bad, index, 64)
        assert caught.value.reason == why
