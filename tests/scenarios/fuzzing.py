# Random histories and random damage, in one process of Mercurial's Python.
# SPDX-License-Identifier: GPL-2.0-or-later
"""The worker of `test_fuzz`; run with the Python of the Mercurial under test.

    fuzzing.py write SEED FOLDER EXTENSION-OR-DASH
    fuzzing.py flip SEED FOLDER EXTENSION-OR-DASH COUNT

`write` makes two repositories out of the seed alone and prints a line after each
operation: what was done, and the digest of every store. Stock and fastrevlog have
to print the same lines. `flip` takes what `write` made, flips random bytes of
random revlogs and reads everything; it prints a line for each thing seen that is
neither the right text nor a storage error.
Both end with a line `served N`, the number of revlogs that fastrevlog served.
"""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import signal
import sys
import traceback
from collections.abc import Iterator
from typing import Any

from mercurial import context, error, exchange, extensions, hg, repair
from mercurial import ui as uimod

try:
    # Mercurial 7.2 registers its parts (of bundles, among others) here.
    from mercurial import initialization
except ImportError:
    initialization = None

NAMES = [b"a", b"b/c", b"b/d", b".e", b"F/g.i", b"long" * 30]
HANG = 20  # seconds that reading one damaged repository may take


def make_ui(extension: str, config: dict[str, str]) -> Any:
    """A ui with the configuration and, unless it is a dash, the extension."""
    if initialization is not None:
        initialization.init()
    ui = uimod.ui.load()
    ui.setconfig(b"ui", b"quiet", b"yes")
    ui.setconfig(b"ui", b"username", b"fuzz")
    ui.setconfig(b"devel", b"default-date", b"0 0")
    for key, value in config.items():
        section, name = key.encode().split(b".", 1)
        ui.setconfig(section, name, value.encode())
    if extension != "-":
        ui.setconfig(b"extensions", b"fastrevlog", os.fsencode(extension))
    extensions.loadall(ui)
    extensions.populateui(ui)
    return ui


def pick_config(rng: random.Random) -> dict[str, str]:
    """A random format."""
    config = {
        "format.revlog-compression": rng.choice(["zlib", "zstd", "none"]),
        "format.generaldelta": rng.choice(["yes", "yes", "no"]),
        "storage.revlog.zlib.level": str(rng.randrange(10)),
        "storage.revlog.zstd.level": str(rng.randrange(1, 20)),
    }
    if rng.random() < 0.3:
        config["format.maxchainlen"] = str(rng.randrange(1, 8))
    if rng.random() < 0.3:
        config["format.sparse-revlog"] = "no"
        config["format.usegeneraldelta"] = rng.choice(["yes", "no"])
    if rng.random() < 0.3:
        config["experimental.treemanifest"] = "yes"
    return config


def pick_text(rng: random.Random, before: bytes) -> bytes:
    """A random text, most often an edit of the one before."""
    kind = rng.randrange(8)
    if kind == 0:
        return b""
    if kind == 1:
        return rng.choice([b"\0", b"u", b"x", b"\x28", b"\1\n"]) * rng.randrange(1, 9)
    if kind == 2:
        return rng.getrandbits(8 * 20000).to_bytes(20000, "big")
    if kind == 3 and rng.random() < 0.1:
        return rng.getrandbits(64).to_bytes(8, "big") * rng.randrange(20000, 160000)
    lines = before.split(b"\n")
    for _ in range(rng.randrange(1, 6)):
        place = rng.randrange(len(lines) + 1)
        new = b"%x" % rng.getrandbits(rng.randrange(1, 2000))
        lines[place : place + rng.randrange(3)] = [new] * rng.randrange(3)
    return b"\n".join(lines)


def commit(repo: Any, rng: random.Random, number: int) -> bytes:
    """Commit random edits of random files on random parents."""
    count = len(repo)
    parents = (
        [rng.randrange(count) if rng.random() < 0.3 else count - 1] if count else []
    )
    if count > 2 and rng.random() < 0.2:
        parents.append(rng.randrange(count))
    nodes = [repo[rev].node() for rev in dict.fromkeys(parents)] + [repo.nullid] * 2
    base = repo[nodes[0]]
    texts: dict[bytes, Any] = {}
    for name in rng.sample(NAMES, rng.randrange(1, 4)):
        before = base[name].data() if name in base else b""
        gone = name in base and rng.random() < 0.1
        texts[name] = None if gone else pick_text(rng, before)
    copied = {
        name: rng.choice(NAMES)
        for name in texts
        if name not in base and rng.random() < 0.4
    }

    def filectx(repo: Any, ctx: Any, path: bytes) -> Any:
        if texts.get(path) is None:
            return None
        source = copied.get(path)
        if source == path or source not in base:
            source = None
        return context.memfilectx(repo, ctx, path, texts[path], copysource=source)

    message = b"%d %x" % (number, rng.getrandbits(rng.randrange(8, 30000)))
    new = context.memctx(
        repo, nodes[:2], message, sorted(texts), filectx, user=b"fuzz", date=(number, 0)
    )
    return new.commit()


def transaction(repo: Any, rng: random.Random, number: int) -> str:
    """A few commits in one transaction, which may fail and may read in between."""
    with repo.wlock(), repo.lock():
        tr = repo.transaction(b"fuzz")
        done = 0
        try:
            for each in range(rng.randrange(1, 5)):
                commit(repo, rng, 100 * number + each)
                done += 1
                if rng.random() < 0.3:
                    read_some(repo, rng)
            if rng.random() < 0.25:
                raise KeyboardInterrupt
            tr.close()
            return f"{done} commits"
        except KeyboardInterrupt:
            return f"{done} commits, aborted"
        except AssertionError:  # 7.1 commits no copy to a file with two parents
            return f"{done} commits, refused"
        finally:
            tr.release()
            repo.invalidateall()


