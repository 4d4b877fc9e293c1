# Makes a repository to measure on: deterministic, of any size, with everything.
# SPDX-License-Identifier: GPL-2.0-or-later
"""Usage, from the top of the project:

    python -m benchmarks.corpus --hg /path/to/hg --changesets 5000 /path/to/new

The same parameters and the same Mercurial (and zstd) make the same bytes under
``.hg/store``, whatever the Python; of an fncache only the order of lines varies.
The history has:

- changesets that edit one to eight files, some files nearly always (long delta
  chains) and most of them rarely (short ones, single revisions);
- side branches and merges, renames, copies, removed files, tags;
- text, incompressible binary files, an empty file, a text of more than 1 MB
  (which Mercurial compresses as a stream), and files that outgrow an inline revlog;
- zlib, zstd or, as in a repository that changed its format at half time, both.

This module is also what runs inside the set-up's interpreter to do it.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import json
import os
import subprocess
import sys
import tempfile
from typing import Any

if __package__:
    from . import setups

_ZSTD = b"revlog-compression-zstd"
_LONG, _LARGE = b"CHANGES", b"data/Large.txt"
_SPECIAL = (_LONG, _LARGE, b"empty", b".hgtags")
_WORDS = [hashlib.md5(b"%d" % n).hexdigest()[: 3 + n % 7] for n in range(997)]


class Dice:
    """Reproducible choices: the same in every Python, unlike random.choice."""

    def __init__(self, seed: int) -> None:
        self._state = hashlib.sha256(b"corpus %d" % seed).digest()
        self._pool = b""

    def below(self, limit: int) -> int:
        """A number from 0 to ``limit`` - 1."""
        if len(self._pool) < 4:
            self._state = hashlib.sha256(self._state).digest()
            self._pool += self._state
        number, self._pool = int.from_bytes(self._pool[:4], "big"), self._pool[4:]
        return number % limit

    def one_in(self, n: int) -> bool:
        return self.below(n) == 0

    def skewed(self, limit: int) -> int:
        """Below ``limit``, small numbers far more often than large ones."""
        return self.below(self.below(self.below(limit) + 1) + 1)

    def line(self) -> bytes:
        words = (_WORDS[self.below(len(_WORDS))] for _ in range(2 + self.below(9)))
        return b"    " * self.below(4) + " ".join(words).encode() + b"\n"

    def noise(self, size: int) -> bytes:
        """Bytes that do not compress."""
        seed = self.below(1 << 30)
        blocks = (
            hashlib.sha256(b"%d %d" % (seed, n)).digest() for n in range(size // 32)
        )
        return b"".join(blocks)


class Tree:
    """The files of one line of development: path -> lines (or one blob)."""

    def __init__(self, files: dict[bytes, list[bytes]]) -> None:
        self.files = files

    def copy(self) -> Tree:
        return Tree(dict(self.files))


class Writer:
    """Commits the history into a repository, through Mercurial's memctx."""

    def __init__(self, order: dict[str, Any]) -> None:
        self.order = order
        self.dice = Dice(order["seed"])
        self.path = os.fsencode(order["path"])
        self.context = importlib.import_module("mercurial.context")
        self.ui = importlib.import_module("mercurial.ui").ui.load()
        # (node, tree) of each open line of development; the first is the trunk.
        self.heads: list[tuple[bytes, Tree]] = []
        self.count = 0
        self.fresh = 0
        self.tags: list[bytes] = []

    # -- contents ------------------------------------------------------------------

    def path_name(self) -> bytes:
        self.fresh += 1
        depth = self.dice.below(4)
        parts = [_WORDS[self.dice.skewed(30)].encode() for _ in range(depth)]
        # Capitals, dots and underscores are what store file names get encoded for.
        name = b"%s_%s%d" % (
            _WORDS[self.dice.below(400)].encode(),
            (b"Ab", b"_c")[self.dice.below(2)],
            self.fresh,
        )
        suffix = (b".c", b".txt", b".py", b"", b".I")[self.dice.below(5)]
        return b"/".join([*parts, name + suffix])

    def new_file(self) -> list[bytes]:
        if self.dice.one_in(25):
            return [b"\0" + self.dice.noise(600 + self.dice.below(9000))]
        return [self.dice.line() for _ in range(5 + self.dice.skewed(400))]

    def edited(self, lines: list[bytes]) -> list[bytes]:
        if lines and lines[0].startswith(b"\0"):
            return [lines[0][: len(lines[0]) // 2] + self.dice.noise(400)]
        lines = list(lines)
        for _ in range(1 + self.dice.below(4)):
            at = self.dice.below(len(lines) + 1)
            gone = self.dice.below(3) if len(lines) > 10 else 0
            lines[at : at + gone] = [
                self.dice.line() for _ in range(self.dice.below(4))
            ]
        return lines

    def first_tree(self) -> Tree:
        files = {self.path_name(): self.new_file() for _ in range(self.order["files"])}
        files[b"empty"] = []
        files[_LONG] = [self.dice.line() for _ in range(200)]
        files[_LARGE] = [self.dice.line() for _ in range(30_000)]
        return Tree(files)

    # -- commits -------------------------------------------------------------------

    def commit(
        self,
        repo: Any,
        parents: tuple[bytes | None, bytes | None],
        tree: Tree,
        touched: set[bytes],
        copies: dict[bytes, bytes],
        text: str,
    ) -> bytes:
        def content(repo: Any, ctx: Any, path: bytes) -> Any:
            if path not in tree.files:
                return None
            data = b"".join(tree.files[path])
            origin = copies.get(path)
            return self.context.memfilectx(repo, ctx, path, data, copysource=origin)

        ctx = self.context.memctx(
            repo,
            parents,
            text.encode(),
            sorted(touched),
            content,
            user=b"author%d <a@example.org>" % self.dice.skewed(40),
            date=(1_000_000_000 + 3600 * self.count, 0),
        )
        self.count += 1
        node: bytes = repo.commitctx(ctx)
        return node

    def message(self, subject: str) -> str:
        lines = [self.dice.line().decode().strip() for _ in range(self.dice.below(5))]
        return "\n".join([subject, *lines])

    def change(self, repo: Any, at: int) -> None:
        """One ordinary changeset on a line of development."""
        parent, tree = self.heads[at]
        tree = tree.copy()
        files = sorted(tree.files)
        touched: set[bytes] = set()
        copies: dict[bytes, bytes] = {}
        for _ in range(1 + self.dice.skewed(8)):
            path = files[self.dice.skewed(len(files))]
            if path not in _SPECIAL:
                tree.files[path] = self.edited(tree.files[path])
                touched.add(path)
        if not self.dice.one_in(3):  # nearly always: the longest filelog
            tree.files[_LONG] = self.edited(tree.files[_LONG])
            touched.add(_LONG)
        if self.dice.one_in(150):
            tree.files[_LARGE] = self.edited(tree.files[_LARGE])
            touched.add(_LARGE)
        if self.dice.one_in(12):
            path = self.path_name()
            tree.files[path] = self.new_file()
            touched.add(path)
        if self.dice.one_in(40):
            origin, path = files[self.dice.below(len(files))], self.path_name()
            tree.files[path] = tree.files[origin]
            copies[path] = origin
            touched.add(path)
            if self.dice.one_in(2) and origin not in _SPECIAL:
                del tree.files[origin]
                touched.add(origin)
        elif self.dice.one_in(60) and len(files) > 20:
            path = files[self.dice.below(len(files))]
            if path not in _SPECIAL:
                del tree.files[path]
                touched.add(path)
        if self.dice.one_in(150):
            self.tags.append(b"%s v%d\n" % (parent.hex().encode(), len(self.tags)))
            tree.files[b".hgtags"] = list(self.tags)
            touched.add(b".hgtags")
        text = self.message(f"change {self.count}")
        node = self.commit(repo, (parent, None), tree, touched, copies, text)
        self.heads[at] = (node, tree)

    def merge(self, repo: Any) -> None:
        """Merge the newest side branch into the trunk; the side's files win."""
        (ours, tree), (theirs, other) = self.heads[0], self.heads.pop()
        base = repo.changelog.commonancestorsheads(ours, theirs)[0]
        before = repo[base].manifest()
        other_manifest = repo[theirs].manifest()
        tree = tree.copy()
        touched: set[bytes] = set()
        for path in sorted(before.diff(other_manifest)):
            touched.add(path)
            if path in other.files:
                tree.files[path] = other.files[path]
            else:
                tree.files.pop(path, None)
        present = {p for p in touched if p in tree.files or p in repo[ours]}
        text = self.message(f"merge {self.count}")
        node = self.commit(repo, (ours, theirs), tree, present, {}, text)
        self.heads[0] = (node, tree)

    def stretch(self, until: int) -> None:
        """Add changesets up to the given number, in one transaction."""
        repo = importlib.import_module("mercurial.hg").repository(self.ui, self.path)
        with repo.lock(), repo.transaction(b"corpus"):
            while self.count < until:
                if not self.heads:
                    tree = self.first_tree()
                    none = (None, None)
                    node = self.commit(repo, none, tree, set(tree.files), {}, "first")
                    self.heads = [(node, tree)]
                elif len(self.heads) > 1 and self.dice.one_in(12):
                    self.merge(repo)
                elif len(self.heads) < 3 and self.dice.one_in(25):
                    self.heads.append(self.heads[0])
                else:
                    self.change(repo, self.dice.below(len(self.heads)))

    def write(self) -> None:
        total = self.order["changesets"]
        if self.order["compression"] == "mixed":
            self.stretch(total // 2)
            self.turn_to_zstd()
        self.stretch(total)

    def turn_to_zstd(self) -> None:
        """What is written from here on is zstd; what is there stays zlib."""
        for folder in (b"", b"store"):
            path = os.path.join(self.path, b".hg", folder, b"requires")
            with open(path, "rb") as lines:
                names = set(lines.read().split())
            if b"revlogv1" in names:
                with open(path, "wb") as out:
                    out.write(b"\n".join(sorted(names | {_ZSTD})) + b"\n")


def make(
    setup: setups.Setup,
    path: str,
    *,
    changesets: int,
    files: int = 300,
    seed: int = 0,
    compression: str = "zstd",
) -> None:
    """Make the corpus at ``path``, which must not exist, with a set-up's Mercurial.

    ``compression`` is zlib, zstd or mixed.  Raises setups.SetupError.
    """
    with tempfile.TemporaryDirectory(prefix="corpus-") as scratch:
        env = setups.environment(setups.write_hgrc(scratch))
        setups.inspect(setup, env)
        engine = "zstd" if compression == "zstd" else "zlib"
        settings = [
            f"format.revlog-compression={engine}",
            "format.use-persistent-nodemap=no",
        ]
        line = setup.command("init", path)
        for setting in settings:
            line += ["--config", setting]
        order = {
            "path": os.path.abspath(path),
            "changesets": changesets,
            "files": files,
            "seed": seed,
            "compression": compression,
        }
        start = setups.script_line(setup, __file__)
        try:
            subprocess.run(line, env=env, check=True)
            subprocess.run(start, env=env, check=True, input=json.dumps(order).encode())
        except subprocess.CalledProcessError as exc:
            raise setups.SetupError(f"no corpus was made: {exc}") from exc


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.corpus",
        description="Make a deterministic repository to measure on.",
    )
    parser.add_argument("path", help="the new repository")
    parser.add_argument("--hg", default="hg", help="the hg that makes it")
    parser.add_argument("--changesets", type=int, default=5000)
    parser.add_argument("--files", type=int, default=300, help="in the first changeset")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--compression", choices=["zlib", "zstd", "mixed"], default="zstd"
    )
    args = parser.parse_args()
    try:
        make(
            setups.parse(f"corpus={args.hg}"),
            args.path,
            changesets=args.changesets,
            files=args.files,
            seed=args.seed,
            compression=args.compression,
        )
    except setups.SetupError as exc:
        sys.exit(f"corpus: {exc}")
    return 0


if __name__ == "__main__":
    if __package__:
        sys.exit(main())
    Writer(json.loads(sys.stdin.read())).write()
