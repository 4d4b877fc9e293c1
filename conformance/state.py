# What a conformance run remembers.
# SPDX-License-Identifier: GPL-2.0-or-later
"""Results on disk: one line of JSON per test file, so that a run can go on.

Lines are appended, the last one about a test file holds. Parts of a run may
share the folder, as each line is one write.
"""

from __future__ import annotations

import json
import os
import pathlib
from typing import Any

from support.reports import Counts

from .verdict import BASELINE, WORST_FIRST


class State:
    """The results of one Mercurial version, in a folder of their own."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / "results.jsonl"

    def load(self) -> dict[str, dict[str, Any]]:
        """Return the newest result of each test file; broken lines are passed over."""
        results: dict[str, dict[str, Any]] = {}
        if self.path.exists():
            with self.path.open("rb") as lines:
                for line in lines:
                    try:
                        entry = json.loads(line)
                    except ValueError:
                        continue  # the run was killed while writing it
                    results[entry["file"]] = entry
        return results

    def append(self, entry: dict[str, Any]) -> None:
        """Write down the result of one test file."""
        line = json.dumps(entry, sort_keys=True).encode() + b"\n"
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
        handle = os.open(self.path, flags, 0o666)
        try:
            os.write(handle, line)
        finally:
            os.close(handle)

    def keep(self, test: str, files: dict[str, str]) -> pathlib.Path:
        """Keep outputs of a failing test for inspection; return their folder."""
        folder = self.folder / "failures" / test.replace("/", "_")
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (folder / name).write_text(text, encoding="utf-8", errors="replace")
        return folder


def clean(entry: dict[str, Any]) -> bool:
    """Did this test file show nothing that fastrevlog is to blame for?"""
    return all(verdict == BASELINE for verdict in entry["verdicts"].values())


def summary(entries: dict[str, dict[str, Any]], files: list[str]) -> dict[str, Any]:
    """Sum up the results of these test files, as JSON has it."""
    counts = Counts()
    tests: dict[str, int] = {}
    verdicts: dict[str, list[str]] = {verdict: [] for verdict in WORST_FIRST}
    code: dict[str, int] = {}
    seconds = 0.0
    served_in: list[str] = []
    for file in files:
        entry = entries.get(file)
        if entry is None:
            continue
        counts.add(entry["counts"])
        seconds += entry["seconds"]
        code[entry["code"]] = code.get(entry["code"], 0) + 1
        if entry["counts"]["served"]:
            served_in.append(file)
        for result in entry["results"].values():
            tests[result] = tests.get(result, 0) + 1
        for name, verdict in entry["verdicts"].items():
            verdicts[verdict].append(name)
    return {
        "files": len(files),
        "not run": [file for file in files if file not in entries],
        "files in which revlogs were served": len(served_in),
        "tests": tests,
        "verdicts": verdicts,
        "counts": counts.as_dict(),
        "code": code,
        "seconds": round(seconds, 1),
    }
