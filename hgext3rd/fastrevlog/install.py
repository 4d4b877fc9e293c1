# Every function of Mercurial that we replace or wrap, and why.
# SPDX-License-Identifier: GPL-2.0-or-later
"""Hooks into ``mercurial.revlog``.

They are installed when the first repository is opened, so that commands without
one (``hg version``) do not load the storage layer for our sake.

- ``revlog.__init__``: file logs are opened from a template (:mod:`.opening`).
- ``revlog._loadindex``: with ``over-rust``, parse with the C index what the Rust
  build would have parsed itself.
- ``revlog._load_inner``: swap in our inner revlog and the proxied index.
- ``revlog._revisiondata``: see :mod:`.reading`.
- ``revlog.parentrevs``, ``_get_data``: see :mod:`.outer.parents`.
- ``revlog.ancestors``, ``findmissingrevs``, ``headrevs`` and what revsets walk: see
  :mod:`.outer.ancestors`, :mod:`.outer.missing`, :mod:`.outer.generations`.
- ``localrepository.hook``: see :mod:`.checkout`, :mod:`.operations.exchange`.
- ``revlog.clearcaches``, ``nodemap.persist_nodemap``: see :mod:`.outer.nodemap`;
  put in place with the first node map.
- ``context.basectx.diff``: see :mod:`.diffing`.
- ``scmutil.parsers``: the node tree in ``shortesthexnodeidprefix`` is made from
  the C index, which it recognises by type.
"""

from __future__ import annotations

import contextlib
import functools
import struct
import sys
import types
from collections.abc import Iterator
from typing import Any

from mercurial import context, localrepo, mdiff, revlog, scmutil, util
from mercurial.revlogutils import flagutil

from . import eligibility, fallback, process
from . import settings as settingsmod
from .compat import detect
from .engine import caches, errors, hashing
from .engine import index as indexmod
from .operations import diff
from .outer import (
    ancestors,
    generations,
    missing,
    opening,
    parents,
    reading,
    streaming,
)

KIND_NAMES = {1001: 'changelog', 1002: 'manifest', 1003: 'filelog'}
KIND_MANIFEST = 1002
KIND_FILELOG = 1003
_SETTINGS = settingsmod.ATTRIBUTE
_INDEX_ERRORS = (ValueError, IndexError)
_OPENING_ERRORS = (ValueError, IndexError, OSError)

counters = process.counters
_plain_classes: dict[type, bool] = {}


class State:
    """What is installed in this process."""

    generation: detect.HgApi | str | None = None
    # (where, name, Mercurial's, ours)
    replaced: list[tuple[Any, str, Any, Any]] = []
    defaults = settingsmod.Settings()


state = State()


def install(ui: Any) -> detect.HgApi | str:
    """Hook into Mercurial, once; the generation found, or why there is none."""
    if state.generation is None:
        state.defaults = settingsmod.load(ui)
        apply(state.defaults)
        state.generation = found = detect.detect(revlog)
        if isinstance(found, str):
            fallback.stand_aside(ui, found)
        else:
            _install(found)
    return state.generation


def apply(settings: settingsmod.Settings) -> None:
    """Put the settings that concern the whole process in force."""
    caches.budget.limit = settings.cache_memory
    if settings.collision_detection and not hashing.hash_policy.collision_detection:
        caches.drop_all()  # what was checked in another way
    hashing.hash_policy.collision_detection = settings.collision_detection


def attach(ui: Any, repo: Any) -> None:
    """Let the revlogs of ``repo`` know the settings of its own configuration."""
    settings = settingsmod.load(ui)
    settingsmod.attach(repo, settings)
    apply(settings)
    fallback.standing.ui = ui


def settings_of(opener: Any) -> settingsmod.Settings:
    layer = opener
    for _ in range(3):
        attributes = getattr(layer, '__dict__', {})
        if _SETTINGS in attributes:
            return attributes[_SETTINGS]
        layer = attributes.get('vfs')
    return state.defaults


