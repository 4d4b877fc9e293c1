# Incoming revisions, as each Mercurial hands them to its delta search.
# SPDX-License-Identifier: GPL-2.0-or-later
"""Mercurial 7.0 has tuples for what are objects in 7.1 and 7.2: not served here."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mercurial import localrepo, revlogutils
from mercurial import vfs as vfsmod
from mercurial.revlogutils import constants

from ..engine import format
from .detect import arguments_of

_TRY = constants.DELTA_BASE_REUSE_TRY
_OF_VERSION_4 = (
    'compression',
    'quality',
    'raw_text_size',
    'snapshot_level',
    'other_storage_delta_base',
)
_KEYWORDS = 'u_full_text' in arguments_of(
    getattr(getattr(revlogutils, 'CachedDelta', None), '__init__', None)
)


# Mercurial 7.0 and 7.1: to open a file for writing tells the fncache of it, if that
# is loaded, also where the file is not new
REGISTERS_OPENED = not hasattr(vfsmod.abstractvfs, 'filter_name')
# whose method ``file`` a repository without extensions has
FILE_STORAGE: Any = getattr(localrepo, 'revlogfilestorage', localrepo.localrepository)


def policy_is_default(policy: Any) -> bool:
    """Is an incoming delta used where it is good, and else not?"""
    return policy is None or policy == _TRY


def are_objects() -> bool:
    """Are incoming revisions objects with the fields that we know?"""
    return hasattr(revlogutils, 'InboundRevision') and hasattr(
        revlogutils, 'CachedDelta'
    )


def is_encoded(revision: Any) -> bool:
    """Does an incoming revision carry more than a plain delta (changegroup 4)?"""
    return any(getattr(revision, name, None) is not None for name in _OF_VERSION_4)


def cached_delta(base: int, delta: bytes, text: bytes | None) -> Any:
    """The delta ``delta`` against the rev ``base``, and the text if it is known."""
    if _KEYWORDS:
        return revlogutils.CachedDelta(
            base=base, u_delta=delta, u_full_text=text, reuse_policy=_TRY
        )
    return revlogutils.CachedDelta(base, delta, _TRY, None)


def entries(
    inline: bytes | bytearray | memoryview, first: int
) -> Iterator[tuple[int, int, tuple[Any, ...]]]:
    """The index entries in a piece of an inline revlog, whose first rev is ``first``.

    For each where it stands and where its chunk ends in the piece, and the entry as
    Mercurial appends it to an index of format 1.
    """
    at = 0
    while at < len(inline):
        where, stored, size, base, link, p1, p2, node = format.ENTRY.unpack_from(
            inline, at
        )
        if not first and not at:
            where &= 0xFFFFFFFF  # the header of the index stands there
        entry = where, stored, size, base, link, p1, p2, node, *format.SUFFIX
        end = at + format.ENTRY_SIZE + stored
        yield at, end, entry
        at = end
