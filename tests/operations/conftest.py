# Repositories that several modules of tests look at.
# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from .history import Lab, make_everything


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repository with one of everything; to be copied."""
    lab = Lab(tmp_path_factory.mktemp("made-once"))
    root = lab.folder / "everything"
    try:
        make_everything(lab.hg, root)
    finally:
        lab.runner.close()
    return root


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    lab = Lab(tmp_path_factory.mktemp("history"))
    yield lab
    lab.runner.close()


@pytest.fixture(scope="module")
def everything(lab: Lab, made_once: Path) -> Path:
    """A module's own repository with one of everything."""
    root = lab.folder / "everything"
    shutil.copytree(made_once, root, symlinks=True)
    return root
