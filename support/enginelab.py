# Revlogs in a temporary folder, stock and ours over the same files, without hg.
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the tests of the engine stand on.

Mercurial's own ``revlog`` writes and reads a folder of files; our inner revlog is
put in the place of Mercurial's, over an index that was parsed from the same files.
Nothing of Mercurial is patched, but for tests that ask for :func:`installed`.
"""

from __future__ import annotations

import contextlib
import inspect
import os
import pathlib
import random
from collections.abc import Iterator
from typing import Any, Callable

from mercurial import configitems, revlog, store
from mercurial import ui as uimod
from mercurial import vfs as vfsmod
from mercurial.revlogutils import constants
from mercurial.utils import storageutil

from hgext3rd.fastrevlog import settings as settingsmod
from hgext3rd.fastrevlog import stores
from hgext3rd.fastrevlog.compat import detect
from hgext3rd.fastrevlog.engine import inner as innermod
from hgext3rd.fastrevlog.engine import vfs as enginevfs

try:
    from mercurial.revlogutils import config as configs
except ImportError:  # 7.0
    configs = revlog

KIND_CHANGELOG = 1001
KIND_MANIFEST = 1002
KIND_FILELOG = 1003
NULL = b"\0" * 20
SPLIT_AT = revlog._maxinline  # bytes of data

# does an index entry say whether it is a snapshot?
HAS_DELTA_INFO = hasattr(constants, "REVIDX_DELTA_IS_SNAPSHOT")
# does this Mercurial's revlog want to know whether a file log may be written?
_WRITABLE = "writable" in revlog.revlog.__init__.__code__.co_varnames

Stored = tuple[bytes, int, int]  # text, first parent, second parent (revs)


def generation() -> detect.HgApi:
    """The surface that fits this Mercurial; patches nothing."""
    from hgext3rd.fastrevlog import install

    here = install.installation()
    if here.active and here.api is not None:
        return here.api
    found = detect.detect(revlog)
    assert isinstance(found, detect.HgApi), found
    return found


def opener(
    folder: Any,
    general_delta: bool = True,
    sparse: bool = False,
    engine: bytes = b"zlib",
    levels: dict[bytes, int] | None = None,
    delta_info: bool = False,
    **data_config: Any,
) -> Any:
    """A plain vfs of ``folder`` with the options of a store."""
    made = vfsmod.vfs(folder if isinstance(folder, bytes) else os.fsencode(folder))
    data = configs.DataConfig(
        with_sparse_read=sparse, generaldelta=general_delta, **data_config
    )
    delta = configs.DeltaConfig(general_delta=general_delta, sparse_revlog=sparse)
    feature = configs.FeatureConfig(
        compression_engine=engine, compression_engine_options=dict(levels or {})
    )
    made.options = {
        b"revlogv1": True,
        b"data-config": data,
        b"delta-config": delta,
        b"feature-config": feature,
    }
    if general_delta:
        made.options[b"generaldelta"] = True
        if delta_info:
            made.options[b"delta-info-flags"] = True
    return of_a_repository(made)


def of_a_repository(made: Any, **settings: Any) -> Any:
    """The opener ``made``, as if a repository with these settings had it."""
    stores.of(made).configure(settingsmod.Settings(**settings), uimod.ui())
    return made


def store_opener(folder: Any, encoding: str = "dotencode") -> Any:
    """The opener of a store with an fncache: dotencode, hybrid or plain."""
    if hasattr(store, "Encoding"):
        how = store.Encoding[encoding.upper()]
    else:
        how = encoding == "dotencode"
    folder = folder if isinstance(folder, bytes) else os.fsencode(folder)
    made = store.fncachestore(folder, vfsmod.vfs, how).vfs
    made.options = opener(folder).options
    return of_a_repository(made)


def stock(
    where: Any, radix: bytes = b"log", kind: int = KIND_MANIFEST, **kw: Any
) -> Any:
    """Mercurial's revlog object over the files of ``radix``."""
    if _WRITABLE:
        kw.setdefault("writable", True)
    return revlog.revlog(where, (kind, b""), radix, **kw)


