# A group of manifests that is worked out by another process.
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the rest of a group appends to the manifest's revlog, worked out elsewhere.

The group is in a file without a name.  A forked process works out what it appends, in
a copy of the revlog (:mod:`..engine.additions`), and puts that into another such file;
the process that holds the lock copies it, and may do something else meanwhile: nothing
reads manifests before all files of the changegroup are there.  What cannot be worked
out is added here, one by one, by the code that would have added it in the first place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from mercurial.revlogutils import nodemap

from .. import process
from ..engine import additions, format, tails
from . import adding

_counters = process.counters


class ManifestGroup:
    """Revisions on their way into the manifest's revlog ``rl``, which is not inline.

    ``incoming()`` gives them anew each time, as the engine takes them, and
    ``add()`` adds them in this process, one by one, and raises what ``addgroup``
    raises.  ``link_of`` is as for file logs, ``group`` is where they are kept.
    """

    def __init__(
        self,
        rl: Any,
        transaction: Any,
        group: tails.Spool,
        link_of: Callable[[bytes], int | None],
        incoming: Callable[[], Iterator[additions.Incoming]],
        add: Callable[[], None],
    ) -> None:
        self.rl = rl
        self.group = group
        self.add = add
        self._transaction = transaction
        self._link_of = link_of
        self._incoming = incoming
        self.room: tails.Spool | None = None

    def close(self) -> None:
        """Let go of the files, which are of no more use."""
        self.group.close()
        if self.room is not None:
            self.room.close()

    def make_room(self, directory: bytes) -> bool:
        """Make room for what another process, forked later, finds out; is there any?"""
        try:
            if self.has_room(directory):
                self.room = tails.Spool(directory)
        except OSError:
            pass
        return self.room is not None

    def has_room(self, directory: bytes) -> bool:
        """Is there much more room in ``directory`` than this takes, and is to take?"""
        return tails.has_room(directory, len(self.group))

    def work_out_for_another(self) -> tuple[int, ...]:
        """In a forked process: what :meth:`append` is to be given; the rest is in room.

        Raises as :meth:`work_out`.
        """
        room = self.room
        assert room is not None
        try:
            outcome = self.work_out()
            if outcome.to_data is None:
                raise additions.Uncommon('an inline revlog')
            # the data are there, from the beginning
            data = len(room)
            room.extend(outcome.to_index)
            room.flush()
        except BaseException:
            room.clear()
            raise
        return (
            outcome.revs_before,
            outcome.added,
            outcome.index_size,
            len(room) - data,
            outcome.data_size,
            data,
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

    def append(self, facts: tuple[int, ...]) -> bool:
        """Write what was worked out.  False: it does not fit, nothing was written."""
        rl = self.rl
        inner = rl._inner
        room = self.room
        assert room is not None
        revs_before, added, index_size, to_index, data_size, to_data = facts
        if rl._inline or len(inner.cindex) != revs_before:
            return False
        with rl._writing(self._transaction):
            index, data, _sidedata = inner.writer.handles
            if index.tell() != index_size or data.tell() != data_size:
                return False
            self.group.clear()
            append = inner.cindex.append
            suffix = format.SUFFIX
            room.restart(to_data + to_index)
            # the order of writing is data first
            for start in range(0, to_data, tails.PIECE):
                data.write(room[start : min(start + tails.PIECE, to_data)])
            entries = room[to_data:]
            for fields in format.ENTRY.iter_unpack(entries):
                append((*fields, *suffix))
            index.write(entries)
            nodemap.setup_persistent_nodemap(self._transaction, rl)
        inner.storage.share.appended += added
        _counters.entries += added
        return True
