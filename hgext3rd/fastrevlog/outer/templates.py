# What the file logs of a store have in common.
# SPDX-License-Identifier: GPL-2.0-or-later
"""Templates of file logs.

The first file log of a kind is opened by Mercurial; what it looks like then is
taken as a *template*: the attributes that do not depend on the file.  Later ones
are made from the template with one ``open``, one ``fstat`` and one ``read``
(:mod:`.opening`), or their inner revlogs alone, to read a text or to add to.

A template is only taken where every attribute is of a known sort: per file,
immutable, a configuration object (copied), or one of a few shared objects.  An
attribute we do not know means that this Mercurial, or an extension, does more
than we do, and every file log is then opened by Mercurial.
"""

from __future__ import annotations

from typing import Any

from .. import stores
from ..engine import format, vfs
from ..engine import inner as innermod

# methods of the outer revlog that opening from a template leaves out
LEFT_OUT = ('_init_opts', '_get_data', '_loadindex', '_load_inner')
_HEADER_SIZE = format.HEADER_SIZE
_unpack_header = format.HEADER.unpack_from

# attributes that are made anew for each file log
_PER_FILE = frozenset(
    'radix target index _inner _indexfile _datafile _chainbasecache '
    '_chaininfocache _pcache _flagprocessors data_config delta_config '
    'feature_config _initempty display_id'.split()
)
# objects that all file logs of a repository share already
_SHARED = frozenset('opener nodeconstants _parse_index _diff_fn'.split())
_IMMUTABLE = (type(None), bool, int, bytes, str)


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
