# The same work with stock Mercurial and with fastrevlog: nothing may differ.
# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support import running
from tests import scenarios
from tests.scenarios.everyday import prepared
from tests.scenarios.world import Divergence, Report, World, play_twice

SCENARIOS = scenarios.load()


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[running.Runner]:
    started = running.Runner(tmp_path_factory.mktemp("hg"))
    prepared(started)
    yield started
    started.close()


@pytest.fixture
def base() -> Iterator[Path]:
    """A folder to play in."""
    with running.quick_folder() as folder:
        yield folder / "w"


VERIFIED_TWICE = ("format_treemanifest", "treemanifest_exchange", "recover")


def check_service(known: scenarios.Scenario, report: Report) -> None:
    """Was it fastrevlog that did the work?"""
    if running.CONTROL:
        assert not report.lines
        return
    assert report.lines, "no report: the extension was not there"
    assert not report.internal_errors, "fastrevlog failed, Mercurial's code took over"
    missing = known.kinds - {kind for kind, count in report.served.items() if count}
    assert not missing, f"not served: {sorted(missing)}; refused {dict(report.refused)}"
    if known.kinds:
        assert report.texts > 0
    if known.writes:
        assert report.entries > 0
    assert known.kinds or report.refused, "neither served nor refused"
    allowed = [word.rstrip("?") for word in known.refuses]
    for reason in report.refused:
        # hg verify reads tree manifests, and what it found wrong, Mercurial's way
        if reason == "setting: fastrevlog.enabled" and known.name in VERIFIED_TWICE:
            continue
        assert any(word in reason for word in allowed), f"refused: {reason}"
    for word in known.refuses:
        seen = any(word in reason for reason in report.refused)
        assert seen or word.endswith("?"), f"not refused: {word}"


def transcribe(name: str, world: World) -> None:
    """Write down what was run, into the folder FASTREVLOG_TEST_TRANSCRIPTS."""
    folder = os.environ.get("FASTREVLOG_TEST_TRANSCRIPTS")
    if not folder:
        return
    with open(Path(folder) / name, "wb") as file:
        for step in world.steps:
            file.write(f"\n### {step.what}\n".encode())
            file.write(step.result.out + step.result.err)
            file.write(b"[%d]\n" % step.result.status)


@pytest.mark.parametrize("name", sorted(SCENARIOS))
def test_scenario(name: str, runner: running.Runner, base: Path) -> None:
    known = SCENARIOS[name]
    if running.hg_version() < known.since:
        pytest.skip(f"needs Mercurial {'.'.join(map(str, known.since))}")
    world, report = play_twice(base, runner, known.play, known.rc)
    transcribe(name, world)
    check_service(known, report)


def another_text(w: World) -> None:
    w.write("repo/f", "again\n")


def another_mode(w: World) -> None:
    (w.store() / "00changelog.i").chmod(0o640)


def another_byte(w: World) -> None:
    with open(w.store() / "phaseroots", "ab") as file:
        file.write(b"\n")


def another_file(w: World) -> None:
    w.write("repo/.hg/store/data/new.i", "")


@pytest.mark.parametrize(
    "change", [another_text, another_mode, another_byte, another_file]
)
def test_differences_are_seen(
    change: Callable[[World], None], runner: running.Runner, base: Path
) -> None:
    """The comparison itself: what only one playing does must not pass."""

    def play(w: World) -> None:
        w.init()
        w.write("repo/f", "text\n")
        w.commit("first")
        if w.expected is not None:
            change(w)
        w.hg("commit -m second", code=None)

    with pytest.raises(Divergence):
        play_twice(base, runner, play)
