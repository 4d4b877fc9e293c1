# Incoming revisions that are appended one by one.
# SPDX-License-Identifier: GPL-2.0-or-later
"""The decisions of :mod:`.additions`, within an open write context.

For manifest and changelog, which are large and few: what is added is asked for before
the next revision is read.
"""

from __future__ import annotations

from mercurial import mdiff

from . import additions, format


class Appends(additions.Additions):
    """Appends to a revlog whose data are in a file of their own."""

    def _open_tails(self) -> None:
        self.refresh()
        index, data, _sidedata = self.inner.writer.handles
        self._to_index, self._to_data = index.write, data.write

    def _keep(self, rev: int, content: bytes) -> None:
        # such a revlog lives on: what it remembers is bounded
        self.inner.restorer.keep_chunk(rev, content)

    def refresh(self) -> None:
        """Others have appended."""
        revs = len(self.cindex)
        self.offset = self.inner.end(revs - 1) if revs else 0

    def append_delta(
        self, node: bytes, link: int, revs: tuple[int, int, int], delta: bytes
    ) -> bool:
        """Append a revision as ``delta``; ``revs`` is its base and parents.

        False, and nothing has happened, if it is not to be stored so.  The base is
        not null and has no flags.
        """
        base, p1, p2 = revs
        try:
            size = mdiff.patchedsize(self.cindex[base][2], delta)
        except additions.PATCH_ERRORS:
            return False
        chunk = self._chunk_of_delta(base, p1, p2, delta, size) if size else None
        if chunk is None:
            return False
        self._append((len(self.cindex), base, link, p1, p2, node, size), chunk, delta)
        return True

    def text_of(self, base: int, delta: bytes) -> bytes:
        """The text that ``delta`` makes of that of ``base``; raises as reading does."""
        return self._text(base, self.cindex[base][2], delta)


class WholeTexts(Appends):
    """Appends to a revlog that stores every text whole: the changelog."""

    def append_text(self, node: bytes, link: int, p1: int, p2: int, text: bytes) -> int:
        """Append a revision that is not the first one, and not empty; its rev."""
        cindex = self.cindex
        rev = len(cindex)
        header, body = self._compressed(text)
        stored = len(header) + len(body)
        where = self.offset << format.OFFSET_SHIFT
        size = len(text)
        cindex.append((where, stored, size, rev, link, p1, p2, node, *format.SUFFIX))
        if header:
            self._to_data(header)
        self._to_data(body)
        self._to_index(cindex.entry_binary(rev))
        self.offset += stored
        return rev
