# The inner revlog as Mercurial 7.0 and 7.1 expect it.
# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from ..engine import inner


class InnerRevlog(inner.InnerRevlog):
    """Adds the one-text cache that the outer revlog reads and writes itself."""

    _recent: tuple[bytes, int, bytes] | None = None

    @property
    def _revisioncache(self) -> tuple[bytes, int, bytes] | None:
        """``(node, rev, raw text)`` as last set, or None."""
        return self._recent

    @_revisioncache.setter
    def _revisioncache(self, cached: tuple[bytes, int, bytes] | None) -> None:
        if cached is None:
            # Mercurial found that the text does not match its node
            if self._recent is not None:
                self.drop_text(self._recent[1])
        else:
            _node, rev, text = cached
            if rev is not None and 0 <= rev < len(self.cindex):
                self.keep_text(rev, text, False)
        self._recent = cached

    def forget(self) -> None:
        self._recent = None
        super().forget()

    def raw_text(self, node: bytes, rev: int) -> bytes:
        """The raw text of ``rev``, which the caller checks."""
        return self.unchecked_text(rev)[0]