def inner_of(rl: Any, direct: bool = True, share_texts: bool = False) -> Any:
    """An inner revlog of ours over the index of ``rl``."""
    window = None
    if rl._inline and len(rl):
        window = (0, rl.opener.read(rl._indexfile))
    store = stores.of(rl.opener)
    return generation().inner(
        enginevfs.StoreVFS(rl.opener, direct, store.share, store.hash_policy),
        getattr(rl.index, "cindex", rl.index),
        rl._indexfile,
        rl._datafile,
        rl._inline,
        rl.data_config,
        rl.delta_config,
        rl.feature_config,
        settingsmod.read_options(rl.data_config),
        window,
        share_texts,
        getattr(rl._inner, "_diff_fn", None),
    )


def ours(
    where: Any,
    radix: bytes = b"log",
    kind: int = KIND_MANIFEST,
    direct: bool = True,
    share_texts: bool = False,
    **kw: Any,
) -> Any:
    """As :func:`stock`, with our inner revlog inside."""
    rl = stock(where, radix, kind, **kw)
    rl._inner = inner_of(rl, direct, share_texts)
    rl.index = rl._inner.index
    return rl


Script = Callable[[Any, "Transaction"], Any]


class Transaction:
    """A transaction that remembers what it was told, and can take it back."""

    def __init__(self, where: Any) -> None:
        self.opener = where
        self.calls: list[tuple[Any, ...]] = []
        self.sizes: dict[bytes, int] = {}
        self.finalizers: dict[bytes, Any] = {}
        self.aborters: dict[bytes, Any] = {}
        self.backups: dict[bytes, bytes] = {}

    def add(self, name: bytes, offset: int) -> None:
        self.calls.append(("add", name, offset))
        self.sizes.setdefault(name, offset)

    def findoffset(self, name: bytes) -> int | None:
        return self.sizes.get(name)

    def addbackup(self, name: bytes, **kw: Any) -> None:
        self.calls.append(("backup", name, sorted(kw.items())))
        self.backups[name] = self.opener.tryread(name)

    def registertmp(self, name: bytes, **kw: Any) -> None:
        self.calls.append(("tmp", name))

    def addfinalize(self, name: bytes, call: Any) -> None:
        self.calls.append(("finalize", name))
        self.finalizers[name] = call

    def addabort(self, name: bytes, call: Any) -> None:
        self.calls.append(("abort", name))
        self.aborters[name] = call

    def close(self) -> None:
        for name in sorted(self.finalizers):
            self.finalizers[name](self)

    def abort(self) -> None:
        """Put the files back as they were when the transaction learnt of them."""
        for name in sorted(self.aborters):
            self.aborters[name](self)
        for name, size in self.sizes.items():
            if not size:
                self.opener.tryunlink(name)
            elif self.opener.exists(name):
                with self.opener(name, b"r+") as fp:
                    fp.truncate(size)
        for name, content in self.backups.items():
            kept = content[: self.sizes.get(name, len(content))]
            self.opener.write(name, kept)


def history(seed: int, count: int = 60, lines: int = 60) -> list[Stored]:
    """Texts with their parents: edits, merges, empty texts, and texts that recur."""
    rng = random.Random(seed)

    def line() -> bytes:
        return b"%d %s\n" % (rng.randrange(10**6), bytes(rng.choices(b"abcdef", k=20)))

    revs: list[Stored] = [(b"".join(line() for _ in range(lines)), -1, -1)]
    for rev in range(1, count):
        p1 = rng.randrange(max(0, rev - 4), rev)
        p2 = rng.randrange(rev) if rng.random() < 0.15 else -1
        if p2 == p1:
            p2 = -1
        chance = rng.random()
        text = revs[p1][0]
        if chance < 0.05:
            text = b""
        elif chance < 0.12:
            text = revs[rng.randrange(rev)][0]
        elif chance < 0.17:
            text = b"\0binary %d" % rev
        elif chance > 0.2:
            content = text.splitlines(True) or [line() for _ in range(lines)]
            for _ in range(rng.randrange(1, 5)):
                at = rng.randrange(len(content) + 1)
                content[at : at + rng.randrange(3)] = [line()] * rng.randrange(3)
            text = b"".join(content)
        revs.append((text, p1, p2))
    return revs


