# engine/segments.py: which ranges are read for the chunks that are wanted.
# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import pathlib
import random
import struct
import tempfile
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from mercurial.revlogutils import deltas

from hgext3rd.fastrevlog.engine import options, segments
from support import enginelab

ENTRY = struct.Struct(">Qiiiiii20s12x")
GAP = 4  # bytes
DENSITY = 0.5

# where the chunks of Mercurial's own examples end, in bytes
ENDS = [5, 10, 12, 12, 27, 31, 31, 42, 47, 47, 48, 51, 74, 85, 86, 91]


def revlog_of(folder: pathlib.Path, lengths: list[int], **config: Any) -> Any:
    """A revlog whose chunks have these lengths; there are no data."""
    entries = []
    offset = 0
    for rev, length in enumerate(lengths):
        node = b"%020d" % rev
        entry = (offset << 16, length, length, rev, rev, -1, -1, node)
        entries.append(ENTRY.pack(*entry))
        offset += length
    if entries:
        # version 1, general delta, not inline
        entries[0] = struct.pack(">I", 1 | 1 << 17) + entries[0][4:]
    where = enginelab.opener(
        folder,
        sparse=True,
        sr_density_threshold=config.get("density", DENSITY),
        sr_min_gap_size=config.get("gap", GAP),
    )
    where.write(b"log.i", b"".join(entries))
    return enginelab.stock(where)


def wanted_of(rl: Any, revs: list[int]) -> list[tuple[int, int, int]]:
    return [(rev, rl.start(rev), rl.length(rev)) for rev in revs if rl.length(rev)]


def sliced(
    rl: Any, revs: list[int], target: int | None, gap: int = GAP
) -> list[list[int]]:
    read = options.ReadOptions(True, rl.data_config.sr_density_threshold, gap)
    groups = segments.slices(rl.index, read, wanted_of(rl, revs), target)
    return [[rev for rev, _offset, _length in group] for group in groups]


def theirs(rl: Any, revs: list[int], target: int | None) -> list[list[int]]:
    groups = deltas.slicechunk(rl, revs, targetsize=target)
    filled = [[rev for rev in group if rl.length(rev)] for group in groups]
    return [group for group in filled if group]


EXAMPLES = [
    (list(range(16)), None),
    ([0, 15], None),
    ([0, 11, 15], None),
    ([0, 11, 13, 15], None),
    ([1, 2, 3, 5, 8, 10, 11, 14], None),
    ([0, 11, 13, 15], 15),
    ([0, 11, 13, 15], 20),
    ([7], None),
]


@pytest.mark.parametrize(("revs", "target"), EXAMPLES)
def test_mercurials_own_examples(
    tmp_path: pathlib.Path, revs: list[int], target: int | None
) -> None:
    lengths = [end - start for start, end in zip([0, *ENDS], ENDS)]
    rl = revlog_of(tmp_path, lengths)
    assert sliced(rl, revs, target) == theirs(rl, revs, target)


@given(
    lengths=st.lists(st.sampled_from([0, 1, 5, 20, 200]), min_size=2, max_size=80),
    chosen=st.sets(st.integers(0, 79), min_size=1),
    density=st.sampled_from([0.1, 0.25, 0.5, 0.9]),
    gap=st.sampled_from([1, 4, 30, 300]),
    target=st.sampled_from([None, 1, 50, 1000]),
)
@settings(max_examples=60, deadline=None)
def test_everything_wanted_is_covered_once_and_the_options_respected(
    lengths: list[int], chosen: set[int], density: float, gap: int, target: int | None
) -> None:
    revs = sorted(rev for rev in chosen if rev < len(lengths))
    assume(any(lengths[rev] for rev in revs))
    with tempfile.TemporaryDirectory() as folder:
        rl = revlog_of(pathlib.Path(folder), lengths, density=density, gap=gap)
    wanted = wanted_of(rl, revs)
    assert wanted
    groups = sliced(rl, revs, target, gap)
    assert [rev for group in groups for rev in group] == [each[0] for each in wanted]
    limit = None if target is None else max(target, gap)
    spans = payload = 0
    gaps = [0]
    for group in groups:
        span = rl.end(group[-1]) - rl.start(group[0])
        spans += span
        payload += sum(rl.length(rev) for rev in group)
        if limit is not None and len(group) > 1:
            assert span <= limit
        gaps += [rl.start(b) - rl.end(a) for a, b in zip(group, group[1:])]
    # is more read than is wanted? then no gap is left that is worth skipping
    assert payload >= density * spans or max(gaps) <= gap
    if target is None:
        assert groups == theirs(rl, revs, target)
    else:
        # Mercurial halves what is too large, and so may need more reads
        assert len(groups) <= len(theirs(rl, revs, target))


def test_no_gap_no_slices(tmp_path: pathlib.Path) -> None:
    rl = revlog_of(tmp_path, [10] * 50)
    assert sliced(rl, list(range(50)), None) == [list(range(50))]
    # a span below the minimal gap is one read, whatever the target says
    assert sliced(rl, [0, 3], 1, gap=100) == [[0, 3]]


# what a whole revlog reads


class Reads:
    """The reads of an inner revlog, seen at its store."""

    def __init__(self, inner: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ranges: list[tuple[int, int]] = []
        reader_class = type(inner.storage.reader(inner.data_file))
        pread = reader_class.pread

        def counted(reader: Any, length: int, offset: int) -> bytes:
            data = pread(reader, length, offset)
            self.ranges.append((offset, len(data)))
            return data

        monkeypatch.setattr(reader_class, "pread", counted)

    @property
    def bytes(self) -> int:
        return sum(length for _offset, length in self.ranges)


@pytest.fixture
def far_apart(tmp_path: pathlib.Path) -> Any:
    """Two lines of history, taking turns: chunks of 300 kB between small ones."""
    rng = random.Random(7)
    where = enginelab.opener(tmp_path, sparse=True, engine=b"none")
    text = b"".join(b"%030x\n" % rng.getrandbits(120) for _ in range(300))
    revs = [(text, -1, -1)]
    for rev in range(1, 24):
        if rev % 2:
            revs.append((rng.randbytes(300_000), -1, -1))
        else:
            text += b"line of revision %d\n" % rev
            revs.append((text, rev - 2, -1))
    rl = enginelab.stock(where, may_inline=False)
    tr = enginelab.Transaction(where)
    enginelab.write(rl, tr, revs)
    return where, [text for text, _p1, _p2 in revs]


@pytest.mark.parametrize("sparse", [True, False])
def test_what_lies_between_is_left_out(
    far_apart: Any, sparse: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    where, texts = far_apart
    where.options[b"data-config"].with_sparse_read = sparse
    rl = enginelab.ours(where)
    last = len(texts) - 2
    chain = rl._inner._deltachain(last)[0]
    assert len(chain) > 6
    span = rl.end(last) - rl.start(chain[0])
    reads = Reads(rl._inner, monkeypatch)
    assert enginelab.raw(rl._inner, last) == texts[last]
    assert len(reads.ranges) > 1 if sparse else len(reads.ranges) == 1
    if sparse:
        assert reads.bytes < span / 2
    else:
        assert reads.bytes >= span
    for rev in (3, 10, last, 0):
        rl._inner.forget()
        assert enginelab.raw(rl._inner, rev) == texts[rev]
