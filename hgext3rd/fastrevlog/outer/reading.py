# Reading one revision's text, from Mercurial's call to the answer.
# SPDX-License-Identifier: GPL-2.0-or-later
"""``revlog._revisiondata`` without the general machinery.

Where no flag alters the text, and the class of the revlog reads as Mercurial's
does, the text comes from the inner revlog at once; everything else is left to
Mercurial's function.
"""

from __future__ import annotations

from typing import Any

from mercurial import error, revlog

from .. import fallback
from ..compat import detect
from ..engine import errors

# how a class of revlog reads a revision: in a way of its own, as Mercurial's
# revlog does, or so once the revision is known not to be filtered (repoview)
CUSTOM, PLAIN, FILTERED = 0, 1, 2
# a class that replaces one of them reads or checks differently
_CUSTOMS = ('_rawtext', 'checkhash', 'hash', 'revision', 'rawdata', 'flags', 'node')


class _Ours:
    """What was found when the function was made."""

    altering = 0xFFFF
    plain: dict[str, Any] = {}
    ways: dict[type, int] = {}


_ours = _Ours()


def how_it_reads(cls: type) -> int:
    """``CUSTOM``, ``PLAIN`` or ``FILTERED``; looked at once for each class."""
    how = _ours.ways.get(cls)
    if how is not None:
        return how
    how = PLAIN
    for name, function in _ours.plain.items():
        used = getattr(cls, name)
        if used is not function:
            if getattr(used, '__module__', '') != 'mercurial.repoview':
                how = CUSTOM
                break
            how = FILTERED
    _ours.ways[cls] = how
    return how


def altering_flags() -> int | None:
    """The flags of a revision that alter the text of a file.

    None if Mercurial's revlog was changed (by an extension).
    """
    if not _ours.plain or how_it_reads(revlog.revlog) != PLAIN:
        return None
    return _ours.altering


def make_revisiondata(orig: Any, generation: detect.HgApi, load_inner: Any) -> Any:
    """Wrap ``revlog._revisiondata``; ``load_inner`` is Mercurial's."""
    altering = 0xFFFF & ~generation.neutral_flags
    expected = fallback.STORAGE_ERRORS
    stock = revlog._InnerRevlog
    outer = revlog.revlog
    ways = _ours.ways
    inner_class = generation.inner
    _ours.altering = altering
    _ours.plain = {name: getattr(outer, name) for name in _CUSTOMS}

    def _revisiondata(
        self: Any, nodeorrev: Any, raw: bool = False, validate: bool = True
    ) -> bytes:
        inner = self._inner
        if inner.__class__ is inner_class and validate:
            cls = self.__class__
            how = ways.get(cls)
            if how is None:
                how = how_it_reads(cls)
            if how:
                cindex = inner.cindex
                rev = nodeorrev
                if rev.__class__ is not int:
                    if isinstance(nodeorrev, int):
                        rev = int(nodeorrev)
                    else:
                        rev = cindex.get_rev(nodeorrev)
                if (
                    rev is not None
                    and 0 <= rev < len(cindex)
                    and (how == PLAIN or rev not in self.filteredrevs)
                ):
                    entry = cindex[rev]
                    if not entry[0] & altering:
                        try:
                            text = inner.checked_text(rev, entry)
                        except error.StorageError as exc:
                            damage = exc
                        except expected:
                            raise
                        except Exception as exc:
                            return fallback.read_by_mercurial(
                                self, exc, load_inner, lambda: orig(self, rev, raw=raw)
                            )
                        else:
                            if text is not None:
                                return text
                            damage = errors.bad_text(self.display_id, rev)
                        return fallback.ask_mercurial(
                            self, damage, stock, lambda: orig(self, rev, raw=raw)
                        )
        # null, unknown, flagged: Mercurial's own way
        if validate:
            return orig(self, nodeorrev, raw=raw)
        return orig(self, nodeorrev, raw=raw, validate=False)

    return _revisiondata
