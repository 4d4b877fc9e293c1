# The table of what is replaced in Mercurial, and how it is put in place and undone.
# SPDX-License-Identifier: GPL-2.0-or-later
"""Every function of Mercurial that is replaced is a row of :data:`TABLE`.

To add one, add a row, and a function that makes the replacement::

    Row('mercurial.revlog:revlog', 'parentrevs', 'outer.parents:make_parentrevs',
        'two numbers out of the bytes of the index')

    def make_parentrevs(place: install.Place) -> Any:
        orig = place.stock                # what is there now, ours calls it
        def parentrevs(self, rev): ...    # short way, or orig(self, rev)
        return parentrevs

- *where*: a module of Mercurial's, and after a colon the class in it. The module is
  not loaded for our sake: a row for one that was not run yet is applied when it is
  first used (:mod:`.modulewatch`).
- *ours*: a module below this package and a function in it, imported when the row is
  applied, and called with a :class:`Place`.  It returns the replacement, or None if
  what is there does not look as it knows it; the row is then left out.
- A name that Mercurial does not have is left out too, unless the row ``adds`` it; and
  so is a function that another extension has wrapped or replaced before us, unless
  ours always calls it (``calls_stock``).
- Rows of a *group* are put in place when the first revlog needs them
  (:meth:`Installation.add_group`).
- Undone by putting back what was there; what a class only inherited, or did not have,
  is deleted.

All or nothing: replacements are made before the first is put in place, and whatever
fails leaves Mercurial as it was.  Everything can be taken out and put back any number
of times (:func:`taken_out`); what another extension has wrapped around ours since
stays around what is there then.  Nothing is wrapped twice.

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
from .compat import detect


class Row(NamedTuple):
    """What is replaced: where, its name, what makes ours, and why."""

    where: str
    name: str
    ours: str
    why: str
    adds: bool = False
    calls_stock: bool = False
    group: str = ''


class Place(NamedTuple):
    """What a replacement is made for: the row's holder and name, and what is there.

    ``stock`` is Mercurial's function, or another extension's around it; None for what
    is added.
    """

    holder: Any
    name: str
    stock: Any
    api: detect.HgApi


_REVLOG = 'mercurial.revlog:revlog'
NODEMAP = 'nodemap'  # a group

TABLE = (
    Row(
        _REVLOG,
        '__init__',
        'outer.opening:make_init',
        'file logs are opened from a template',
    ),
    Row(
        _REVLOG,
        '_chainbasecache',
        'outer.opening:make_cache_of_100',
        'file logs from a template make this cache when it is first asked for',
        adds=True,
    ),
    Row(
        _REVLOG,
        '_chaininfocache',
        'outer.opening:make_cache_of_500',
        'file logs from a template make this cache when it is first asked for',
        adds=True,
    ),
    Row(
        _REVLOG,
        '_loadindex',
        'outer.opening:make_loadindex',
        'with over-rust, the C index parses what Rust would have parsed',
    ),
    Row(
        _REVLOG,
        '_load_inner',
        'outer.opening:make_load_inner',
        'the inner revlog and the index are ours',
    ),
    Row(
        _REVLOG,
        '_revisiondata',
        'outer.reading:make_revisiondata',
        'a text comes from the inner revlog at once',
    ),
    Row(
        _REVLOG,
        '_get_data',
        'outer.parents:make_get_data',
        'the bytes that an index is parsed from answer for parents',
        calls_stock=True,
    ),
    Row(
        _REVLOG,
        '_fastrevlog_source',
        'outer.parents:make_source',
        'the same, for revlogs that have none',
        adds=True,
    ),
    Row(
        _REVLOG,
        'parentrevs',
        'outer.parents:make_parentrevs',
        'two numbers out of the bytes of the index',
    ),
    Row(
        _REVLOG,
        '_uncheckedparentrevs',
        'outer.parents:make_parentrevs',
        'the same function under another name',
    ),
    Row(
        _REVLOG,
        'ancestors',
        'outer.ancestors:make_ancestors',
        'a walk by marks in an array',
        calls_stock=True,
    ),
    Row(
        _REVLOG,
        'headrevs',
        'outer.generations:make_headrevs',
        'the heads of some revisions, by the C index or by columns',
    ),
    Row(
        _REVLOG,
        'findmissingrevs',
        'outer.missing:make_findmissingrevs',
        'revisions are marked in an array',
    ),
    Row(
        _REVLOG,
        'findmissing',
        'outer.missing:make_findmissing',
        'revisions are marked in an array',
    ),
    *(
        Row(module, name, 'outer.generations:' + ours, 'what revsets walk, by columns')
        for module in ('mercurial.dagop', 'mercurial.utils.dag_util')  # 7.0; since
        for name, ours in (
            ('_genrevancestors', 'make_revancestors'),
            ('_genrevdescendants', 'make_revdescendants'),
        )
    ),
    *(
        Row(module, name, 'outer.predicates:' + ours, 'parents out of the index')
        for module in ('mercurial.revset', 'mercurial.revset_predicates')
        for name, ours in (
            ('roots', 'make_roots'),
            ('merge', 'make_merge'),
            ('parents', 'make_parents'),
            ('p1', 'make_p1'),
            ('p2', 'make_p2'),
            ('_children', 'make_children'),
        )
    ),
    *(
        Row(where, name, 'outer.nodemap:' + ours, why, calls_stock=True, group=NODEMAP)
        for where, name, ours, why in (
            (
                _REVLOG,
                'clearcaches',
                'make_clearcaches',
                'the node map is read anew',
            ),
            (
                'mercurial.revlogutils.nodemap',
                'persist_nodemap',
                'make_persist',
                'the node map that was written is used',
            ),
        )
    ),
    Row(
        _REVLOG,
        'emitrevisions',
        'outer.streaming:make_emitrevisions',
        'an index that contradicts itself is an error message',
        calls_stock=True,
    ),
    Row(
        'mercurial.changegroup:cg1unpacker',
        'apply',
        'operations.exchange:make_apply',
        'the stream is read in large pieces',
        calls_stock=True,
    ),
    Row(
        'mercurial.changegroup',
        '_addchangegroupfiles',
        'operations.exchange:make_add_files',
        'groups of file revisions are worked out in memory and appended at once',
    ),
    Row(
        'mercurial.changegroup:cg1unpacker',
        'deltaiter',
        'operations.exchange:make_deltaiter',
        'deltas are taken from the pieces that were read',
    ),
    Row(
        _REVLOG,
        'addgroup',
        'outer.groups:make_addgroup',
        'common revisions of manifest and changelog are appended at once',
    ),
    Row(
        'mercurial.changegroup:cgpacker',
        'generate',
        'outer.emitting:make_generate',
        'changegroups are written from the chunks, without objects for revisions',
    ),
    Row(
        'mercurial.changegroup',
        'makechangegroup',
        'outer.bundling:make_makechangegroup',
        'what was just made need not be parsed to find its end',
        calls_stock=True,
    ),
    Row(
        'mercurial.changegroup:cg1unpacker',
        'getchunks',
        'outer.bundling:make_getchunks',
        'the same',
        calls_stock=True,
    ),
    Row(
        'mercurial.scmutil',
        'parsers',
        'outer.opening:make_parsers',
        'the node tree is made from the C index, which it knows by its type',
    ),
    Row(
        'mercurial.localrepo',
        'makelocalrepository',
        'stores:make_makelocalrepository',
        'a repository in another one is not announced to extensions',
        calls_stock=True,
    ),
    Row(
        'mercurial.dispatch',
        'runcommand',
        'stores:make_runcommand',
        'settings that come with a command hold for it',
        calls_stock=True,
    ),
    *(
        Row('mercurial.verify:verifier', name, ours, why, calls_stock=True)
        for name, ours, why in (
            (
                'verify',
                'operations.verify.wrap:make_verify',
                'read from disk, detect collisions, on all cores',
            ),
            (
                '_verifychangelog',
                'operations.verify.wrap:make_verifychangelog',
                'the moment to start worker processes',
            ),
            (
                '_verifyfiles',
                'operations.verify.wrap:make_verifyfiles',
                'the moment to make use of what they found',
            ),
        )
    ),
    Row(
        'mercurial.patch',
        '_gitindex',
        'operations.diff:make_gitindex',
        'blob names that are only shown are hashed by hashlib',
    ),
    *(
        Row(
            module,
            name,
            'operations.latesttags:make_latest_tags',
            'what is between a changeset and its latest tag is found by parents alone',
            calls_stock=True,
        )
        for module, name in (
            ('mercurial.templatekw', 'getlatesttags'),  # 7.0, 7.1
            ('mercurial.templateutil', 'get_latest_tags'),
        )
    ),
    Row(
        'mercurial.archival',
        'archive',
        'operations.archive:make_archive',
        'files are read without the objects around a file log',
    ),
    Row(
        'mercurial.archival:fileit',
        'addfile',
        'operations.archive:make_addfile',
        'files of an archived folder are created in one system call',
    ),
    Row(
        'mercurial.cmdutil',
        'cat',
        'operations.cat:make_cat',
        'many files are read without the objects around a file log',
        calls_stock=True,
    ),
    Row(
        'mercurial.logcmdutil',
        'displayrevs',
        'operations.history.hooks:make_displayrevs',
        'changesets are made ahead by workers',
        calls_stock=True,
    ),
    Row(
        'mercurial.logcmdutil',
        'displaygraph',
        'operations.history.hooks:make_displaygraph',
        'changesets beside a graph are made ahead by workers',
        calls_stock=True,
    ),
    *(
        Row(
            module,
            name,
            'operations.history.hooks:' + ours,
            'changesets that would be %s are made ahead by workers' % what,
            calls_stock=True,
        )
        for modules, name, ours, what in (
            ('hg cmd_impls.incoming', '_incoming', 'make_incoming', 'pulled'),
            (
                'hg cmd_impls.outgoing',
                '_outgoing_filter',
                'make_outgoing_filter',
                'pushed',
            ),
        )
        # 7.0 and 7.1; since
        for module in map('mercurial.%s'.__mod__, modules.split())
    ),
    Row(
        'mercurial.cmdutil',
        '_exportfile',
        'operations.history.hooks:make_exportfile',
        'patches are made ahead by workers',
        calls_stock=True,
    ),
    Row(
        'mercurial.cmdutil',
        '_exportfntemplate',
        'operations.history.hooks:make_exportfntemplate',
        'patches that go to files are made ahead by workers',
        calls_stock=True,
    ),
    Row(
        'mercurial.cmdutil',
        '_exportsingle',
        'operations.history.hooks:make_exportsingle',
        'a patch that a worker made is written',
        calls_stock=True,
    ),
    *(
        Row(
            module,
            'annotate',
            'operations.history.hooks:make_annotate',
            'revisions are compared ahead by workers',
        )
        for module in ('mercurial.dagop', 'mercurial.utils.dag_util')  # 7.0; since
    ),
    Row(
        'mercurial.patch',
        'trydiff',
        'operations.history.hooks:make_trydiff',
        'the files of a large diff are compared ahead by workers',
    ),
    Row(
        'mercurial.grep:grepsearcher',
        'searchfiles',
        'operations.history.hooks:make_searchfiles',
        'the files of changesets are searched ahead by workers',
        calls_stock=True,
    ),
    Row(
        'mercurial.scmutil',
        'walkchangerevs',
        'operations.history.hooks:make_walkchangerevs',
        'changed lines are counted ahead by workers',
        calls_stock=True,
    ),
    Row(
        'hgext.churn',
        'changedlines',
        'operations.history.hooks:make_changedlines',
        'what a worker counted is taken',
        calls_stock=True,
    ),
    *(
        Row(module, name, 'operations.update:' + ours, why)
        for module, apply in (
            ('mercurial.merge', 'applyupdates'),  # 7.0, 7.1
            ('mercurial.merge_utils.update', 'apply_updates'),
        )
        for name, ours, why in (
            ('batchget', 'make_batchget', 'new files are created in one system call'),
            ('batchremove', 'make_batchremove', 'folders are audited once'),
            (apply, 'make_apply', 'what the files have in common is made once'),
        )
    ),
)


class Replaced(NamedTuple):
    """A replacement: the object and name, ours, what was there, was it inherited."""

    holder: Any
    name: str
    ours: Any
    stock: Any
    inherited: bool


class Installation:
    """What of a table is in place in this process."""

    def __init__(self, table: tuple[Row, ...] = TABLE) -> None:
        self.api: detect.HgApi | None = None
        self.active = False
        self.replaced: list[Replaced] = []
        self._rows: dict[str, list[Row]] = {}
        self._groups: dict[str, list[Row]] = {}
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
        made = []
        for module, rows in self._rows.items():
            if modulewatch.is_run(module):
                made += self._make(sys.modules[module], rows)
        self._set(made)
        for module in self._rows:
            if not modulewatch.is_run(module) and module not in self._watched:
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

    def _make(self, module: Any, rows: list[Row]) -> list[Replaced]:
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

    def _ours(self, row: Row, holder: Any, stock: Any) -> Any:
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


def _module_of(row: Row) -> str:
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
