# Parents of revisions, for walks over the whole history.
# SPDX-License-Identifier: GPL-2.0-or-later
"""Mercurial's walks in Python (``missingancestors``, ``dagop``) ask for the parents
of one revision after the other, millions of times in a large repository, and each
answer costs a whole index entry.  After some hundred questions the parents of all
revisions are put into a dictionary, once, and are answered from there.

Revisions that are added later are not in it and are asked for as before; a strip
throws it away (:class:`.engine.index.IndexProxy`).
"""

from __future__ import annotations

from typing import Any

from .engine import index as indexmod

# making the table costs about as much as this part of its answers saves
_PATIENCE = 4  # questions per revision, as a divisor: len(index) // 4


def make_parentrevs(orig: Any) -> Any:
    """Wrap ``revlog.parentrevs``."""
    proxy_class = indexmod.IndexProxy

    def parentrevs(self: Any, rev: int) -> tuple[int, int]:
        index = self.index
        if isinstance(index, proxy_class):
            parents = index.parents
            if parents is not None:
                found = parents.get(rev)
                if found is not None:
                    return found
            else:
                index.asked += 1
                if index.asked > 512 and index.asked > len(index) // _PATIENCE:
                    index.tabulate(self.feature_config.canonical_parent_order)
        return orig(self, rev)

    return parentrevs