def _install(generation: detect.HgApi) -> None:
    outer = revlog.revlog
    load_inner = outer._load_inner
    basediff = context.basectx.diff
    emit = streaming.make_emitrevisions(outer.emitrevisions)
    repo_class = localrepo.localrepository
    parentrevs = parents.make_parentrevs(outer.parentrevs)
    missing_revs = missing.make_findmissingrevs(outer.findmissingrevs)
    missing_nodes = missing.make_findmissing(outer.findmissing)
    read = reading.make_revisiondata(outer._revisiondata, generation, load_inner)
    hook = _make_hook(repo_class.hook)
    # everything is made before anything is put in place: all or nothing
    state.replaced = [
        (outer, '__init__', outer.__init__, _make_init(outer.__init__)),
        (outer, '_loadindex', outer._loadindex, _make_loadindex(outer._loadindex)),
        (outer, '_load_inner', load_inner, _make_load_inner(load_inner, generation)),
        (outer, '_revisiondata', outer._revisiondata, read),
        (outer, 'parentrevs', outer.parentrevs, parentrevs),
        (outer, '_uncheckedparentrevs', outer._uncheckedparentrevs, parentrevs),
        (
            outer,
            'ancestors',
            outer.ancestors,
            ancestors.make_ancestors(outer.ancestors),
        ),
        (outer, 'headrevs', outer.headrevs, generations.make_headrevs(outer.headrevs)),
        *generations.replacements(),
        (outer, 'findmissingrevs', outer.findmissingrevs, missing_revs),
        (outer, 'findmissing', outer.findmissing, missing_nodes),
        (outer, '_get_data', outer._get_data, parents.make_get_data(outer._get_data)),
        (outer, 'emitrevisions', outer.emitrevisions, emit),
        (repo_class, 'hook', repo_class.hook, hook),
        (scmutil, 'parsers', scmutil.parsers, _Parsers(scmutil.parsers)),
        (context.basectx, 'diff', basediff, diff.make_diff(basediff)),
    ]
    fallback.guard(generation.inner, revlog._InnerRevlog)
    for holder, name, _theirs, ours in state.replaced:
        setattr(holder, name, ours)
    setattr(outer, parents.SOURCE, indexmod.NO_SOURCE)


@contextlib.contextmanager
def taken_out() -> Iterator[None]:
    """Within this context Mercurial is as it is without us.

    For measurements, on revlogs that we do not serve.
    """
    for holder, name, theirs, _ours in state.replaced:
        setattr(holder, name, theirs)
    try:
        yield
    finally:
        for holder, name, _theirs, ours in state.replaced:
            setattr(holder, name, ours)


class _Parsers:
    """``scmutil.parsers``, with a node tree that accepts the proxied index."""

    def __init__(self, parsers: Any) -> None:
        self._parsers = parsers
        if hasattr(parsers, 'nodetree'):
            self.index = (parsers.index, indexmod.IndexProxy)
            self.nodetree = self._nodetree

    def __getattr__(self, name: str) -> Any:
        return getattr(self._parsers, name)

    def _nodetree(self, index: Any, capacity: int) -> Any:
        cindex = getattr(index, 'cindex', index)
        return self._parsers.nodetree(cindex, capacity)


def _make_hook(orig: Any) -> Any:
    """Wrap ``localrepository.hook``, which every update calls before it writes.

    By then, and not before, ``mercurial.merge`` is loaded: most commands never do,
    and must not for our sake.
    """
    prepared = False

    def hook(self: Any, name: bytes, *args: Any, **kw: Any) -> Any:
        nonlocal prepared
        if name == b'preupdate' and not prepared:
            merge = sys.modules.get('mercurial.merge')
            # a module that demandimport has not loaded yet is of another type
            if type(merge) is types.ModuleType:
                prepared = True
                try:
                    from .operations import update

                    update.install(merge)
                except Exception as exc:
                    # files are then written as ever
                    counters.mishap(fallback.describe(exc))
        elif name == b'pretxnopen':
            _hook_changegroup()
        return orig(self, name, *args, **kw)

    return hook


def _hook_changegroup() -> None:
    """Before history is received, ``mercurial.changegroup`` is loaded."""
    module = sys.modules.get('mercurial.changegroup')
    if type(module) is not types.ModuleType:
        return
    try:
        from .operations import exchange

        exchange.install(module)
    except Exception as exc:
        counters.mishap(fallback.describe(exc))


def _make_init(orig: Any) -> Any:
    outer = revlog.revlog
    for name, size in (('_chainbasecache', 100), ('_chaininfocache', 500)):
        if not hasattr(outer, name):
            cache = opening.lazy_cache(name, functools.partial(_lru, size))
            setattr(outer, name, cache)
    flagprocessors = flagutil.flagprocessors
    parse = revlog.parsers.parse_index2

    def init(
        self: Any, opener: Any, target: Any, radix: bytes, *args: Any, **kw: Any
    ) -> None:
        if (
            target[0] != KIND_FILELOG
            or args
            or kw.get('try_split')
            or self.__class__ is not outer
        ):
            orig(self, opener, target, radix, *args, **kw)
            return
        # what else Mercurial was asked for decides which template fits
        key = (len(flagprocessors), *kw.items())
        try:
            template_cache = opener.__dict__[opening.TEMPLATES].get(key)
        except (AttributeError, KeyError, TypeError):
            template_cache = None
        if template_cache is not None and template_cache.options is opener.options:
            try:
                data = template_cache.storage.read_whole(radix + b'.i')
                template = template_cache.by_header.get(opening.header_of(data))
                if template is not None:
                    template.open(self, target, radix, data)
                    counters.served['filelog'] += 1
                    return
            except _OPENING_ERRORS:
                # missing, damaged: Mercurial's own way, and its own words
                self.__dict__.clear()
            except fallback.STORAGE_ERRORS:
                raise
            except Exception as exc:
                self.__dict__.clear()
                fallback.mishap(exc, radix + b'.i')
        orig(self, opener, target, radix, **kw)
        _learn(self, opener, key, parse)

    return init


