# Adding groups of incoming revisions to file logs.
# SPDX-License-Identifier: GPL-2.0-or-later
"""What a group of a changegroup appends to a file log.

Worked out by :mod:`..engine.additions`, without the general machinery; here are the
file logs, opened from what the first of their kind looked like, and Mercurial's own
search for a delta, for those revisions that need it.  Nothing is written:
:mod:`.appending` does that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from mercurial import revlog
from mercurial.revlogutils import deltas as hgdeltas

from ..compat import incoming as incomingmod
from ..engine import additions, deltas, format
from . import templates

# of Mercurial's search for a delta, where one that came is found good without it:
# owner, names
LEFT_OUT_OF_SEARCH: tuple[tuple[Any, str], ...] = (
    (
        hgdeltas.deltacomputer,
        'finddeltainfo _builddeltainfo _fullsnapshotinfo buildtext',
    ),
    (hgdeltas._SparseDeltaSearch, 'is_good_delta_info _pre_filter_rev _init_cached'),
    # where no deltas are stored
    (hgdeltas._NoDeltaSearch, '_init_group next_group'),
)


class _NoTransaction:
    """The transaction of what is worked out in memory."""

    @staticmethod
    def add(name: bytes, offset: int) -> None:
        """The files are told to the true transaction before they are written."""


class Kind:
    """What is the same for all file logs of a store with one index header."""

    __slots__ = ('template', 'header', 'limits', 'compressor')

    def __init__(self, rl: Any, template: templates.Template) -> None:
        self.template = template
        self.header = rl._format_flags | rl._format_version
        self.limits = limits_of(rl.delta_config)
        # one for all: making one costs more than compressing a small delta
        self.compressor = rl._inner._compressor


def forbidden_nodes(constants: Any) -> frozenset[bytes]:
    """Nodes that no revision may have: they stand for the working directory."""
    return frozenset({constants.wdirid, *constants.wdirfilenodeids})


def limits_of(config: Any) -> deltas.Limits:
    """The bounds of deltas that Mercurial's ``delta_config`` sets."""
    return deltas.Limits(
        config.sparse_revlog,
        config.max_chain_len,
        config.max_deltachain_span,
        config.upper_bound_comp,
        config.filter_suspicious_delta,
    )


def adds_plainly(rl: Any) -> bool:
    """Is there nothing uncommon about how revisions are added to the revlog ``rl``?

    It stores the deltas that came, where they are good ones.
    """
    config = rl.delta_config
    return bool(
        is_common(rl)
        and rl._storedeltachains
        and config.general_delta
        and config.lazy_delta
        and config.lazy_delta_base
    )


def is_common(rl: Any) -> bool:
    """Is ``rl`` ours, of format 1, and without anything that watches or adds facts?"""
    config = rl.delta_config
    return bool(
        getattr(rl._inner, 'is_fastrevlog', False)
        and rl._format_version == 1
        and rl._docket is None
        and rl._concurrencychecker is None
        and not rl.feature_config.compute_rank
        and not rl.feature_config.has_side_data
        and not config.debug_delta
        and not config.validate_base
        and not getattr(config, 'delta_info', False)
        and not getattr(rl, '_large_file_enabled', False)
    )


def kind_of(rl: Any, parse: Any) -> Kind | None:
    """The kind of the file log ``rl``, opened by Mercurial; None: not plain."""
    if (
        rl.__class__ is not revlog.revlog
        or not adds_plainly(rl)
        or rl._format_flags & format.FILELOG_META
        or rl._nodemap_file is not None
        or rl.data_config.check_ambig
        or not (rl._writable and rl._may_inline)
    ):
        return None
    template = templates.template_of(rl, parse)
    return None if template is None else Kind(rl, template)


class FileLogs:
    """Works out what groups append to the file logs of one store.

    ``open_filelog(name)`` is Mercurial's way to open a file log for writing.
    """

    def __init__(
        self,
        storage: Any,
        open_filelog: Callable[[bytes], Any],
        fix_parents: bool,
        forbidden: frozenset[bytes],
        parse: Any,
    ) -> None:
        self._storage = storage
        self._open_filelog = open_filelog
        self._fix_parents = fix_parents
        self._forbidden = forbidden
        self._parse = parse
        # by header; None: files that do not exist yet
        self._kinds: dict[int | None, Kind | None] = {}

    def work_out(
        self,
        name: bytes,
        incoming: Iterable[additions.Incoming],
        link_of: Callable[[bytes], int | None],
    ) -> additions.Outcome:
        """What the revisions ``incoming`` append to the file log of ``name``.

        Raises :class:`additions.Uncommon`, and what reading raises.
        """
        radix = b'data/' + name
        try:
            data = self._storage.read_whole(radix + b'.i')
        except FileNotFoundError:
            data = b''
            kind = self._kind(None, name)
        else:
            if not data:
                raise additions.Uncommon('an empty index file')
            kind = self._kind(templates.header_of(data), name)
        if kind is None:
            raise additions.Uncommon('not a plain file log')
        inner = kind.template.open_inner(radix, data)
        inner._compressor = kind.compressor
        group = additions.Additions(
            inner,
            kind.header,
            kind.limits,
            self._fix_parents,
            self._forbidden,
            _Search(kind, inner, name, radix),
        )
        try:
            return group.add_all(incoming, link_of)
        finally:
            group.close()

    def _kind(self, header: int | None, name: bytes) -> Kind | None:
        try:
            return self._kinds[header]
        except KeyError:
            kind = kind_of(self._open_filelog(name)._revlog, self._parse)
            self._kinds[header] = kind
            return kind


def search_of(rl: Any) -> Callable[[additions.Incoming, int, int, bytes | None], None]:
    """Mercurial's own way to add one revision to ``rl``, whose end is in memory."""
    # it has no files to split
    rl._enforceinlinesize = _nothing
    computer = hgdeltas.deltacomputer(rl)

    def search(
        incoming: additions.Incoming, link: int, base: int, text: bytes | None
    ) -> None:
        node, p1, p2, _base_node, _changeset, flags, delta = incoming
        rl._addrevision(
            node,
            text,
            _NoTransaction,
            link,
            p1,
            p2,
            flags,
            incomingmod.cached_delta(base, delta, text),
            deltacomputer=computer,
            sidedata={},
        )

    return search


class _Search:
    """As :func:`search_of`, of a file log that is opened when it is first needed."""

    def __init__(self, kind: Kind, inner: Any, name: bytes, radix: bytes) -> None:
        self._kind = kind
        self._inner = inner
        self._name = name
        self._radix = radix
        self._search: Any = None

    def __call__(
        self,
        incoming: additions.Incoming,
        link: int,
        base: int,
        text: bytes | None,
    ) -> None:
        if self._search is None:
            self._search = search_of(self._open())
        self._search(incoming, link, base, text)

    def _open(self) -> Any:
        rl = self._kind.template.open_outer(
            (format.KIND_FILELOG, self._name), self._radix, self._inner
        )
        rl.filename = self._name
        return rl


def _nothing(transaction: Any) -> None:
    """In the place of ``revlog._enforceinlinesize``."""
