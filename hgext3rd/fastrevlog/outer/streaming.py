# Revisions for a bundle or a pull, from a revlog whose index may be damaged.
# SPDX-License-Identifier: GPL-2.0-or-later
"""``revlog.emitrevisions`` trips over an index entry that contradicts the others.

It looks parents and bases up in the index, which raises ``IndexError`` or
``ValueError`` for one that is not there; nobody above expects that.  It becomes the
error of a damaged revlog.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from ..engine import errors


def make_emitrevisions(place: Any) -> Any:
    """For ``revlog.emitrevisions``."""
    orig = place.stock

    def emitrevisions(self: Any, *args: Any, **kwargs: Any) -> Iterator[Any]:
        if not getattr(self._inner, 'is_fastrevlog', False):
            return orig(self, *args, **kwargs)
        return _stream(self, lambda: orig(self, *args, **kwargs))

    return emitrevisions


def _stream(rl: Any, emit: Callable[[], Iterator[Any]]) -> Iterator[Any]:
    try:
        yield from emit()
    except (IndexError, ValueError) as exc:
        raise errors.corrupt_index(rl.display_id, str(exc).encode()) from None
