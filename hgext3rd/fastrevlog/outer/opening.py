# Opening revlogs: the inner revlog is ours, and file logs come from a template.
# SPDX-License-Identifier: GPL-2.0-or-later
"""``revlog._loadindex`` and ``revlog._load_inner`` open a revlog in two steps; in the
second we put in our inner revlog and the proxied index, where the revlog may be
served (:func:`refusal`).

Thousands of file logs are opened by one command, all set up alike: all but the first
are made from a template (:mod:`.templates`).
"""

from __future__ import annotations

import operator
import struct
from typing import Any, Callable

from mercurial import mdiff, revlog, util
from mercurial.revlogutils import flagutil

from .. import eligibility, fallback, process, stores, unchanged
from .. import settings as settingsmod
from ..engine import errors, format
from ..engine import index as indexmod
from . import parents, templates

KIND_MANIFEST = format.KIND_MANIFEST
KIND_FILELOG = format.KIND_FILELOG
KIND_NAMES = {
    format.KIND_CHANGELOG: 'changelog',
    KIND_MANIFEST: 'manifest',
    KIND_FILELOG: 'filelog',
}
_INDEX_ERRORS = (ValueError, IndexError)
_OPENING_ERRORS = (ValueError, IndexError, OSError)
counters = process.counters


def _lazy_cache(name: str, make: Callable[[], Any]) -> Any:
    """A class attribute that makes the instance's own object when first read."""

    class LazyCache:
        def __get__(self, rl: Any, owner: Any = None) -> Any:
            if rl is None:
                raise AttributeError(name)
            made = rl.__dict__[name] = make()
            return made

    return LazyCache()


def make_cache_of_100(place: Any) -> Any:
    """For ``revlog._chainbasecache``; the size is Mercurial's."""
    return _lazy_cache(place.name, lambda: util.lrucachedict(100))


def make_cache_of_500(place: Any) -> Any:
    """For ``revlog._chaininfocache``; the size is Mercurial's."""
    return _lazy_cache(place.name, lambda: util.lrucachedict(500))


def make_init(place: Any) -> Any:
    """For ``revlog.__init__``: file logs from a template."""
    orig = place.stock
    outer = place.holder
    flagprocessors = flagutil.flagprocessors
    parse = revlog.parsers.parse_index2
    attribute = stores.ATTRIBUTE
    left_out = operator.attrgetter(*templates.LEFT_OUT)
    if not all(hasattr(outer, name) for name in templates.LEFT_OUT):
        return None

    def init(
        self: Any, opener: Any, target: Any, radix: bytes, *args: Any, **kw: Any
    ) -> None:
        if target[0] != KIND_FILELOG or args or self.__class__ is not outer:
            orig(self, opener, target, radix, *args, **kw)
            return
        # what else Mercurial was asked for decides which template fits
        key = (len(flagprocessors), *kw.items())
        try:
            template_cache = opener.__dict__[attribute].templates.get(key)
        except (AttributeError, KeyError, TypeError):
            template_cache = None
        if (
            template_cache is not None
            and template_cache.options is opener.options
            and template_cache.functions == left_out(outer)
        ):
            try:
                data = template_cache.storage.read_whole(radix + b'.i')
                template = template_cache.by_header.get(templates.header_of(data))
                if template is not None and not (
                    kw.get('try_split') and _is_being_split(self, radix, opener)
                ):
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
                fallback.internal_error(exc, radix + b'.i', opener)
        orig(self, opener, target, radix, **kw)
        _learn(self, opener, key, parse, left_out(outer))

    return init


def _is_being_split(rl: Any, radix: bytes, opener: Any) -> bool:
    """Has the transaction given this file log an index file elsewhere?"""
    rl.radix = radix
    return bool(opener.exists(rl._split_index_file))


def _learn(rl: Any, opener: Any, key: Any, parse: Any, functions: Any) -> None:
    """Take the file log that Mercurial has just opened as a template."""
    if rl._initempty or rl.uses_rust or not getattr(rl._inner, 'is_fastrevlog', 0):
        return
    if rl._indexfile != rl.radix + b'.i':
        return  # is being split
    store = stores.of(opener)
    if not unchanged.is_of('mercurial.revlog', *functions):
        return
    if store.base is not None:
        return  # settings of the opener below may change unseen
    try:
        hash(key)
    except TypeError:
        return
    template = templates.template_of(rl, parse)
    if template is not None:
        template_cache = store.templates.get(key)
        if (
            template_cache is None
            or template_cache.options is not opener.options
            or template_cache.functions != functions
        ):
            template_cache = templates.TemplateCache(
                template.storage, opener.options, functions
            )
            store.templates[key] = template_cache
        header = rl._format_version | rl._format_flags
        template_cache.by_header[header] = template


def make_loadindex(place: Any) -> Any:
    """For ``revlog._loadindex``: with over-rust, the C index parses."""
    orig = place.stock

    def _loadindex(self: Any, docket: Any = None) -> Any:
        try:
            loaded = orig(self, docket=docket)
        except struct.error:
            # cut off within its first word, which Mercurial does not expect
            why = b'index %s is corrupted' % self.display_id
            raise errors.RevlogError(why) from None
        if self.uses_rust:
            settings = stores.of(self.opener).settings
            if settings is not None and settings.enabled and settings.over_rust:
                return _parse_over_rust(self, loaded)
        return loaded

    return _loadindex


def _parse_over_rust(rl: Any, loaded: Any) -> Any:
    """Parse with the C index what Rust was to parse, where we may serve it."""
    reason = eligibility.revlog_refusal(rl)
    if reason is not None or stores.of(rl.opener).refusal is not None:
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
    store = stores.of(rl.opener)
    settings = store.settings
    if settings is not None and not settings.enabled:
        return 'setting: fastrevlog.enabled'
    if rl.uses_rust:
        return 'rust: Mercurial runs its own Rust revlog'
    reason = store.refusal
    if reason is None:
        reason = eligibility.revlog_refusal(rl)
    if reason is None and not hasattr(index, 'slicechunktodensity'):
        return 'index: not the C index'
    return reason


def make_load_inner(place: Any) -> Any:
    """For ``revlog._load_inner``: our inner revlog, where it may serve."""
    orig = place.stock
    make = place.api.inner

    def serve(rl: Any, index: Any, chunk_cache: Any) -> None:
        kind = rl.target[0]
        rl._inner = inner = make(
            stores.of(rl.opener).files,
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
            fallback.internal_error(exc, self._indexfile, self.opener)
            reason = 'internal error'
        counters.refuse(reason)
        parents.forget_source(self)
        orig(self, index, chunk_cache)

    return _load_inner


def _serve_nodemap(rl: Any, inner: Any) -> None:
    """Few repositories have a node map: what it needs is hooked in when one is seen."""
    from . import nodemap

    process.state.installation.add_group('nodemap')
    nodemap.serve(rl, inner)


def _diff_function(kind: int) -> Any:
    if kind == KIND_MANIFEST and hasattr(mdiff, 'manifest_diff'):
        return mdiff.manifest_diff
    return getattr(mdiff, 'storage_diff', mdiff.textdiff)


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


def make_parsers(place: Any) -> Any:
    """For ``scmutil.parsers``, whose node tree knows the C index by its type."""
    return _Parsers(place.stock)
