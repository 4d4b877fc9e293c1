# Whether to use workers here, and how many.
# SPDX-License-Identifier: GPL-2.0-or-later
"""Asked before each use, by everything that could be done by workers.

A number that the user set is used whatever the amount of work; without one it is as
many as there are processors, and small work is done in one process.
"""

from __future__ import annotations

import sys
from types import FrameType
from typing import Any

from .. import process, settings
from . import cpus

# A process that serves others forks as it likes, and may have threads tomorrow.
_SERVERS = ('mercurial.hgweb.', 'mercurial.wireprotoserver')
_COMMAND_SERVERS = ('mercurial.commandserver', 'mercurial.chgserver')


def workers_for(ui: Any, for_clients: bool = False) -> tuple[int, bool, str]:
    """How many workers, whether the user set that number, and else why none.

    The number is 2 or more, or 0: then the third names the reason.  ``for_clients``:
    also where a command server works for a client (``chg`` is one), which is for work
    that needs none of the client's streams and takes long; the user may say so of all
    work.  Raises ``ConfigError``.
    """
    wanted = settings.workers(ui)
    if wanted == 1:
        return 0, True, 'setting: fastrevlog.workers is 1'
    workers = wanted if wanted > 1 else cpus.usable_cores()
    reason = ''
    if workers < 2:
        reason = 'machine: one processor'
    elif process.state.in_worker:
        reason = 'process: is a worker itself'
    elif not ui.configbool(b'worker', b'enabled'):
        reason = 'setting: worker.enabled is no'
    elif _serves(ui, for_clients):
        reason = 'process: serves others'
    elif not cpus.can_fork():
        reason = 'process: cannot fork, or has threads'
    return (0 if reason else workers), wanted > 1, reason


def _serves(ui: Any, for_clients: bool) -> bool:
    """Is this for a client of a server, and to be done by the server's process?"""
    if ui.configbool(settings.SECTION, b'workers-for-clients'):
        return False
    servers = _SERVERS if for_clients else _SERVERS + _COMMAND_SERVERS
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        if frame.f_globals.get('__name__', '').startswith(servers):
            return True
        frame = frame.f_back
    return False
