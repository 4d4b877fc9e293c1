# Breaks the engine and `outer` in small ways, and sees whether a test minds.
# SPDX-License-Identifier: GPL-2.0-or-later
"""``python -m support.mutation [--mutants 300] [--seed 1] [--jobs 2]``.

A sample of the mutants that cosmic-ray makes of ``engine/`` and ``outer/``, drawn by
the seed. Each is tried in a copy of the tree, by those tests of both rooms that run its
line, as coverage has seen them without a mutant, and by those of its module; where that
has seen none (a constant; what only forked processes run) by all. What nobody minds is
shown as a difference at the end: somebody has to look at it. Exit code 1 if the tests
fail without a mutant, or if more than MOST_SURVIVORS of the sample survive.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import pathlib
import random
import re
import shutil
import sys
import tempfile
from typing import Any, NamedTuple

PROJECT = pathlib.Path(__file__).resolve().parent.parent
PACKAGE = pathlib.Path("hgext3rd/fastrevlog")
ROOMS = ("engine", "outer")
TIMEOUT = 300.0  # seconds for a run of tests; a mutant that hangs is found
MOST_SURVIVORS = 0.4  # share of the sample
PYTEST = f"{sys.executable} -m pytest -x -q -p no:cacheprovider -p no:xdist"
LEFT_OUT = shutil.ignore_patterns(".*", "*.egg-info", "build", "dist", "__pycache__")


# path of a module and line -> the tests that run it, as arguments of pytest
Seen = dict[str, dict[int, list[str]]]


class Tried(NamedTuple):
    """What became of a mutant: ``found`` is the test that failed, or empty."""

    where: str
    operator: str
    found: str
    diff: str


def mutations(tree: pathlib.Path) -> list[Any]:
    """Every mutation of the two rooms that changes what is done."""
    import cosmic_ray.plugins
    from cosmic_ray.commands import init
    from cosmic_ray.work_db import WorkDB

    assert cosmic_ray.plugins.operator_names()
    paths = sorted(p for room in ROOMS for p in (tree / PACKAGE / room).rglob("*.py"))
    with tempfile.TemporaryDirectory() as folder:
        database = WorkDB(f"{folder}/session.sqlite", WorkDB.Mode.create)
        init([path.relative_to(tree) for path in paths], database, {})
        made = [item.mutations[0] for item in database.work_items]
        database.close()
    lines = {
        path.relative_to(tree): path.read_text("utf-8").split("\n") for path in paths
    }
    # annotations are never evaluated
    return [
        mutation
        for mutation in made
        if not (
            "BitOr" in mutation.operator_name
            and " | None" in lines[mutation.module_path][mutation.start_pos[0] - 1]
        )
    ]


def own_tests(tree: pathlib.Path, module: pathlib.Path) -> str:
    """The test file of a module, or nothing where it has none of that name."""
    inside = module.relative_to(PACKAGE)
    file = pathlib.Path("tests") / inside.parent / f"test_{inside.name}"
    return str(file) if (tree / file).exists() else ""


def prepare() -> None:
    """Give this process a copy of the tree to break."""
    folder = tempfile.mkdtemp(prefix="mutation-")
    tree = pathlib.Path(folder) / "tree"
    shutil.copytree(PROJECT, tree, ignore=LEFT_OUT)
    os.chdir(tree)
    # what is compiled for one mutant would be taken for the next, made so soon after
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"


def everything() -> str:
    return " ".join(f"tests/{room}" for room in ROOMS)


def look_who_runs_what() -> Seen | None:
    """Run all tests without a mutant; None if they fail."""
    with open("coverage.ini", "w", encoding="utf-8") as config:
        config.write(f"[run]\nsource = {PACKAGE}\ndynamic_context = test_function\n")
    coverage = f"{sys.executable} -m coverage"
    pytest = PYTEST[len(sys.executable) :]
    if os.system(f"{coverage} run --rcfile=coverage.ini {pytest} {everything()}"):
        return None
    if os.system(
        f"{coverage} json -q --rcfile=coverage.ini --show-contexts -o who.json"
    ):
        return None
    with open("who.json", encoding="utf-8") as file:
        files = json.load(file)["files"]
    return {
        path: {
            int(line): sorted(filter(None, map(argument_of, contexts)))
            for line, contexts in told["contexts"].items()
        }
        for path, told in files.items()
    }


def argument_of(context: str) -> str:
    """``tests.engine.test_index.test_append`` as an argument of pytest."""
    module, _, function = context.rpartition(".")
    path = module.replace(".", "/") + ".py"
    return f"{path}::{function}" if pathlib.Path(path).exists() else ""


def tests_for(mutation: Any, seen: Seen) -> str:
    """The tests to try ``mutation`` with, those of its own module first."""
    own = own_tests(pathlib.Path.cwd(), mutation.module_path)
    lines = seen.get(str(mutation.module_path), {})
    found: set[str] = set()
    for line in range(mutation.start_pos[0], mutation.end_pos[0] + 1):
        found.update(lines.get(line, ()))
    if not found:
        return everything()
    first = own.rpartition("/")[2] or "?"
    return " ".join(sorted(found, key=lambda name: (first not in name, name)))


def attempt(job: tuple[Any, Seen]) -> Tried:
    """Try one mutant in this process's copy."""
    from cosmic_ray.mutating import mutate_and_test
    from cosmic_ray.work_item import TestOutcome

    mutation, seen = job
    found = ""
    tests = tests_for(mutation, seen)
    result = mutate_and_test([mutation], f"{PYTEST} {tests}", TIMEOUT)
    own = own_tests(pathlib.Path.cwd(), mutation.module_path)
    if result.test_outcome == TestOutcome.SURVIVED and own not in ("", tests):
        # what fixtures run belongs to no test
        result = mutate_and_test([mutation], f"{PYTEST} {own}", TIMEOUT)
    if result.test_outcome != TestOutcome.SURVIVED:
        said = re.findall(r"^(?:FAILED|ERROR) (\S+)", result.output or "", re.M)
        found = said[0] if said else "no run of tests came to its end"
    line = f"{mutation.module_path.relative_to(PACKAGE)}:{mutation.start_pos[0]}"
    return Tried(line, mutation.operator_name, found, result.diff or "")


