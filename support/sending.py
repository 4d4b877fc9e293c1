# Histories to be sent, and the bytes that are sent of them.
# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import pathlib
import random
from collections.abc import Iterator
from typing import Any

from mercurial import changegroup, context, discovery, hg
from mercurial import ui as uimod

VERSIONS = (b"01", b"02", b"03", b"04")


def plain_ui(**config: str) -> Any:
    """A ui that knows of no configuration file; ``a__b='c'`` sets ``a.b``."""
    ui = uimod.ui()
    ui.setconfig(b"ui", b"quiet", b"yes")
    ui.setconfig(b"ui", b"username", b"test")
    for name, value in config.items():
        section, key = name.split("__")
        ui.setconfig(section.encode(), key.replace("_", "-").encode(), value.encode())
    return ui


def make_history(path: pathlib.Path, seed: int, changesets: int, **config: str) -> Any:
    """A new repository: merges, several heads, copies, removals, files of all sizes."""
    ui = plain_ui(**config)
    repo = hg.repository(ui, bytes(path), create=True)
    rng = random.Random(seed)
    nodes = [repo.nullid]
    with repo.lock(), repo.transaction(b"history"):
        for i in range(changesets):
            nodes.append(_commit(repo, rng, nodes, i))
    return hg.repository(ui, bytes(path))


def _commit(repo: Any, rng: random.Random, nodes: list[bytes], at: int) -> bytes:
    p1 = nodes[-1] if rng.random() < 0.7 else rng.choice(nodes[-20:])
    p2 = rng.choice(nodes[-20:]) if rng.random() < 0.2 else repo.nullid
    if p2 == p1:
        p2 = repo.nullid
    present = [] if p1 == repo.nullid else sorted(repo[p1].manifest())
    changes: dict[bytes, tuple[bytes, bytes | None] | None] = {}
    for _i in range(rng.randrange(1, 5)):
        action = rng.random()
        if present and action < 0.1:
            changes[rng.choice(present)] = None
        elif present and action < 0.25:
            source = rng.choice(present)
            name = b"copy/of-%d" % at
            changes[name] = (repo[p1][source].data() + b"copied\n", source)
        elif present and action < 0.75:
            name = rng.choice(present)
            changes[name] = (_changed(rng, repo[p1][name].data(), at), None)
        else:
            changes[b"dir%d/file-%d" % (rng.randrange(4), rng.randrange(40))] = (
                _new(rng, at),
                None,
            )

    def content(inner: Any, memctx: Any, name: bytes) -> Any:
        change = changes[name]
        if change is None:
            return None
        data, source = change
        return context.memfilectx(inner, memctx, name, data, copysource=source)

    memctx = context.memctx(
        repo,
        (p1, p2),
        b"changeset %d\n\nwith a longer text" % at,
        sorted(changes),
        content,
        b"somebody",
        (at, 0),
    )
    node: bytes = repo.commitctx(memctx)
    return node


def _changed(rng: random.Random, data: bytes, at: int) -> bytes:
    lines = data.splitlines(True)
    for _i in range(rng.randrange(3)):
        lines.insert(rng.randrange(len(lines) + 1), b"line %d\n" % at)
    return b"".join(lines) if rng.random() < 0.95 else b""


def _new(rng: random.Random, at: int) -> bytes:
    kind = rng.randrange(5)
    if kind == 0:
        return rng.randbytes(rng.randrange(180_000))
    if kind == 1:
        return b"\0binary" + bytes([at % 256]) * rng.randrange(60)
    return b"".join(b"line %d of %d\n" % (i, at) for i in range(rng.randrange(400)))


def some_ranges(repo: Any, seed: int, count: int) -> Iterator[tuple[list[bytes], Any]]:
    """``(heads, common)`` to send; the first is everything."""
    rng = random.Random(seed)
    cl = repo.changelog
    yield list(cl.heads()), [repo.nullid]
    visible = list(cl)
    for i in range(count):
        common = [cl.node(rng.choice(visible)) for _i in range(rng.randrange(3))]
        heads = [cl.node(rng.choice(visible)) for _i in range(rng.randrange(1, 3))]
        yield (list(cl.heads()) if i % 2 else heads), common or [repo.nullid]


def sent(
    repo: Any, version: bytes, heads: list[bytes], common: Any, source: bytes
) -> bytes:
    """The changegroup's bytes, as a server sends them."""
    outgoing = discovery.outgoing(repo, common, heads)
    return b"".join(changegroup.makestream(repo, outgoing, version, source))


def bundled(repo: Any, version: bytes, heads: list[bytes], common: Any) -> bytes:
    """The changegroup's bytes, as ``hg bundle`` writes them."""
    outgoing = discovery.outgoing(repo, common, heads)
    cg = changegroup.makechangegroup(repo, outgoing, version, b"bundle")
    return b"".join(cg.getchunks())
