# Repositories with a history that has a little of everything, made in process.
# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import os
import random
from typing import Any

from mercurial import context, hg
from mercurial import ui as uimod

SPLITS = 140_000  # bytes of noise: more than an inline revlog holds


class Maker:
    """Commits changesets in memory to a new repository in ``folder``."""

    def __init__(self, folder: os.PathLike[str], seed: int = 1, **config: str) -> None:
        self.rng = random.Random(seed)
        ui = uimod.ui.load()
        for name, value in config.items():
            section, name = name.split("__")
            name = name.replace("_", "-")
            ui.setconfig(section.encode(), name.encode(), value.encode())
        ui.setconfig(b"devel", b"default-date", b"0 0")
        self.repo = hg.repository(ui, os.fsencode(folder), create=True)
        self.count = 0

    def line(self) -> bytes:
        return b"%d %s\n" % (
            self.rng.randrange(10**6),
            bytes(self.rng.choices(b"abcdefgh", k=24)),
        )

    def lines(self, count: int) -> bytes:
        return b"".join(self.line() for _ in range(count))

    def edited(self, text: bytes) -> bytes:
        """``text`` with a few lines changed."""
        lines = text.splitlines(True) or [self.line()]
        for _ in range(self.rng.randrange(1, 4)):
            at = self.rng.randrange(len(lines) + 1)
            lines[at : at + self.rng.randrange(3)] = [self.line()]
        return b"".join(lines)

    def commit(
        self,
        changes: dict[bytes, bytes | None],
        parents: tuple[bytes, ...] | None = None,
        copies: dict[bytes, bytes] | None = None,
    ) -> bytes:
        """Commit the files ``changes`` (None: removed); the node."""
        repo = self.repo
        if parents is None:
            parents = (repo.changelog.tip(),)
        p1, p2 = (*parents, repo.nullid)[:2]
        copies = copies or {}

        def get(repo: Any, ctx: Any, path: bytes) -> Any:
            data = changes[path]
            if data is None:
                return None
            return context.memfilectx(
                repo, ctx, path, data, copysource=copies.get(path)
            )

        ctx = context.memctx(
            repo,
            (p1, p2),
            b"change %d" % self.count,
            sorted(changes),
            get,
            b"test",
            (self.count, 0),
        )
        self.count += 1
        node: bytes = repo.commitctx(ctx)
        return node

    def files(self, node: bytes) -> dict[bytes, bytes]:
        ctx = self.repo[node]
        return {path: ctx[path].data() for path in ctx.manifest()}

    def many(self, count: int) -> None:
        """``count`` random changesets: edits, new files, copies, merges, removals."""
        repo, rng = self.repo, self.rng
        with repo.lock(), repo.transaction(b"history"):
            for _ in range(count):
                self._one(repo, rng)

    def _one(self, repo: Any, rng: random.Random) -> None:
        log = repo.changelog
        if not len(log):
            names = [b"a", b"dir/b", b"Dir/UPPER", b"dir/deep/c.i", b"x.d/y", b".hid"]
            start: dict[bytes, bytes | None] = {name: self.lines(30) for name in names}
            self.commit(start, (repo.nullid,))
            return
        heads = log.heads()
        base = (
            rng.choice(heads)
            if rng.random() < 0.8
            else log.node(rng.randrange(len(log)))
        )
        known = self.files(base)
        chance = rng.random()
        if len(heads) > 1 and chance < 0.25:
            p1, p2 = rng.sample(heads, 2)
            ours, theirs = self.files(p1), self.files(p2)
            merged: dict[bytes, bytes | None] = {
                path: self.edited(theirs[path])
                for path in sorted(theirs)
                if ours.get(path) != theirs[path]
            }
            self.commit(merged or {b"merge": self.line()}, (p1, p2))
            return
        changes: dict[bytes, bytes | None] = {}
        copies = {}
        for path in rng.sample(sorted(known), min(len(known), 2)):
            changes[path] = self.edited(known[path])
        if chance < 0.4:
            source = rng.choice(sorted(known))
            copied = b"copies/%d" % self.count
            changes[copied] = known[source]
            copies[copied] = source
            if chance < 0.3:
                changes[source] = None
        elif chance < 0.5:
            changes[b"new/%d/file" % self.count] = self.lines(rng.randrange(40))
        elif chance < 0.55:
            changes[b"bin%d" % self.count] = b"\0" + rng.randbytes(3000)
        elif chance < 0.6:
            changes[rng.choice(sorted(known))] = b""
        elif chance < 0.65:
            changes[b"large"] = rng.randbytes(SPLITS // 2) + self.line()
        elif chance < 0.7:
            changes[b"meta%d" % self.count] = b"\1\nlooks like metadata\n"
        elif chance < 0.75:
            # back to what it was: the same node on two heads
            old = self.files(log.node(0))
            changes = {b"a": old.get(b"a", b"gone\n")}
        self.commit(changes, (base,), copies)
