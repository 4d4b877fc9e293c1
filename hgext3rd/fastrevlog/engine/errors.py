# The errors the engine raises, in Mercurial's own classes.
# SPDX-License-Identifier: GPL-2.0-or-later
"""Bad input gets Mercurial's ``RevlogError``, which ``hg`` shows as ``abort:``."""

from __future__ import annotations

from mercurial import error
from mercurial.i18n import _

RevlogError = error.RevlogError
ProgrammingError = error.ProgrammingError


def short_read(name: bytes, offset: int, wanted: int, got: int) -> RevlogError:
    """The file ends before the bytes an index entry promises (all in bytes)."""
    return RevlogError(
        _(b'revlog %s is too short: wanted %d bytes at offset %d, found %d')
        % (name, wanted, offset, got)
    )


def bad_chunk(name: bytes, rev: int, why: bytes) -> RevlogError:
    """The stored chunk of ``rev`` cannot be turned into data."""
    return RevlogError(
        _(b'revlog decompress error: %s (revision %d of %s)') % (why, rev, name)
    )


def unknown_compression(header: bytes) -> RevlogError:
    """No engine is registered for this chunk header (one byte)."""
    return RevlogError(_(b'unknown compression type %s') % header.hex().encode('ascii'))


def bad_delta(name: bytes, rev: int, why: bytes) -> RevlogError:
    """A delta does not fit the text it is to be applied to."""
    return RevlogError(
        _(b'delta chain of revision %d of %s is corrupted: %s') % (rev, name, why)
    )


def bad_index(name: bytes, rev: int, why: bytes) -> RevlogError:
    """An index entry contradicts the others."""
    return RevlogError(
        _(b'index of %s is corrupted at revision %d: %s') % (name, rev, why)
    )


def bad_text(name: bytes, rev: int) -> RevlogError:
    """The restored text does not have the node that the index says."""
    return RevlogError(_(b'integrity check failed on %s:%d') % (name, rev))
