# Fixtures that tests share: an isolated hg, and what fastrevlog reported.
# SPDX-License-Identifier: GPL-2.0-or-later
"""Environment variables, all of them for continuous integration:

- CI: what a test could not do for want of something that CI has (a reason that begins
  with NOT RUN) is a failure.
- FASTREVLOG_TEST_SEED: a number; tests run in an order drawn from it, and hypothesis
  and the fuzzers begin there.
- FASTREVLOG_TEST_UNTIL: seconds since the epoch; tests that would begin later do not.
"""

from __future__ import annotations

import os
import pathlib
import random
import shutil
import signal
import subprocess
import sysconfig
import time
from collections.abc import Generator
from typing import Callable

import hypothesis
import hypothesis.core
import pluggy
import pytest

from support.reports import Counts, read_report

# A shell starts what is in the background with interrupts ignored, and all children
# inherit that; some tests interrupt hg.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

PROJECT = pathlib.Path(__file__).resolve().parent.parent
EXTENSION = PROJECT / "hgext3rd" / "fastrevlog"

Hg = Callable[..., "subprocess.CompletedProcess[bytes]"]
SEED = os.environ.get("FASTREVLOG_TEST_SEED")
UNTIL = os.environ.get("FASTREVLOG_TEST_UNTIL")


def pytest_configure() -> None:
    """Made-up input is the same each time, or what the seed leads to."""
    hypothesis.settings.register_profile("fastrevlog", derandomize=not SEED)
    hypothesis.settings.load_profile("fastrevlog")
    if SEED:
        hypothesis.core.global_force_seed = int(SEED)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Another order for each seed: what there is no time for varies."""
    if SEED:
        random.Random(SEED).shuffle(items)


def pytest_runtest_setup(item: pytest.Item) -> None:
    if UNTIL and time.time() > float(UNTIL):
        pytest.skip("no time left")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport() -> Generator[None, pluggy.Result, None]:
    """In CI, what is missing is a failure."""
    outcome = yield
    report = outcome.get_result()
    if os.environ.get("CI") and report.skipped and "NOT RUN" in str(report.longrepr):
        report.outcome = "failed"
        report.longrepr = f"CI has to have this: {report.longrepr[2]}"


@pytest.fixture(scope="session")
def hg_path() -> pathlib.Path:
    """The hg of the interpreter that runs the tests, or else the one on the PATH."""
    beside = pathlib.Path(sysconfig.get_path("scripts")) / "hg"
    found = beside if beside.exists() else shutil.which("hg")
    if found is None:
        pytest.fail("there is no hg: run the tests through `make test`")
    return pathlib.Path(found)


@pytest.fixture
def hgrc(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """A configuration file with fastrevlog on and reporting, and no other in force.

    A test may append to it.
    """
    for name in [name for name in os.environ if name.startswith("HG")]:
        monkeypatch.delenv(name)
    path = tmp_path / "hgrc"
    path.write_text(
        f"[extensions]\nfastrevlog = {EXTENSION}\n"
        f"[fastrevlog]\nreport = {tmp_path / 'report.jsonl'}\n"
        "[ui]\nusername = test\ninteractive = no\n"
        "[devel]\ndefault-date = 0 0\nall-warnings = yes\n",
        encoding="utf-8",
    )
    monkeypatch.setenv("HGRCPATH", str(path))
    monkeypatch.setenv("HGPLAIN", "1")
    monkeypatch.setenv("PYTHONHASHSEED", "0")
    return path


@pytest.fixture
def hg(hg_path: pathlib.Path, hgrc: pathlib.Path) -> Hg:
    """Run hg with fastrevlog on: ``hg("log", "-p", cwd=repo)``.

    ``code`` is the exit code that is expected (0, or None for any).
    """

    def run(
        *args: str, cwd: pathlib.Path, code: int | None = 0
    ) -> subprocess.CompletedProcess[bytes]:
        done = subprocess.run(
            [str(hg_path), *args],
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
        if code is not None:
            assert done.returncode == code, (done.stdout + done.stderr).decode()
        return done

    return run


@pytest.fixture
def served(tmp_path: pathlib.Path) -> Callable[[], Counts]:
    """Return what was served since the last call, as `support.reports.Counts`."""
    report = tmp_path / "report.jsonl"

    def read() -> Counts:
        counts = read_report(report)
        report.unlink(missing_ok=True)
        return counts

    return read
