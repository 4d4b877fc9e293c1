# Counts of what the engine did in this process.
# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import collections


class Counters:
    """What happened in this process so far, for reports; nothing is decided by it."""

    __slots__ = (
        'served',
        'refused',
        'internal_errors',
        'texts',
        'entries',
        'groups',
        'shared',
        'nodemaps',
        'emitted',
        'by_workers',
        'in_one_process',
    )

    def __init__(self) -> None:
        self.served: dict[str, int] = {'changelog': 0, 'manifest': 0, 'filelog': 0}
        self.refused: dict[str, int] = {}
        self.internal_errors: dict[str, int] = {}
        self.nodemaps: dict[str, int] = {}  # maps that did not fit, by reason
        self.texts = 0  # raw texts restored from disk by the engine
        self.entries = 0  # revisions appended by the engine
        self.groups = 0  # file logs that received a group of revisions at once
        self.shared = 0  # of these, how many were worked out by a worker
        # changegroups that we made, and what in them was done by whom
        self.emitted: collections.Counter[str] = collections.Counter()

        self.by_workers: dict[str, int] = {}  # pieces of a command's work
        self.in_one_process: dict[str, int] = {}  # commands, and why

    def reset(self) -> None:
        self.__init__()  # type: ignore[misc]

    def refuse(self, reason: str) -> None:
        self.refused[reason] = self.refused.get(reason, 0) + 1

    def internal_error(self, what: str) -> None:
        """An unexpected failure of ours after which Mercurial took over."""
        self.internal_errors[what] = self.internal_errors.get(what, 0) + 1


counters = Counters()
