# One test file of Mercurial's suite, run by its run-tests.py.
# SPDX-License-Identifier: GPL-2.0-or-later
"""Run one test file under one extension and read what came of it."""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import re
import shutil
import subprocess
import time
from typing import Any

from support.reports import Counts, read_report

from .source import clear, run_tests_command

# What a test can come to. An "error" is run-tests.py giving up on the test.
SUCCESS, FAILURE, SKIP, ERROR = "success", "failure", "skip", "error"
BAD = (FAILURE, ERROR)


@dataclasses.dataclass(frozen=True)
class Setup:
    """What a run uses: a Mercurial, its source tree, and an extension."""

    python: pathlib.Path
    hg: pathlib.Path
    tree: pathlib.Path
    extension: pathlib.Path
    timeout: int  # seconds, of one test
    user: str | None = None  # run the tests as this one; needs root
    chg: pathlib.Path | None = None  # the client of Mercurial's command server
    config: tuple[str, ...] = ()  # more settings, as NAME=VALUE


@dataclasses.dataclass
class Outcome:
    """What one test file came to.

    ``results`` maps the names of its tests (a file with ``#testcases`` holds
    several) to success, failure, skip or error; ``messages`` maps those that
    are no success to what run-tests.py says; ``errors`` maps those that
    failed to the text of their ``.err`` file, the output they really gave.
    """

    results: dict[str, str]
    messages: dict[str, str]
    errors: dict[str, str]
    counts: Counts
    seconds: float
    output: str

    @property
    def bad(self) -> list[str]:
        """Names of the tests that failed."""
        return [name for name, result in self.results.items() if result in BAD]


def environment(hg: pathlib.Path) -> dict[str, str]:
    """Return the environment of a run.

    run-tests.py calls Python through a symbolic link, which does not find the
    packages of a virtual environment: scripts of the suite need them named.
    """
    packages = (hg.parent.parent / "lib").glob("python*/site-packages")
    return {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, packages))}


def run(setup: Setup, test: str, slot: pathlib.Path, port: int) -> Outcome:
    """Run one test file in ``slot``, a folder that no other run uses meanwhile."""
    output = clear(slot)
    report = output / "report.jsonl"
    command = run_tests_command(setup.python, setup.hg, setup.tree, output)
    command += [
        f"--port={port}",
        f"--timeout={setup.timeout}",
        f"--slowtimeout={setup.timeout * 4}",
        f"--extra-config-opt=extensions.fastrevlog={setup.extension}",
        f"--extra-config-opt=fastrevlog.report={report}",
        *(f"--extra-config-opt={setting}" for setting in setup.config),
        test,
    ]
    if setup.chg:
        command.insert(-1, f"--with-chg={setup.chg}")
    identity: dict[str, Any] = {}
    if setup.user:
        identity = {"user": setup.user, "extra_groups": []}
        shutil.chown(output, setup.user)
    start = time.monotonic()
    done = subprocess.run(
        command,
        **identity,
        cwd=setup.tree / "tests",
        env=environment(setup.hg),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    seconds = time.monotonic() - start
    text = done.stdout.decode("utf-8", "replace")
    results, messages = read_results(test, output, text)
    errors = {}
    for path in output.glob("*.err"):
        errors[path.name[: -len(".err")]] = path.read_bytes().decode("latin-1")
    return Outcome(results, messages, errors, read_report(report), seconds, text)


def read_results(
    test: str, output: pathlib.Path, text: str
) -> tuple[dict[str, str], dict[str, str]]:
    """Return (results, messages) of a run: see `Outcome`.

    ``test`` is the file that was run, ``output`` the folder that run-tests.py
    wrote to, ``text`` what it printed.
    """
    results: dict[str, str] = {}
    try:
        written = (output / "report.json").read_text(encoding="utf-8")
        report = json.loads(written.partition("=")[2])
        results = {name: entry["result"] for name, entry in report.items()}
    except (OSError, ValueError):
        pass  # run-tests.py gave up: what it printed tells
    messages = {}
    found = re.findall(r"^(Skipped|Failed|ERROR:) (\S+): (.*)$", text, re.MULTILINE)
    for word, name, message in found:
        messages[name] = message
        if word == "ERROR:":  # these do not stand in report.json
            results[name] = ERROR
    if not results:
        results[test] = ERROR
        messages.setdefault(test, f"no result: {text.strip()[-300:]}")
    return results, messages
