# Writing files into the working directory that are not there yet.
# SPDX-License-Identifier: GPL-2.0-or-later
"""``hg update`` and ``hg clone`` write thousands of new files, one by one.

Mercurial prepares each as if something were in its way: it looks for a directory,
tries to remove a file, makes the parent folder, opens through three layers, and
asks for the mode.  Here the file is created in one system call that succeeds only
if there is nothing, or a file that is removed first.  The path is audited by
Mercurial's auditor, one that remembers the folders that it found to be in order for
as long as the update goes on, where Mercurial looks at each of them again for every
file.  The text is read without the objects that Mercurial has around a file log, and
is not remembered: it is asked for once.

A file for which anything is different, or fails, is left to Mercurial's own code at
once, in its turn: it does what it does, in the order in which it does it, and what
cannot be done it says in its own words.

What all files have in common is made before Mercurial forks its workers, and they
find it there (:class:`Checkout`).

Only for what is plain: a working directory without backups or atomic replacement,
and classes that no extension has changed.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from typing import Any

from mercurial import context
from mercurial import vfs as vfsmod
from mercurial.dirstateutils import timestamp

from .. import fallback, process, stores, unchanged
from ..compat import update
from ..engine import vfs
from ..outer import templates
from ..workers import cpus
from . import filetexts, newfiles

_CHECKOUT = '_fastrevlog_checkout'  # an attribute of the working context
_PROGRESS_FILES = 100  # files; how often progress is told, as in Mercurial
_MIN_FILES_PER_WORKER = 500  # files; what a worker should at least have to write
_MOST_WORKERS = 64  # whose first files are known
_SAMPLE = 16  # files that are looked at to tell memory from disk
_CACHED_READ_SECONDS = (
    0.00005  # seconds; opening and reading a small file takes a disk longer
)
# what is damaged, missing, in the way or full: Mercurial finds the words
_EXPECTED = (ValueError, IndexError, *fallback.STORAGE_ERRORS)


# what of Mercurial is left out where a file is created: of a repository, and of others
_OF_REPOSITORY = ('wwrite', '_filter')
_OF_VFS = ('_auditpath', 'setflags', 'write', 'lstat', 'unlinkpath')
LEFT_OUT: unchanged.Rows = (
    (context.workingctx, ('__getitem__', 'filectx')),
    (context.workingfilectx, ('__init__', 'write', 'clearunknown', 'lstat')),
    (context.workingfilectx, ('audit', 'remove')),
    (vfsmod.vfs, _OF_VFS),
    *newfiles.LEFT_OUT,
)


class Checkout:
    """What the files of one update have in common.

    ``audit`` raises Mercurial's errors for a path that may not be written; ``read``
    gives the data of a file of the target; ``template_cache`` opens file logs, if it
    may.
    """

    __slots__ = (
        'audit',
        'read',
        'template_cache',
        '_repo',
        '_share',
        '_wvfs',
        '_prefix',
        '_count',
        '_places',
    )

    def __init__(self, repo: Any, mctx: Any, paths: list[bytes]) -> None:
        self.audit = newfiles.auditor(repo.wvfs)
        self.template_cache = filetexts.template_cache_for(repo, paths[0])
        self._count = len(paths)
        self._places = {f: i for i, f in enumerate(sorted(paths)[:_MOST_WORKERS])}
        self.read = filetexts.reader(repo, mctx, self.template_cache)
        self._share = stores.of(repo.svfs).share
        self._repo = repo
        self._wvfs = repo.wvfs
        self._prefix = repo.wvfs.base + b'/'

    def write(self, f: bytes, flags: bytes) -> tuple[int, int, Any] | None:
        """Write the file ``f``; its mode, size in bytes and time stamp.

        None where Mercurial's own code has to do it, and may well fail.
        """
        try:
            self.audit(f)
            data = self.read(f)
            # asked here and no sooner, since Mercurial remembers the answer: filters
            # may be set up until the first file is written (the eol extension)
            if self._repo._decodefilterpats:
                return None
            path = self._prefix + f
            found = newfiles.create(path, data)
            if found is None:
                return None
            if flags == b'x':
                self._wvfs.setflags(f, False, True)
                found = os.lstat(path)
        except _EXPECTED:
            return None
        except Exception as exc:
            fallback.internal_error(exc, b'data/%s.i' % f, self._repo.svfs)
            return None
        return found.st_mode, len(data), timestamp.mtime_of(found)

    def begin_elsewhere(self, actions: list[Any]) -> list[Any]:
        """``actions``, the share of one worker, from where no other one begins.

        Mercurial gives each of n workers every n-th file.  They would all create
        files in the same folder at the same time, and wait for each other.
        """
        if not actions:
            return actions
        size = len(actions)
        workers = round(self._count / size)
        place = self._places.get(actions[0][0], 0)
        start = size * place // workers if place < workers else 0
        return actions[start:] + actions[:start] if start else actions

    def limited(self) -> contextlib.AbstractContextManager[None]:
        """A context in which no text is kept: each is asked for once."""
        if self._share is None:
            return contextlib.nullcontext()
        return self._share.limited_to(0)


def is_plain(repo: Any, wctx: Any) -> bool:
    """May files be created without Mercurial's general machinery?"""
    wvfs = repo.wvfs
    ui = repo.ui
    unfiltered = repo.unfiltered()
    return (
        os.name == 'posix'
        and type(wctx) is context.workingctx
        and type(wvfs) is vfsmod.vfs
        and wvfs.createmode is None
        and not unchanged.has_own(repo, _OF_REPOSITORY)
        and not unchanged.has_own(wctx, ('__getitem__', 'filectx'))
        and not unchanged.has_own(wvfs, _OF_VFS)
        and unchanged.object_is_of(unfiltered, ('mercurial.localrepo',), _OF_REPOSITORY)
        and unchanged.rows_are_of_mercurial(LEFT_OUT)
        and not (ui.verbose or ui.debugflag)
        and not ui.configbool(b'experimental', b'update.atomic-file')
        and not ui.configbool(b'experimental', b'merge.checkpathconflicts')
    )


