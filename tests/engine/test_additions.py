# A group of revisions worked out in memory is what Mercurial writes.
# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import os
import pathlib
from typing import Any

import pytest
from mercurial import mdiff, revlogutils

from hgext3rd.fastrevlog.compat import incoming
from hgext3rd.fastrevlog.engine import additions, tails
from hgext3rd.fastrevlog.outer import adding
from support import enginelab

pytestmark = pytest.mark.skipif(
    not incoming.are_objects(), reason="7.0 adds groups in its own way"
)


def deltas_of(rl: Any, first: int) -> list[additions.Incoming]:
    """The revisions from ``first`` on, as a changegroup has them."""
    made = []
    texts = enginelab.texts(rl)
    for rev in range(first, len(rl)):
        p1, p2 = rl.parentrevs(rev)
        base = rl.deltaparent(rev)
        if base < 0 and rev % 3 == 0:
            base = p1
        old = b"" if base < 0 else texts[base]
        delta = mdiff.textdiff(old, texts[rev])
        if base < 0:
            delta = mdiff.trivialdiffheader(len(texts[rev])) + texts[rev]
        nodes = [rl.node(each) for each in (rev, p1, p2, base)]
        made.append((*nodes, b"%020d" % rl.linkrev(rev), 0, delta))
    return made  # type: ignore[return-value]


def by_stock(where: Any, group: list[additions.Incoming]) -> None:
    rl = enginelab.stock(where, kind=enginelab.KIND_FILELOG)
    rl._may_inline = True
    tr = enginelab.Transaction(where)
    rl.addgroup(
        iter(
            revlogutils.InboundRevision(node, p1, p2, changeset, base, delta, flags, {})
            for node, p1, p2, base, changeset, flags, delta in group
        ),
        lambda changeset: int(changeset),
        tr,
    )
    tr.close()


def in_memory(
    where: Any,
    group: list[additions.Incoming],
    tail: tails.Spool | None = None,
) -> tuple[additions.Outcome, int]:
    rl = enginelab.ours(where, kind=enginelab.KIND_FILELOG)
    rl._enforceinlinesize = lambda tr: None
    searched = 0

    def search(one: additions.Incoming, link: int, base: int, text: Any) -> None:
        nonlocal searched
        searched += 1
        node, p1, p2, _base, _changeset, flags, delta = one
        rl._addrevision(
            node,
            text,
            enginelab.Transaction(where),
            link,
            p1,
            p2,
            flags,
            incoming.cached_delta(base, delta, text),
            sidedata={},
        )

    made = additions.Additions(
        rl._inner,
        rl._format_flags | rl._format_version,
        adding.limits_of(rl.delta_config),
        False,
        frozenset(),
        search,
        tail,
    )
    try:
        return made.add_all(group, lambda changeset: int(changeset)), searched
    finally:
        made.close()


@pytest.mark.parametrize("kept", [8 << 20, 1])
@pytest.mark.parametrize("seed", range(3))
def test_is_what_mercurial_writes(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, seed: int, kept: int
) -> None:
    monkeypatch.setattr(additions, "_KEPT", kept)
    (tmp_path / "source").mkdir()
    source = enginelab.opener(tmp_path / "source", sparse=True)
    enginelab.built(source, seed, 70, kind=enginelab.KIND_FILELOG)
    rl = enginelab.stock(source, kind=enginelab.KIND_FILELOG)
    group = deltas_of(rl, 0)
    (tmp_path / "target").mkdir()
    target = enginelab.opener(tmp_path / "target", sparse=True)
    by_stock(target, group[:20])
    before = target.read(b"log.i")
    outcome, searched = in_memory(target, group[20:])
    assert target.read(b"log.i") == before  # nothing was written
    assert outcome.to_data is None
    assert outcome.index_size == len(before)
    by_stock(target, group[20:])
    assert before + outcome.to_index == target.read(b"log.i")
    assert outcome.added == len(rl) - 20
    assert 0 < searched < 25


@pytest.mark.parametrize("kept", [8 << 20, 1])
def test_the_same_in_a_file_that_is_shared(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, kept: int
) -> None:
    """Of a file of data, also where chunks are read from its new end."""
    monkeypatch.setattr(additions, "_KEPT", kept)
    source = enginelab.opener(tmp_path, sparse=True)
    enginelab.built(source, 4, 70, kind=enginelab.KIND_FILELOG, may_inline=False)
    group = deltas_of(enginelab.stock(source, kind=enginelab.KIND_FILELOG), 0)
    (tmp_path / "target").mkdir()
    target = enginelab.opener(tmp_path / "target", sparse=True)
    enginelab.built(target, 4, 20, kind=enginelab.KIND_FILELOG, may_inline=False)
    before = target.read(b"log.d")
    plain, searched = in_memory(target, group[20:])
    assert plain.to_data and searched
    tail = tails.Spool(os.fsencode(tmp_path))
    shared, _searched = in_memory(target, group[20:], tail)
    assert isinstance(shared.to_data, tails.Spool)
    assert tail[:] == plain.to_data
    assert shared.to_index == plain.to_index
    assert target.read(b"log.d") == before


