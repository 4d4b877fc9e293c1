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

from mercurial.revlogutils import nodemap

from .. import process
from ..engine import additions, format, tails
from . import adding

_counters = process.counters
_PIECE = 1 << 20  # bytes; written at a time, so that no more is copied


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
        self.room: tails.SharedTail | None = None

    def make_room(self) -> bool:
        """Make room for what another process, forked later, finds out; is there any?"""
        try:
            self.room = tails.SharedTail(self.size)
        except (OSError, ValueError):
            return False
        return True

    def work_out_for_another(self) -> tuple[int, ...]:
        """In a forked process: what :meth:`outcome_of` is to be given.

        Raises as :meth:`work_out`.
        """
        outcome = self.work_out()
        room = self.room
        assert room is not None
        if outcome.to_data is None:
            raise additions.Uncommon('an inline revlog')
        # the data are there, from the beginning
        data = len(room)
        room.extend(outcome.to_index)
        return (
            outcome.revs_before,
            outcome.added,
            outcome.index_size,
            len(room) - data,
            outcome.data_size,
            data,
            outcome.data_after,
        )

    def outcome_of(self, facts: tuple[int, ...]) -> additions.Outcome:
        """The outcome that another process has found out."""
        assert self.room is not None
        room = memoryview(self.room.memory)
        revs, added, index_size, index, data_size, data, data_after = facts
        to_data, to_index = room[:data], room[data : data + index]
        return additions.Outcome(
            revs, added, index_size, to_index, data_size, to_data, data_after
        )

    def work_out(self) -> additions.Outcome:
        """What is appended.  In a process of its own: the revlog is used up by it.

        Raises :class:`additions.Uncommon` and what reading raises.
        """
        rl = self.rl
        # nor is a map kept of a copy
        rl._nodemap_file = None
        group = additions.Additions(
            rl._inner,
            rl._format_flags | rl._format_version,
            adding.limits_of(rl.delta_config),
            False,
            adding.forbidden_nodes(rl.nodeconstants),
            adding.search_of(rl),
            self.room,
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
            for start in range(0, len(outcome.to_data), _PIECE):
                data.write(outcome.to_data[start : start + _PIECE])
            for fields in format.ENTRY.iter_unpack(outcome.to_index):
                append((*fields, *suffix))
            index.write(outcome.to_index)
            nodemap.setup_persistent_nodemap(self._transaction, rl)
        inner.storage.share.appended += outcome.added
        _counters.entries += outcome.added
        return True
