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

_SPECIAL = ('__len__', '__getitem__', '__contains__')


def _let_go(proxy: Any) -> None:
    """Free the C index at once: a class waits for the garbage collector."""
    for name in _SPECIAL:
        delattr(type(proxy), name)


class IndexProxy:
    """Forwards everything to the C index ``cindex``."""

    # Mercurial's Rust functions must not be handed a proxy they do not know
    rust_ext_compat = 0
    is_rust = False

    # rev -> (p1, p2), once enough has been asked for
    parents: dict[int, tuple[int, int]] | None = None
    asked = 0

    def __init__(self, cindex: Any) -> None:
        self.cindex = cindex

    @classmethod
    def bound(cls, cindex: Any) -> IndexProxy:
        """A proxy whose special methods are those of ``cindex`` themselves.

        They are looked up on the class, so this makes a class for one object: a
        few microseconds, well spent on an index that is asked millions of times.
        """
        special = {name: getattr(cindex, name) for name in _SPECIAL}
        special['__del__'] = _let_go
        return type(cls.__name__, (cls,), special)(cindex)

    def tabulate(self, canonical_order: bool) -> None:
        """Put the parents of every revision into :attr:`parents`.

        ``canonical_order`` puts a null first parent second, as Mercurial does
        for all but file logs.
        """
        cindex = self.cindex
        pairs = [entry[5:7] for entry in map(cindex.__getitem__, range(len(cindex)))]
        if canonical_order:
            pairs = [pair if pair[0] >= 0 else pair[::-1] for pair in pairs]
        self.parents = dict(enumerate(pairs))

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
        self.parents = None
        self.asked = 0
        del self.cindex[revs]

    def head_node_ids(self) -> list[bytes]:
        """Nodes (20 bytes each) of the heads, in the order of their revs."""
        cindex = self.cindex
        return [cindex[rev][7] for rev in cindex.headrevs()]
