# The files of a changegroup: read, worked out, written.
# SPDX-License-Identifier: GPL-2.0-or-later
"""The stage of `unbundle` and its like that takes longest.  Manifests that were put
aside (:mod:`..outer.manifests`) are worked out at the same time.

This process reads the stream, cuts it into groups, one for each file, and writes what
each appends, in the order of the stream.  Working out what that is needs no more than
the group and the file as it is, so worker processes do it, where there is enough to
do and a processor to spare.  They write nothing: the transaction, the store's list of
files, the counts, the messages and the order of all that are as they are without
them, and a worker that dies leaves nothing behind but a group that has no answer.
Such a group, as any that is not common in every respect, is added by Mercurial's own
code, here.
"""

from __future__ import annotations

import collections
import gc
import marshal
import struct
from collections.abc import Callable
from typing import Any

from mercurial import error, revlog
from mercurial.i18n import _

from .. import fallback, process
from ..engine import additions, format
from ..outer import adding, appending
from ..outer import manifests as manifestsmod
from ..workers import decision
from ..workers import groups as groupsmod
from . import changegroups

_counters = process.counters
# bytes; a group that is larger is added by Mercurial, which need not hold it whole
GROUP_LIMIT = 64 << 20
# bytes of tasks that may wait for their turn
_QUEUE_LIMIT = 4 << 20
# bytes of groups: 50 ms of work for one process; to fork two took 11 ms of processor
# time, in a process of 120 MB
_ENOUGH = 4 << 20
_LOOK = 4 << 20  # bytes of groups
_OWN_SOURCES = (b'unbundle', b'pull', b'strip', b'bundle')
_NAME_LENGTH = struct.Struct('<I')
_MANIFESTS = b''  # the task that is no file
_BESIDE = 'manifests of a changegroup'  # in reports


def how_many(ui: Any, transaction: Any) -> tuple[int, int]:
    """How many processes may work out what groups append, and for how many bytes.

    A number that the user has set holds for whatever there is to do.
    """
    workers, wanted, reason = decision.workers_for(ui)
    # whoever serves many has other requests for its cores
    if reason or transaction.hookargs.get(b'source') not in _OWN_SOURCES:
        return 1, 0
    return workers, 0 if wanted else _ENOUGH


def _start(name: bytes) -> int:
    """Where in the task of ``name`` its group begins."""
    return _NAME_LENGTH.size + len(name)


def _work_out_manifests(manifests: Any) -> bytes | None:
    try:
        return marshal.dumps(manifests.work_out_for_another())
    except additions.Uncommon:
        return None
    except fallback.STORAGE_ERRORS:
        return None  # Mercurial says it, if it finds so, too


