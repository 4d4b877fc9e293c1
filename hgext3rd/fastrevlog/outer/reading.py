# Reading one revision's text, from Mercurial's call to the answer.
# SPDX-License-Identifier: GPL-2.0-or-later
"""``revlog._revisiondata`` without the general machinery.

Where no flag alters the text, and the class of the revlog reads as Mercurial's
does, the text comes from the inner revlog at once; everything else is left to
Mercurial's function.
"""

from __future__ import annotations

import operator
from typing import Any

from mercurial import error, revlog

from .. import fallback, unchanged
from ..engine import errors

# the methods of the outer revlog that the short way leaves out
LEFT_OUT = ('_rawtext', 'checkhash', 'flags', 'hash', 'node', 'parents', 'rev')
_functions_of = operator.attrgetter(*LEFT_OUT)
# how a class of revlog reads a revision: in a way of its own, as Mercurial's
# revlog does, or so once the revision is known not to be filtered (repoview)
CUSTOM, PLAIN, FILTERED = 0, 1, 2
_PLAIN_MODULES = ('mercurial.revlog',)
_FILTERED_MODULES = ('mercurial.revlog', 'mercurial.repoview')
_MOST_CLASSES = 64  # Mercurial makes a class for each filtered changelog
# an attribute of a revlog: how many it had when none of LEFT_OUT was among them
LOOKED_AT = '_fastrevlog_looked_at'


def how_it_reads(cls: type) -> int:
    """``CUSTOM``, ``PLAIN`` or ``FILTERED``, by where its methods were written."""
    if unchanged.methods_are_of(cls, _PLAIN_MODULES, LEFT_OUT):
        return PLAIN
    if unchanged.methods_are_of(cls, _FILTERED_MODULES, LEFT_OUT):
        return FILTERED
    return CUSTOM


def is_untouched(rl: Any) -> bool:
    """Was none of :data:`LEFT_OUT` put on the revlog ``rl`` itself?

    Notes how many attributes it has, which tells whether there is one more later.
    """
    if unchanged.has_own(rl, LEFT_OUT):
        return False
    attributes = rl.__dict__
    attributes[LOOKED_AT] = 0
    attributes[LOOKED_AT] = len(attributes)
    return True


def make_revisiondata(place: Any) -> Any:
    """For ``revlog._revisiondata``."""
    orig = place.stock
    altering = place.api.altering_flags
    inner_class = place.api.inner
    expected = fallback.STORAGE_ERRORS
    stock = revlog._InnerRevlog
    load_inner = unchanged.stock_of(place.holder._load_inner)
    # class -> its methods, and how it reads with them
    classes: dict[type, tuple[tuple[Any, ...], int]] = {}

    def look_at(cls: type) -> tuple[tuple[Any, ...], int]:
        if len(classes) >= _MOST_CLASSES:
            classes.clear()
        known = classes[cls] = (_functions_of(cls), how_it_reads(cls))
        return known

    def _revisiondata(
        self: Any, nodeorrev: Any, raw: bool = False, validate: bool = True
    ) -> bytes:
        inner = self._inner
        if inner.__class__ is inner_class and validate:
            cls = self.__class__
            known = classes.get(cls)
            if known is None or known[0] != _functions_of(cls):
                known = look_at(cls)
            how = known[1]
            attributes = self.__dict__
            if how and (
                attributes.get(LOOKED_AT) == len(attributes) or is_untouched(self)
            ):
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
