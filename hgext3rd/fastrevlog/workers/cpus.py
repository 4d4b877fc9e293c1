# The machine that this process runs on, and what it allows.
# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import os
import select
import threading


def usable_cores() -> int:
    """How many processors this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS, Windows
        return os.cpu_count() or 1


def can_fork() -> bool:
    """Whether a fork of this process, as it is now, is a safe thing to do."""
    if not hasattr(os, 'fork') or not hasattr(select, 'PIPE_BUF'):
        return False
    if threading.active_count() != 1:
        return False
    try:
        # threads that were not started by Python count as well
        return len(os.listdir('/proc/self/task')) == 1
    except OSError:
        return True
