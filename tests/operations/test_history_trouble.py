# What goes wrong while workers show history: the end is as it is without them.
# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from support.reports import read_report
from support.running import Result, hg_path

from .history import Lab, write

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")

MIDDLE = 12  # a revision


@pytest.fixture(scope="module")
def long(lab: Lab) -> Path:
    """More output than any pipe holds."""
    root = lab.folder / "long"
    lab.hg("init", str(root), cwd=lab.folder)
    for i in range(30):
        write(root / "file", "".join(f"{i} {j % (i + 1)}\n" for j in range(20_000)))
        lab.hg("commit", "-Am", f"number {i}", cwd=root)
    lab.hg("init", str(lab.folder / "nothing"), cwd=lab.folder)
    lab.hg("bundle", "-q", "-a", "../long.hg", cwd=root)
    return root


TROUBLE = """
import os, signal, sys, time
from mercurial import extensions, patch

WORDS = os.environ['TROUBLE'].split()

def extsetup(ui):
    package = extensions.find(b'fastrevlog').__name__
    # loaded by the command, long after this
    def diffhunks(orig, repo, ctx1, ctx2, *args, **kw):
        process = sys.modules[package + '.process'].state
        if process.in_worker and ctx2.rev() == int(WORDS[1]):
            if WORDS[0] == 'kill':
                os.kill(os.getpid(), signal.SIGKILL)
            elif WORDS[0] == 'raise':
                raise RuntimeError('only in a worker')
            elif WORDS[0] == 'print':
                os.write(1, b'past the ui')
            elif WORDS[0] == 'read':
                input()
            elif WORDS[0] == 'warn':
                repo.ui.warn(b'from a worker')
        if WORDS[0] == 'always' and ctx2.rev() % 3 == 0:
            repo.ui.warn(b'about %d\\n' % ctx2.rev())
            repo.ui.status(b'status of %d\\n' % ctx2.rev())
        return orig(repo, ctx1, ctx2, *args, **kw)

    extensions.wrapfunction(patch, 'diffhunks', diffhunks)
"""


@pytest.fixture(scope="module")
def trouble(lab: Lab) -> Path:
    path = lab.folder / "trouble.py"
    path.write_text(TROUBLE, encoding="utf-8")
    return path


@pytest.mark.parametrize("what", ["kill", "raise", "print", "read", "warn"])
def test_trouble_of_a_worker(
    lab: Lab, everything: Path, trouble: Path, what: str
) -> None:
    """The parent does what is missing, and nobody sees it."""
    expected = lab.stock("log", "-p", "--git", cwd=everything)
    extension = ("--config", f"extensions.trouble={trouble}")
    args = ("log", "-p", "--git", *extension)
    result, counts = lab.ours(*args, cwd=everything, TROUBLE=f"{what} {MIDDLE}")
    assert result == expected
    number = expected.out.count(b"\nchangeset:") + 1
    if what == "kill":
        assert 1 <= counts.by_workers["log"] < number - 1
    else:
        # all but the first and the one in the middle
        assert counts.by_workers["log"] == number - 2


@pytest.fixture(scope="module")
def others(lab: Lab, everything: Path) -> dict[str, tuple[Path, tuple[str, ...]]]:
    """Where to run what else shows changesets, numbered as in ``everything``."""
    empty = lab.folder / "empty"
    lab.hg("init", str(empty), cwd=lab.folder)
    bundle = str(lab.folder / "trouble.hg")
    lab.hg("bundle", "-q", "-a", "-t", "none-v2", bundle, cwd=everything)
    return {
        "graph": (everything, ("log", "-G", "-p")),
        "list": (everything, ("log", "-T", "json", "-p")),
        "outgoing": (everything, ("outgoing", "-p", str(empty))),
        "incoming": (empty, ("incoming", "-p", str(everything))),
        "bundle": (empty, ("incoming", "-p", bundle)),
        "files": (everything, ("export", "0:tip", "-o", str(empty / "all.patch"))),
    }


