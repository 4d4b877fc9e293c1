# Small bad files, kept and made up: our engine reads them as Mercurial's code does.
# SPDX-License-Identifier: GPL-2.0-or-later
"""`support.badfiles` says what is compared, and how the kept files came about."""

from __future__ import annotations

import pathlib
import shutil
import tempfile
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from support import badfiles, enginelab

CORPUS = pathlib.Path(__file__).resolve().parents[1] / "corpus"
CASES = sorted({path.stem for path in CORPUS.iterdir()})


@pytest.mark.parametrize("installed", [False, True], ids=["engine", "installed"])
@pytest.mark.parametrize("case", CASES)
def test_kept(case: str, installed: bool, tmp_path: pathlib.Path) -> None:
    for suffix in (".i", ".d"):
        file = CORPUS / (case + suffix)
        if file.exists():
            shutil.copyfile(file, tmp_path / f"log{suffix}")
    assert badfiles.compare(tmp_path, installed) == []


def test_the_comparison_sees_differences(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    enginelab.built(enginelab.opener(tmp_path), 4, 8)
    assert badfiles.compare(tmp_path) == []

    def wrong(where: Any) -> Any:
        rl = enginelab.stock(where)
        monkeypatch.setattr(rl, "revision", lambda rev: b"never written")
        return rl

    monkeypatch.setattr(badfiles.enginelab, "ours", wrong)
    assert len(badfiles.compare(tmp_path)) == 8


# made up: places in per mille of the file, bits to flip; and how much is cut off
FLIPS = st.lists(st.tuples(st.integers(0, 999), st.integers(0, 7)), max_size=8)
FILES = st.sampled_from(["inline.i", "split.i", "split.d"])
CUTS = st.one_of(st.just(1000), st.integers(0, 1000))


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """An inline and a split log, from which bad ones are made."""
    folder = tmp_path_factory.mktemp("good")
    for form, engine in (("inline", b"zlib"), ("split", b"zstd")):
        (folder / form).mkdir()
        where = enginelab.opener(folder / form, engine=engine)
        enginelab.built(where, 6, 12, may_inline=form == "inline")
    return folder


def check_flips(
    good: pathlib.Path, file: str, flips: list[tuple[int, int]], cut: int
) -> None:
    form, suffix = file.split(".")
    with tempfile.TemporaryDirectory() as made:
        folder = pathlib.Path(made)
        for path in (good / form).iterdir():
            data = bytearray(path.read_bytes())
            if path.suffix == "." + suffix:
                for place, bit in flips:
                    data[place * len(data) // 1000] ^= 1 << bit
                del data[cut * len(data) // 1000 :]
            (folder / path.name).write_bytes(data)
        assert badfiles.compare(folder) == []
        assert badfiles.compare(folder, installed=True) == []


@given(file=FILES, flips=FLIPS, cut=CUTS)
# a length that takes in what follows: Mercurial reads the chunk all the same
@example(file="split.i", flips=[(230, 0), (430, 2)], cut=1000)
@example(file="inline.i", flips=[], cut=1000)
@settings(max_examples=80, deadline=None)
def test_flipped(
    good: pathlib.Path, file: str, flips: list[tuple[int, int]], cut: int
) -> None:
    check_flips(good, file, flips, cut)


@pytest.mark.slow
@pytest.mark.timeout(900)
@given(file=FILES, flips=FLIPS, cut=CUTS)
@settings(max_examples=1000, deadline=None)
def test_flipped_a_thousand_times(
    good: pathlib.Path, file: str, flips: list[tuple[int, int]], cut: int
) -> None:
    check_flips(good, file, flips, cut)