def large(count: int = 14, size: int = 12_000) -> list[Stored]:
    """Texts that do not compress: together more than an inline revlog holds."""
    rng = random.Random(7)
    return [(rng.randbytes(size), rev - 1, -1) for rev in range(count)]


def node_of(rl: Any, text: bytes, p1: int, p2: int) -> bytes:
    return storageutil.hashrevisionsha1(text, rl.node(p1), rl.node(p2))


def write(rl: Any, tr: Transaction, revs: list[Stored], flags: int = 0) -> list[int]:
    """Append ``revs`` to ``rl`` within one write context; the revs they got."""
    added = []
    with rl._writing(tr):
        for text, p1, p2 in revs:
            node = node_of(rl, text, p1, p2)
            if rl.hasnode(node):
                # a revision that is there already: make it another one
                text += b"%d\n" % len(rl)
                node = node_of(rl, text, p1, p2)
            link = len(rl)
            with_p1, with_p2 = rl.node(p1), rl.node(p2)
            added.append(
                rl.addrawrevision(text, tr, link, with_p1, with_p2, node, flags)
            )
    return added


def built(where: Any, seed: int = 1, count: int = 60, **kw: Any) -> list[bytes]:
    """Write a history to ``log`` with Mercurial's own code; its raw texts."""
    rl = stock(where, **kw)
    tr = Transaction(where)
    write(rl, tr, history(seed, count))
    tr.close()
    rl = stock(where, **kw)
    return [rl.rawdata(rev) for rev in rl]


def raw(inner: Any, rev: int) -> bytes:
    """The raw text of ``rev`` as either generation's inner revlog gives it."""
    code = inspect.unwrap(type(inner).raw_text).__code__
    if code.co_argcount == 3:
        return inner.raw_text(inner.index[rev][7], rev)
    return inner.raw_text(rev)[1]


def files(where: Any) -> dict[str, bytes]:
    """Every file below the folder of ``where``."""
    found = {}
    for folder, _dirs, names in where.walk():
        for name in names:
            path = where.reljoin(folder, name)
            found[path.decode("latin-1")] = where.read(path)
    return found


def texts(rl: Any) -> list[bytes]:
    return [rl.rawdata(rev) for rev in rl]


class Bench:
    """The same script with Mercurial's inner revlog and with ours."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder

    def run(
        self, make: Any, script: Script, **config: Any
    ) -> tuple[Any, list[Any], dict[str, bytes]]:
        folder = self.folder / make.__name__
        folder.mkdir()
        may_inline = config.pop("may_inline", True)
        kind = config.pop("kind", KIND_MANIFEST)
        where = opener(folder, **config)
        tr = Transaction(where)
        seen = script(make(where, kind=kind, may_inline=may_inline), tr)
        return seen, tr.calls, files(where)

    def same(self, script: Script, **config: Any) -> dict[str, bytes]:
        """The files that both left; what they saw, told and wrote is the same."""
        theirs = self.run(stock, script, **config)
        got = self.run(ours, script, **config)
        assert got[0] == theirs[0]
        assert got[1] == theirs[1]
        assert got[2].keys() == theirs[2].keys()
        for name, content in theirs[2].items():
            assert got[2][name] == content, name
        return got[2]


@contextlib.contextmanager
def installed(**config: str) -> Iterator[Any]:
    """Mercurial patched as the extension does it; a ui, patched back at the end."""
    from hgext3rd.fastrevlog import install

    ui = uimod.ui.load()
    configitems.loadconfigtable(ui, b"fastrevlog", settingsmod.eh.configtable)
    for name, value in config.items():
        section, name = name.split("__")
        ui.setconfig(section.encode(), name.replace("_", "-").encode(), value.encode())
    before = install.installation().active
    found = install.install(ui)
    assert isinstance(found, detect.HgApi), found
    try:
        yield ui
    finally:
        if not before:
            install.remove()


assert issubclass(generation().inner, innermod.InnerRevlog)
assert constants.KIND_FILELOG == KIND_FILELOG