OTHERS = ("graph", "list", "outgoing", "incoming", "bundle", "files")


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize("what", ["kill", "warn"])
def test_trouble_of_other_commands(
    lab: Lab,
    everything: Path,
    others: dict[str, tuple[Path, tuple[str, ...]]],
    trouble: Path,
    name: str,
    what: str,
) -> None:
    cwd, args = others[name]
    written = []
    expected = lab.stock(*args, cwd=cwd)
    if name == "files":
        written.append(Path(args[-1]).read_bytes())
    extension = ("--config", f"extensions.trouble={trouble}")
    result, counts = lab.ours(*args, *extension, cwd=cwd, TROUBLE=f"{what} {MIDDLE}")
    assert result == expected
    if name == "files":
        assert written[0] == Path(args[-1]).read_bytes()
    by_workers = counts.by_workers["export" if name == "files" else "log"]
    assert by_workers >= (1 if what == "kill" else 10)


@pytest.mark.parametrize("name", ["log", "graph", "list", "outgoing", "bundle"])
def test_messages_stay_in_their_place(
    lab: Lab,
    everything: Path,
    others: dict[str, tuple[Path, tuple[str, ...]]],
    tmp_path: Path,
    name: str,
) -> None:
    """With both streams in one file, as on a terminal."""
    cwd, args = others.get(name, (everything, ("log", "-p")))
    plain = tmp_path / "trouble.py"
    text = TROUBLE.replace("package = extensions.find(b'fastrevlog').__name__", "")
    text = text.replace("process = sys.modules[package + '.process'].state", "")
    plain.write_text(text.replace("process.in_worker", "False"), encoding="utf-8")
    found = []
    for rc in (lab.stock_rc, lab.ours_rc):
        env = dict(lab.runner.env, HGRCPATH=str(rc), TROUBLE="always")
        lab.report.unlink(missing_ok=True)
        done = subprocess.run(
            [_quick(lab), *args, "--config", f"extensions.trouble={plain}"],
            cwd=cwd,
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=True,
        )
        found.append(done.stdout)
    assert found[0].count(b"about ") > 5
    assert found[1] == found[0]
    assert read_report(lab.report).by_workers["log"] > 10


@pytest.mark.parametrize("name", ["data/a.i", "00manifest.i"])
def test_damage(lab: Lab, everything: Path, name: str) -> None:
    root = lab.folder / ("damaged-" + name.replace("/", "-"))
    shutil.copytree(everything, root, symlinks=True)
    path = root / ".hg/store" / name
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 40] = bytes(40)
    path.write_bytes(data)
    shutil.rmtree(root / ".hg/cache")
    empty = lab.folder / ("empty-" + name.replace("/", "-"))
    lab.hg("init", str(empty), cwd=lab.folder)
    for args in (
        ("log", "-p"),
        ("log", "-G", "-p"),
        ("log", "-T", "json", "-p"),
        ("outgoing", "-p", str(empty)),
        ("incoming", "-p", "-R", str(empty), str(root)),
    ):
        expected = lab.stock(*args, cwd=root)
        # fastrevlog has words for damage that makes Mercurial stumble
        one = ("--config", "fastrevlog.workers=1")
        in_one_process, _counts = lab.ours(*args, *one, cwd=root)
        result, _counts = lab.ours(*args, cwd=root)
        assert result == in_one_process, args
        assert result.out == expected.out, args
        assert result.status
        assert result.err.startswith(b"abort: ")
        assert result.out  # what came before is there


def _quick(lab: Lab) -> str:
    """A stand-in for hg, for what is not about its process."""
    return lab.runner.hg_for_children().get("HG", hg_path())


def _hg(lab: Lab, ours: bool, *args: str) -> tuple[list[str], dict[str, str]]:
    rc = lab.ours_rc if ours else lab.stock_rc
    return [hg_path(), *args], dict(lab.runner.env, HGRCPATH=str(rc))


LONG = {
    "log": ("log", "-p", "-l10"),
    "graph": ("log", "-G", "-p", "-l10"),
    "list": ("log", "-T", "json", "-p", "-l10"),
    "outgoing": ("outgoing", "-p", "-l10", "../nothing"),
    "incoming": ("incoming", "-p", "-l10", "-R", "../nothing", "."),
    "bundle": ("incoming", "-p", "-l10", "-R", "../nothing", "../long.hg"),
}


ALONE = {
    "annotate": ("annotate", "file"),
    "grep": ("grep", "--diff", "-r", "24:tip", "7 3", "file"),
    "diff": ("diff", "-r", "0", "-r", "tip"),
    "export": ("export", "26:tip"),
    "churn": ("churn", "--config", "extensions.churn="),
}
WRITERS = {**LONG, **ALONE}


