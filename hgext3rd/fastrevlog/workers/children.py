# Forked children: how they begin, what they must not hold, how they are ended.
# SPDX-License-Identifier: GPL-2.0-or-later
"""One way to fork a worker, for all pools.

A child inherits every descriptor of its parent.  Were it to keep the parent's ends
of other workers' pipes, a worker would never see the end of its input, nor a reader
that is gone.  The parent's ends are therefore *held*: noted here, and closed in
every child, whichever pool it belongs to.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Any

_DEFAULT_SIGNALS = ('SIGINT', 'SIGTERM', 'SIGHUP', 'SIGCHLD', 'SIGPIPE')
_F_SETPIPE_SZ = 1031  # linux/fcntl.h; the fcntl module names it since Python 3.10

# descriptors of this process alone
_held: set[int] = set()


def hold(fd: int) -> int:
    """Note that ``fd`` is for this process alone; returns it."""
    _held.add(fd)
    return fd


def release(fd: int) -> None:
    """Close ``fd``, which was held."""
    _held.discard(fd)
    os.close(fd)


def start(
    run: Callable[[int], None], note: Callable[[int, int], None], pipe_size: int = 0
) -> None:
    """Fork a child that calls ``run(out)`` and ends.

    ``out`` is the write end of a pipe, of ``pipe_size`` bytes where the system
    allows that (0: as it is).  The parent calls ``note(pid, fd)``, with the read end
    of it, which is held, before any signal can come between.  The child ends with
    status 0 when ``run`` returns, with 1 when it raises.  Raises ``OSError``.
    """
    ours, theirs = os.pipe()
    hold(ours)
    signals = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        if pipe_size:
            resize(theirs, pipe_size)
        try:
            pid = os.fork()
        except OSError:
            release(ours)
            raise
        if pid == 0:
            status = 1
            try:
                _begin(signals)
                run(theirs)
                status = 0
            finally:
                os._exit(status)
        note(pid, ours)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, signals)
        os.close(theirs)


def _begin(signals: Any) -> None:
    """In the child: signals as in a new process, and nothing of the parent's."""
    for name in _DEFAULT_SIGNALS:
        signal.signal(getattr(signal, name), signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, signals)
    for fd in _held:
        os.close(fd)
    _held.clear()


def resize(fd: int, size: int) -> None:
    """Let the pipe ``fd`` hold ``size`` bytes, where the system allows that."""
    import fcntl

    try:
        fcntl.fcntl(fd, _F_SETPIPE_SZ, size)
    except OSError:
        pass  # another system, or more than the user may have


def reap(pid: int) -> int:
    """Wait for ``pid`` to end; its status, or 0 if somebody else took it."""
    try:
        return os.waitpid(pid, 0)[1]
    except ChildProcessError:
        return 0


def end(pid: int) -> None:
    """Kill ``pid``, and wait until it is gone."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    reap(pid)
