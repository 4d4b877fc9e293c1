# Is the changeset that a file revision was linked to an ancestor?
# SPDX-License-Identifier: GPL-2.0-or-later
"""``basefilectx._adjustlinkrev``, which is asked for each file revision of a history.

``follow()``, ``introrev`` and pages of hgweb ask it.  Mercurial makes an object for
the ancestors of the changeset it came from, and asks that one question of it.  Here
the C index is asked at once.  Where the answer is no, Mercurial looks for another
changeset.
"""

from __future__ import annotations

from typing import Any

from mercurial import ancestor

from .. import unchanged
from ..compat.detect import arguments_of
from ..engine import index as indexmod

_ARGUMENTS = 'self srcrev inclusive stoprev'
# what of Mercurial is left out where an ancestor is found
LEFT_OUT = ('ancestors', 'node', 'parentrevs', '_uncheckedparentrevs')
_HOMES = ('mercurial.changelog', 'mercurial.revlog')
LEFT_OUT_OF_WALKS = ('__init__', '__contains__')
_WALK_HOMES = ('mercurial.ancestor',)
_SEEN = '_fastrevlog_asked'  # an attribute of a changelog
_C_ERRORS = (ValueError, IndexError, OverflowError, TypeError)


def make_adjustlinkrev(place: Any) -> Any:
    """For ``basefilectx._adjustlinkrev``."""
    orig = place.stock
    if arguments_of(orig) != _ARGUMENTS:
        return None

    def _adjustlinkrev(
        self: Any, srcrev: int | None, inclusive: bool = False, stoprev: Any = None
    ) -> int | None:
        if type(srcrev) is int and getattr(self, '_ancestrycontext', None) is None:
            repo = self._repo.unfiltered()
            # loaded by now, or Mercurial loads it, and says what is wrong with it
            if 'manifestlog' in repo.__dict__:
                cl = repo.changelog
                linkrev: int = self.linkrev()
                if linkrev == srcrev or _is_ancestor(cl, linkrev, srcrev):
                    return linkrev
        return orig(self, srcrev, inclusive, stoprev)

    return _adjustlinkrev


def _is_ancestor(cl: Any, old: int, new: int) -> bool:
    """Is ``old`` known to be an ancestor of ``new``, and nobody else to be asked?"""
    index = getattr(cl, 'index', None)
    return (
        0 <= old < new
        and isinstance(index, indexmod.IndexProxy)
        and new < len(index)
        and _is_plain(cl)
        and _reaches(index, old, new)
    )


def _reaches(index: Any, old: int, new: int) -> bool:
    try:
        return bool(index.reachableroots2(old, [new], [old], False))
    except _C_ERRORS:
        # damaged
        return False


def _is_plain(cl: Any) -> bool:
    """Is nothing but Mercurial's code, or ours, left out?

    Found out once, and again when other functions are in their places.
    """
    cls = type(cl)
    attributes = cl.__dict__
    walk = ancestor.lazyancestors
    there = (
        cls.ancestors,
        cls.node,
        cls.parentrevs,
        cls._uncheckedparentrevs,
        walk.__init__,
        walk.__contains__,
    )
    if attributes.get(_SEEN) == there and attributes.keys().isdisjoint(LEFT_OUT):
        return True
    if not (
        unchanged.everywhere_of(cl, _HOMES, LEFT_OUT)
        and unchanged.methods_are_of(walk, _WALK_HOMES, LEFT_OUT_OF_WALKS)
    ):
        return False
    attributes[_SEEN] = there
    return True
