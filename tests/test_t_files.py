# The .t files, run by Mercurial's own run-tests.py.
# SPDX-License-Identifier: GPL-2.0-or-later
"""One test per ``.t`` file of this folder.

``run-tests.py`` comes from the source distribution of the Mercurial that is
installed, fetched once into ``.cache``; without network and without it, these
tests are skipped, and say so.
"""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
from collections.abc import Iterator

import pytest

from conformance.runner import BAD, SKIP, read_results
from conformance.source import Unavailable, hg_version, run_tests_command, source
from support import running

HERE = pathlib.Path(__file__).resolve().parent
FILES = sorted(path.name for path in HERE.glob("*.t"))


@pytest.fixture(scope="session")
def tree() -> pathlib.Path:
    """The source distribution of the installed Mercurial."""
    try:
        return source(hg_version(sys.executable))
    except Unavailable as why:
        pytest.skip(f"NOT RUN, no run-tests.py: {why}")


# Those with many commands, none of which depends on how its process started.
IN_FORKS = {
    "test-commands.t",
    "test-fallback.t",
    "test-inline-split.t",
    "test-pending-hooks.t",
    "test-refusals.t",
    "test-standing-aside.t",
    "test-update.t",
    "test-verify.t",
}


@pytest.fixture(scope="session")
def warm_hg() -> Iterator[pathlib.Path]:
    """A stand-in for hg that has a warm process fork and run the command."""
    # As run-tests.py has it
    env = {"PATH": os.environ["PATH"], "LC_ALL": "C", "TZ": "GMT"}
    env |= {"HGENCODING": "ascii", "HGENCODINGMODE": "strict"}
    with running.warm_hg(env) as hg:
        yield hg


@pytest.mark.network
@pytest.mark.parametrize("name", FILES)
def test_t_file(
    name: str,
    tree: pathlib.Path,
    hg_path: pathlib.Path,
    warm_hg: pathlib.Path,
    tmp_path: pathlib.Path,
) -> None:
    hg = warm_hg if name in IN_FORKS and not running.PLAIN else hg_path
    command = run_tests_command(sys.executable, hg, tree, tmp_path)
    done = subprocess.run(
        [*command, "--timeout=600", name],
        cwd=HERE,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    output = done.stdout.decode("utf-8", "replace")
    results, messages = read_results(name, tmp_path, output)
    bad = [test for test, result in results.items() if result in BAD]
    if bad or done.returncode:
        pytest.fail(f"{', '.join(bad) or name} failed\n{output}", pytrace=False)
    if set(results.values()) == {SKIP}:
        pytest.skip(", ".join(messages.values()))
