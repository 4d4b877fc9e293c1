# Microbenchmarks of the storage layer, set-ups interleaved.
# SPDX-License-Identifier: GPL-2.0-or-later
"""Usage, from the top of the project:

    python -m benchmarks.micro -R /path/to/repo \\
        --setup stock=/path/to/hg --setup rust=/path/to/rust/hg \\
        --setup fastrevlog=/path/to/hg,extensions.fastrevlog=hgext3rd/fastrevlog

Each set-up has one process, in its own interpreter.  After an untimed round that
digests all that is read, the processes take turns: A, B, C, A, B, C...  Every
round opens the repository anew, so nothing is cached but the files, by the system.

The repository is only read.  What the figures mean: docs/measuring.md.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import tempfile
import time
from typing import Any

from . import plot, results, setups, worker
from .client import Worker


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.micro",
        description="In-process microbenchmarks; the first set-up is the reference.",
    )
    parser.add_argument("--setup", type=setups.parse, action="append", required=True)
    parser.add_argument("-R", "--repo", required=True)
    parser.add_argument("--rows", default="", help="comma-separated; default all")
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument(
        "--budget", type=float, default=60.0, help="seconds a row may take"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the random choices")
    parser.add_argument(
        "--size",
        action="append",
        default=[],
        metavar="WHAT=N",
        help="sample sizes: "
        + ", ".join(f"{k}={v}" for k, v in worker.DEFAULT_SIZES.items()),
    )
    parser.add_argument("--list", action="store_true", help="list the rows and stop")
    parser.add_argument("--json", help="write the result here")
    parser.add_argument("--markdown", help="write a Markdown table here")
    parser.add_argument("--svg", help="write a plot here")
    return parser


def parse_sizes(parser: argparse.ArgumentParser, texts: list[str]) -> dict[str, int]:
    """``["manifest=10", ...]`` as a dictionary."""
    sizes: dict[str, int] = {}
    known = set(worker.DEFAULT_SIZES) | {
        f"{kind}-{order}"
        for kind in ("changelog", "manifest", "filelog")
        for order in ("random", "ascending", "descending")
    }
    for text in texts:
        key, _, value = text.partition("=")
        if key not in known or not value.isdigit():
            parser.error(f"--size {text}: expected one of {', '.join(sorted(known))}")
        sizes[key] = int(value)
    return sizes


def parse_rows(
    parser: argparse.ArgumentParser, text: str, known: list[str]
) -> list[str]:
    """The rows asked for, in the table's order."""
    asked = [row for row in text.split(",") if row]
    for row in asked:
        if row not in known:
            parser.error(f"no row {row}; there are {', '.join(known)}")
    return [row for row in known if row in asked] if asked else known


def measure_row(
    row: str, workers: list[Worker], rounds: int, budget: float, loops: list[float]
) -> tuple[dict[str, Any], list[str]]:
    """Do one row in all workers; answers the row of the result, and problems."""
    problems: list[str] = []
    found: dict[str, dict[str, Any]] = {}
    for one in workers:
        found[one.setup.name] = one.ask("digest", row=row)
    times: dict[str, list[float]] = {name: [] for name in found}
    least: dict[str, int] = {}
    start = time.monotonic()
    done = 0
    while done < rounds and (done < 3 or time.monotonic() - start < budget):
        loops.append(results.yardstick())
        for one in workers:
            name = one.setup.name
            reply = one.ask("time", row=row)
            times[name].append(reply["seconds"])
            texts = reply["counted"].get("texts")
            if texts is not None:
                least[name] = min(texts, least.get(name, texts))
        done += 1
    line: dict[str, Any] = {"name": row, "what": worker.ROWS[row][0], "results": {}}
    for name, digested in found.items():
        line["results"][name] = {**results.summary(times[name]), **digested}
    first = workers[0].setup.name
    results.add_ratios(line, first)
    line["items"] = found[first]["items"]
    line["same"] = len({one["digest"] for one in found.values()}) == 1
    if not line["same"]:
        problems.append(f"{row}: the set-ups did not read the same")
    line["proven"] = None
    for one in workers:
        ours, name = one.setup.is_fastrevlog, one.setup.name
        if found[name]["is_fastrevlog"] != ours:
            who = ", ".join(found[name]["inner"])
            problems.append(f"{row}: in {name}, revlogs were served by {who}")
            line["proven"] = False
        elif ours and line["proven"] is None:
            line["proven"] = True
        # A timed round that restores fewer texts than the first round did was
        # answered from a cache that outlived its repository object.
        untimed = found[name]["counted"].get("texts", 0)
        if least.get(name, untimed) < untimed:
            problems.append(
                f"{row}: {name} restored {untimed} texts at first and "
                f"{least[name]} in a timed round: a cache was warm"
            )
    return line, problems


def main() -> int:
    parser = arguments()
    if "--list" in sys.argv[1:]:
        for row, (what, *_) in worker.ROWS.items():
            print(f"{row:22}{what}")
        return 0
    args = parser.parse_args()
    rows = parse_rows(parser, args.rows, list(worker.ROWS))
    sizes = parse_sizes(parser, args.size)
    repo = os.path.abspath(args.repo)
    load = results.load()
    loops: list[float] = []
    with tempfile.TemporaryDirectory(prefix="micro-") as scratch:
        env = setups.environment(setups.write_hgrc(scratch))
        try:
            setups.inspect_all(args.setup, env)
            with Worker(args.setup[0], repo, env) as child:
                plan = child.ask("plan")
            result = results.new("micro", args.setup)
            result["parameters"] = {
                "rounds": args.rounds,
                "seed": args.seed,
                "sizes": {**worker.DEFAULT_SIZES, **sizes},
            }
            result["repository"] = {k: v for k, v in plan.items() if k != "files"}
            with contextlib.ExitStack() as stack:
                workers = [
                    stack.enter_context(
                        Worker(s, repo, env, sizes=sizes, seed=args.seed, plan=plan)
                    )
                    for s in args.setup
                ]
                for row in rows:
                    print(f"{row}...", file=sys.stderr, flush=True)
                    line, problems = measure_row(
                        row, workers, args.rounds, args.budget, loops
                    )
                    result["rows"].append(line)
                    result["problems"] += problems
        except setups.SetupError as exc:
            sys.exit(f"micro: {exc}")
    result["noise"] = results.noise_of(loops, load)
    results.save(result, args.json, args.markdown)
    if args.svg:
        plot.write(result, args.svg)
    return results.judge(result)


if __name__ == "__main__":
    sys.exit(main())
