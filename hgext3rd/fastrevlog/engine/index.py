# The index that Mercurial's outer layers see.
# SPDX-License-Identifier: GPL-2.0-or-later
"""A proxy of Mercurial's C index.

The C index cannot be subclassed, and the inner revlog owns it.  The methods
that the outer layers call in loops are bound methods of the C object, set on
the proxy when first asked for, so that a call costs what it costs without us.
The special methods cannot be bound that way; on CPython 3.11 they add about
30 ns each, unless :meth:`IndexProxy.bound` is used.
"""

from __future__ import annotations

from typing import Any

from . import caches
from . import columns as columnsmod

_SPECIAL = ('__len__', '__getitem__', '__contains__')


def _let_go(proxy: Any) -> None:
    """Free the C index at once: a class waits for the garbage collector."""
    for name in _SPECIAL:
        delattr(type(proxy), name)


class Source:
    """Bytes that an index was parsed from; what it holds still of their entries.

    It may be shared by several users of one index, all of whom have to see that a
    revision was taken out.
    """

    __slots__ = ('data', 'count')

    def __init__(self, data: Any, count: int) -> None:
        self.data = data
        self.count = count  # of the entries


NO_SOURCE = Source(b'', 0)


class IndexProxy:
    """Forwards everything to the C index ``cindex``."""

    # Mercurial's Rust functions must not be handed a proxy they do not know
    rust_ext_compat = 0
    is_rust = False

    # what the C index was parsed from, if that was a file of entries alone
    source: Source
    # the memory that columns are charged to
    share: caches.Share | None = None

    def __init__(self, cindex: Any) -> None:
        self.cindex = cindex
        # under 0: the columns, once they have been asked for; the share of
        # memory takes them away again when it runs out
        self.held: dict[int, columnsmod.Columns] = {}
        self.source = NO_SOURCE

    @classmethod
    def bound(cls, cindex: Any) -> Any:
        """A proxy whose special methods are those of ``cindex`` themselves.

        They are looked up on the class, so this makes a class for one object: a
        few microseconds, well spent on an index that is asked millions of times.
        """
        special = {name: getattr(cindex, name) for name in _SPECIAL}
        special['__del__'] = _let_go
        return type(cls.__name__, (cls,), special)(cindex)

    def columns(self, canonical_order: bool) -> columnsmod.Columns | None:
        """The parents of every revision there is now, empty where that is new.

        ``canonical_order`` puts a null first parent second, as Mercurial does for
        all but file logs; it is the same in each call.  None where there is no way
        to have columns.
        """
        held = self.held.get(0)
        count = len(self.cindex)
        if held is not None and len(held) == count:
            return held
        if not columnsmod.SUPPORTED:
            return None
        if held is None:
            columns = columnsmod.Columns(
                self.cindex, count, self.source, canonical_order
            )
            added = count
        else:
            columns = held.grown(count)
            added = count - len(held)
        if self.share is None:
            self.held[0] = columns
        else:
            size = added * columnsmod.BYTES_PER_REV
            self.share.put(self.held, 0, columns, size)
        return columns

    def __getattr__(self, name: str) -> Any:
        # only what is not set yet comes here; remember it
        if name == 'cindex':
            raise AttributeError(name)
        value = getattr(self.cindex, name)
        if callable(value):
            self.__dict__[name] = value
        return value

    def __len__(self) -> int:
        return len(self.cindex)

    def __getitem__(self, rev: int) -> tuple[Any, ...]:
        return self.cindex[rev]

    def __contains__(self, item: Any) -> bool:
        return item in self.cindex

    def __delitem__(self, revs: Any) -> None:
        self.held.clear()
        # what is added later is not what the file held there
        if self.source is not NO_SOURCE:
            self.source.count = 0
        del self.cindex[revs]

    def head_node_ids(self) -> list[bytes]:
        """Nodes (20 bytes each) of the heads, in the order of their revs."""
        cindex = self.cindex
        return [cindex[rev][7] for rev in cindex.headrevs()]

    def nodemap_data_all(self) -> bytes:
        """The data of a node map of the whole index."""
        from .nodemap import persist

        return persist.whole(self.cindex)
