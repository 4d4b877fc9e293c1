# Counts of what fastrevlog served and refused in this process.
# SPDX-License-Identifier: GPL-2.0-or-later
"""Knowing that it works.

Every revlog that Mercurial opens is either *served* (counted by kind) or
*refused* (counted by reason).  The counts are cheap enough to be kept always;
they are written only when the user names a file in ``fastrevlog.report``.
"""

from __future__ import annotations

import os
from typing import Any

from .engine.counters import counters

_reporting_pid = 0
_pending_pid = 0


def report_at_exit(path: bytes, args: list[bytes]) -> None:
    """Append one line of JSON to ``path`` when this process ends.

    Workers that Mercurial forks leave through ``os._exit`` and so never run
    ``atexit`` functions: see :func:`write_report`, which they may call.
    """
    global _reporting_pid
    if _reporting_pid == os.getpid():
        return
    import atexit

    _reporting_pid = os.getpid()
    atexit.register(write_report, path, args)


def report_request(ui: Any, path: bytes, args: list[bytes]) -> None:
    """As :func:`report_at_exit`, for a repository opened in a forked process.

    A command server forks for each client, and ``chg`` is a client for each
    command; such a process leaves through ``os._exit``, but runs ``ui.atexit``.
    """
    global _pending_pid
    pid = os.getpid()
    if pid in (_reporting_pid, _pending_pid):
        return
    counters.reset()  # of what the parent did before the fork
    _pending_pid = pid

    def report() -> None:
        global _pending_pid
        _pending_pid = 0  # the next request of this process reports anew
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
    }
    if counters.mishaps:
        line['mishaps'] = counters.mishaps
    if counters.nodemaps:
        line['nodemaps'] = counters.nodemaps
    data = json.dumps(line).encode('ascii') + b'\n'
    try:
        fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
        try:
            os.write(fd, data)
        finally:
            os.close(fd)
    except OSError:
        return