@pytest.mark.parametrize("name", WRITERS)
def test_full_disk(lab: Lab, long: Path, name: str) -> None:
    found = []
    for ours in (False, True):
        args, env = _hg(lab, ours, *WRITERS[name])
        with open("/dev/full", "wb") as full:
            done = subprocess.run(
                [_quick(lab), *args[1:]],
                cwd=long,
                env=env,
                stdout=full,
                stderr=subprocess.PIPE,
            )
        found.append(Result(done.returncode, b"", done.stderr))
    assert b"No space left" in found[0].err
    assert found[1] == found[0]


@pytest.mark.parametrize("name", WRITERS)
def test_pager_that_leaves(lab: Lab, long: Path, name: str) -> None:
    found = []
    pager = ("--config", "pager.pager=head -n 3", "--config", "ui.formatted=yes")
    for ours in (False, True):
        args, env = _hg(lab, ours, *WRITERS[name], "--pager", "yes", *pager)
        done = subprocess.run(args, cwd=long, env=env, capture_output=True)
        found.append(Result(done.returncode, done.stdout, done.stderr))
    # "comparing with" is written before the pager is there; churn has one line
    assert name == "churn" or 3 <= found[0].out.count(b"\n") <= 4
    assert found[1] == found[0]


@pytest.mark.parametrize("everybody", [True, False])
@pytest.mark.parametrize("name", LONG)
def test_interrupt(lab: Lab, long: Path, name: str, everybody: bool) -> None:
    """By the terminal, which tells all processes, or by somebody who tells one."""
    expected = lab.stock(*LONG[name], cwd=long).out
    lab.report.unlink(missing_ok=True)
    args, env = _hg(lab, True, *LONG[name])
    process = subprocess.Popen(
        args,
        bufsize=0,
        cwd=long,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdout is not None
    out = b""
    while len(out) < 400_000:
        out += process.stdout.read(100_000)
    time.sleep(0.2)  # the pipe is full again
    if everybody:
        os.killpg(process.pid, signal.SIGINT)
    else:
        os.kill(process.pid, signal.SIGINT)
    rest, err = process.communicate(timeout=30)
    assert process.returncode == 255
    assert err == b"interrupted!\n"
    assert expected.startswith(out + rest)
    # nobody of that session is left
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)
    assert read_report(lab.report).by_workers["log"] >= 1


def _children(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs /proc")
@pytest.mark.parametrize("everybody", [True, False])
@pytest.mark.parametrize("name", ["annotate", "grep", "export", "churn", "files"])
def test_interrupt_while_workers_run(
    lab: Lab, long: Path, name: str, everybody: bool
) -> None:
    """What was written by then is the beginning of what stock writes."""
    patches = lab.folder / "interrupted.patch"
    command = ALONE.get(name, ("export", "26:tip", "-o", str(patches)))
    expected = lab.stock(*command, cwd=long).out
    whole = patches.read_bytes() if name == "files" else b""
    patches.unlink(missing_ok=True)
    args, env = _hg(lab, True, *command)
    output = lab.folder / "interrupted.txt"
    with output.open("wb") as stdout:
        process = subprocess.Popen(
            args,
            cwd=long,
            env=env,
            stdout=stdout,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    deadline = time.monotonic() + 30
    while not _children(process.pid) and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.001)
    if process.poll() is None:
        (os.killpg if everybody else os.kill)(process.pid, signal.SIGINT)
    _out, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (255, b"interrupted!\n")
    assert expected.startswith(output.read_bytes())
    assert not patches.exists() or whole.startswith(patches.read_bytes())
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)


def test_killed_parent(lab: Lab, long: Path) -> None:
    args, env = _hg(lab, True, "log", "-p")
    process = subprocess.Popen(
        args, cwd=long, env=env, stdout=subprocess.PIPE, start_new_session=True
    )
    assert process.stdout is not None
    process.stdout.read(400_000)
    process.kill()
    process.wait()
    process.stdout.close()
    deadline = time.monotonic() + 20
    while True:
        try:
            os.killpg(process.pid, 0)
        except ProcessLookupError:
            break
        assert time.monotonic() < deadline
        time.sleep(0.02)
