# support/running.py: what a command of a warm process gets, and what it leaves behind.
# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import pathlib
from collections.abc import Iterator, Sequence

import pytest

from support import running

pytestmark = pytest.mark.skipif(running.PLAIN, reason="no warm process was asked for")

FORKED, HERE = None, ()  # as `stays` has it
BOTH = pytest.mark.parametrize("stays", [FORKED, HERE], ids=["forked", "here"])
PROBE = """\
import sys, types
def uisetup(ui):
    ours = [name for name in sys.modules if name == 'hgext_fastrevlog']
    server = sys.modules.get('mercurial.commandserver')
    ui.write(b'%d of ours, %s\\n' % (
        len(ours), b'a server' if type(server) is types.ModuleType else b'no server'
    ))
"""


class Shell:
    """Runs shell commands as aliases of hg."""

    def __init__(self, runner: running.Runner, folder: pathlib.Path) -> None:
        self.runner = runner
        self.folder = folder

    def run(
        self,
        script: str,
        stays: Sequence[str] | None,
        *more: str,
        stdin: bytes = b"",
        **env: str,
    ) -> running.Result:
        args = ["--config", f"alias.shell=!{script}", *more, "shell"]
        full = {**self.runner.env, **env}
        return self.runner.run(args, self.folder, full, stdin=stdin, stays=stays)


@pytest.fixture
def shell(tmp_path: pathlib.Path) -> Iterator[Shell]:
    runner = running.Runner(tmp_path / "runner")
    yield Shell(runner, tmp_path)
    runner.close()


@BOTH
def test_streams_environment_and_exit_code(
    shell: Shell, stays: Sequence[str] | None, tmp_path: pathlib.Path
) -> None:
    first = shell.run("cat; echo $X; pwd; exit 3", stays, stdin=b"in\n", X="one")
    assert first == running.Result(3, b"in\none\n%s\n" % bytes(tmp_path), b"")
    shell.folder = tmp_path / "other"
    shell.folder.mkdir()
    second = shell.run("cat; echo $X; pwd; echo no >&2", stays)
    assert second == running.Result(0, b"\n%s\n" % bytes(shell.folder), b"no\n")


@BOTH
def test_one_that_is_killed_does_no_harm_to_the_next(
    shell: Shell, stays: Sequence[str] | None
) -> None:
    for _ in range(2):
        assert shell.run("kill -9 $PPID; sleep 9", stays).status == -9
    assert shell.run("echo alive", stays).out == b"alive\n"


def test_each_fork_is_another_process(shell: Shell) -> None:
    assert shell.run("echo $PPID", FORKED).out != shell.run("echo $PPID", FORKED).out


def test_an_extension_ends_the_process_that_has_loaded_it(shell: Shell) -> None:
    more = ("--config", "extensions.strip=")
    before = shell.run("echo $PPID", HERE)
    assert shell.run("echo $PPID", HERE) == before
    assert shell.run("echo $PPID", HERE, *more) == before
    after = shell.run("echo $PPID", HERE)
    assert after != before
    named = shell.run("echo $PPID", ["strip"], *more)
    assert shell.run("echo $PPID", ["strip"]) == named != after


def test_fastrevlog_is_not_there_before_a_command_loads_it(
    shell: Shell, tmp_path: pathlib.Path
) -> None:
    """Its front door, that is; nor what makes a process a server."""
    probe = tmp_path / "probe.py"
    probe.write_text(PROBE)
    more = ("--config", f"extensions.probe={probe}")
    for _ in range(2):
        assert shell.run("true", FORKED, *more).out == b"0 of ours, no server\n"
        ours = ("--config", f"extensions.fastrevlog={running.EXTENSION}")
        said = shell.run("true", FORKED, *ours, *more).out
        assert said == b"1 of ours, no server\n"
