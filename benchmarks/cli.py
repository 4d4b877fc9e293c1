# Options that the benchmarks share, and how a run ends.
# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import argparse
from typing import Any

from . import plot, results, setups


def add_options(
    parser: argparse.ArgumentParser, rows: dict[str, str], rounds: int, budget: float
) -> None:
    """Add the options of every benchmark; ``rows`` are names and descriptions."""
    parser.add_argument(
        "--setup",
        type=setups.parse,
        action="append",
        required=True,
        metavar="NAME=HG[,section.item=value]...",
        help="what to measure; repeat it, the first is the reference",
    )
    parser.add_argument("-R", "--repo", required=True, help="only read, never written")
    parser.add_argument(
        "--rows", type=_names(rows), default=list(rows), help="comma-separated"
    )
    parser.add_argument("--rounds", type=int, default=rounds, help="%(default)s")
    parser.add_argument(
        "--budget",
        type=float,
        default=budget,
        help="seconds after which a row gets no more rounds, once it has three "
        "(%(default)s)",
    )
    parser.add_argument(
        "--clock",
        choices=["wall", "cpu"],
        default="wall",
        help="what tables and ratios rest on: the time that passed, or the time "
        "that processors spent, for when the machine is busy (%(default)s)",
    )
    parser.add_argument("--json", help="write the result here")
    parser.add_argument("--markdown", help="write a Markdown table here")
    parser.add_argument("--svg", help="write a plot here")
    parser.epilog = "rows:\n" + "".join(f"  {n:21}{w}\n" for n, w in rows.items())
    parser.formatter_class = argparse.RawDescriptionHelpFormatter


class _names:  # noqa: N801  (its name is what argparse shows in an error)
    """An option's type: some of the rows, kept in the table's order."""

    def __init__(self, rows: dict[str, str]) -> None:
        self._rows = rows

    def __call__(self, text: str) -> list[str]:
        asked = text.split(",")
        unknown = [name for name in asked if name not in self._rows]
        if unknown:
            raise argparse.ArgumentTypeError(f"no such row: {', '.join(unknown)}")
        return [name for name in self._rows if name in asked]


def goes_on(args: argparse.Namespace, done: int, spent: float, repeat: int = 1) -> bool:
    """Whether a row that had ``done`` rounds in ``spent`` seconds gets one more."""
    return done < args.rounds * repeat and (done < 3 or spent < args.budget)


def parameters(args: argparse.Namespace) -> dict[str, Any]:
    """Those options that belong in a result."""
    return {key: getattr(args, key) for key in ("rounds", "budget", "clock")}


def finish(result: dict[str, Any], args: argparse.Namespace) -> int:
    """Write what was asked for, print the table; answers the exit code.

    The code is 1 if there is a reason not to believe the figures.
    """
    if args.json:
        results.write_json(result, args.json)
    for path, make in ((args.markdown, results.markdown), (args.svg, plot.svg)):
        if path:
            with open(path, "w", encoding="utf-8") as out:
                out.write(make(result))
    print(results.text(result), end="")
    for problem in result["problems"]:
        print(f"PROBLEM: {problem}")
    return 1 if result["problems"] else 0
