# `hg incoming -p` and `hg outgoing -p` on all cores.
# SPDX-License-Identifier: GPL-2.0-or-later
"""Changesets that would be pulled or pushed, shown by workers.

Mercurial's loops show a changeset directly, without a buffer; workers show it into
one, and the parent writes what is in it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from mercurial import logcmdutil

from . import log

Display = Callable[[Any, list[bytes], Any], None]


def incoming(orig: Display, ui: Any, opts: dict[bytes, Any]) -> Display:
    """In place of ``orig``, which shows nodes of the repository they come from."""

    def display(other: Any, nodes: list[bytes], displayer: Any) -> None:
        changes = _Changes(nodes)
        changes.repo, changes.opts, changes.displayer = other, opts, displayer
        orig(other, changes, displayer)

    return display


class _Changes(list):  # type: ignore[type-arg]
    """Nodes that a loop goes through; those that it shows are made ahead."""

    repo: Any = None
    opts: dict[bytes, Any] = {}
    displayer: Any = None

    def __iter__(self) -> Iterator[bytes]:
        """All but those that the loop would pass over."""
        nodes = list.__iter__(self)
        if self.opts.get(b'no_merges'):
            parents = self.repo.changelog.parents
            null = self.repo.nullid
            nodes = (node for node in nodes if null in parents(node))
        shown = list(nodes)[: logcmdutil.getlimit(self.opts)]
        yield from _ahead(shown, self.displayer)


def outgoing(nodes: Iterator[bytes], displayer: Any) -> Iterator[bytes]:
    """``nodes``, for a loop that shows each with ``displayer``."""
    if not isinstance(displayer, logcmdutil.changesetprinter):
        return nodes
    return _ahead(list(nodes), displayer)


def _ahead(nodes: list[bytes], displayer: Any) -> Iterator[bytes]:
    if 'show' in displayer.__dict__:
        yield from nodes
        return
    shown = log.Shown(displayer.ui, displayer, None)
    with shown.ahead(nodes) as iterator:
        yield from iterator
