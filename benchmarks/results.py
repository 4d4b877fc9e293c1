# What was measured, put in figures, tables and JSON; shared by all benchmarks.
# SPDX-License-Identifier: GPL-2.0-or-later
"""A result is a plain dictionary, written as JSON as it is:

``kind``        "micro" or "commands"
``setups``      what was compared; the first is what ratios refer to
``rows``        ``{"name", "what", "results": {set-up: {"times", "median", ...}}}``
``problems``    reasons not to believe the figures; empty in a sound run
``noise``       the fixed loop's times between rounds, and the machine's load

Times are seconds, sizes bytes, ratios "so many times as fast as the first".
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import time
from collections.abc import Sequence
from typing import Any

from .setups import Setup

FORMAT = 1


def summary(
    wall: Sequence[float], cpu: Sequence[float], clock: str = "wall"
) -> dict[str, Any]:
    """Median and spread (interquartile range / median) of one row's rounds.

    ``clock`` says whether ``times``, on which all else rests, are those that
    passed ("wall") or those that processors spent ("cpu").
    """
    times = cpu if clock == "cpu" else wall
    median = statistics.median(times)
    spread = 0.0
    if len(times) > 1:
        low, _, high = statistics.quantiles(times, n=4, method="inclusive")
        spread = (high - low) / median
    return {
        "times": [round(t, 7) for t in times],
        "cpu": [round(t, 7) for t in cpu],
        "wall": [round(t, 7) for t in wall],
        "median": median,
        "min": min(times),
        "spread": spread,
    }


def add_ratios(row: dict[str, Any], first: str) -> None:
    """Set each result's ``ratio``, by medians, and ``paired``, by rounds.

    ``paired`` is the median of the ratios inside each round.  Where it and
    ``ratio`` disagree, the machine changed its pace during the run.
    """
    base = row["results"][first]
    for result in row["results"].values():
        pairs = zip(base["times"], result["times"])
        result["ratio"] = base["median"] / result["median"]
        spent = statistics.median(result["cpu"])
        result["cpu_ratio"] = statistics.median(base["cpu"]) / spent if spent else None
        result["paired"] = statistics.median(b / t for b, t in pairs)


def yardstick() -> float:
    """Seconds that a fixed loop takes now; its spread is the machine's noise."""
    start = time.perf_counter()
    total = 0
    for n in range(300_000):
        total += n ^ (total & 0xFF)
    return time.perf_counter() - start


def load() -> list[float] | None:
    """The load averages, where the system tells them."""
    return [round(x, 2) for x in os.getloadavg()] if hasattr(os, "getloadavg") else None


def noise_of(loops: Sequence[float], load_before: list[float] | None) -> dict[str, Any]:
    """The ``noise`` part of a result."""
    return {
        "yardstick": summary(loops, loops),
        "yardstick_worst": max(loops),
        "load_before": load_before,
        "load_after": load(),
    }


def machine() -> dict[str, Any]:
    """What the run was made on."""
    cpu = platform.processor()
    if os.path.exists("/proc/cpuinfo"):
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            names = [ln.partition(":")[2].strip() for ln in lines if "model name" in ln]
        cpu = names[0] if names else cpu
    return {"cpu": cpu, "cores": os.cpu_count(), "system": platform.platform()}


def new(kind: str, setups: list[Setup], **more: Any) -> dict[str, Any]:
    """The head of a result."""
    return {
        "format": FORMAT,
        "kind": kind,
        "when": time.strftime("%Y-%m-%d %H:%M", time.gmtime()),
        "machine": machine(),
        "setups": [setup.described() for setup in setups],
        **more,
        "rows": [],
        "problems": [],
    }


def seconds(value: float) -> str:
    """A time for people: three digits and a unit."""
    for scale, unit in ((1.0, "s"), (1e-3, "ms")):
        if value >= scale:
            return f"{value / scale:#.3g} {unit}".replace(". ", " ")
    return f"{value * 1e6:#.3g} µs".replace(". ", " ")


Table = tuple[list[str], list[list[str]]]


