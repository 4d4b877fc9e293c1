# Mercurial's source distribution, which holds its test suite and run-tests.py.
# SPDX-License-Identifier: GPL-2.0-or-later
"""Fetch and unpack the source distribution of one Mercurial version.

A wheel of Mercurial has neither ``run-tests.py`` nor the tests. The source
distribution comes through pip, from whatever index pip is set up to use, and
stays unpacked in a git-ignored folder.
"""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time

PROJECT = pathlib.Path(__file__).resolve().parent.parent
CACHE = PROJECT / ".cache"


class Unavailable(Exception):
    """The source distribution is not here and could not be fetched."""


def hg_version(python: str | pathlib.Path) -> str:
    """Return the version of the Mercurial that an interpreter imports.

    ``Unavailable`` if it has none.
    """
    code = "from mercurial import util; print(util.version().decode())"
    done = subprocess.run(
        [str(python), "-c", code], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise Unavailable(f"{python} has no Mercurial: {done.stderr.strip()[-200:]}")
    return done.stdout.strip()


def source(version: str, python: str | pathlib.Path = sys.executable) -> pathlib.Path:
    """Return the unpacked source distribution of ``version``, fetching it if needed.

    ``$FASTREVLOG_HG_SOURCE`` names a folder that holds ``mercurial-VERSION``
    folders already unpacked. ``python`` is an interpreter with pip.
    ``Unavailable`` if it is not here and pip cannot get it.
    """
    name = f"mercurial-{version}"
    for folder in (os.environ.get("FASTREVLOG_HG_SOURCE"), CACHE / "sources"):
        if folder and (pathlib.Path(folder) / name / "tests" / "run-tests.py").exists():
            return pathlib.Path(folder) / name
    target = CACHE / "sources" / name
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        archive = _download(version, python, pathlib.Path(scratch))
        with tarfile.open(archive) as tar:
            if hasattr(tarfile, "data_filter"):
                tar.extractall(scratch, filter="data")
            else:  # Pythons before the filters were backported
                tar.extractall(scratch)
        unpacked = pathlib.Path(scratch) / name
        if not (unpacked / "tests" / "run-tests.py").exists():
            raise Unavailable(f"{archive.name} holds no tests/run-tests.py")
        try:
            unpacked.rename(target)
        except OSError:  # somebody else was faster
            if not target.exists():
                raise
    return target


def chg(tree: pathlib.Path, version: str) -> pathlib.Path:
    """Return the path of ``chg``, built (once) from the source tree.

    ``Unavailable`` where it cannot be built.
    """
    target = CACHE / f"chg-{version}"
    if not (target / "chg").exists():
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(tree / "contrib" / "chg", target)
        try:
            subprocess.run(
                ["make", "-s", "-C", str(target)], check=True, capture_output=True
            )
        except (OSError, subprocess.CalledProcessError) as error:
            raise Unavailable(f"chg cannot be built: {error}") from None
    return target / "chg"


def _download(
    version: str, python: str | pathlib.Path, folder: pathlib.Path
) -> pathlib.Path:
    command = [str(python), "-m", "pip", "download", "--quiet", "--no-deps"]
    command += ["--no-binary", "mercurial", "--dest", str(folder)]
    done = subprocess.run(
        [*command, f"mercurial=={version}"],
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    archives = sorted(folder.glob("mercurial-*.tar.gz"))
    if not archives:
        raise Unavailable(
            f"pip could not fetch the source of Mercurial {version}:"
            f" {(done.stderr or done.stdout).strip()[-400:]}"
        )
    return archives[0]


def run_tests_command(
    python: str | pathlib.Path,
    hg: str | pathlib.Path,
    tree: pathlib.Path,
    output: pathlib.Path,
) -> list[str]:
    """Return the common start of a ``run-tests.py`` command line.

    ``output`` receives ``report.json`` and the ``.err`` files. The current
    folder of the process has to be the one the test files are in.
    """
    return [
        str(python),
        str(tree / "tests" / "run-tests.py"),
        f"--with-hg={hg}",
        "--jobs=1",
        "--color=never",
        "--json",
        f"--outputdir={output}",
    ]


def clear(folder: pathlib.Path) -> pathlib.Path:
    """Make ``folder`` an empty folder and return it."""
    for _times in range(50):
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            break
        time.sleep(0.2)  # a server of the test before is about to end, and writes
    folder.mkdir(parents=True)
    return folder
