# The errors the engine raises, in Mercurial's own classes.
# SPDX-License-Identifier: GPL-2.0-or-later
"""Bad input gets Mercurial's ``RevlogError``, which ``hg`` shows as ``abort:``."""

from __future__ import annotations

from mercurial import error
from mercurial.i18n import _
from mercurial.revlogutils import randomaccessfile

RevlogError = error.RevlogError
ProgrammingError = error.ProgrammingError


def short_read(name: bytes, offset: int, wanted: int, got: int) -> RevlogError:
    """The file ends before the bytes an index entry promises (all in bytes)."""
    # in Mercurial's words
    return RevlogError(randomaccessfile.PARTIAL_READ_MSG % (name, wanted, offset, got))


def bad_chunk(name: bytes, rev: int, why: bytes) -> RevlogError:
    """The stored chunk of ``rev`` cannot be turned into data."""
    return RevlogError(
        _(b'revlog decompress error: %s (revision %d of %s)') % (why, rev, name)
    )


def expands_too_far(name: bytes, limit: int) -> RevlogError:
    """A chunk expands to more than ``limit`` bytes, which no text accounts for."""
    return RevlogError(
        _(
            b'revlog decompress error: a chunk of %s expands beyond the %d bytes that'
            b' the sizes in its index allow'
        )
        % (name, limit),
        hint=_(
            b'the index is damaged, or the chunk is; --config fastrevlog.enabled=no'
            b' reads it without this bound on memory'
        ),
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


def corrupt_index(name: bytes, why: bytes) -> RevlogError:
    """As :func:`bad_index`, where it is not known for which revision."""
    return RevlogError(_(b'index of %s is corrupted: %s') % (name, why))


def bad_text(name: bytes, rev: int) -> RevlogError:
    """The restored text does not have the node that the index says."""
    return RevlogError(_(b'integrity check failed on %s:%d') % (name, rev))