def time_table(result: dict[str, Any]) -> Table:
    """Head and lines: medians, ratios by both clocks, how far to trust them."""
    names = [setup["name"] for setup in result["setups"]]
    wall = result["parameters"]["clock"] == "wall"
    head = ["row", names[0]]
    for name in names[1:]:
        head += [name, "wall", "cpu"] if wall else [name, "cpu"]
    head += ["spread", "output", "served"]
    lines = []
    for row in result["rows"]:
        line = [row["name"]]
        found = [row["results"][name] for name in names]
        for n, one in enumerate(found):
            line.append(seconds(one["median"]))
            if n:
                line.append(f"{one['ratio']:.2f} x")
                if wall:
                    spent = one["cpu_ratio"]
                    line.append("-" if spent is None else f"{spent:.2f} x")
        line.append(f"{100 * max(one['spread'] for one in found):.0f} %")
        line.append("same" if row["same"] else f"{', '.join(row['differs'])} DIFFERS")
        line.append({True: "yes", False: "NO", None: "-"}[row["proven"]])
        lines.append(line)
    return head, lines


def memory_table(result: dict[str, Any]) -> Table | None:
    """Head and lines: MiB of the largest process, and of all together."""
    names = [setup["name"] for setup in result["setups"]]
    head = ["peak memory, MiB"] + [
        f"{name}: {w}" for name in names for w in ("one", "all")
    ]
    lines = []
    for row in result["rows"]:
        found = [row["results"][name] for name in names]
        if any(one.get("peak") for one in found):
            sizes = [one.get(key) for one in found for key in ("peak", "tree_peak")]
            line = [f"{size / 2**20:.0f}" if size else "-" for size in sizes]
            lines.append([row["name"], *line])
    return (head, lines) if lines else None


def text_table(table: Table) -> str:
    """A table as aligned text."""
    head, lines = table
    widths = [max(len(line[n]) for line in [head, *lines]) for n in range(len(head))]

    def aligned(line: list[str]) -> str:
        cells = [cell.rjust(width) for cell, width in zip(line, widths)]
        cells[0] = line[0].ljust(widths[0])
        return "  ".join(cells)

    return "\n".join(aligned(line) for line in [head, *lines]) + "\n"


def markdown_table(table: Table) -> str:
    """A table as Markdown."""
    head, lines = table
    ruler = ["---"] + ["---:"] * (len(head) - 1)
    return "".join(f"| {' | '.join(line)} |\n" for line in [head, ruler, *lines])


def markdown(result: dict[str, Any]) -> str:
    """The whole result as Markdown."""
    tables = [time_table(result), memory_table(result)]
    parts = [about(result), *(markdown_table(t) for t in tables if t), *added(result)]
    return "\n\n".join(part.rstrip() for part in parts) + "\n"


def text(result: dict[str, Any]) -> str:
    """The whole result as text."""
    tables = [time_table(result), memory_table(result)]
    parts = [*(text_table(t) for t in tables if t), *added(result), about(result)]
    return "\n".join(parts) + "\n"


def added(result: dict[str, Any]) -> list[str]:
    """What each set-up adds to start-up, in milliseconds: no ratio shows that."""
    first, *others = [setup["name"] for setup in result["setups"]]
    for row in result["rows"]:
        if row["name"] == "start-up" and others:
            base = row["results"][first]["median"]
            found = [(name, row["results"][name]["median"] - base) for name in others]
            said = ", ".join(f"{name} {1000 * more:+.1f} ms" for name, more in found)
            return [f"Start-up against {first}: {said}.\n"]
    return []


def about(result: dict[str, Any]) -> str:
    """One paragraph: what was compared, on what, and how quiet it was."""
    parts = []
    for setup in result["setups"]:
        rust = ", Rust" if setup["rust"] else ""
        python = f"Python {setup['python']}"
        parts.append(f"{setup['name']}: Mercurial {setup['mercurial']}{rust}, {python}")
    if result["parameters"]["clock"] == "cpu":
        parts.append("Times are processor time, not time passed")
    noise = result["noise"]
    loop = noise["yardstick"]
    repo = result["repository"]
    worst = seconds(noise["yardstick_worst"])
    return (
        f"{'; '.join(parts)}. {repo['changesets']} changesets, {repo['filelogs']} "
        f"filelogs. {result['machine']['cpu']}, {result['machine']['cores']} cores. "
        f"Noise: a fixed loop's spread was {100 * loop['spread']:.0f} % "
        f"(median {seconds(loop['median'])}, worst {worst})."
    )


def write_json(result: dict[str, Any], path: str) -> None:
    """Write the result as JSON."""
    with open(path, "w", encoding="utf-8") as out:
        json.dump(result, out, indent=1, sort_keys=True)
        out.write("\n")
