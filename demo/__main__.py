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

from benchmarks import corpus, setups

from .compare import EXTENSION, Command, Row, Side, compare, remove

PROJECT = pathlib.Path(__file__).resolve().parent.parent
BUNDLE = "all.hg"
LONG = "CHANGES"  # the file that nearly every changeset of the corpus edits
# Enough for delta chains as long as those of a repository of some years, and made in
# a third of a minute; 1,000 changesets show ratios a third nearer to one.
CHANGESETS = 3000
ROW_SECONDS = 15.0  # no further round of a row begins later

COMMANDS = (
    Command("log -p, 150", ("log", "-R", "repo", "-p", "-l", "150")),
    Command("log, all of it", ("log", "-R", "repo", "-T", "{rev} {desc}\n")),
    Command("annotate", ("annotate", "-R", "repo", "-r", "tip", "-n", f"repo/{LONG}")),
    Command("cat of all files", ("cat", "-R", "repo", "-r", "tip", "repo")),
    Command(
        "log -p of a file", ("log", "-R", "repo", "-p", "-l", "150", f"repo/{LONG}")
    ),
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
    # the next row reads what this one leaves
    Command("bundle --all", ("bundle", "-R", "repo", "--all", BUNDLE), made=(BUNDLE,)),
    Command(
        "unbundle",
        ("unbundle", "-R", "unbundled", BUNDLE),
        made=("unbundled",),
        before=(("init", "unbundled"),),
    ),
    Command("clone --pull", ("clone", "--pull", "repo", "pulled"), made=("pulled",)),
    Command("clone", ("clone", "repo", "cloned"), made=("cloned",)),
    Command(
        "commit",
        ("commit", "-R", "copy", "-d", "0 0", "-m", "the demo was here"),
        made=("copy",),
        before=(
            ("clone", "--quiet", "repo", "copy"),
            ("rename", "-R", "copy", f"copy/{LONG}", "copy/data/renamed"),
        ),
    ),
    Command("version", ("version",), serves=False),
)


def main() -> int:
    """Run the demonstration."""
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    parser.add_argument("--folder", type=pathlib.Path, default=PROJECT / ".demo")
    parser.add_argument("--changesets", type=int, default=CHANGESETS)
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
    print(f"making a sample repository of {options.changesets} changesets ...")
    made = sides[0].folder / "repo"
    setup = setups.parse(f"corpus={hg}")
    corpus.make(setup, str(made), changesets=options.changesets)
    shutil.copytree(made, sides[1].folder / "repo", symlinks=True)
    print(introduction(sides[0]))
    rows = []
    for number, command in enumerate(COMMANDS, 1):
        progress(f"{number} of {len(COMMANDS)}: hg {command.name}")
        rows.append(compare(command, *sides, options.rounds, ROW_SECONDS))
    progress("")
    show(rows)
    return finish(rows)


def progress(what: str) -> None:
    """Say what is going on, on a terminal only."""
    if sys.stdout.isatty():
        print(f"\r{what:60}", end="" if what else "\r", flush=True)


def introduction(side: Side) -> str:
    """Say what was made, by asking a Mercurial without fastrevlog."""
    version = side.hg_run("version", "-q").stdout.decode().strip()

    def count(revset: str) -> int:
        log = ("log", "-R", "repo", "-r", revset, "-T", "x")
        return len(side.hg_run(*log).stdout)

    files = side.hg_run("files", "-R", "repo", "-r", "tip").stdout.count(b"\n")
    return (
        f"{version}\n{count('all()')} changesets, {count('merge()')} merges,"
        f" {count('head()')} heads, {files} files at the tip\n"
    )


def show(rows: list[Row]) -> None:
    """Print the table: what gains most comes first."""
    print(f"{'hg':17} {'stock':>7} {'fast':>8} {'ratio':>6}   (=: stock, #: gained)")
    for row in sorted(rows, key=lambda row: row.stock / row.fast, reverse=True):
        print(describe(row))


def describe(row: Row) -> str:
    """Return a row of the table: ten signs of its bar are once as fast as stock."""
    ratio = row.stock / row.fast
    length = min(round(ratio * 10), 38)
    bar = "=" * min(length, 10) + "#" * max(length - 10, 0)
    wrong = "  DIFFERS" if row.differences else ""
    return (
        f"{row.command.name:17} {row.stock:6.2f}s {row.fast:7.2f}s {ratio:5.2f}x"
        f"  {bar}{wrong}"
    )


def finish(rows: list[Row]) -> int:
    """Print what is wrong, or that nothing is; return the exit code."""
    bad = 0
    for row in rows:
        if row.differences:
            bad += 1
            print(f"{row.command.name}: differs in {', '.join(row.differences[:8])}")
        if row.command.serves and not row.counts.total_served:
            bad += 1
            print(f"{row.command.name}: fastrevlog served nothing")
        for reason, number in row.counts.refused.items():
            print(f"{row.command.name}: {number} revlogs refused: {reason}")
    served = sum(row.counts.total_served for row in rows)
    print(
        "\nThe best run of whole commands on each side, the start of Python (see"
        " version)\nin each of them; larger repositories gain more."
    )
    if bad:
        print("NOT GOOD")
    else:
        print(
            f"All outputs and files are identical; fastrevlog served {served} revlogs."
        )
    print(
        "Your own repository, in half a minute, nothing is changed:\n"
        f"  hg --config extensions.fastrevlog={EXTENSION} perf::fastrevlog"
    )
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
