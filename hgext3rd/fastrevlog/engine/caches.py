# Caches of texts and chunks: a share of memory for each store, one budget for all.
# SPDX-License-Identifier: GPL-2.0-or-later
"""One budget, a share for each store, many small dictionaries.

Each inner revlog holds plain dictionaries of what it has restored: the look-up
on the hot path is a dictionary access and nothing else.  What is *put* into one
of them is put through the :class:`Share` of its store, which remembers the order of
arrival and drops the oldest entries, of whichever revlog, once the store holds more
than it may.  First in, first out serves walks in either direction, and costs
nothing on a hit.

A share may hold what the settings of its repository say.  The process as a whole
(:class:`Budget`) may hold what the largest living share may: many small repositories
together take no more than one of them would ask for alone.  Beyond that, the share
that holds the most gives up its oldest entries.

A cleared or forgotten dictionary stays counted until its entries leave the
queue: a share errs on the side of holding too little.
"""

from __future__ import annotations

import contextlib
import weakref
from collections import deque
from collections.abc import Iterator
from typing import Any

DEFAULT_LIMIT = 64 * 1024 * 1024  # bytes
_OVERHEAD = 300  # bytes; a rough cost of one entry in dictionary and queue
_BULK = 1000  # revisions; a transaction that has appended more pulls or unbundles
_BULK_LIMIT = 8 * 1024 * 1024  # bytes held meanwhile
RECEIVING_LIMIT = 4 * 1024 * 1024  # the same, by each process that adds a changegroup


class Budget:
    """Bytes that all caches of a process may hold together, and how they are used.

    Threads may lose an update of :attr:`used`; it is counted anew whenever something
    has to go.
    """

    __slots__ = (
        'limit',
        'used',
        'evicted',
        'text_hits',
        'chunk_hits',
        'chunk_reads',
        'shares',
    )

    def __init__(self) -> None:
        self.limit = 0  # bytes
        self.used = 0  # bytes
        self.evicted = 0  # entries
        self.text_hits = 0  # texts answered from a cache
        self.chunk_hits = 0  # chunks answered from a cache
        self.chunk_reads = 0  # chunks that were not
        self.shares: weakref.WeakSet[Share] = weakref.WeakSet()

    def settle(self) -> None:
        """Count anew what the living shares hold, and what they may hold together."""
        shares = list(self.shares)
        self.limit = max([share.asked for share in shares], default=0)
        self.used = sum([share.used for share in shares])

    def shrink(self) -> None:
        """Drop the oldest entries of whoever holds most until the limit is met."""
        self.settle()
        while self.used > self.limit:
            largest = max(self.shares, key=_used)
            before = largest.used
            largest.drop(before - (self.used - self.limit))
            if largest.used >= before:  # it is empty: threads lost an update
                break
            self.settle()

    def clear(self) -> None:
        """Forget everything that any revlog holds."""
        for share in list(self.shares):
            share.clear()


def _used(share: Share) -> int:
    return share.used


budget = Budget()


class Share:
    """Bytes that the caches of one store may hold.

    ``asked`` is what the settings of its repository say, ``limit`` what holds at the
    moment: never more, less within :meth:`limited_to`.

    ``by_node`` maps a node and its rev to a raw text, for file logs, whose objects
    Mercurial makes anew each time a file is looked at.  Only texts that were checked
    and that no flag alters get in, so an entry is right whatever object asks: the node
    is the hash of the text.  The rev tells apart what a damaged index has twice.
    """

    __slots__ = (
        'budget',
        'asked',
        'limit',
        'used',
        'by_node',
        'appended',
        '_transaction',
        '_queue',
        '_bounds',
        '__weakref__',
    )

    def __init__(self, asked: int = DEFAULT_LIMIT, within: Budget = budget) -> None:
        self.budget = within
        self.asked = self.limit = asked
        self.used = 0
        self.by_node: dict[tuple[bytes, int], bytes] = {}
        self.appended = 0  # revisions, by the transaction that was seen last
        self._transaction: weakref.ref[Any] | None = None
        self._queue: deque[tuple[dict[Any, Any], Any, Any, int]] = deque()
        self._bounds: list[int] = []
        within.shares.add(self)
        within.settle()

    def ask(self, limit: int) -> None:
        """Another setting: from now on hold no more than ``limit`` bytes."""
        self.asked = limit
        self._bound()
        self.budget.settle()
        self.shrink()

    def while_writing(
        self, transaction: Any
    ) -> contextlib.AbstractContextManager[None]:
        """A context in which ``transaction`` appends revisions of this store.

        Writing in bulk asks again for what was just written and for little else; and
        texts that stay, among all that is allocated for a moment, leave holes that
        cost as much memory as they do.
        """
        # Mercurial hands out proxies of a transaction; its methods know the object
        real = getattr(getattr(transaction, 'add', None), '__self__', None)
        if real is None:
            return contextlib.nullcontext()
        seen = self._transaction
        if seen is None or seen() is not real:
            self._transaction = weakref.ref(real)
            self.appended = 0
        if self.appended > _BULK:
            return self.limited_to(_BULK_LIMIT)
        return contextlib.nullcontext()

    @contextlib.contextmanager
    def limited_to(self, limit: int) -> Iterator[None]:
        """Within this context add nothing beyond ``limit`` bytes; nests."""
        self._bounds.append(limit)
        self._bound()
        try:
            yield
        finally:
            self._bounds.remove(limit)
            self._bound()

    def _bound(self) -> None:
        self.limit = min([self.asked, *self._bounds])

    def put(self, cache: dict[Any, Any], key: Any, value: Any, size: int) -> None:
        """Put ``value``, ``size`` bytes, into ``cache`` and charge for it.

        What would take a quarter of the share alone is not kept.
        """
        limit = self.limit
        if size > limit >> 2:
            return
        cache[key] = value
        size += _OVERHEAD
        self._queue.append((cache, key, value, size))
        self.used += size
        budget = self.budget
        budget.used += size
        if self.used > limit or budget.used > budget.limit:
            self.shrink()

    def shrink(self) -> None:
        """Drop the oldest entries until this share and the budget are kept."""
        self.drop(self.limit)
        self.budget.shrink()

    def drop(self, limit: int) -> None:
        """Drop the oldest entries until ``limit`` bytes are met."""
        queue = self._queue
        while self.used > limit and queue:
            try:
                cache, key, value, size = queue.popleft()
            except IndexError:  # another thread was faster
                break
            self.used -= size
            # the key may have been given a newer value since
            if cache.get(key) is value:
                cache.pop(key, None)
                self.budget.evicted += 1
        if not queue:
            # threads may have lost an update; an empty queue is the truth
            self.used = 0

    def clear(self) -> None:
        """Forget all cached texts and chunks of this store.

        Whoever must see what the disk holds now (``hg verify``) calls this first.
        """
        queue = self._queue
        while queue:
            cache, _key, _value, _size = queue.popleft()
            cache.clear()
        self.used = 0
        self.by_node.clear()
        self.budget.settle()
