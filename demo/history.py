# A sample repository with a history that looks like a project's.
# SPDX-License-Identifier: GPL-2.0-or-later
"""Make a repository of some hundred changesets, the same one each time.

It has folders of source files that are edited, renamed, copied and removed,
named branches, merges, tags, and a large table that outgrows an inline revlog
(Mercurial splits one into index and data above 128 KiB). Made through
Mercurial's in-memory commits, without fastrevlog.
"""

from __future__ import annotations

import pathlib
import random

from mercurial import context
from mercurial import ui as uimod

try:
    from mercurial.repo.factory import repository  # 7.2 and newer
except ImportError:
    from mercurial.hg import repository

FOLDERS = ("core", "core/net", "tools", "docs", "tests", "web/static")
SUFFIXES = (".py", ".c", ".txt", ".py", ".py")
PEOPLE = (
    "Ada <ada@example.org>",
    "Grace <grace@example.org>",
    "Alan <alan@example.org>",
)
VERBS = ("fix", "add", "drop", "tidy", "speed up", "document", "rework", "test")
WORDS = (
    "cache index reader writer packet frame buffer socket header parse load store "
    "update merge branch commit window handle stream chunk delta table key value "
    "lock queue worker signal error limit retry timeout encode decode path entry"
).split()
TABLE = "data/measurements.csv"
# Of these kinds one in so many changesets is made.
MERGE_EVERY, RENAME_EVERY, REMOVE_EVERY, TABLE_EVERY, TAG_EVERY = 11, 17, 37, 6, 90


class History:
    """A repository that is being written, and the files of each of its heads."""

    def __init__(self, folder: pathlib.Path, seed: int = 2026) -> None:
        self.random = random.Random(seed)
        ui = uimod.ui.load()
        ui.setconfig(b"devel", b"default-date", b"0 0")
        ui.setconfig(b"ui", b"quiet", b"yes")
        self.repo = repository(ui, bytes(folder), create=True)
        self.nullid = self.repo.nullid
        # A line of development: its tip, its branch, its files.
        self.lines: list[tuple[bytes, bytes, dict[str, str]]] = []
        self.number = 0

    def make(self, changesets: int) -> None:
        """Write that many changesets."""
        with self.repo.wlock(), self.repo.lock():
            files = {self._new_name({}): self._text(60) for _ in range(25)}
            files[TABLE] = self._rows(900)
            node = self._commit((self.nullid, self.nullid), b"default", {}, files)
            self.lines = [(node, b"default", files)]
            while self.number < changesets:
                self._step()

    def _step(self) -> None:
        if len(self.lines) > 1 and self.number % MERGE_EVERY == 0:
            self._merge()
            return
        which = self.random.randrange(len(self.lines))
        node, branch, files = self.lines[which]
        new = dict(files)
        copies: dict[str, str] = {}
        for name in self.random.sample(sorted(files), self.random.randint(1, 4)):
            if name != TABLE:
                new[name] = self._edit(files[name])
        if self.number % 5 == 0:
            new[self._new_name(new)] = self._text(self.random.randint(20, 120))
        if self.number % TABLE_EVERY == 0:
            new[TABLE] = files[TABLE] + self._rows(220)
        if self.number % RENAME_EVERY == 0:
            old = self.random.choice([name for name in sorted(new) if name != TABLE])
            name = self._new_name(new)
            copies[name] = old
            text = files.get(old, new[old])
            new[name] = self._edit(text)
            if self.random.random() < 0.7:
                del new[old]
            if old not in files:
                copies.clear()
        if self.number % REMOVE_EVERY == 0:
            del new[self.random.choice([n for n in sorted(new) if n != TABLE])]
        if self.number % TAG_EVERY == 0:
            tags = new.get(".hgtags", "")
            new[".hgtags"] = f"{tags}{node.hex()} release-{self.number // TAG_EVERY}\n"
        grown = self._commit((node, self.nullid), branch, files, new, copies)
        if len(self.lines) < 4 and self.random.random() < 0.15:
            # Somebody else goes on from where this one began.
            fork = b"stable" if branch == b"default" and self.number > 50 else branch
            self.lines.append((grown, fork, new))
        else:
            self.lines[which] = (grown, branch, new)

    def _merge(self) -> None:
        (node, branch, files), (other, _, others) = self.lines[0], self.lines.pop()
        new = dict(files)
        for name, text in others.items():
            if name not in new or self.random.random() < 0.5:
                new[name] = text
        merged = self._commit((node, other), branch, files, new, message="merge")
        self.lines[0] = (merged, branch, new)

    def _commit(
        self,
        parents: tuple[bytes, bytes],
        branch: bytes,
        old: dict[str, str],
        new: dict[str, str],
        copies: dict[str, str] | None = None,
        message: str | None = None,
    ) -> bytes:
        changed = [n for n in {**old, **new} if old.get(n) != new.get(n)]
        if message is None:
            verb, word = self.random.choice(VERBS), self.random.choice(WORDS)
            message = f"{verb} {word} handling\n\n{self._sentence()}"
        sources = copies or {}

        def content(repo: object, ctx: object, path: bytes) -> object:
            name = path.decode()
            if name not in new:
                return None
            source = sources.get(name)
            return context.memfilectx(
                repo,
                ctx,
                path,
                new[name].encode(),
                copysource=source.encode() if source else None,
            )

        ctx = context.memctx(
            self.repo,
            parents,
            message.encode(),
            [name.encode() for name in sorted(changed)],
            content,
            user=self.random.choice(PEOPLE).encode(),
            date=(1_600_000_000 + self.number * 7_200, 0),
            branch=branch,
        )
        self.number += 1
        node: bytes = ctx.commit()
        return node

    def _new_name(self, taken: dict[str, str]) -> str:
        while True:
            folder = self.random.choice(FOLDERS)
            words = "_".join(self.random.sample(WORDS, 2))
            name = f"{folder}/{words}{self.random.choice(SUFFIXES)}"
            if name not in taken:
                return name

    def _sentence(self) -> str:
        words = self.random.choices(WORDS, k=self.random.randint(6, 14))
        return " ".join(words).capitalize() + "."

    def _line(self) -> str:
        indent = "    " * self.random.randint(0, 3)
        first, second, third = self.random.choices(WORDS, k=3)
        return self.random.choice(
            (
                f"{indent}{first} = {second}({third})",
                f"{indent}if {first} is not {second}:",
                f"{indent}return self.{first}.{second}[{third}]",
                f"{indent}# {self._sentence()}",
                "",
            )
        )

    def _text(self, lines: int) -> str:
        return "".join(f"{self._line()}\n" for _ in range(lines))

    def _edit(self, text: str) -> str:
        lines = text.splitlines()
        for _ in range(self.random.randint(1, 6)):
            at = self.random.randrange(len(lines) + 1)
            lines[at : at + self.random.randint(0, 2)] = [
                self._line() for _ in range(self.random.randint(1, 3))
            ]
        return "".join(f"{line}\n" for line in lines)

    def _rows(self, count: int) -> str:
        numbers = self.random
        return "".join(
            f"{numbers.getrandbits(48):012x},{numbers.random():.9f}\n"
            for _ in range(count)
        )
