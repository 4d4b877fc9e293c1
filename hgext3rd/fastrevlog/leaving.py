# The end of a process.
# SPDX-License-Identifier: GPL-2.0-or-later
"""Leaving without a last look for garbage.

When Python ends it looks through all objects that are left for cycles to collect,
a few hundred thousand after a command of Mercurial's, to return to itself memory
that the process gives back a moment later.  That takes longer than many a read of
history.  ``gc.freeze()`` takes them out of that look; whatever no cycle holds is
taken down as ever.

Mercurial closes its files and releases its locks before, and leaves nothing to a
last collection.  Only for a process that ``hg`` itself runs in: one that has
Mercurial in it for other reasons (a web server, a graphical client) ends as it
likes.
"""

from __future__ import annotations

import gc
import sys
from types import FrameType

_arranged = False


def without_last_collection() -> None:
    """Let this process end so, if it is ``hg``; may be called again."""
    global _arranged
    if _arranged:
        return
    _arranged = True
    if _is_hg() and hasattr(gc, 'freeze'):
        import atexit

        atexit.register(gc.freeze)


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
