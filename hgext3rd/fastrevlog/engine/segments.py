# Which byte ranges of the data file to read for a set of revisions.
# SPDX-License-Identifier: GPL-2.0-or-later
"""Sparse reading.

The chunks of a delta chain may lie far apart.  Reading everything between the
first and the last wastes time and memory; reading each alone wastes system
calls.  Chunks are grouped into slices so that most of what a slice reads is
wanted (density), small gaps are read over, and no slice of many chunks exceeds
a target size.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from . import options as optionsmod

# One chunk to fetch: (rev, offset in the data, compressed length), bytes.
Wanted = list[tuple[int, int, int]]


def slices(
    cindex: Any, options: optionsmod.ReadOptions, wanted: Wanted, target: int | None
) -> Iterator[Wanted]:
    """Group ``wanted``, in ascending order of offset, into slices to read at once.

    ``target`` is the size in bytes that a slice of several chunks should not
    exceed (never below the minimal gap), or None for no limit.
    """
    first = wanted[0][1]
    last = wanted[-1]
    span = last[1] + last[2] - first
    if target is not None and target < options.min_gap_size:
        target = options.min_gap_size
    # no gap in it can be worth skipping
    if span <= options.min_gap_size:
        yield wanted
        return
    by_rev = {w[0]: w for w in wanted}
    groups = cindex.slicechunktodensity(
        [w[0] for w in wanted], options.density_threshold, options.min_gap_size
    )
    for revs in groups:
        yield from _to_size([by_rev[rev] for rev in revs], target)


def _to_size(group: Wanted, target: int | None) -> Iterator[Wanted]:
    if not group:
        return
    start = group[0][1]
    if target is None or group[-1][1] + group[-1][2] - start <= target:
        yield group
        return
    piece: list[tuple[int, int, int]] = []
    for chunk in group:
        if piece and chunk[1] + chunk[2] - start > target:
            yield piece
            piece = []
        if not piece:
            start = chunk[1]
        piece.append(chunk)
    yield piece
