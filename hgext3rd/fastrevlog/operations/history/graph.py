# `hg log -G`, `hg show work`, and what else draws a graph, on all cores.
# SPDX-License-Identifier: GPL-2.0-or-later
"""Changesets beside a graph, shown by Mercurial's displayer in workers.

The graph is drawn by the parent, in Mercurial's loop.  The one thing that a changeset
has to know of it is how wide it is at this place, because `--stat` and templates fill
the line: the parent finds that out ahead, by Mercurial's own function, with a copy of
the graph's state.  Where the width turns out to be another one, the parent shows the
changeset itself.
"""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from mercurial import graphmod, pycompat

from . import log, plain

Row = tuple[Any, Any, Any, Any]  # revision, type of node, changeset, parents


def show(
    orig: Callable[..., None],
    ui: Any,
    repo: Any,
    dag: Any,
    displayer: Any,
    edgefn: Any,
    getcopies: Any,
    props: dict[bytes, Any] | None,
) -> None:
    """Call ``orig``, which is ``displaygraph``, with changesets made ahead."""
    graph = Graph(ui, displayer, getcopies, edgefn, props)
    with graph.ahead(graph.revisions_of(dag), _counted(dag)) as revisions:
        orig(
            ui,
            repo,
            graph.rows_of(revisions),
            displayer,
            graph.edges,
            getcopies and graph.getcopies,
            props,
        )


def _counted(dag: Any) -> Any:
    """The revisions that ``dag`` will walk, if that can be told."""
    frame = getattr(dag, 'gi_frame', None)
    if frame is None or frame.f_code is not graphmod.dagwalker.__code__:
        return None
    return frame.f_locals.get('revs')


class Graph(log.Shown):
    """The displayer of a loop that draws a graph."""

    def __init__(
        self,
        ui: Any,
        displayer: Any,
        getcopies: Any,
        edgefn: Any,
        props: dict[bytes, Any] | None,
    ) -> None:
        super().__init__(ui, displayer, getcopies, pycompat.strkwargs(props or {}))
        self._edgefn = edgefn
        self._rows: deque[Row] = deque()  # pulled, and not shown yet
        self._state: Any = None  # of the graph as far as it is drawn
        self._state_ahead: Any = None

    def refusal(self) -> str | None:
        if not self.displayer.buffered:
            return 'displayer: does not buffer'
        if not plain.is_known(self._edgefn):
            return 'graph: drawn by an extension'
        return super().refusal()

    def revisions_of(self, dag: Any) -> Iterator[Any]:
        for row in dag:
            self._rows.append(row)
            yield row[0]

    def rows_of(self, revisions: Iterator[Any]) -> Iterator[Row]:
        for _rev in revisions:
            yield self._rows.popleft()

    def edges(
        self, type: Any, char: bytes, state: Any, rev: Any, parents: Any
    ) -> Iterator[Any]:
        """In place of the function that lays the graph out."""
        self._state = state
        found: Iterator[Any] = self._edgefn(type, char, state, rev, parents)
        return found

    def describe(self, rev: Any) -> log.Description:
        """As for any, and how wide the graph will be beside ``rev``."""
        if self._state_ahead is None:
            self._state_ahead = copy.deepcopy(self._state)
        state = self._state_ahead
        _rev, kind, _ctx, parents = self._rows[-1]
        laid_out = list(self._edgefn(kind, b'o', state, rev, parents))
        # drawing it ends the lines that lead to nothing
        for parent in [parent for parent, line in state.edges.items() if line is None]:
            del state.edges[parent]
            state.seen.remove(parent)
        return super().describe(rev)._replace(width=laid_out[0][2])
