# Opening revlogs: the inner revlog is ours, and file logs come from a template.
# SPDX-License-Identifier: GPL-2.0-or-later
"""``revlog._loadindex`` and ``revlog._load_inner`` open a revlog in two steps; in the
second we put in our inner revlog and the proxied index, where the revlog may be
served (:func:`refusal`).

Thousands of file logs are opened by one command, all set up alike.

The first file log of a kind is opened by Mercurial; what it looks like then is
taken as a *template*: the attributes that do not depend on the file.  Later ones
are made from the template with one ``open``, one ``fstat`` and one ``read``.

A template is only taken where every attribute is of a known sort: per file,
immutable, a configuration object (copied), or one of a few shared objects.  An
attribute we do not know means that this Mercurial, or an extension, does more
than we do, and every file log is then opened by Mercurial.
"""

from __future__ import annotations

import operator
import struct
from typing import Any, Callable

from mercurial import mdiff, revlog, util
from mercurial.revlogutils import flagutil

from .. import eligibility, fallback, process, stores, unchanged
from .. import settings as settingsmod
from ..engine import errors, format, vfs
from ..engine import index as indexmod
from ..engine import inner as innermod
from . import parents

KIND_MANIFEST = format.KIND_MANIFEST
KIND_FILELOG = format.KIND_FILELOG
KIND_NAMES = {
    format.KIND_CHANGELOG: 'changelog',
    KIND_MANIFEST: 'manifest',
    KIND_FILELOG: 'filelog',
}
_HEADER_SIZE = format.HEADER_SIZE
_unpack_header = format.HEADER.unpack_from
_INDEX_ERRORS = (ValueError, IndexError)
_OPENING_ERRORS = (ValueError, IndexError, OSError)
# methods of the outer revlog that opening from a template leaves out
LEFT_OUT = ('_init_opts', '_get_data', '_loadindex', '_load_inner')
counters = process.counters

# attributes that are made anew for each file log
_PER_FILE = frozenset(
    'radix target index _inner _indexfile _datafile _chainbasecache '
    '_chaininfocache _pcache _flagprocessors data_config delta_config '
    'feature_config _initempty display_id'.split()
)
# objects that all file logs of a repository share already
_SHARED = frozenset('opener nodeconstants _parse_index _diff_fn'.split())
_IMMUTABLE = (type(None), bool, int, bytes, str)
_NOT_SET = object()


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


class Template:
    """What file logs of one store with one index header have in common."""

    __slots__ = (
        'shared',
        'configs',
        'own',
        'processors',
        'inline',
        'storage',
        'new_inner',
        'read_options',
        'diff',
        'parse',
        'parse_arguments',
        'plain_configs',
        'outer',
    )

    def __init__(self, rl: Any, parse: Any) -> None:
        attributes = vars(rl)
        inner = rl._inner
        self.shared = {
            name: value for name, value in attributes.items() if name not in _PER_FILE
        }
        self.configs = [
            (name, type(attributes[name]), dict(vars(attributes[name])))
            for name in ('data_config', 'delta_config', 'feature_config')
        ]
        # what each file log has a copy of, inside of its configuration
        self.own = [
            (name, key, value)
            for name, _cls, values in self.configs
            for key, value in values.items()
            if isinstance(value, (dict, list, set))
        ]
        # for inner revlogs that nobody else will see, and none will change
        self.plain_configs = tuple(attributes[name] for name, _, _ in self.configs)
        self.processors = dict(rl._flagprocessors)
        self.inline = inner.inline
        self.storage = inner.storage
        self.new_inner = type(inner)
        self.outer = type(rl)
        self.read_options = inner.restorer.options
        self.diff = inner._diff
        self.parse = parse
        arguments = [self.inline, bool(rl.delta_config.general_delta)]
        delta_info = getattr(rl.delta_config, 'delta_info', None)
        self.parse_arguments = arguments + (
            [] if delta_info is None else [bool(delta_info)]
        )

    def open(self, rl: Any, target: Any, radix: bytes, data: bytes) -> None:
        """Make ``rl`` the file log whose index file holds ``data``.

        Raises ``ValueError`` or ``IndexError`` for a damaged index; ``rl`` is not
        touched then.
        """
        cindex, window = self.parse(data, *self.parse_arguments)
        attributes = rl.__dict__
        attributes.update(self.shared)
        for name, cls, values in self.configs:
            config: Any = object.__new__(cls)
            attributes[name] = config
            config.__dict__.update(values)
        for name, key, value in self.own:
            attributes[name].__dict__[key] = value.copy()
        configs = [attributes[name] for name, _cls, _values in self.configs]
        self._set(rl, target, radix, self._inner(radix, cindex, window, configs))

    def open_outer(self, target: Any, radix: bytes, inner: Any) -> Any:
        """An outer revlog around ``inner``, which :meth:`open_inner` made."""
        rl = object.__new__(self.outer)
        rl.__dict__.update(self.shared)
        for (name, _cls, _values), config in zip(self.configs, self.plain_configs):
            rl.__dict__[name] = config
        self._set(rl, target, radix, inner)
        return rl

    def _set(self, rl: Any, target: Any, radix: bytes, inner: Any) -> None:
        """What is each file log's own."""
        attributes = rl.__dict__
        attributes['_inner'] = inner
        attributes['index'] = inner.index
        attributes['radix'] = radix
        attributes['target'] = target
        attributes['_indexfile'] = inner.index_file
        attributes['_datafile'] = inner.data_file
        attributes['_initempty'] = False
        attributes['_pcache'] = {}
        attributes['_flagprocessors'] = self.processors.copy()

    def open_inner(self, radix: bytes, data: bytes) -> innermod.InnerRevlog:
        """The inner revlog alone, to read a text from; raises as :meth:`open`."""
        cindex, window = self.parse(data, *self.parse_arguments)
        return self._inner(radix, cindex, window, self.plain_configs)

    def _inner(
        self, radix: bytes, cindex: Any, window: Any, configs: Any
    ) -> innermod.InnerRevlog:
        inner: innermod.InnerRevlog = self.new_inner(
            self.storage,
            cindex,
            radix + b'.i',
            radix + b'.d',
            self.inline,
            *configs,
            self.read_options,
            window,
            True,
            self.diff,
        )
        return inner