def read_some(repo: Any, rng: random.Random) -> None:
    for _ in range(3):
        ctx = repo[rng.randrange(len(repo))]
        for name in ctx.files()[:2]:
            if name in ctx:
                ctx[name].data()


def strip(repo: Any, rng: random.Random) -> str:
    rev = rng.randrange(len(repo) // 2, len(repo))
    with repo.wlock(), repo.lock():
        repair.strip(repo.ui, repo, [repo[rev].node()], backup=False)
    repo.invalidateall()
    return f"strip {rev}"


def digest(folder: bytes) -> str:
    """One digest for the names and contents of all files of a store."""
    total = hashlib.sha256()
    for path, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            full = os.path.join(path, name)
            with open(full, "rb") as file:
                total.update(full[len(folder) :] + b"\0")
                total.update(hashlib.sha256(file.read()).digest())
    return total.hexdigest()


def revlogs(repo: Any) -> Iterator[tuple[bytes, Any]]:
    """Every revlog of a repository, by name."""
    repo = repo.unfiltered()
    yield b"changelog", repo.changelog
    yield b"manifest", repo.manifestlog.getstorage(b"")._revlog
    for name in NAMES:
        yield name, repo.file(name)._revlog


def write(seed: int, folder: bytes, extension: str) -> None:
    rng = random.Random(seed)
    ui = make_ui(extension, pick_config(rng))
    one = hg.repository(ui, os.path.join(folder, b"one"), create=True)
    two = hg.repository(ui, os.path.join(folder, b"two"), create=True)
    for number in range(14):
        done = transaction(one, rng, number)
        if len(one) > 4 and rng.random() < 0.2:
            done += ", " + strip(one, rng)
        if len(one) and rng.random() < 0.4:
            some = [one[rng.randrange(len(one))].node()]
            exchange.pull(two, one.peer(), heads=some)
            two.invalidateall()
            done += f", pulled to {len(two)}"
        print(number, done, digest(one.store.path), digest(two.store.path), flush=True)
    for repo in (one, two):
        fresh = hg.repository(ui, repo.root)
        for name, log in revlogs(fresh):
            order = list(range(len(log)))
            rng.shuffle(order)
            total = hashlib.sha256()
            for rev in order:
                total.update(b"%d %s" % (rev, log.revision(rev)))
            print(name, len(log), total.hexdigest())


def flip(seed: int, folder: bytes, extension: str, count: int) -> None:
    rng = random.Random(seed)
    ui = make_ui(extension, {})
    good, bad = os.path.join(folder, b"one"), os.path.join(folder, b"flipped")
    expected = {
        name: {log.node(rev): log.revision(rev) for rev in range(len(log))}
        for name, log in revlogs(hg.repository(ui, good))
    }
    files: list[bytes] = []
    for path, _, names in os.walk(os.path.join(good, b".hg", b"store")):
        files += [
            os.path.relpath(os.path.join(path, name), good)
            for name in names
            if name.endswith((b".i", b".d"))
        ]
    # A log stripped of all its revisions may stay as an empty file.
    files = sorted(f for f in files if os.path.getsize(os.path.join(good, f)))
    shutil.copytree(os.fsdecode(good), os.fsdecode(bad))
    signal.signal(signal.SIGALRM, signal.default_int_handler)
    for _ in range(count):
        name = rng.choice(files)
        with open(os.path.join(good, name), "rb") as file:
            data = bytearray(file.read())
        places = [rng.randrange(len(data)) for _ in range(rng.choice([1, 1, 1, 2, 8]))]
        for place in places:
            data[place] ^= 1 << rng.randrange(8)
        if rng.random() < 0.1:
            del data[rng.randrange(len(data)) :]
        with open(os.path.join(bad, name), "wb") as file:
            file.write(data)
        told = f"seed {seed}: {name.decode()} at {places}"
        signal.alarm(HANG)
        try:
            for line in examine(ui, bad, expected):
                print("WRONG", told, line, flush=True)
        except KeyboardInterrupt:
            print("WRONG", told, "hangs", flush=True)
        finally:
            signal.alarm(0)
        shutil.copyfile(os.path.join(good, name), os.path.join(bad, name))


def examine(ui: Any, folder: bytes, expected: dict[bytes, Any]) -> Iterator[str]:
    """Read everything; yield what must not happen."""
    try:
        every = list(revlogs(hg.repository(ui, folder)))
    except (error.StorageError, error.Abort):
        return
    except Exception as exc:
        traceback.print_exc()
        yield f"opening: {type(exc).__name__}"
        return
    for name, log in every:
        for rev in range(len(log)):
            try:
                node, text = log.node(rev), log.revision(rev)
            except error.StorageError:
                continue
            except Exception as exc:
                traceback.print_exc()
                yield f"{name!r} revision {rev}: {type(exc).__name__}"
                continue
            if node in expected[name] and text != expected[name][node]:
                yield f"{name!r} revision {rev}: another text"


def served() -> int:
    """How many revlogs fastrevlog served in this process."""
    for name, module in list(sys.modules.items()):
        if name.endswith("fastrevlog.engine.counters"):
            return sum(module.counters.served.values())
    return 0


def main() -> None:
    what, seed, folder, extension = sys.argv[1:5]
    if what == "write":
        write(int(seed), os.fsencode(folder), extension)
    else:
        flip(int(seed), os.fsencode(folder), extension, int(sys.argv[5]))
    print("served", served())


if __name__ == "__main__":
    main()