def test_what_is_not_common(tmp_path: pathlib.Path) -> None:
    source = enginelab.opener(tmp_path, sparse=True)
    enginelab.built(source, 1, 10, kind=enginelab.KIND_FILELOG)
    rl = enginelab.stock(source, kind=enginelab.KIND_FILELOG)
    node, p1, p2, base, changeset, flags, delta = deltas_of(rl, 0)[5]
    node = b"n" * 20
    unknown = b"u" * 20
    for odd in (
        (node, unknown, p2, base, changeset, flags, delta),
        (node, p1, unknown, base, changeset, flags, delta),
        (node, p1, p2, unknown, changeset, flags, delta),
        (node, p1, p2, base, changeset, 1 << 15, delta),
        (node, p1, p2, base, changeset, flags, delta[:7]),
        (node, p1, p2, base, changeset, flags, b"\xff" * 12),
    ):
        before = source.read(b"log.i")
        with pytest.raises(additions.Uncommon):
            in_memory(source, [odd])
        assert source.read(b"log.i") == before
    with pytest.raises(additions.Uncommon):
        in_memory(source, [])


META = b"\x01\ncopy: f\n\x01\n"


def opened(where: Any, fix_parents: bool = True) -> additions.Additions:
    """Additions to a file log of two revisions, the second one with metadata."""
    rl = enginelab.stock(where, kind=enginelab.KIND_FILELOG)
    tr = enginelab.Transaction(where)
    for text in (b"first\n" * 9, META + b"second\n" * 9):
        rl.addrevision(text, tr, 0, rl.nullid, rl.nullid)
    tr.close()
    ours = enginelab.ours(where, kind=enginelab.KIND_FILELOG)
    return additions.Additions(
        ours._inner,
        ours._format_flags | ours._format_version,
        adding.limits_of(ours.delta_config),
        fix_parents,
        frozenset(),
        lambda *_args: None,
    )


@pytest.fixture
def made(tmp_path: pathlib.Path) -> Any:
    found = opened(enginelab.opener(tmp_path, sparse=True))
    yield found
    found.close()


TEXTS = (b"", b"\x01", b"\x01\n", META, META + b"x", b"first\n" * 9, b"\n" * 3)


@pytest.mark.parametrize("base", [-1, 0, 1])
@pytest.mark.parametrize("text", TEXTS)
def test_the_text_of_a_delta(made: Any, base: int, text: bytes) -> None:
    old = b"" if base < 0 else made.inner.raw(base)
    whole = mdiff.replacediffheader(len(old), len(text)) + text
    for delta in (whole, mdiff.textdiff(old, text)):
        if text == b"\x01\n":
            with pytest.raises(additions.Uncommon):
                made._text(base, len(old), delta)
        else:
            assert made._text(base, len(old), delta) == text
    censored = b"\x01\ncensored: why\n\x01\n" + text
    with pytest.raises(additions.Uncommon):
        made._text(base, len(old), mdiff.textdiff(old, censored))


@pytest.mark.parametrize("base", [0, 1])
@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("p1", [-1, 0, 1])
def test_metadata_beside_a_first_parent_is_not_common(
    made: Any, base: int, text: bytes, p1: int
) -> None:
    """Also the first revision of all is a parent."""
    made._has_meta.update({0: False, 1: True})
    old = made.inner.raw(base)
    for delta in (
        mdiff.textdiff(old, text),
        mdiff.replacediffheader(len(old), len(text)) + text,
    ):
        has_meta = text.startswith(b"\x01\n")
        if has_meta and p1 >= 0:
            with pytest.raises(additions.Uncommon):
                made._look_for_meta(2, base, len(old), p1, delta)
        else:
            made._look_for_meta(2, base, len(old), p1, delta)
            assert made._has_meta[2] is has_meta


def test_metadata_without_an_end(made: Any) -> None:
    """Mercurial has to say what it makes of that."""
    with pytest.raises(additions.Uncommon):
        made._text(-1, 0, mdiff.trivialdiffheader(9) + b"\x01\ncopy: f")
