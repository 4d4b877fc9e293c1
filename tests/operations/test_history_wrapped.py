# What workers would call is called here where somebody has wrapped it.
# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import json
import os
import pathlib
import shutil
import subprocess
import sys
from typing import Any

import pytest

from support import wrapped_history

ROOT = pathlib.Path(__file__).resolve().parents[2]
CASES = wrapped_history.cases()
WRAPPED = [name for name in CASES if not name.endswith("-nothing")]
PLAIN = [name for name in CASES if name.endswith("-nothing")]


@pytest.fixture(scope="module")
def shown(
    made_once: pathlib.Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    """For each case, what Mercurial alone and with workers did."""
    folder = tmp_path_factory.mktemp("wrapped")
    shutil.copytree(made_once, folder / "repo", symlinks=True)
    paths = [ROOT, ROOT / "tests", ROOT / "support"]
    environment = dict(
        os.environ, HGRCPATH="", PYTHONPATH=os.pathsep.join(map(str, paths))
    )
    command = [sys.executable, wrapped_history.__file__, str(folder)]
    subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, check=True)
    found: dict[str, Any] = json.loads((folder / "counts.json").read_text())
    return found


@pytest.mark.parametrize("case", WRAPPED)
def test_what_is_wrapped_is_called_as_often(shown: dict[str, Any], case: str) -> None:
    (alone, expected, _), (with_us, output, _) = shown[case]
    assert with_us >= alone
    assert output == expected


@pytest.mark.parametrize("case", PLAIN)
def test_where_nobody_wrapped_anything_workers_do_it(
    shown: dict[str, Any], case: str
) -> None:
    (_, expected, _), (_, output, by_workers) = shown[case]
    assert output == expected
    assert by_workers


def test_what_is_listed_is_called() -> None:
    """The list has no row that no case is made of."""
    assert len(CASES) > 40
