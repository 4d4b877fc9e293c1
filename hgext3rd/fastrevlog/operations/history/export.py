# `hg export` on all cores.
# SPDX-License-Identifier: GPL-2.0-or-later
"""Patches, made ahead by workers.

A worker writes the patch of a changeset as Mercurial does: one for standard output
into streams that record, one for a file into a buffer.  The parent writes what was
recorded, in order.
"""

from __future__ import annotations

import contextlib
import io
from typing import Any

from mercurial import cmdutil, error, formatter

from ... import unchanged
from . import ahead, plain

# of the formatter, or of the repository: the export that is under way
ATTRIBUTE = '_fastrevlog_export'

Numbered = tuple[int, int]  # place among those that are exported, revision


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


def export_to_files(
    orig: Any, repo: Any, revs: Any, fm: Any, pattern: bytes, *args: Any
) -> None:
    """Call ``orig``, which is ``cmdutil._exportfntemplate``, with workers ahead."""
    try:
        in_files = _by_file(repo, revs, pattern)
    except (error.Error, error.Abort):
        in_files = []  # Mercurial comes to it, and says so
    maker = ExportToFiles(orig, repo, fm, args)
    maker.revisions = ahead.Ahead(repo.ui, in_files, maker)
    place = vars(repo.unfiltered())
    with contextlib.closing(iter(maker.revisions)) as in_order:
        maker.in_order = in_order
        place[ATTRIBUTE] = maker
        try:
            orig(repo, revs, fm, pattern, *args)
        finally:
            del place[ATTRIBUTE]


def _by_file(repo: Any, revs: Any, pattern: bytes) -> list[Numbered]:
    """The changesets in the order in which they are written: file by file."""
    files: dict[bytes, list[Numbered]] = {}
    width = max(len(str(rev)) for rev in revs)
    for number, rev in enumerate(revs, 1):
        name = cmdutil.makefilename(
            repo[rev], pattern, total=len(revs), seqno=number, revwidth=width
        )
        files.setdefault(name, []).append((number, rev))
    return [numbered for file in files.values() for numbered in file]


class Export(ahead.Maker):
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
        reason = plain.refusal(self._repo.ui, self._repo) or self._output_refusal()
        if reason is not None:
            return reason
        headers = [cmdutil.extraexportmap[name] for name in cmdutil.extraexport]
        for function in (self._orig, cmdutil._exportsingle, *headers):
            if not plain.is_known(function):
                return 'patch: changed by an extension'
        return None

    def _output_refusal(self) -> str | None:
        fm = self._fm
        if (
            type(fm) is not formatter.plainformatter
            or getattr(fm._write, '__self__', None) is not fm._ui
        ):
            return 'output: a list, or not standard output'
        if not plain.is_known(fm._write):
            return 'patch: changed by an extension'
        return None

    def is_here(self, rev: Any) -> bool:
        return plain.is_working_directory(rev)

    def describe(self, _item: Any) -> None:
        return None

    def write(self, _ctx: Any, _fm: Any, _number: int) -> bool:
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


class ExportToFiles(Export):
    """Exports changesets that go to files."""

    in_order: Any = None

    def _output_refusal(self) -> str | None:
        functions = formatter.formatter, formatter.openformatter, formatter.maybereopen
        if not unchanged.is_of(formatter.__name__, *functions):
            return 'patch: changed by an extension'
        if type(self._into(io.BytesIO())) is not formatter.plainformatter:
            return 'output: a list'
        return None

    def _into(self, out: Any) -> Any:
        """A formatter like that of a file, which writes to ``out``."""
        base = self._fm
        return formatter.formatter(base._ui, out, base._topic, base._opts)

    def is_here(self, numbered: Any) -> bool:
        return super().is_here(numbered[1])

    def write(self, ctx: Any, fm: Any, number: int) -> bool:
        if next(self.in_order, None) != (number, ctx.rev()):
            self.in_order.close()  # not the order that we know
            return False
        answer = self.revisions.answer
        if answer is None:
            return False
        if fm is self._fm or type(fm) is not formatter.plainformatter:
            self.revisions.decline()
            return False
        fm._write(answer)
        return True

    def on_start(self) -> None:
        del vars(self._repo.unfiltered())[ATTRIBUTE]
        self._capture = plain.begin_worker(self._repo, self._fm._ui)

    def make(self, _position: int, numbered: Any, _description: None) -> Any:
        number, rev = numbered
        out = io.BytesIO()
        self._capture.begin()
        fm = self._into(out)
        fm.startitem()
        cmdutil._exportsingle(
            self._repo,
            self._repo[rev],
            fm,
            self._match,
            self._switch_parent,
            number,
            self._diffopts,
        )
        return out.getvalue() if self._capture.end() == b'' else None
