# What is replaced in Mercurial is put in place, and undone.
# SPDX-License-Identifier: GPL-2.0-or-later
"""How the rows of :data:`.table.TABLE` are put in place, and undone.

All or nothing: replacements are made before the first is put in place, and whatever
fails leaves Mercurial as it was.  Everything can be taken out and put back any number
of times (:func:`taken_out`): what was there is put back, and what a class only
inherited, or did not have, is deleted.  What another extension has wrapped around ours
since stays around what is there then.  Nothing is wrapped twice.

Hooks are put in place when the first repository is opened, so that commands without
one (``hg version``) do not load the storage layer for our sake.
"""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import Iterator
from typing import Any, Callable, NamedTuple

from mercurial import extensions

from . import fallback, modulewatch, process, unchanged
from . import table as tablemod
from .compat import detect


class Place(NamedTuple):
    """What a replacement is made for: the row's holder and name, and what is there.

    ``stock`` is Mercurial's function, or another extension's around it; None for what
    is added.
    """

    holder: Any
    name: str
    stock: Any
    api: detect.HgApi


class Replaced(NamedTuple):
    """A replacement: the object and name, ours, what was there, was it inherited."""

    holder: Any
    name: str
    ours: Any
    stock: Any
    inherited: bool


class Installation:
    """What of a table is in place in this process."""

    def __init__(self, table: tuple[tablemod.Row, ...] = tablemod.TABLE) -> None:
        self.api: detect.HgApi | None = None
        self.active = False
        self.replaced: list[Replaced] = []
        self._rows: dict[str, list[tablemod.Row]] = {}
        self._groups: dict[str, list[tablemod.Row]] = {}
        for row in table:
            if row.group:
                self._groups.setdefault(row.group, []).append(row)
            else:
                self._rows.setdefault(_module_of(row), []).append(row)
        self._watched: set[str] = set()
        # what was made before, by holder and name, for as long as it fits
        self._made: dict[tuple[int, str], Replaced] = {}

    def put_in(self, api: detect.HgApi) -> None:
        """Replace what the table says, as far as its modules were run.

        Raises what goes wrong; Mercurial is then as it was before.
        """
        if self.active:
            return
        self.api = api
        self.active = True
        try:
            self._put_in_rows()
        except BaseException:
            self.take_out()
            raise

    def add_group(self, name: str) -> None:
        """Put the rows of a group in place as well, once.  Raises as `put_in` does."""
        for row in self._groups.pop(name, ()):
            self._rows.setdefault(_module_of(row), []).append(row)
        if self.active:
            self._put_in_rows()

    def _put_in_rows(self) -> None:
        made: list[Replaced] = []
        rest = dict(self._rows)
        # what makes one row may use, and so run, the module of a row before it
        while run := [module for module in rest if modulewatch.is_run(module)]:
            for module in run:
                made += self._make(sys.modules[module], rest.pop(module))
        self._set(made)
        for module in rest:
            if module not in self._watched:
                self._watched.add(module)
                modulewatch.when_run(module, self._when_run)

    def _when_run(self, module: Any) -> None:
        """A module was run after the others were dealt with."""
        if not self.active:
            return
        before = list(self.replaced)
        try:
            self._set(self._make(module, self._rows[module.__name__]))
        except Exception as exc:
            # Mercurial's own code does it
            for done in reversed(self.replaced[len(before) :]):
                _undo(done)
            self.replaced = before
            process.internal_error(exc)

    def _make(self, module: Any, rows: list[tablemod.Row]) -> list[Replaced]:
        made = []
        for row in rows:
            holder = module
            for name in row.where.partition(':')[2].split('.'):
                if name:
                    holder = getattr(holder, name)
            stock = getattr(holder, row.name, None)
            there = stock is not None
            if there == row.adds or self._holds(holder, row.name):
                continue
            if there and not row.calls_stock and not _is_of(module, stock):
                continue
            known = self._made.get((id(holder), row.name))
            if known is None or known.stock is not stock:
                ours = self._ours(row, holder, stock)
                inherited = row.name not in vars(holder)
                known = Replaced(holder, row.name, ours, stock, inherited)
                self._made[id(holder), row.name] = known
            if known.ours is not None:
                made.append(known)
        return made

    def _ours(self, row: tablemod.Row, holder: Any, stock: Any) -> Any:
        room, _colon, function = row.ours.partition(':')
        maker: Callable[[Place], Any] = getattr(
            importlib.import_module('%s.%s' % (__package__, room)), function
        )
        assert self.api is not None
        return maker(Place(holder, row.name, stock, self.api))

    def _holds(self, holder: Any, name: str) -> bool:
        """Is ours there already, with another extension's function around it?"""
        return any(
            done.holder is holder and done.name == name for done in self.replaced
        )

    def _set(self, made: list[Replaced]) -> None:
        for one in made:
            unchanged.note_ours(one.ours, one.stock)
            setattr(one.holder, one.name, one.ours)
            self.replaced.append(one)

    def take_out(self) -> None:
        """Put everything back as it was."""
        self.active = False
        covered = [done for done in reversed(self.replaced) if not _undo(done)]
        # what nobody can take out from below another function stays, and is known
        self.replaced = covered[::-1]


def _module_of(row: tablemod.Row) -> str:
    return row.where.partition(':')[0]


def _is_of(module: Any, stock: Any) -> bool:
    """Is this Mercurial's own?  (A module in a module's namespace says so itself.)"""
    if hasattr(stock, '__spec__'):
        return stock.__name__.startswith('mercurial.')
    return unchanged.is_of(module.__name__, stock)


def _undo(done: Replaced) -> bool:
    """Take out one replacement; False if it is below a function that we cannot lift."""
    wrappers = _wrappers_around(done)
    if wrappers is None:
        return False
    if done.inherited:
        delattr(done.holder, done.name)
    else:
        setattr(done.holder, done.name, done.stock)
    for wrapper in reversed(wrappers):
        extensions.wrapfunction(done.holder, done.name, wrapper)
    return True


def _wrappers_around(done: Replaced) -> list[Any] | None:
    """What ``extensions.wrapfunction`` has put around ours since, the last one first.

    None if ours is not found below it.
    """
    wrappers = []
    there = vars(done.holder).get(done.name)
    while there is not done.ours:
        wrapper = getattr(there, '_unboundwrapper', None)
        if wrapper is None:
            return None
        wrappers.append(wrapper)
        there = there._origfunc
    return wrappers


def installation() -> Installation:
    """What is in place in this process."""
    if process.state.installation is None:
        process.state.installation = Installation()
    found: Installation = process.state.installation
    return found


def install(ui: Any) -> detect.HgApi | str:
    """Put the hooks in place; the API that Mercurial has, or why none are.

    Raises what goes wrong on the way; Mercurial is then as it was.
    """
    if process.state.disabled_reason is not None:
        return process.state.disabled_reason
    here = installation()
    if here.api is not None:
        here.put_in(here.api)
        return here.api
    from mercurial import revlog

    found = detect.detect(revlog)
    if isinstance(found, str):
        process.disable(ui, found)
    else:
        inner = fallback.guarded(found.inner, revlog._InnerRevlog)
        found = found._replace(inner=inner)
        here.put_in(found)
    return found


def remove() -> None:
    """Leave Mercurial as it is without us."""
    installation().take_out()


@contextlib.contextmanager
def taken_out() -> Iterator[None]:
    """Within this context Mercurial is as it is without us.

    For measurements, on revlogs that we do not serve.
    """
    here = installation()
    active = here.active
    here.take_out()
    try:
        yield
    finally:
        if active and here.api is not None:
            here.put_in(here.api)
