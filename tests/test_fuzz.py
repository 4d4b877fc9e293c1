# Random histories and random damage; short by default.
# SPDX-License-Identifier: GPL-2.0-or-later
"""Two seeds; `make test-long` plays FASTREVLOG_FUZZ_SEEDS of them (60).

FASTREVLOG_TEST_SEED begins elsewhere.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.running import CONTROL, EXTENSION, hg_python, quick_folder
from support.snapshot import differences, take

FUZZING = Path(__file__).resolve().parent / "scenarios" / "fuzzing.py"
COUNT = int(os.environ.get("FASTREVLOG_FUZZ_SEEDS", "60"))
FIRST = int(os.environ.get("FASTREVLOG_TEST_SEED", "1"))
SEEDS = [
    pytest.param(FIRST + n, marks=() if n < 2 else pytest.mark.slow)
    for n in range(COUNT)
]
MEMORY = 2 << 30  # bytes of address space


@pytest.fixture
def folder() -> Iterator[Path]:
    with quick_folder() as made:
        yield made


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


@pytest.mark.parametrize("seed", SEEDS)
def test_random_histories(folder: Path, seed: int) -> None:
    run = folder / "run"
    run.mkdir()
    stock, _ = work(folder, "write", str(seed), str(run), "-")
    files = take(run)
    shutil.rmtree(run)
    run.mkdir()
    ours, served = work(folder, "write", str(seed), str(run), extension())
    assert ours == stock
    assert differences(files, take(run)) == []
    assert served or CONTROL


@pytest.mark.parametrize("seed", SEEDS)
def test_flipped_bytes(folder: Path, seed: int) -> None:
    run = folder / "run"
    run.mkdir()
    work(folder, "write", str(seed), str(run), "-")
    count = "60" if seed < FIRST + 2 else "200"
    args = (str(run), "-", count)
    stock, _ = work(folder, "flip", str(seed), *args)
    shutil.rmtree(run / "flipped")
    args = (str(run), extension(), count)
    ours, served = work(folder, "flip", str(seed), *args)
    # Stock's outer layers let some errors of the C index through; they are the
    # same layers, and the same C index, with fastrevlog. Nothing else may be.
    assert sorted(set(ours) - set(stock)) == []
    assert not [line for line in ours if "another text" in line]
    assert served or CONTROL
