# The inner revlog as Mercurial 7.2 expects it.
# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from ..engine import format, inner


class InnerRevlog(inner.InnerRevlog):
    """Adds the text cache's methods, and raw texts with their validity."""

    def raw_text(self, rev: int) -> tuple[int, bytes, bool]:
        """``(rev, raw text, was it checked against its node)``."""
        if rev == format.NULL_REV:
            return rev, b'', True
        text, checked = self.unchecked_text(rev)
        if not checked:
            self.keep_text(rev, text, False)
        return rev, text, checked

    def cache_revision_text(self, rev: int, data: bytes, validated: bool) -> None:
        """Remember the raw text of ``rev``, as one to be checked when it is read.

        Mercurial says ``validated`` also where it was told not to check.
        """
        self.keep_text(rev, data, False)

    def get_cached_text(self, rev: int) -> tuple[int, bytes, bool] | None:
        """``(rev, raw text, was it checked)``, or None if it is not cached."""
        held = self.held_text(rev)
        return None if held is None else (rev, *held)

    def clear_cached_text(self, rev: int) -> None:
        """Forget the raw text of ``rev``."""
        self.drop_text(rev)

    def seen_file_size(self, size: int) -> None:
        """The caches share a budget of bytes; the size of a text sets nothing."""

    def record_uncompressed_chunk(self, rev: int, u_data: bytes) -> None:
        """Remember the chunk of a revision that was just added."""
        self.restorer.keep_chunk(rev, u_data)
