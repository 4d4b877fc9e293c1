# The machine that this process runs on.
# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import os


def usable_cores() -> int:
    """How many processors this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS, Windows
        return os.cpu_count() or 1
