# The inner revlog as Mercurial 7.0 and 7.1 expect it.
# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from ..engine import inner


class InnerRevlog(inner.InnerRevlog):
    """Adds the one-text cache that the outer revlog reads and writes itself."""

    @property
    def _revisioncache(self) -> None:
        """None, so that Mercurial asks for the text, which may well be cached.

        What it finds here it would take without asking whether the revision is
        filtered, or the text was ever checked.
        """
        return None

    @_revisioncache.setter
    def _revisioncache(self, cached: tuple[bytes, int, bytes] | None) -> None:
        if cached is not None:
            _node, rev, text = cached
            if rev is not None and 0 <= rev < len(self.cindex):
                self.keep_text(rev, text, False)

    def raw_text(self, node: bytes, rev: int) -> bytes:
        """The raw text of ``rev``, which the caller checks."""
        return self.unchecked_text(rev)[0]
