# Caches of texts and chunks under one memory budget for the whole process.
# SPDX-License-Identifier: GPL-2.0-or-later
"""One budget, many small dictionaries.

Each inner revlog holds plain dictionaries of what it has restored: the look-up
on the hot path is a dictionary access and nothing else.  What is *put* into one
of them is put through :class:`Budget`, which remembers the order of arrival and
drops the oldest entries, of whichever revlog, once the process holds more than
its limit.  First in, first out serves walks in either direction, and costs
nothing on a hit.

A cleared or forgotten dictionary stays counted until its entries leave the
queue: the budget errs on the side of holding too little.
"""

from __future__ import annotations

from collections import deque
from typing import Any

DEFAULT_LIMIT = 64 * 1024 * 1024
_OVERHEAD = 300  # bytes; a rough cost of one entry in dictionary and queue
_WRITING_LIMIT = 8 * 1024 * 1024


class Budget:
    """Bytes that all caches of this process may hold together."""

    __slots__ = (
        'limit',
        'used',
        'evicted',
        'hits',
        'misses',
        '_queue',
        '_narrow',
        '_narrowed',
        '_wide',
    )

    def __init__(self, limit: int = DEFAULT_LIMIT) -> None:
        self.limit = limit  # bytes
        self.used = 0  # bytes
        self.evicted = 0  # entries
        self.hits = 0
        self.misses = 0
        self._queue: deque[tuple[dict[Any, Any], Any, Any, int]] = deque()

        self._narrow = limit
        self._narrowed = 0
        self._wide = limit

    def narrow(self, limit: int = _WRITING_LIMIT) -> None:
        """Hold no more than ``limit`` bytes until :meth:`widen`; nests.

        For the time of writing in bulk, which asks again for what it has just
        written and for little else; and texts that stay, among all that is
        allocated for a moment, leave holes that cost as much as they do.
        """
        self._narrowed += 1
        if self._narrowed == 1:
            self._wide = self.limit
            self.limit = self._narrow = min(self.limit, limit)

    def widen(self) -> None:
        """The end of :meth:`narrow`."""
        self._narrowed -= 1
        # unless another limit was set meanwhile
        if not self._narrowed and self.limit == self._narrow:
            self.limit = self._wide

    def put(self, cache: dict[Any, Any], key: Any, value: Any, size: int) -> None:
        """Put ``value``, ``size`` bytes, into ``cache`` and charge for it.

        What would take a quarter of the budget alone is not kept.
        """
        if size > self.limit >> 2:
            return
        cache[key] = value
        size += _OVERHEAD
        self._queue.append((cache, key, value, size))
        self.used += size
        if self.used > self.limit:
            self.shrink()

    def shrink(self) -> None:
        """Drop the oldest entries until the limit is met again."""
        queue = self._queue
        while self.used > self.limit and queue:
            try:
                cache, key, value, size = queue.popleft()
            except IndexError:  # another thread was faster
                break
            self.used -= size
            # the key may have been given a newer value since
            if cache.get(key) is value:
                cache.pop(key, None)
                self.evicted += 1
        if not queue:
            # threads may have lost an update; an empty queue is the truth
            self.used = 0

    def clear(self) -> None:
        """Forget everything that any revlog holds."""
        queue = self._queue
        while queue:
            cache, _key, _value, _size = queue.popleft()
            cache.clear()
        self.used = 0


budget = Budget()

# (node, rev) -> raw text, for file logs, whose objects Mercurial makes anew each time
# a file is looked at.  Only texts that were checked and that no flag alters get in,
# so an entry can never be stale: the node is the hash of the text.  The rev tells
# apart what a damaged index has twice.
texts_by_node: dict[tuple[bytes, int], bytes] = {}


def drop_all() -> None:
    """Forget every cached text and chunk of the process.

    Whoever must see what the disk holds now (``hg verify``) calls this first.
    """
    budget.clear()
    texts_by_node.clear()
