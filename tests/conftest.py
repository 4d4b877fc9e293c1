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
import signal
import subprocess
import tempfile
import time
from collections.abc import Generator, Iterator
from typing import Any, Callable

import hypothesis
import hypothesis.core
import pluggy
import pytest

from support import running
from support.reports import Counts, read_report

# A shell starts what is in the background with interrupts ignored, and all children
# inherit that; some tests interrupt hg.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

PROJECT = pathlib.Path(__file__).resolve().parent.parent
EXTENSION = PROJECT / "hgext3rd" / "fastrevlog"

# What tests, and the hg they run, write for a while.
MEMORY = running.memory_folder()
if MEMORY and "TMPDIR" not in os.environ:
    os.environ["TMPDIR"] = tempfile.tempdir = str(MEMORY)
# Without it, each start of hg compiles the extension anew: 35 ms.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

Hg = Callable[..., "subprocess.CompletedProcess[bytes]"]
SEED = os.environ.get("FASTREVLOG_TEST_SEED")
UNTIL = os.environ.get("FASTREVLOG_TEST_UNTIL")


def pytest_configure() -> None:
    """Made-up input is the same each time, or what the seed leads to."""
    hypothesis.settings.register_profile("fastrevlog", derandomize=not SEED)
    hypothesis.settings.load_profile("fastrevlog")
    if SEED:
        vars(hypothesis.core)["global_force_seed"] = int(SEED)


# Modules whose tests take long and are spread over the processes one by one, and others
# of these names. The tests of another module stay together: what its fixtures make is
# made once.
SPREAD = ("test_t_files", "test_differential", "test_corruption", "test_verify")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest single tests first, what is spread one by one last.

    With a seed another order for each: what there is no time for varies.
    """
    if SEED:
        random.Random(SEED).shuffle(items)
        return
    turns = {name: turn for turn, name in enumerate(SPREAD)}
    items.sort(key=lambda item: turns.get(item.path.stem, 0.5))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Share out whole modules, but for those that are spread, and slow tests alone."""
    from xdist.scheduler import LoadScopeScheduling

    if config.option.dist != "loadscope":
        return None
    each_alone = config.option.markexpr == "slow"
    config.option.loadscopereorder = False  # the order of the collection, as it is

    class ByModule(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            module = nodeid.split("::")[0]
            alone = each_alone or pathlib.PurePath(module).stem in SPREAD
            return nodeid if alone else module

    return ByModule(config, log)


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
    """The hg under test: the one of the interpreter that runs the tests, as a rule."""
    try:
        return pathlib.Path(running.hg_path())
    except RuntimeError as none:
        pytest.fail(f"{none}: run the tests through `make test`")


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


@pytest.fixture(scope="session")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[running.Runner]:
    """Runs hg in forks of one warm process, which all tests of this process share."""
    started = running.Runner(tmp_path_factory.mktemp("runner"))
    yield started
    started.close()


@pytest.fixture
def hg(runner: running.Runner, hgrc: pathlib.Path) -> Hg:
    """Run hg with fastrevlog on: ``hg("log", "-p", cwd=repo)``.

    ``code`` is the exit code that is expected (0, or None for any). Each command has a
    process of its own with this test's environment, but it is a fork of one that has
    loaded Mercurial and the modules of fastrevlog, all but its front door;
    `started_hg` starts one from nothing, and so do hooks and the like. Commands
    with ``extensions.fastrevlog=!`` are run by one process.
    """

    def run(
        *args: str, cwd: pathlib.Path, code: int | None = 0
    ) -> subprocess.CompletedProcess[bytes]:
        env = {**os.environ, "HG": running.hg_path()}
        stays = () if "extensions.fastrevlog=!" in args else None
        done = runner.run(args, cwd, env, timeout=250, stays=stays)
        assert not done.timed_out, args
        if code is not None:
            assert done.status == code, (done.out + done.err).decode()
        return subprocess.CompletedProcess(args, done.status, done.out, done.err)

    return run


@pytest.fixture
def started_hg(hg_path: pathlib.Path, hgrc: pathlib.Path) -> Hg:
    """As `hg`, and each command is a start of hg as users have it."""

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