class FilesStage:
    """The files of one changegroup."""

    def __init__(
        self,
        repo: Any,
        source: Any,
        revmap: Any,
        trp: Any,
        kwargs: dict[str, Any],
        here: Any,
    ) -> None:
        self.repo = repo
        self.source = source
        self.revmap = revmap
        self.trp = trp
        self.kwargs = kwargs
        self.reader = source._stream
        self.header_size = changegroups.header_size(source.version)
        self.file_logs = adding.FileLogs(
            here.files,
            self.open_filelog,
            bool(repo.svfs.options.get(b'issue6528.fix-incoming', True)),
            adding.forbidden_nodes(repo.nodeconstants),
            revlog.parse_index_v1,
        )
        self.appender = appending.Appender(
            here.files, repo.svfs, repo.svfs.vfs, trp, self.open_filelog
        )
        self.link_of: Callable[[bytes], int | None] = repo.changelog.index.get_rev
        self.progress: Any = None
        self.revisions = 0
        self.workers, self.enough = how_many(repo.ui, trp)
        self.pool: groupsmod.TaskPool | None = None
        # what the pool has to do, or has done: name, task, its number
        self.queue: collections.deque[tuple[bytes, bytes, int]] = collections.deque()
        self.queued: set[bytes] = set()
        self.queued_size = 0  # bytes of groups
        self.seen = 0  # bytes of groups so far
        # what was put aside of the manifests, and the number of its task
        self.manifests: manifestsmod.ManifestGroup | None = None
        self.manifests_task = -1
        self.next_look = 0  # bytes of groups: when to ask for room again

    def open_filelog(self, name: bytes) -> Any:
        return self.repo.file(name, writable=True)

    def run(self, expected: int) -> tuple[int, int]:
        """Add all files; ``(revisions, files)`` as ``_addchangegroupfiles`` counts."""
        files = 0
        self.progress = self.repo.ui.makeprogress(
            _(b'files'), unit=_(b'files'), total=expected
        )
        try:
            self.begin_manifests()
            for header in iter(self.source.filelogheader, {}):
                files += 1
                self.take(header[b'filename'])
            self.finish_queued()
            self.finish_manifests()
        finally:
            self.end_pool()
            if self.manifests is not None:
                self.manifests.close()
        self.progress.complete()
        return self.revisions, files

    def take(self, name: bytes) -> None:
        """Add the group of ``name``, which comes next, or let the pool look at it."""
        if name in self.queued:
            self.finish_queued()
        task = None
        if self.is_plain(name):
            named = _NAME_LENGTH.pack(len(name)) + name
            task = self.reader.group(self.header_size, GROUP_LIMIT, named)
        if task is None:
            self.finish_queued()
            self.finish(name, None, None)
            return
        self.seen += len(task)
        pool = self.pool or self.start_pool()
        if pool is None:
            self.finish(name, task, self.work_out(name, task))
            return
        self.queue.append((name, task, pool.submit(task)))
        self.queued.add(name)
        self.queued_size += len(task)
        # what comes first may be large: the others need not wait for it
        while self.queue and (
            self.queued_size - len(self.queue[0][1]) > _QUEUE_LIMIT
            or pool.ready(self.queue[0][2])
        ):
            self.finish_first(pool)
        if self.manifests is not None and (
            pool.answered(self.manifests_task) or self.is_short_of_room()
        ):
            self.finish_manifests()

    def is_short_of_room(self) -> bool:
        """Does what was put aside take room on the disk that files may need?"""
        if self.seen < self.next_look:
            return False
        self.next_look = self.seen + _LOOK
        assert self.manifests is not None
        return not self.manifests.has_room(self.repo.store.path)

    def begin_manifests(self) -> None:
        """Let a worker begin with the manifests that were put aside."""
        if self.manifests is None:
            return
        self.enough = 0
        directory = self.repo.store.path
        pool = self.start_pool() if self.manifests.make_room(directory) else None
        if pool is None:
            self.finish_manifests()
        else:
            # forked after the group was read, the workers have it
            self.manifests_task = pool.submit(_MANIFESTS, len(self.manifests.group))

    def finish_manifests(self) -> None:
        """Write the manifests that were put aside."""
        manifests, self.manifests = self.manifests, None
        if manifests is None:
            return
        answer = None
        if self.pool is not None:
            answer = self.pool.answer(self.manifests_task)
        if answer is not None and manifests.append(marshal.loads(answer)):
            done = _counters.by_workers
            done[_BESIDE] = done.get(_BESIDE, 0) + 1
            manifests.close()
            return
        if manifests.room is not None:
            manifests.room.close()
        try:
            manifests.add()
        finally:
            manifests.close()

    def start_pool(self) -> groupsmod.TaskPool | None:
        """Start worker processes, if there seems to be enough for them to do."""
        if self.workers < 2 or self.seen < self.enough:
            return None
        pool = groupsmod.TaskPool(self.answer, gc.freeze)
        try:
            pool.start(self.workers)
        except OSError:
            self.workers = 1
            return None
        self.pool = pool
        return pool

    def end_pool(self) -> None:
        if self.pool is not None:
            self.pool.close()
            self.pool = None

    def answer(self, task: bytes) -> bytes | None:
        """In a worker: the outcome of a group."""
        # once is enough, and by one worker: it is large
        manifests, self.manifests = self.manifests, None
        if task == _MANIFESTS:
            return _work_out_manifests(manifests)
        (length,) = _NAME_LENGTH.unpack_from(task)
        name = task[_NAME_LENGTH.size : _NAME_LENGTH.size + length]
        outcome = self.work_out(name, task)
        return None if outcome is None else marshal.dumps(tuple(outcome))

    def finish_first(self, pool: groupsmod.TaskPool) -> None:
        """Write what came first of what the pool was given."""
        name, task, number = self.queue.popleft()
        self.queued.discard(name)
        self.queued_size -= len(task)
        answer = pool.answer(number)
        outcome = None
        if answer is not None:
            outcome = additions.Outcome(*marshal.loads(answer))
            _counters.shared += 1
        self.finish(name, task, outcome)

    def finish_queued(self) -> None:
        """Write all that the pool was given."""
        while self.queue:
            assert self.pool is not None
            self.finish_first(self.pool)
        if self.pool is not None and not self.pool.workers:
            # they all died: go on alone
            self.end_pool()
            self.workers = 1

    def is_plain(self, name: bytes) -> bool:
        """Is there nothing special about the file log of ``name``?"""
        # one that was split in this transaction is in files of another name
        split = b'001-revlog-split-%d-%s' % (format.KIND_FILELOG, name)
        return not (name.startswith(b'/') or self.trp.hasfinalize(split))

    def work_out(self, name: bytes, task: bytes) -> additions.Outcome | None:
        """What the group of ``name`` appends to its file log; None: not known here."""
        counted = _counters.entries
        try:
            incoming = changegroups.deltas(task, self.source.version, _start(name))
            return self.file_logs.work_out(name, incoming, self.link_of)
        except additions.Uncommon:
            return None
        except fallback.STORAGE_ERRORS:
            # Mercurial says it, if it finds so, too
            return None
        except Exception as exc:
            process.internal_error(exc, b'data/' + name)
            return None
        finally:
            _counters.entries = counted

    def finish(
        self,
        name: bytes,
        task: bytes | None,
        outcome: additions.Outcome | None,
    ) -> None:
        """Write the file log of ``name``: ``outcome``, or in Mercurial's own way.

        ``task`` is None if its group was not taken from the stream.
        """
        self.repo.ui.debug(b'adding %s revisions\n' % name)
        self.progress.increment()
        if outcome is not None and self.appender.append(name, outcome):
            self.revisions += outcome.added
            _counters.served['filelog'] += 1
            _counters.entries += outcome.added
            _counters.groups += 1
            return
        reader = self.source._stream
        if task is not None:
            group = task[_start(name) :]
            self.source._stream = changegroups.Reader.over((group,))
        try:
            self.add_by_mercurial(name)
        finally:
            self.source._stream = reader

    def add_by_mercurial(self, name: bytes) -> None:
        """As ``_addchangegroupfiles`` does for each file."""
        fl = self.open_filelog(name)
        before = len(fl)
        try:
            added = fl.addgroup(
                self.source.deltaiter(), self.revmap, self.trp, **self.kwargs
            )
        except error.CensoredBaseError as exc:
            raise error.Abort(_(b'received delta base is censored: %s') % exc) from exc
        if not added:
            raise error.Abort(_(b'received file revlog group is empty'))
        self.revisions += len(fl) - before
