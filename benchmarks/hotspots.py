# Where the time goes: one command, or one micro row, of a set-up under cProfile.
# SPDX-License-Identifier: GPL-2.0-or-later
"""Usage, from the top of the project:

    python -m benchmarks.hotspots --setup fast=/path/to/hg,extensions.fastrevlog=... \\
        -R /path/to/repo -- log -p -l 100
    python -m benchmarks.hotspots --setup stock=/path/to/hg -R /path/to/repo \\
        --row manifest-random

cProfile makes calls of Python functions look dearer than they are; use it to
find where time goes, and `benchmarks.micro` to find out how much.  (This module
is not called ``profile`` because cProfile imports a module of that name.)
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile

from . import setups, worker
from .client import Worker


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.hotspots",
        description="Profile one hg command or one micro row in a set-up.",
    )
    parser.add_argument("--setup", type=setups.parse, action="append", required=True)
    parser.add_argument("-R", "--repo", required=True)
    parser.add_argument("--row", choices=sorted(worker.ROWS))
    parser.add_argument("--sort", default="tottime", help="cProfile's sort key")
    parser.add_argument("--limit", type=int, default=30, help="lines of each table")
    parser.add_argument("command", nargs="*", help="hg command and arguments")
    return parser


def main() -> int:
    parser = arguments()
    args = parser.parse_args()
    if bool(args.row) == bool(args.command):
        parser.error("give either --row or a command after --")
    repo = os.path.abspath(args.repo)
    with tempfile.TemporaryDirectory(prefix="hotspots-") as scratch:
        env = setups.environment(setups.write_hgrc(scratch))
        try:
            setups.inspect_all(args.setup, env)
        except setups.SetupError as exc:
            sys.exit(f"hotspots: {exc}")
        for setup in args.setup:
            limits = {"sort": args.sort, "limit": args.limit}
            with Worker(setup, repo, env) as child:
                if args.row:
                    child.ask("plan")
                    reply = child.ask("profile", row=args.row, **limits)
                    print(f"== {setup.name}: {args.row}")
                else:
                    line = setup.command("-R", repo, *args.command)[1:]
                    reply = child.ask("command", args=line, **limits)
                    seconds, code = reply["seconds"], reply["code"]
                    print(f"== {setup.name}: {' '.join(args.command)}")
                    print(f"{seconds:.2f} s under the profiler, exit code {code}")
            print(reply["table"])
    return 0


if __name__ == "__main__":
    sys.exit(main())
