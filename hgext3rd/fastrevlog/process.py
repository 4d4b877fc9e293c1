# All state of this process.
# SPDX-License-Identifier: GPL-2.0-or-later
"""What concerns the process as a whole, and no repository in it by itself.

- *disabled*: this Mercurial, or a part of us, does not look as expected, so nothing
  of ours is in place; why, as :attr:`State.disabled_reason`.
- *internal errors*: something of ours failed in a way that no repository, however
  damaged, should cause. Mercurial's own code does the work; the error is counted, and
  the user is told once how to report it.
- *counters*: every revlog that Mercurial opens is either served (counted by kind) or
  refused (counted by reason). They are kept always, written only when the user names
  a file in ``fastrevlog.report``, and steer nothing.
- *after a fork*: :func:`after_fork`.
- *the end*: :func:`shorten_exit`.

What one repository's configuration decides is in :mod:`.stores`.  The engine's own
process-wide objects are :data:`.engine.counters.counters`,
:data:`.engine.caches.budget` and the zstd contexts of each thread
(:mod:`.engine.compression`).
"""

from __future__ import annotations

import gc
import os
import sys
import weakref
from types import FrameType, FunctionType
from typing import Any

from . import metadata
from .engine.counters import counters


class State:
    """What was decided, once, for this process."""

    # why nothing of ours is in place, None if it is, or may yet be
    disabled_reason: str | None = None
    # was the user told of an internal error?
    warned = False
    # what is in place of Mercurial's functions (:class:`.install.Installation`)
    installation: Any = None
    # openers of stores whose repositories are off, from before anything was in place
    off: list[weakref.ref[Any]] = []
    # the process that writes a report when it ends
    reporting_pid = 0
    # the process that writes a report when its present request ends
    pending_pid = 0
    # is what decides about node maps hooked in?
    slow_path_hooked = False
    # is this process one that workers/ forked?
    in_worker = False
    # was the end of the process arranged?
    exit_arranged = False


state = State()


# Not as we know it


def describe(exc: BaseException) -> str:
    """An unexpected exception in a few words."""
    words = ' '.join(str(exc).split())
    name = type(exc).__name__
    return '%s: %s' % (name, words[:160]) if words else name


def disable(ui: Any, why: str) -> None:
    """Note that nothing of ours is in place because of ``why``; one debug line."""
    state.disabled_reason = why
    ui.debug(b'fastrevlog: stands aside: %s\n' % why.encode('utf-8', 'replace'))


def internal_error(exc: Exception, name: bytes = b'', ui: Any = None) -> None:
    """Count an unexpected exception; tell the user of ``ui`` once, if there is one.

    ``name`` is the file that was being read.
    """
    what = describe(exc)
    counters.internal_error(what)
    if state.warned or ui is None:
        return
    state.warned = True
    from mercurial.i18n import _

    ui.warn(
        _(
            b'warning: fastrevlog failed to read %s (%s);'
            b" Mercurial's own code reads it instead\n"
            b"(what you get is right; please report this with the output of 'hg"
            b" debug::fastrevlog': %s)\n"
        )
        % (name, what.encode('utf-8', 'replace'), metadata.buglink)
    )
    ui.traceback((type(exc), exc, exc.__traceback__))


# Forks


def after_fork() -> None:
    """To be called in a forked child of ours, before it does anything.

    What the parent counted is the parent's to report.  Caches, the budget and
    settings are inherited as they are: a child never writes to what the parent
    reads.  Descriptors may be shared, since all reads name their offset.
    """
    counters.reset()


# Reports


def report_at_exit(path: bytes, args: list[bytes]) -> None:
    """Append one line of JSON to ``path`` when this process ends.

    Workers that Mercurial forks leave through ``os._exit`` and so never run
    ``atexit`` functions: see :func:`write_report`, which they may call.
    """
    if state.reporting_pid == os.getpid():
        return
    import atexit

    state.reporting_pid = os.getpid()
    atexit.register(write_report, path, args)


