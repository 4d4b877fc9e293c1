# Sums of what fastrevlog.report wrote.
# SPDX-License-Identifier: GPL-2.0-or-later
"""Sum the lines of a ``fastrevlog.report`` file, one at a time."""

from __future__ import annotations

import collections
import dataclasses
import json
import pathlib
from typing import Any


@dataclasses.dataclass
class Counts:
    """What a number of hg processes did with revlogs.

    ``processes`` is the number of report lines, ``served`` maps a kind of
    revlog to how many were served, ``refused`` a reason to how many were
    handed back to Mercurial, ``internal_errors`` what went wrong inside fastrevlog to
    how often, ``texts`` counts restored texts, ``entries``
    appended revisions, ``groups`` file logs that received a group the short
    way, ``shared`` those of them that a worker worked out,
    ``by_workers`` pieces of work that worker processes did, ``in_one_process`` what
    they did not and why, ``garbled`` lines that were no JSON.
    """

    processes: int = 0
    served: collections.Counter[str] = dataclasses.field(
        default_factory=collections.Counter
    )
    refused: collections.Counter[str] = dataclasses.field(
        default_factory=collections.Counter
    )
    internal_errors: collections.Counter[str] = dataclasses.field(
        default_factory=collections.Counter
    )
    by_workers: collections.Counter[str] = dataclasses.field(
        default_factory=collections.Counter
    )
    in_one_process: collections.Counter[str] = dataclasses.field(
        default_factory=collections.Counter
    )
    texts: int = 0
    entries: int = 0
    groups: int = 0
    shared: int = 0
    garbled: int = 0

    def add(self, line: dict[str, Any]) -> None:
        """Add one report line, or the ``as_dict`` of other counts."""
        self.processes += line.get("processes", 1)
        self.served.update(line.get("served", {}))
        self.refused.update(line.get("refused", {}))
        self.internal_errors.update(line.get("internal_errors", {}))
        self.by_workers.update(line.get("by_workers", {}))
        self.in_one_process.update(line.get("in_one_process", {}))
        self.texts += line.get("texts", 0)
        self.entries += line.get("entries", 0)
        self.groups += line.get("groups", 0)
        self.shared += line.get("shared", 0)
        self.garbled += line.get("garbled", 0)

    def as_dict(self) -> dict[str, Any]:
        """Return the counts as JSON has them, what is most first."""
        return {
            "processes": self.processes,
            "served": dict(self.served.most_common()),
            "refused": dict(self.refused.most_common()),
            "internal_errors": dict(self.internal_errors.most_common()),
            "by_workers": dict(self.by_workers.most_common()),
            "in_one_process": dict(self.in_one_process.most_common()),
            "texts": self.texts,
            "entries": self.entries,
            "groups": self.groups,
            "shared": self.shared,
            "garbled": self.garbled,
        }

    @property
    def total_served(self) -> int:
        """Number of revlogs served, of all kinds."""
        return sum(self.served.values())

    @property
    def total_refused(self) -> int:
        """Number of revlogs handed back, for all reasons."""
        return sum(self.refused.values())


def read_report(path: pathlib.Path) -> Counts:
    """Sum a report file; one that is not there counts as empty."""
    counts = Counts()
    if not path.exists():
        return counts
    with path.open("rb") as lines:
        for line in lines:
            try:
                parsed = json.loads(line)
            except ValueError:
                counts.garbled += 1
                continue
            counts.add(parsed)
    return counts
