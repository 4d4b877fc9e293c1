# Random histories and random damage; short by default.
# SPDX-License-Identifier: GPL-2.0-or-later
"""FASTREVLOG_FUZZ_SECONDS=600 makes it long; FASTREVLOG_FUZZ_SEED begins elsewhere."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.running import CONTROL, EXTENSION, hg_python, quick_folder
from support.snapshot import differences, take

FUZZING = Path(__file__).resolve().parent / "scenarios" / "fuzzing.py"
SECONDS = float(os.environ.get("FASTREVLOG_FUZZ_SECONDS", "0"))
SEED = int(os.environ.get("FASTREVLOG_FUZZ_SEED", "1"))
MEMORY = 2 << 30  # bytes of address space


@pytest.fixture
def folder() -> Iterator[Path]:
    with quick_folder() as made:
        yield made


def seeds() -> Iterator[int]:
    """Two seeds, or as many as there is time for."""
    end = time.monotonic() + SECONDS
    seed = SEED
    while seed < SEED + 2 or time.monotonic() < end:
        yield seed
        seed += 1


def work(folder: Path, *args: str) -> tuple[list[str], int]:
    """Run the worker: its lines, and how many revlogs fastrevlog served."""
    import resource

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))

    env = {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(folder),
        "HGRCPATH": "",
        "PYTHONHASHSEED": "7",
        "PYTHONDONTWRITEBYTECODE": "1",
        "HGTEST_UUIDFILE": str(folder / "uuids"),
        "TZ": "GMT",
        "LC_ALL": "C.UTF-8",
    }
    (folder / "uuids").unlink(missing_ok=True)
    done = subprocess.run(
        [hg_python(), str(FUZZING), *args],
        capture_output=True,
        env=env,
        cwd=str(folder),
        timeout=600,
        preexec_fn=limit,
    )
    out, err = done.stdout.decode(), done.stderr.decode()
    assert done.returncode == 0, f"fuzzing.py {' '.join(args)}\n{out}{err}"
    lines = out.splitlines()
    return lines[:-1], int(lines[-1].split()[1])


def extension() -> str:
    return "-" if CONTROL else str(EXTENSION)


@pytest.mark.timeout(SECONDS * 2 + 600)
def test_random_histories(folder: Path) -> None:
    for seed in seeds():
        run = folder / "run"
        run.mkdir()
        stock, _ = work(folder, "write", str(seed), str(run), "-")
        files = take(run)
        shutil.rmtree(run)
        run.mkdir()
        ours, served = work(folder, "write", str(seed), str(run), extension())
        assert ours == stock, f"seed {seed}"
        assert differences(files, take(run)) == [], f"seed {seed}"
        assert served or CONTROL
        shutil.rmtree(run)


@pytest.mark.timeout(SECONDS * 2 + 600)
def test_flipped_bytes(folder: Path) -> None:
    for seed in seeds():
        run = folder / "run"
        run.mkdir()
        work(folder, "write", str(seed), str(run), "-")
        count = "400" if SECONDS else "60"
        args = (str(run), "-", count)
        stock, _ = work(folder, "flip", str(seed), *args)
        shutil.rmtree(run / "flipped")
        args = (str(run), extension(), count)
        ours, served = work(folder, "flip", str(seed), *args)
        # Stock's outer layers let some errors of the C index through; they are the
        # same layers, and the same C index, with fastrevlog. Nothing else may be.
        assert sorted(set(ours) - set(stock)) == [], f"seed {seed}"
        assert not [line for line in ours if "another text" in line], f"seed {seed}"
        assert served or CONTROL
        shutil.rmtree(run)