def report_request(ui: Any, path: bytes, args: list[bytes]) -> None:
    """As :func:`report_at_exit`, for a repository opened in a forked process.

    A command server forks for each client, and ``chg`` is a client for each
    command; such a process leaves through ``os._exit``, but runs ``ui.atexit``.
    """
    pid = os.getpid()
    if pid in (state.reporting_pid, state.pending_pid):
        return
    after_fork()
    state.pending_pid = pid

    def report() -> None:
        state.pending_pid = 0  # the next request of this process reports anew
        write_report(path, args)

    ui.atexit(report)


def write_report(path: bytes, args: list[bytes]) -> None:
    """Append the counters to ``path`` as one line of JSON, in one write.

    A report that cannot be written is dropped: measuring must not break ``hg``.
    """
    import json

    line = {
        'pid': os.getpid(),
        'args': [a.decode('utf-8', 'replace') for a in args],
        'served': {k: n for k, n in counters.served.items() if n},
        'refused': counters.refused,
        'texts': counters.texts,
        'entries': counters.entries,
        'groups': counters.groups,
        'shared': counters.shared,
    }
    if counters.emitted:
        line['emitted'] = counters.emitted
    if counters.internal_errors:
        line['internal_errors'] = counters.internal_errors
    if counters.nodemaps:
        line['nodemaps'] = counters.nodemaps
    if counters.by_workers:
        line['by_workers'] = counters.by_workers
    if counters.in_one_process:
        line['in_one_process'] = counters.in_one_process
    data = json.dumps(line).encode('ascii') + b'\n'
    try:
        fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
        try:
            os.write(fd, data)
        finally:
            os.close(fd)
    except OSError:
        return


# The end


def shorten_exit() -> None:
    """Make the last collection of garbage a small one, if this process is ``hg``.

    When Python ends it looks through all objects for cycles to collect, a few hundred
    thousand after a command of Mercurial's, most of them modules, functions and
    classes, to return to itself memory that the process gives back a moment later.
    ``gc.freeze()`` takes out of that look what is there now.

    What is made from now on is collected as ever, and so does what it has to do then:
    a file is flushed, a generator comes to its ``finally``, a lock is released.  Should
    an object with a ``__del__`` of Python's be left, which may hang on a cycle with
    what is there now, all are looked at; a transaction that was closed has no more to
    say (:func:`_before_exit`).

    Only for a process that ``hg`` itself runs in: one that has Mercurial in it for
    other reasons (a web server, a graphical client) ends as it likes.  May be called
    again.
    """
    if state.exit_arranged:
        return
    state.exit_arranged = True
    if _is_hg() and hasattr(gc, 'freeze'):
        import atexit

        gc.freeze()
        atexit.register(_before_exit)


def _before_exit() -> None:
    """Are there objects left that Mercurial, or an extension, gave a last word?"""
    left = gc.get_objects()
    talkers = set()
    for one in set(map(type, left)):
        method = getattr(one, '__del__', None)
        if type(method) is FunctionType and not method.__module__.startswith(_OURS):
            talkers.add(one)
    if not talkers:
        return
    for one in left:
        if type(one) in talkers and not _is_closed_transaction(one):
            gc.unfreeze()
            return


def _is_closed_transaction(one: Any) -> bool:
    """Without a journal there is nothing that its end would roll back."""
    namespace = type(one).__del__.__globals__
    of_mercurial = namespace.get('__name__') == 'mercurial.transaction'
    return of_mercurial and getattr(one, '_journal', 1) is None


# what our own objects have to do is to give back memory and descriptors
_OURS = '%s.' % __package__


def _is_hg() -> bool:
    """Is Mercurial's own main function on the stack?"""
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        if (
            frame.f_code.co_name == 'run'
            and frame.f_globals.get('__name__') == 'mercurial.dispatch'
        ):
            return True
        frame = frame.f_back
    return False
