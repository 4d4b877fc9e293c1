# The table of what is replaced in Mercurial.
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
  applied, and called with an :class:`.install.Place`.  It returns the replacement, or
  None if what is there does not look as it knows it; the row is then left out.
- A name that Mercurial does not have is left out too, unless the row ``adds`` it; and
  so is a function that another extension has wrapped or replaced before us, unless
  ours always calls it (``calls_stock``).
- Rows of a *group* are put in place when the first revlog needs them.

How rows are put in place, and undone: :mod:`.install`.
"""

from __future__ import annotations

from typing import NamedTuple


class Row(NamedTuple):
    """What is replaced: where, its name, what makes ours, and why."""

    where: str
    name: str
    ours: str
    why: str
    adds: bool = False
    calls_stock: bool = False
    group: str = ''


_REVLOG = 'mercurial.revlog:revlog'
_NODEMAP_GROUP = 'nodemap'

# how revlogs are opened and read
_REVLOGS = (
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
)

# questions about ancestry
_WALKS = (
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
        'by marks in an array, and by the C index',
    ),
    Row(
        _REVLOG,
        'findmissing',
        'outer.missing:make_findmissing',
        'by marks in an array, and by the C index',
    ),
    Row(
        'mercurial.context:basefilectx',
        '_adjustlinkrev',
        'outer.linkrevs:make_adjustlinkrev',
        'the C index is asked for an ancestor at once',
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
)

# the node map, when there is one
_NODEMAP = (
    *(
        Row(
            where,
            name,
            'outer.nodemap:' + ours,
            why,
            calls_stock=True,
            group=_NODEMAP_GROUP,
        )
        for where, name, ours, why in (
            (_REVLOG, 'clearcaches', 'make_clearcaches', 'the node map is read anew'),
            (
                'mercurial.revlogutils.nodemap',
                'persist_nodemap',
                'make_persist',
                'the node map that was written is used',
            ),
        )
    ),
)

# changegroups: received and made
_EXCHANGE = (
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
)

# what a store has to know
_STORES = (
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
)

# commands that read many files
_FILES = (
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
)

# commands that show history, by workers
_HISTORY = (
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
)

# what `update` writes
_WORKING_DIRECTORY = (
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

TABLE = (
    *_REVLOGS,
    *_WALKS,
    *_NODEMAP,
    *_EXCHANGE,
    *_STORES,
    *_FILES,
    *_HISTORY,
    *_WORKING_DIRECTORY,
)