def _part(seen: Seen, mutation: Any) -> Seen:
    path = str(mutation.module_path)
    return {path: seen.get(path, {})}


def main() -> int:
    """Try the sample and tell; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m support.mutation")
    parser.add_argument("--mutants", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    start = pathlib.Path.cwd()
    prepare()
    everything_made = mutations(pathlib.Path.cwd())
    seen = look_who_runs_what()
    if seen is None:
        print("NOT GOOD: the tests fail without a mutant")
        return 1
    shutil.rmtree(pathlib.Path.cwd().parent)
    os.chdir(start)
    random.Random(options.seed).shuffle(everything_made)
    sample = everything_made[: options.mutants]
    print(f"{len(sample)} mutants of {len(everything_made)}, seed {options.seed}")
    tried: list[Tried] = []
    with multiprocessing.get_context("spawn").Pool(options.jobs, prepare) as pool:
        jobs = [(mutation, _part(seen, mutation)) for mutation in sample]
        for result in pool.imap_unordered(attempt, jobs):
            tried.append(result)
            said = result.found or "SURVIVED"
            print(f"{result.where} {result.operator}: {said}", flush=True)
    survivors = sorted(result for result in tried if not result.found)
    for result in survivors:
        print(f"\n== {result.where} {result.operator}\n{result.diff}")
    share = len(survivors) / max(len(tried), 1)
    print(f"\nfound: {len(tried) - len(survivors)} of {len(tried)}")
    return 1 if share > MOST_SURVIVORS else 0


if __name__ == "__main__":
    sys.exit(main())
