# ``python -m demo``: the same commands with and without fastrevlog.
# SPDX-License-Identifier: GPL-2.0-or-later
"""Make a sample repository, run hg commands on it twice, compare, and say so.

Exit code 1 if anything differs or if fastrevlog served nothing in a command.
"""

from __future__ import annotations

import argparse
import pathlib
import shutil
import sys
import sysconfig

from .compare import Command, Row, Side, compare, remove
from .history import TABLE, History

PROJECT = pathlib.Path(__file__).resolve().parent.parent
BUNDLE = "all.hg"

COMMANDS = (
    Command("log -p", ("log", "-R", "repo", "-p")),
    Command("log -G (templated)", ("log", "-R", "repo", "-G", "-T", "{rev} {desc}\n")),
    Command(
        "annotate",
        ("annotate", "-R", "repo", "-r", "tip", "-n", f"repo/{TABLE}"),
    ),
    Command("cat of all files", ("cat", "-R", "repo", "-r", "tip", "repo")),
    Command("diff from far", ("diff", "-R", "repo", "-r", "0", "-r", "tip", "--git")),
    Command("verify", ("verify", "-R", "repo")),
    Command(
        "update from null",
        ("update", "-R", "copy", "tip"),
        made=("copy",),
        before=(("clone", "--quiet", "--noupdate", "repo", "copy"),),
    ),
    Command(
        "archive",
        ("archive", "-R", "repo", "-r", "tip", "archived"),
        made=("archived",),
    ),
    Command("bundle --all", ("bundle", "-R", "repo", "--all", BUNDLE), made=(BUNDLE,)),
    Command(
        "unbundle",
        ("unbundle", "-R", "unbundled", BUNDLE),
        made=("unbundled",),
        before=(("init", "unbundled"), ("bundle", "-R", "repo", "--all", BUNDLE)),
    ),
    Command("clone --pull", ("clone", "--pull", "repo", "pulled"), made=("pulled",)),
    Command("clone", ("clone", "repo", "cloned"), made=("cloned",)),
    Command(
        "commit",
        ("commit", "-R", "copy", "-d", "0 0", "-m", "the demo was here"),
        made=("copy",),
        before=(
            ("clone", "--quiet", "repo", "copy"),
            ("rename", "-R", "copy", f"copy/{TABLE}", "copy/data/renamed.csv"),
        ),
    ),
)


def main() -> int:
    """Run the demonstration."""
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    parser.add_argument("--folder", type=pathlib.Path, default=PROJECT / ".demo")
    parser.add_argument("--changesets", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=3, help="runs on each side")
    options = parser.parse_args()
    hg = pathlib.Path(sysconfig.get_path("scripts")) / "hg"
    folder = options.folder.absolute()
    remove(folder)
    sides = (
        Side(folder / "stock", hg, fastrevlog=False),
        Side(folder / "fast", hg, fastrevlog=True),
    )
    for side in sides:
        side.folder.mkdir(parents=True)
    history = History(sides[0].folder / "repo")
    history.make(options.changesets)
    shutil.copytree(sides[0].folder / "repo", sides[1].folder / "repo", symlinks=True)
    print(introduction(sides[0]))
    rows = []
    print(
        f"{'hg':20} {'outputs':9} {'served':>7} {'stock':>7} {'fast':>7} {'ratio':>6}"
    )
    for command in COMMANDS:
        row = compare(command, *sides, options.rounds)
        rows.append(row)
        print(describe(row), flush=True)
    return finish(rows)


def introduction(side: Side) -> str:
    """Say what was made, by asking a Mercurial without fastrevlog."""
    version = side.hg_run("version", "-q").stdout.decode().strip()

    def count(revset: str) -> int:
        log = ("log", "-R", "repo", "-r", revset, "-T", "x")
        return len(side.hg_run(*log).stdout)

    files = side.hg_run("files", "-R", "repo", "-r", "tip").stdout.count(b"\n")
    store = side.folder / "repo" / ".hg" / "store"
    split = sorted(p.name for p in (store / "data").rglob("*.d"))
    return (
        f"{version}\n"
        f"sample repository: {count('all()')} changesets, {count('merge()')} merges,"
        f" {count('head()')} heads, {files} files at the tip;"
        f" split revlogs: {', '.join(split) or 'none'}\n"
    )


def describe(row: Row) -> str:
    """Return a row of the table."""
    same = "DIFFER" if row.differences else "identical"
    ratio = row.stock / row.fast
    return (
        f"{row.command.name:20} {same:9} {row.counts.total_served:7d}"
        f" {row.stock:6.2f}s {row.fast:6.2f}s {ratio:5.2f}x"
    )


def finish(rows: list[Row]) -> int:
    """Print what is wrong, or that nothing is; return the exit code."""
    bad = 0
    for row in rows:
        if row.differences:
            bad += 1
            print(f"{row.command.name}: differs in {', '.join(row.differences[:8])}")
        if not row.counts.total_served:
            bad += 1
            print(f"{row.command.name}: fastrevlog served nothing")
        for reason, number in row.counts.refused.items():
            print(f"{row.command.name}: {number} revlogs refused: {reason}")
    print(
        "\nTimes are the best run of whole commands on a small repository: most of"
        "\neach is the start of Python. docs/measuring.md is about large ones."
    )
    print("NOT GOOD" if bad else "All outputs are identical, all commands were served.")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
