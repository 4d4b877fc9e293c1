# The file logs' part of a changegroup.
# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mercurial import txnutil
from mercurial.i18n import _

from .. import process
from ..engine import deltagroup, format, randomaccess
from . import ahead, sources
from . import templates as templatesmod

_LENGTH = format.CHUNK_LENGTH
_FILE_TASKS = 1400  # at the most


class FileGroups:
    """One group for each file that was changed, in the order of their names.

    ``clnode_of`` maps the revs of the changesets that are sent to their nodes.
    """

    def __init__(self, sender: Any, clnode_of: dict[int, bytes]) -> None:
        self._sender = sender
        self._packer = sender.packer
        self._repo = repo = sender.repo
        self._clnode_of = clnode_of
        self._neutral = sources.neutral_flags()
        self._opener = repo.svfs
        store = repo.store
        self._radix = getattr(store, 'filelog_radix_for_reading', _plain_radix)
        # in a transaction a file log may be where only Mercurial knows
        self._settled = repo.currenttransaction() is None and not (
            txnutil.mayhavepending(repo.root)
        )
        self._names = sorted(sender.changedfiles)
        self._out = deltagroup.Pieces()

    def tasks(self, single: bool) -> list[Any]:
        """The files, cut into tasks; ``single``: each is one."""
        if single:
            return [(self, i, i + 1) for i in range(len(self._names))]
        return ahead.cut(self, len(self._names), _FILE_TASKS, 1)

    def stream(self, tasks: list[Any], made_ahead: Any, number: int) -> Iterator[bytes]:
        """The groups of all files; ``number`` is that of the first task."""
        names = self._names
        note = self._packer._verbosenote
        progress = self._repo.ui.makeprogress(
            _(b'files'), unit=_(b'files'), total=len(names)
        )
        for i, (_part, _start, stop) in enumerate(tasks):
            size = 0
            for piece in made_ahead.pieces(number + i):
                size += len(piece)
                yield piece
            if size:
                name = names[stop - 1]
                progress.update(stop, item=name)
                note(_(b'%8.i  %s\n') % (size, name))
        progress.complete()

    def pieces(self, start: int, stop: int) -> Iterator[bytes]:
        """The groups of ``names[start:stop]``."""
        for name in self._names[start:stop]:
            yield from self.group(name)
            if self._out.size >= deltagroup.PIECE:
                yield self._out.take()
        if self._out.size:
            yield self._out.take()

    def group(self, name: bytes) -> Iterator[bytes]:
        """The group of one file, with its name; the rest of it is left in ``_out``."""
        sender = self._sender
        out = self._out
        planned = self._plan(name)
        if planned is None:
            process.counters.emitted['filelog by Mercurial'] += 1
            yield from self._by_mercurial(name)
            return
        source, revs, links, rl = planned
        if not revs:
            return
        bases = deltagroup.plan(source, revs, sender.mode, self._neutral)
        if bases is None:
            process.counters.emitted['filelog by Mercurial'] += 1
            yield from self._by_mercurial(name)
            return
        out.add(_LENGTH.pack(len(name) + 4) + name)
        made = self._made(name, rl)
        yield from deltagroup.pieces(
            source, revs, bases, links, sender.layout, made, sender.mode, out
        )
        out.add(deltagroup.CLOSE)

    def _plan(self, name: bytes) -> Any:
        """``(source, revs, links, revlog or None)``; None: for Mercurial to send."""
        source: deltagroup.Source | None = None
        rl = None
        if self._settled:
            source = self._closed_source(name)
        if source is None:
            log = self._repo.file(name)
            if sources.is_plain_filelog(log):
                rl = log.get_revlog()
                source = sources.source_of(rl) if sources.is_plain_revlog(rl) else None
            if source is None or not source.revisions:
                return None
        entries = source.entries
        common = self._sender.commonrevs
        revs = []
        links = []
        if self._sender.fast:
            clnode_of = self._clnode_of.get
            for rev in range(source.revisions):
                linkrev = entries[rev][4]
                link = clnode_of(linkrev)
                if link is not None and linkrev not in common:
                    revs.append(rev)
                    links.append(link)
            return source, revs, links, rl
        wanted = self._sender.fnodes.get(name)
        if not wanted:
            return source, revs, links, rl
        for rev in range(source.revisions):
            entry = entries[rev]
            link = wanted.get(entry[7])
            if link is not None and entry[4] not in common:
                revs.append(rev)
                links.append(link)
        return source, revs, links, rl

    def _closed_source(self, name: bytes) -> deltagroup.Source | None:
        """The file log read as it stands on the disk; None: to be opened."""
        templates = templatesmod.template_cache_of(self._opener)
        if templates is None:
            return None
        radix = self._radix(name)
        try:
            data = templates.storage.read_whole(radix + b'.i')
        except OSError:
            return None
        if templatesmod.header_of(data) not in templates.by_header:
            return None
        index = deltagroup.read_index(data)
        if index is None:
            return None
        entries, header = index
        nodes = {entry[7] for entry in entries}
        if len(nodes) != len(entries):
            return None
        if header & format.INLINE:

            def fetch(start: int, end: int) -> tuple[int, bytes]:
                return 0, data

            shift = format.ENTRY_SIZE
        else:
            shift = 0
            reader = randomaccess.RandomAccessFile(
                templates.storage, radix + b'.d', None
            )
            fetch = reader.fetch
        return deltagroup.Source(
            entries,
            len(entries) - 1,
            fetch,
            shift,
            bool(header & format.GENERAL_DELTA),
            False,
            templates.storage.hash_policy,
        )

    def _made(self, name: bytes, rl: Any) -> Any:
        made = None

        def make(rev: int, base: int) -> tuple[bytes, bytes]:
            nonlocal made
            if made is None:
                opened = self._repo.file(name).get_revlog() if rl is None else rl
                made = sources.make_delta(opened, self._sender.mode)
            return made(rev, base)

        return make

    def _by_mercurial(self, name: bytes) -> Iterator[bytes]:
        sender = self._sender
        groups = self._packer.generatefiles(
            [name],
            sender.commonrevs,
            sender.source,
            None,
            sender.fast,
            sender.fnodes,
            self._clnode_of,
        )
        if self._out.size:
            yield self._out.take()
        for path, deltas in groups:
            self._out.add(_LENGTH.pack(len(path) + 4) + path)
            yield self._out.take()
            yield from sender.by_mercurial(deltas)
            self._out.add(deltagroup.CLOSE)


def _plain_radix(name: bytes) -> bytes:
    return b'data/' + name
