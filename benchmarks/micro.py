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
from collections.abc import Callable
from typing import Any

from . import cli, results, setups, worker
from .client import Worker


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.micro",
        description="In-process microbenchmarks; the first set-up is the reference.",
    )
    rows = {name: row[0] for name, row in worker.ROWS.items()}
    cli.add_options(parser, rows, rounds=11, budget=60.0)
    parser.add_argument("--seed", type=int, default=0, help="of the random choices")
    parser.add_argument(
        "--size",
        action="append",
        default=[],
        metavar="WHAT=N",
        help="sample sizes: "
        + ", ".join(f"{k}={v}" for k, v in worker.DEFAULT_SIZES.items()),
    )
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


def measure_row(
    row: str, workers: list[Worker], args: argparse.Namespace, loops: list[float]
) -> tuple[dict[str, Any], list[str]]:
    """Do one row in all workers; answers the row of the result, and problems."""
    problems: list[str] = []
    found: dict[str, dict[str, Any]] = {}
    for one in workers:
        found[one.setup.name] = one.ask("digest", row=row)
    replies: dict[str, list[Any]] = {name: [] for name in found}
    least: dict[str, int] = {}
    start = time.monotonic()
    done = 0
    while cli.goes_on(args, done, time.monotonic() - start):
        loops.append(results.yardstick())
        for one in workers:
            name = one.setup.name
            reply = one.ask("time", row=row)
            replies[name].append(reply)
            texts = reply["counted"].get("texts")
            if texts is not None:
                least[name] = min(texts, least.get(name, texts))
        done += 1
    line: dict[str, Any] = {"name": row, "what": worker.described(row), "results": {}}
    for name, digested in found.items():
        wall, cpu = ([one[key] for one in replies[name]] for key in ("wall", "cpu"))
        line["results"][name] = {**results.summary(wall, cpu, args.clock), **digested}
    first = workers[0].setup.name
    results.add_ratios(line, first)
    line["items"] = found[first]["items"]
    wanted = found[first]["digest"]
    line["differs"] = [name for name in found if found[name]["digest"] != wanted]
    line["same"] = not line["differs"]
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
        # A timed round that restores fewer texts than the untimed one did was
        # answered from a cache that outlived its repository object.
        untimed = found[name]["counted"].get("texts", 0)
        if least.get(name, untimed) < untimed:
            problems.append(
                f"{row}: {name} restored {untimed} texts in the untimed round and "
                f"{least[name]} in a timed one: a cache was warm"
            )
    return line, problems


def measure(
    args: argparse.Namespace,
    sizes: dict[str, int],
    rows: Callable[[dict[str, Any]], dict[str, str]],
) -> dict[str, Any]:
    """The whole run; answers the result.

    ``rows`` is told the plan of the repository, and answers each row's name and
    what a worker is asked for it.  Raises SetupError.
    """
    repo = os.path.abspath(args.repo)
    with tempfile.TemporaryDirectory(prefix="micro-") as scratch:
        env = setups.environment(setups.write_hgrc(scratch))
        setups.inspect_all(args.setup, env)
        with Worker(args.setup[0], repo, env) as child:
            plan = child.ask("plan")
        result = results.new("micro", args.setup)
        result["parameters"] = {
            **cli.parameters(args),
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
            record = cli.Record(result, args)
            asked = rows(plan)
            for name in args.rows:
                record.begin(name)
                line, problems = measure_row(asked[name], workers, args, record.loops)
                record.add({**line, "name": name}, problems)
    return result


def main() -> int:
    parser = arguments()
    args = parser.parse_args()
    sizes = parse_sizes(parser, args.size)
    try:
        result = measure(args, sizes, lambda _: {name: name for name in worker.ROWS})
    except setups.SetupError as exc:
        sys.exit(f"micro: {exc}")
    return cli.finish(result)


if __name__ == "__main__":
    sys.exit(main())