def _write_files(
    orig: Any,
    checkout: Checkout,
    repo: Any,
    mctx: Any,
    wctx: Any,
    wantfiledata: bool,
    actions: Any,
) -> Iterator[Any]:
    """Do what ``batchget`` does, leaving to it (``orig``) each file that is not plain.

    Progress is told when Mercurial tells it.
    """
    filedata: dict[bytes, Any] = {}
    done = 0
    f = b''
    for action in actions:
        f, (flags, backup), _msg = action
        written = None
        if not backup and flags != b'l':
            written = checkout.write(f, flags)
        if written is None:
            for final, value in orig(repo, mctx, wctx, wantfiledata, [action]):
                if final:
                    filedata.update(value)
        elif wantfiledata:
            filedata[f] = written
        if done == _PROGRESS_FILES:
            yield False, (done, f)
            done = 0
        done += 1
    if done:
        yield False, (done, f)
    yield True, filedata


def make_batchget(place: Any) -> Any:
    """For ``batchget``, which writes the files of one worker's share."""
    if update.action_get(place.holder) is None:
        return None
    orig = place.stock

    def batchget(
        repo: Any, mctx: Any, wctx: Any, wantfiledata: bool, actions: Any
    ) -> Iterator[Any]:
        checkout = getattr(wctx, '__dict__', {}).get(_CHECKOUT)
        if checkout is None:
            yield from orig(repo, mctx, wctx, wantfiledata, actions)
            return
        with checkout.limited():
            yield from _write_files(
                orig,
                checkout,
                repo,
                mctx,
                wctx,
                wantfiledata,
                checkout.begin_elsewhere(list(actions)),
            )

    return batchget


