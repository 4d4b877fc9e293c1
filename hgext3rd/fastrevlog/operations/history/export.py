# `hg export` on all cores.
# SPDX-License-Identifier: GPL-2.0-or-later
"""Patches that go to standard output, made ahead by workers.

A worker writes the patch of a changeset as Mercurial does, into streams that record;
the parent writes what was recorded, in order.
"""

from __future__ import annotations

import contextlib
from typing import Any

from mercurial import cmdutil, formatter

from . import ahead, plain

ATTRIBUTE = '_fastrevlog_export'  # of the formatter: the Export that is under way


def export(orig: Any, repo: Any, revs: Any, fm: Any, dest: bytes, *args: Any) -> None:
    """Call ``orig``, which is ``cmdutil._exportfile``, with revisions made ahead."""
    maker = Export(orig, repo, fm, args)
    maker.revisions = ahead.Ahead(repo.ui, revs, maker)
    setattr(fm, ATTRIBUTE, maker)
    try:
        with contextlib.closing(iter(maker.revisions)) as in_order:
            orig(repo, in_order, fm, dest, *args)
    finally:
        delattr(fm, ATTRIBUTE)


class Export:
    """Exports one changeset; ``args`` are those that all of them have in common."""

    what = 'export'

    def __init__(self, orig: Any, repo: Any, fm: Any, args: tuple[Any, ...]) -> None:
        self._orig = orig
        self._repo = repo
        self._fm = fm
        self._switch_parent, self._diffopts, self._match = args
        self.revisions: Any = None
        self._capture: Any = None

    def refusal(self) -> str | None:
        repo = self._repo
        fm = self._fm
        reason = plain.refusal(repo.ui, repo)
        if reason is not None:
            return reason
        if (
            type(fm) is not formatter.plainformatter
            or getattr(fm._write, '__self__', None) is not fm._ui
        ):
            return 'output: a list, or a file'
        headers = [cmdutil.extraexportmap[name] for name in cmdutil.extraexport]
        for function in (self._orig, cmdutil._exportsingle, fm._write, *headers):
            if not plain.is_known(function):
                return 'patch: changed by an extension'
        return None

    def is_here(self, rev: Any) -> bool:
        return plain.is_working_directory(rev)

    def describe(self, _rev: Any) -> None:
        return None

    def write(self) -> bool:
        """Write what a worker made of the changeset in turn, if it made it."""
        answer = self.revisions.answer
        if answer is None:
            return False
        self._fm._ui.write(answer)
        return True

    # in a worker

    def on_start(self) -> None:
        delattr(self._fm, ATTRIBUTE)  # here Mercurial's own function does it
        self._capture = plain.begin_worker(self._repo, self._fm._ui)

    def make(self, position: int, rev: Any, _description: None) -> Any:
        fm = self._fm
        self._capture.begin()
        fm.startitem()
        cmdutil._exportsingle(
            self._repo,
            self._repo[rev],
            fm,
            self._match,
            self._switch_parent,
            position + 1,
            self._diffopts,
        )
        return self._capture.end()
