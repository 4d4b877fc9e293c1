# What an inner revlog needs to know, converted once and frozen.
# SPDX-License-Identifier: GPL-2.0-or-later
"""Options of reading, with Mercurial's defaults.

Mercurial's own configuration objects are copied for every revlog and may be
changed while one is open (``debugupgraderepo`` does).  What decides about
*reading* does not change, and is kept here, shared by all revlogs of a kind in
a repository.
"""

from __future__ import annotations

from typing import NamedTuple

# Bytes of memory for the caches of the whole process, by the memory profile
# that `usage.resources.memory` names.
MEMORY_PROFILES = {b'low': 16 << 20, b'medium': 64 << 20, b'high': 256 << 20}
DEFAULT_PROFILE = b'medium'


class ReadOptions(NamedTuple):
    """How to read chunks of a delta chain from the data file."""

    # read a chain in several slices, leaving out what lies between?
    sparse_read: bool = False
    # part of a slice that has to be wanted for it to be read at once, 0 to 1
    density_threshold: float = 0.5
    # bytes; a smaller gap is never skipped
    min_gap_size: int = 262144


DEFAULT = ReadOptions()