def make_batchremove(place: Any) -> Any:
    """For ``batchremove``, which removes the files of one worker's share.

    Mercurial asks four times for each folder on the way to each file.
    """
    orig = place.stock

    def batchremove(repo: Any, wctx: Any, actions: Any) -> Iterator[Any]:
        if not (is_plain(repo, wctx) and _removes_plainly(repo)):
            yield from orig(repo, wctx, actions)
            return
        audit = newfiles.auditor(repo.wvfs)
        prefix = repo.wvfs.base + b'/'
        with_folders = repo.ui.configbool(b'experimental', b'removeemptydirs')
        done = 0
        f = b''
        for action in actions:
            f = action[0]
            try:
                audit(f)
                newfiles.remove(prefix + f, with_folders)
            except _EXPECTED:
                # Mercurial, in its turn, fails as well, and says so
                for _progress in orig(repo, wctx, [action]):
                    pass
            if done == _PROGRESS_FILES:
                yield done, f
                done = 0
            done += 1
        if done:
            yield done, f

    return batchremove


def _removes_plainly(repo: Any) -> bool:
    """Is nothing to be done or said but to remove files, by Mercurial's functions?

    It has a word to say where the current folder, below the root, is removed.
    """
    try:
        current = os.getcwdb()
    except OSError:
        return False
    return not current.startswith(repo.root + b'/')


def _fewer_workers(
    ui: Any, template_cache: templates.TemplateCache | None, paths: list[bytes]
) -> contextlib.AbstractContextManager[Any]:
    """Within this context, no more workers than are of use, if that is known.

    Mercurial starts four at least, since they wait for the disk most of the time.
    Where all is in memory, those beyond the number of processors are only a cost,
    as are those with too little to do.
    """
    if (
        template_cache is None
        or len(paths) < _MIN_FILES_PER_WORKER
        or ui.config(b'worker', b'numcpus')
        or not _in_memory(template_cache.storage, paths)
    ):
        return contextlib.nullcontext()
    workers = min(cpus.usable_cores(), 1 + len(paths) // _MIN_FILES_PER_WORKER)
    override = {(b'worker', b'numcpus'): b'%d' % workers}
    scope: contextlib.AbstractContextManager[Any] = ui.configoverride(
        override, b'fastrevlog'
    )
    return scope


def _in_memory(storage: vfs.StoreVFS, paths: list[bytes]) -> bool:
    """Is this store read from memory, judged by the time that some files take?"""
    times = []
    try:
        for path in paths[:: len(paths) // _SAMPLE]:
            start = time.perf_counter()
            storage.read_whole(b'data/%s.i' % path)
            times.append(time.perf_counter() - start)
    except OSError:
        return False
    return sorted(times)[len(times) * 3 // 4] < _CACHED_READ_SECONDS


def prepare(
    repo: Any, mresult: Any, wctx: Any, mctx: Any, action_get: Any
) -> tuple[Checkout, contextlib.AbstractContextManager[Any]] | None:
    """What an update's files have in common, and a context to apply it in.

    None for an update that is left to Mercurial.
    """
    if not is_plain(repo, wctx):
        return None
    paths = []
    for path, (flags, _backup), _msg in mresult.getactions([action_get]):
        paths.append(path)
        if flags == b'l' and mctx.hasdir(path):
            # a manifest made to write through a symlink: as ever, in order
            return None
    if not paths:
        return None
    checkout = Checkout(repo, mctx, paths)
    return checkout, _fewer_workers(repo.ui, checkout.template_cache, paths)


def make_apply(place: Any) -> Any:
    """For the function that applies an update, to prepare for its files."""
    orig, holder = place.stock, place.holder
    action_get = update.action_get(holder)
    if action_get is None:
        return None

    def apply(
        repo: Any, mresult: Any, wctx: Any, mctx: Any, *args: Any, **kw: Any
    ) -> Any:
        try:
            prepared = prepare(repo, mresult, wctx, mctx, action_get)
        except fallback.STORAGE_ERRORS:
            prepared = None
        except Exception as exc:
            process.internal_error(exc)
            prepared = None
        if prepared is None:
            return orig(repo, mresult, wctx, mctx, *args, **kw)
        checkout, scope = prepared
        setattr(wctx, _CHECKOUT, checkout)
        try:
            with scope:
                return orig(repo, mresult, wctx, mctx, *args, **kw)
        finally:
            delattr(wctx, _CHECKOUT)

    return apply
