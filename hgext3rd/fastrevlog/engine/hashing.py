# Is this the text that the node promises?
# SPDX-License-Identifier: GPL-2.0-or-later
"""Checks of texts against their nodes.

A node is SHA-1 over the two parent nodes in sorted order, then the text
(Mercurial, ``storageutil.hashrevisionsha1``).  Mercurial computes it with
``sha1dc``, which also detects the known collision attacks and is two to three
times slower than ``hashlib``.  The house rule:

- what the local store holds is checked with ``hashlib``, and a mismatch is
  checked once more by Mercurial before anything is raised;
- new and incoming revisions are hashed by Mercurial itself, and ``hg verify`` reads
  with collision detection on (:meth:`HashPolicy.detecting_collisions`);
- each store has a :class:`HashPolicy`, which turns it on for every read.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
from collections.abc import Iterator

from mercurial.utils import storageutil

SMALL = 4096  # bytes; below this joining is cheaper than a second update()

try:
    sha1 = hashlib.sha1
    sha1(b'')
except ValueError:
    # where OpenSSL offers no SHA-1 for security (FIPS); this is not for security
    sha1 = functools.partial(hashlib.sha1, usedforsecurity=False)


class HashPolicy:
    """Which function checks what is read from one store."""

    __slots__ = ('collision_detection',)

    def __init__(self, collision_detection: bool = False) -> None:
        self.collision_detection = collision_detection

    @contextlib.contextmanager
    def detecting_collisions(self, detect: bool = True) -> Iterator[None]:
        """Within this context every text is hashed by Mercurial's ``sha1dc``.

        If ``detect`` is false, by ``hashlib``.
        """
        before = self.collision_detection
        self.collision_detection = detect
        try:
            yield
        finally:
            self.collision_detection = before


def node_matches(
    text: bytes, node: bytes, p1: bytes, p2: bytes, policy: HashPolicy
) -> bool:
    """Whether ``node`` (20 bytes) is the node of ``text`` with these parents."""
    if policy.collision_detection:
        return storageutil.hashrevisionsha1(text, p1, p2) == node
    parents = p1 + p2 if p1 < p2 else p2 + p1
    if len(text) < SMALL:
        digest = sha1(parents + text)
    else:
        digest = sha1(parents)
        digest.update(text)
    return digest.digest() == node
