# The same work with stock Mercurial and with fastrevlog: nothing may differ.
# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import scenarios
from scenarios import running
from scenarios.world import Report, play_twice

SCENARIOS = scenarios.load()


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[running.Runner]:
    started = running.Runner(tmp_path_factory.mktemp("hg"))
    yield started
    started.close()


@pytest.fixture
def base(tmp_path: Path) -> Iterator[Path]:
    """A folder to play in: in memory where there is such a place, for speed."""
    memory = Path("/dev/shm")
    if memory.is_dir() and os.access(memory, os.W_OK):
        folder = Path(tempfile.mkdtemp(prefix="fastrevlog-", dir=memory))
        yield folder / "w"
        shutil.rmtree(folder, ignore_errors=True)
    else:
        yield tmp_path / "w"


def check_service(known: scenarios.Scenario, report: Report) -> None:
    """Was it fastrevlog that did the work?"""
    if running.CONTROL:
        assert not report.lines
        return
    assert report.lines, "no report: the extension was not there"
    assert not report.mishaps, "fastrevlog failed, and Mercurial's code took over"
    missing = known.kinds - {kind for kind, count in report.served.items() if count}
    assert not missing, f"not served: {sorted(missing)}; refused {dict(report.refused)}"
    if known.kinds:
        assert report.texts > 0
    if known.writes:
        assert report.entries > 0
    assert known.kinds or report.refused, "neither served nor refused"
    allowed = [word.rstrip("?") for word in known.refuses]
    for reason in report.refused:
        assert any(word in reason for word in allowed), f"refused: {reason}"
    for word in known.refuses:
        seen = any(word in reason for reason in report.refused)
        assert seen or word.endswith("?"), f"not refused: {word}"


@pytest.mark.parametrize("name", sorted(SCENARIOS))
def test_scenario(name: str, runner: running.Runner, base: Path) -> None:
    known = SCENARIOS[name]
    if running.hg_version() < known.since:
        pytest.skip(f"needs Mercurial {'.'.join(map(str, known.since))}")
    _, report = play_twice(base, runner, known.play, known.rc)
    check_service(known, report)
