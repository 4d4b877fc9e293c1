# A group of manifests that is worked out by another process.
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the rest of a group appends to the manifest's revlog, worked out elsewhere.

The group is held in memory.  A forked process works out what it appends, in a copy of
the revlog (:mod:`..engine.additions`); the process that holds the lock writes that,
and may do something else meanwhile: nothing reads manifests before all files of the
changegroup are there.  What cannot be worked out is added here, one by one, by the
code that would have added it in the first place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from mercurial.revlogutils import deltas as hgdeltas
from mercurial.revlogutils import nodemap

from .. import process
from ..compat import incoming as incomingmod
from ..engine import additions, format
from . import adding

_counters = process.counters


class ManifestGroup:
    """Revisions on their way into the manifest's revlog ``rl``, which is not inline.

    ``incoming()`` gives them anew each time, as the engine takes them, and
    ``add()`` adds them in this process, one by one, and raises what ``addgroup``
    raises.  ``link_of`` is as for file logs, ``size`` the bytes of the group.
    """

    def __init__(
        self,
        rl: Any,
        transaction: Any,
        size: int,
        link_of: Callable[[bytes], int | None],
        incoming: Callable[[], Iterator[additions.Incoming]],
        add: Callable[[], None],
    ) -> None:
        self.rl = rl
        self.size = size
        self.add = add
        self._transaction = transaction
        self._link_of = link_of
        self._incoming = incoming

    def work_out(self) -> additions.Outcome:
        """What is appended.  In a process of its own: the revlog is used up by it.

        Raises :class:`additions.Uncommon` and what reading raises.
        """
        rl = self.rl
        # the copy in memory has neither a file to split nor a map to be kept
        rl._enforceinlinesize = _nothing
        rl._nodemap_file = None
        computer = hgdeltas.deltacomputer(rl)

        def search(
            incoming: additions.Incoming, link: int, base: int, text: bytes | None
        ) -> None:
            node, p1, p2, _base_node, _changeset, flags, delta = incoming
            rl._addrevision(
                node,
                text,
                adding.NoTransaction,
                link,
                p1,
                p2,
                flags,
                incomingmod.cached_delta(base, delta, text),
                deltacomputer=computer,
                sidedata={},
            )

        constants = rl.nodeconstants
        group = additions.Additions(
            rl._inner,
            rl._format_flags | rl._format_version,
            adding.limits_of(rl.delta_config),
            False,
            frozenset({constants.wdirid, *constants.wdirfilenodeids}),
            search,
        )
        try:
            return group.add_all(self._incoming(), self._link_of)
        finally:
            group.close()

    def append(self, outcome: additions.Outcome) -> bool:
        """Write ``outcome``; False, and nothing was written: it does not fit."""
        rl = self.rl
        inner = rl._inner
        if rl._inline or len(inner.cindex) != outcome.revs_before:
            return False
        with rl._writing(self._transaction):
            index, data, _sidedata = inner.writer.handles
            if (
                outcome.to_data is None
                or index.tell() != outcome.index_size
                or data.tell() != outcome.data_size
            ):
                return False
            append = inner.cindex.append
            suffix = format.SUFFIX
            # the order of writing is data first
            data.write(outcome.to_data)
            for fields in format.ENTRY.iter_unpack(outcome.to_index):
                append((*fields, *suffix))
            index.write(outcome.to_index)
            nodemap.setup_persistent_nodemap(self._transaction, rl)
        inner.storage.share.appended += outcome.added
        _counters.entries += outcome.added
        return True


def _nothing(transaction: Any) -> None:
    """In the place of ``revlog._enforceinlinesize``."""
