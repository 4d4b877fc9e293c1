# Look-ups of nodes on made-up indexes of any length, in fresh processes.
# SPDX-License-Identifier: GPL-2.0-or-later
"""How the cost of a look-up depends on the length of history.

    python -m benchmarks.nodemap [REVISIONS...] [--folder DIR]

An index of random nodes and its node map are made for each length.  Each figure is
the median over processes that do one thing: parse the index (not timed), then open
the map and look up once.  Stock and fastrevlog take turns.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import pathlib
import resource
import statistics
import struct
import subprocess
import sys
import time
from typing import Any

ROOT = pathlib.Path(__file__).resolve().parent.parent
LENGTHS = (10_000, 100_000, 1_000_000, 5_000_000)
# what is looked up: 12 digits, an old node, a node that is not there
QUESTIONS = ("prefix", "shortest", "old", "unknown")
ENTRY = struct.Struct(">Qiiiiii20s12x")


def node_of(seed: int) -> bytes:
    """A node (20 bytes) that looks like any other."""
    return hashlib.sha1(b"node %d" % seed).digest()


def make_index(path: pathlib.Path, length: int) -> None:
    """Write an index of ``length`` revisions, in a line, to ``path``."""
    with path.open("wb") as fp:
        for start in range(0, length, 100_000):
            entries = [
                ENTRY.pack(rev << 16, 1, 1, rev, rev, rev - 1, -1, node_of(rev))
                for rev in range(start, min(start + 100_000, length))
            ]
            if start == 0:
                # its first word holds the version: general delta, version 1
                entries[0] = struct.pack(">I", 1 | 1 << 17) + entries[0][4:]
            fp.write(b"".join(entries))


def load(path: pathlib.Path) -> Any:
    """The C index of the file, mapped as Mercurial maps large ones."""
    import mmap

    from mercurial.cext import parsers  # type: ignore[import-not-found]

    with path.open("rb") as fp:
        data = memoryview(mmap.mmap(fp.fileno(), 0, access=mmap.ACCESS_READ))
    sum(data[:: mmap.PAGESIZE])  # as after MAP_POPULATE
    try:
        return parsers.parse_index2(data, False, True, False)[0]
    except TypeError:
        return parsers.parse_index2(data, False, True)[0]


def engine() -> Any:
    """The modules of the engine's node map."""
    sys.path.insert(0, str(ROOT / "hgext3rd"))
    from fastrevlog.engine.nodemap import (  # type: ignore[import-not-found]
        docket,
        lookup,
        persist,
        proxy,
        tree,
    )

    return docket, proxy, persist, lookup, tree


def make_map(folder: pathlib.Path, index: Any) -> None:
    """Write the docket and data of a map of ``index``."""
    docket, _proxy, persist, _lookup, _tree = engine()
    data = persist.whole(index)
    tip = len(index) - 1
    made = docket.Docket(b"00000000", tip, index[tip][7], len(data))
    (folder / "map.n").write_bytes(made.serialize())
    (folder / "map.nd").write_bytes(data)


def ask(folder: pathlib.Path, who: str, question: str) -> dict[str, float]:
    """In this process: open the map, look up once; seconds and bytes."""
    import os

    index = load(folder / "index.i")
    old = index[len(index) // 3][7]
    unknown = node_of(-1)
    if who == "fastrevlog":
        docketmod, proxy, _persist, _lookup, _tree = engine()
        from fastrevlog.engine import vfs  # type: ignore[import-not-found]
    before = resource.getrusage(resource.RUSAGE_SELF)
    start, used = time.perf_counter(), time.process_time()
    asked = index
    if who == "fastrevlog":
        docket = docketmod.parse((folder / "map.n").read_bytes())
        asked = proxy.MappedIndexProxy.bound(index)
        fd = os.open(folder / "map.nd", os.O_RDONLY)
        asked.attach(docket, vfs.FdReader(fd))
    if question == "prefix":
        assert asked.partialmatch(old.hex().encode()[:12]) == old
    elif question == "shortest":
        assert 0 < asked.shortest(old) < 13
    elif question == "old":
        assert asked.get_rev(old) == len(index) // 3
    else:
        assert asked.get_rev(unknown) is None
    passed = time.perf_counter() - start
    used = time.process_time() - used
    after = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "wall": passed,
        "cpu": used,
        "faults": after.ru_minflt - before.ru_minflt,
        "memory": (after.ru_maxrss - before.ru_maxrss) * 1024,
    }


def measure(folder: pathlib.Path, rounds: int) -> dict[str, dict[str, float]]:
    """Medians for each question and contender."""
    results: dict[str, list[dict[str, float]]] = {}
    for _ in range(rounds):
        for question in QUESTIONS:
            for who in ("stock", "fastrevlog"):
                command = [sys.executable, "-m", "benchmarks.nodemap", "--ask"]
                command += [str(folder), who, question]
                done = subprocess.run(
                    command, cwd=ROOT, check=True, stdout=subprocess.PIPE
                )
                results.setdefault(f"{question} {who}", []).append(
                    json.loads(done.stdout)
                )
    return {
        name: {key: statistics.median(run[key] for run in runs) for key in runs[0]}
        for name, runs in results.items()
    }


def main() -> int:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("revisions", nargs="*", type=int)
    parser.add_argument("--folder", type=pathlib.Path, default="/dev/shm/nodemaps")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--ask", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.ask:
        folder, who, question = arguments.ask
        print(json.dumps(ask(pathlib.Path(folder), who, question)))
        return 0
    print("revisions question   stock ms (cpu)     fastrevlog ms (cpu)    KiB")
    for length in arguments.revisions or LENGTHS:
        folder = arguments.folder / str(length)
        if not (folder / "map.nd").exists():
            folder.mkdir(parents=True, exist_ok=True)
            make_index(folder / "index.i", length)
            make_map(folder, load(folder / "index.i"))
        found = measure(folder, arguments.rounds)
        for question in QUESTIONS:
            stock = found[f"{question} stock"]
            ours = found[f"{question} fastrevlog"]
            print(
                f"{length:9} {question:9}"
                f" {stock['wall'] * 1000:9.3f} ({stock['cpu'] * 1000:8.3f})"
                f" {ours['wall'] * 1000:9.3f} ({ours['cpu'] * 1000:8.3f})"
                f" {ours['memory'] / 1024:8.0f}",
                flush=True,
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
