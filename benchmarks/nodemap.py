# Look-ups of nodes on made-up indexes of any length, in fresh processes.
# SPDX-License-Identifier: GPL-2.0-or-later
"""How the cost of a look-up depends on the length of history.

    python -m benchmarks.nodemap [REVISIONS...] [--folder DIR] [--svg FILE]

An index of random nodes and its node map are made for each length.  Each figure is
the median over processes that do one thing: parse the index (not timed), then open
the map and look up once.  Stock and fastrevlog take turns.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import pathlib
import resource
import statistics
import struct
import subprocess
import sys
import time
from typing import Any

ROOT = pathlib.Path(__file__).resolve().parent.parent
LENGTHS = (10_000, 30_000, 100_000, 300_000, 1_000_000, 5_000_000)
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


# the plot: its place in the picture, and the powers of ten at its edges
LEFT, TOP, WIDTH, HEIGHT = 70, 40, 480, 320
LOW_X, HIGH_X, LOW_Y, HIGH_Y = 4.0, 6.8, -2.0, 3.2
DASHES = {"shortest": "6 3", "old": "2 3", "unknown": "8 3 2 3"}


def place(revisions: float, ms: float) -> tuple[float, float]:
    """Where in the plot."""
    x = LEFT + (math.log10(revisions) - LOW_X) / (HIGH_X - LOW_X) * WIDTH
    y = TOP + (HIGH_Y - math.log10(ms)) / (HIGH_Y - LOW_Y) * HEIGHT
    return x, y


def svg(points: dict[str, list[tuple[int, float]]]) -> str:
    """Curves of milliseconds over revisions, both by powers of ten."""
    size = f'width="{LEFT + WIDTH + 150}" height="{TOP + HEIGHT + 60}"'
    font = 'font-family="sans-serif" font-size="12"'
    title = "First look-up in a fresh process, milliseconds"
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} {font}>',
        f'<rect {size} fill="#fff"/>',
        f'<text x="{LEFT}" y="22" font-size="15" font-weight="bold">{title}</text>',
    ]
    for power in range(-2, 4):
        _x, y = place(1e4, 10.0**power)
        out.append(
            f'<line x1="{LEFT}" y1="{y:.1f}" x2="{LEFT + WIDTH}" y2="{y:.1f}" '
            f'stroke="#ddd"/><text x="{LEFT - 8}" y="{y + 4:.1f}" '
            f'text-anchor="end">{10.0**power:g}</text>'
        )
    for revisions in (10_000, 100_000, 1_000_000, 5_000_000):
        x, y = place(revisions, 10.0**LOW_Y)
        out.append(
            f'<text x="{x:.1f}" y="{y + 20:.1f}" text-anchor="middle">'
            f"{revisions:,}</text>"
        )
    x, y = place(2e5, 10.0**LOW_Y)
    out.append(f'<text x="{x:.1f}" y="{y + 40:.1f}">revisions</text>')
    for name, line in points.items():
        out += curve(name, [place(*point) for point in line])
    return "\n".join([*out, "</svg>", ""])


def curve(name: str, places: list[tuple[float, float]]) -> list[str]:
    """One line of the plot, and its label; ours lie on one another and share one."""
    question, _space, who = name.partition(" ")
    colour = "#9aa5b1" if who == "stock" else "#0b6e99"
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    dash = DASHES.get(question, "none")
    out = [
        (
            f'<polyline points="{path}" fill="none" stroke="{colour}" '
            f'stroke-width="2" stroke-dasharray="{dash}"/>'
        )
    ]
    label = {"prefix": "prefix, shortest, stock"}.get(question, name)
    if who != "stock":
        label = "all, fastrevlog"
    if question == "prefix" or (who == "stock" and question != "shortest"):
        x, y = places[-1]
        out.append(f'<text x="{x + 8:.1f}" y="{y + 4:.1f}">{label}</text>')
    return out


def main() -> int:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("revisions", nargs="*", type=int)
    parser.add_argument("--folder", type=pathlib.Path, default="/dev/shm/nodemaps")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--svg", type=pathlib.Path)
    parser.add_argument("--ask", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.ask:
        folder, who, question = arguments.ask
        print(json.dumps(ask(pathlib.Path(folder), who, question)))
        return 0
    print("revisions question   stock ms (cpu)     fastrevlog ms (cpu)    KiB")
    points: dict[str, list[tuple[int, float]]] = {}
    for length in arguments.revisions or LENGTHS:
        folder = arguments.folder / str(length)
        if not (folder / "map.nd").exists():
            folder.mkdir(parents=True, exist_ok=True)
            make_index(folder / "index.i", length)
            make_map(folder, load(folder / "index.i"))
        found = measure(folder, arguments.rounds)
        for name, median in found.items():
            points.setdefault(name, []).append((length, median["cpu"] * 1000))
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
    if arguments.svg:
        arguments.svg.write_text(svg(points), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