def _learn(rl: Any, opener: Any, key: Any, parse: Any) -> None:
    """Take the file log that Mercurial has just opened as a template."""
    if rl._initempty or rl.uses_rust or not getattr(rl._inner, 'is_fastrevlog', 0):
        return
    try:
        hash(key)
    except TypeError:
        return
    template = opening.template_of(rl, parse)
    if template is not None:
        template_caches = opener.__dict__.setdefault(opening.TEMPLATES, {})
        template_cache = template_caches.get(key)
        if template_cache is None or template_cache.options is not opener.options:
            template_cache = template_caches[key] = opening.TemplateCache(
                rl._inner.storage, opener.options
            )
        template_cache.by_header[rl._format_flags | rl._format_version] = template


def _lru(size: int) -> Any:
    return util.lrucachedict(size)


def _make_loadindex(orig: Any) -> Any:
    def _loadindex(self: Any, docket: Any = None) -> Any:
        try:
            loaded = orig(self, docket=docket)
        except struct.error:
            # cut off within its first word, which Mercurial does not expect
            why = b'index %s is corrupted' % self.display_id
            raise errors.RevlogError(why) from None
        if self.uses_rust and settings_of(self.opener).over_rust:
            return _parse_over_rust(self, loaded)
        return loaded

    return _loadindex


def _parse_over_rust(rl: Any, loaded: Any) -> Any:
    """Parse with the C index what Rust was to parse, where we may serve it."""
    refusal = eligibility.revlog_refusal(rl, _plain_classes)
    if refusal is not None or isinstance(eligibility.storage_of(rl.opener), str):
        return loaded
    index_data = loaded[0]
    arguments = [index_data, rl._inline, rl.delta_config.general_delta]
    if revlog.parse_index_v1.__code__.co_argcount == 4:
        arguments.append(rl.delta_config.delta_info)
    else:
        arguments = arguments[: revlog.parse_index_v1.__code__.co_argcount]
    try:
        index, chunk_cache = revlog.parse_index_v1(*arguments)
    except _INDEX_ERRORS:
        raise errors.RevlogError(b'index %s is corrupted' % rl.display_id) from None
    rl.uses_rust = False
    return index, chunk_cache


def refusal(rl: Any, index: Any) -> str | None:
    """Why the revlog ``rl``, whose index was parsed, is left to Mercurial."""
    if not settings_of(rl.opener).enabled:
        return 'setting: fastrevlog.enabled'
    if rl.uses_rust:
        return 'rust: Mercurial runs its own Rust revlog'
    storage = eligibility.storage_of(rl.opener)
    if isinstance(storage, str):
        return storage
    reason = eligibility.revlog_refusal(rl, _plain_classes)
    if reason is None and not hasattr(index, 'slicechunktodensity'):
        return 'index: not the C index'
    return reason


def _make_load_inner(orig: Any, generation: detect.HgApi) -> Any:
    def serve(rl: Any, index: Any, chunk_cache: Any) -> None:
        kind = rl.target[0]
        rl._inner = inner = generation.inner(
            eligibility.storage_of(rl.opener),
            index,
            rl._indexfile,
            rl._datafile,
            rl._inline,
            rl.data_config,
            rl.delta_config,
            rl.feature_config,
            settingsmod.read_options(rl.data_config),
            chunk_cache,
            kind == KIND_FILELOG,
            _diff_function(kind),
        )
        if rl._nodemap_file is not None:
            _serve_nodemap(rl, inner)
        rl.index = inner.index
        parents.give_source(rl)
        counters.served[KIND_NAMES.get(kind, 'filelog')] += 1

    def _load_inner(self: Any, index: Any, chunk_cache: Any) -> None:
        try:
            reason = refusal(self, index)
            if reason is None:
                serve(self, index, chunk_cache)
                return
        except fallback.STORAGE_ERRORS:
            raise
        except Exception as exc:
            fallback.mishap(exc, self._indexfile)
            reason = 'mishap'
        counters.refuse(reason)
        parents.forget_source(self)
        orig(self, index, chunk_cache)

    return _load_inner


def _serve_nodemap(rl: Any, inner: Any) -> None:
    """Few repositories have a node map: what it needs is hooked in when one is seen."""
    from .outer import nodemap

    for hook in nodemap.hooks():
        holder, name, _theirs, ours = hook
        state.replaced.append(hook)
        setattr(holder, name, ours)
    nodemap.serve(rl, inner)


def _diff_function(kind: int) -> Any:
    if kind == KIND_MANIFEST and hasattr(mdiff, 'manifest_diff'):
        return mdiff.manifest_diff
    return getattr(mdiff, 'storage_diff', mdiff.textdiff)
