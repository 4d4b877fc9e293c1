# Options that the benchmarks share, and how a run ends.
# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import argparse
import sys
from typing import Any

from . import plot, results, setups


def add_options(
    parser: argparse.ArgumentParser,
    rows: dict[str, str],
    rounds: int,
    budget: float,
    separator: str = ",",
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
        "--rows",
        type=_names(rows, separator),
        default=list(rows),
        help=f"some of them, separated by {separator!r}",
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

    def __init__(self, rows: dict[str, str], separator: str) -> None:
        self._rows = rows
        self._separator = separator

    def __call__(self, text: str) -> list[str]:
        asked = text.split(self._separator)
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


class Record:
    """A result as it grows; what is done is on disk after each row."""

    def __init__(self, result: dict[str, Any], args: argparse.Namespace) -> None:
        self._result = result
        self._args = args
        self._load = results.load()
        self.loops: list[float] = []

    def begin(self, row: str) -> None:
        """Say what is being measured."""
        print(f"{row}...", file=sys.stderr, flush=True)

    def add(self, row: dict[str, Any], problems: list[str]) -> None:
        """Add a row, and write the files that were asked for."""
        args, result = self._args, self._result
        result["rows"].append(row)
        result["problems"] += problems
        result["noise"] = results.noise_of(self.loops, self._load)
        if args.json:
            results.write_json(result, args.json)
        for path, make in ((args.markdown, results.markdown), (args.svg, plot.svg)):
            if path:
                with open(path, "w", encoding="utf-8") as out:
                    out.write(make(result))


def finish(result: dict[str, Any]) -> int:
    """Print the table and the problems; answers the exit code.

    The code is 1 if there is a reason not to believe the figures.
    """
    print(results.text(result), end="")
    for problem in result["problems"]:
        print(f"PROBLEM: {problem}")
    return 1 if result["problems"] else 0