class TemplateCache:
    """The templates of one store, by index header, and what they rely on."""

    __slots__ = ('storage', 'options', 'functions', 'by_header')

    def __init__(self, storage: vfs.StoreVFS, options: Any, functions: Any) -> None:
        self.storage = storage
        # the methods that were left out, :data:`LEFT_OUT`, as they were then
        self.functions = functions
        # replaced by Mercurial when the configuration of a store changes
        self.options = options
        self.by_header: dict[int, Template] = {}

    def text(self, radix: bytes, node: bytes, altering: int) -> bytes | None:
        """The checked raw text of ``node`` in a file log, without an outer revlog.

        None where there is more to it: a header that was not seen yet, an unknown
        node, a flag of ``altering``, damage.  Raises ``OSError``, ``ValueError``,
        ``IndexError`` and ``RevlogError``.
        """
        data = self.storage.read_whole(radix + b'.i')
        template = self.by_header.get(header_of(data))
        if template is None:
            return None
        inner = template.open_inner(radix, data)
        rev = inner.cindex.get_rev(node)
        if rev is None or rev < 0:
            return None
        entry = inner.cindex[rev]
        if entry[0] & altering:
            return None
        return inner.checked_text(rev, entry)


def template_cache_of(opener: Any) -> TemplateCache | None:
    """What file logs of a store look like, if all that were opened are alike."""
    template_caches = stores.of(opener).templates
    if len(template_caches) != 1:
        return None
    template_cache: TemplateCache
    (template_cache,) = template_caches.values()
    return template_cache if template_cache.options is opener.options else None


def template_of(rl: Any, parse: Any) -> Template | None:
    """A template from the file log ``rl`` that Mercurial has opened, or None."""
    if not isinstance(getattr(rl, '_inner', None), innermod.InnerRevlog):
        return None
    for name, value in vars(rl).items():
        if name in _PER_FILE or name in _SHARED or isinstance(value, _IMMUTABLE):
            continue
        return None
    for name in ('data_config', 'delta_config', 'feature_config'):
        if not hasattr(getattr(rl, name, None), '__dict__'):
            return None
    return Template(rl, parse)


def header_of(data: bytes) -> int:
    """The first word of an index: format version and flags."""
    return _unpack_header(data)[0] if len(data) >= _HEADER_SIZE else 0


def make_init(place: Any) -> Any:
    """For ``revlog.__init__``: file logs from a template."""
    orig = place.stock
    outer = place.holder
    flagprocessors = flagutil.flagprocessors
    parse = revlog.parsers.parse_index2
    attribute = stores.ATTRIBUTE
    left_out = operator.attrgetter(*LEFT_OUT)
    if not all(hasattr(outer, name) for name in LEFT_OUT):
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
                template = template_cache.by_header.get(header_of(data))
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
    template = template_of(rl, parse)
    if template is not None:
        template_cache = store.templates.get(key)
        if (
            template_cache is None
            or template_cache.options is not opener.options
            or template_cache.functions != functions
        ):
            template_cache = TemplateCache(template.storage, opener.options, functions)
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
