# Finds the Mercurial under test and runs its commands.
# SPDX-License-Identifier: GPL-2.0-or-later
"""Running hg for tests: isolated, bounded in time and memory, quick to start.

Environment variables:

- FASTREVLOG_TEST_HG: the hg to test; by default the one beside this Python.
- FASTREVLOG_TEST_EXTENSION: the extension to load; by default this tree's.
- FASTREVLOG_TEST_CONTROL: when set, "with fastrevlog" runs are stock as well. It
  proves that the scenarios themselves are deterministic, and proves nothing else.
- FASTREVLOG_TEST_PLAIN: when set, every command is a real start of hg, where
  `forkserver` is used otherwise.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from .forkserver import restrict

HERE = Path(__file__).resolve().parent
CONTROL = bool(os.environ.get("FASTREVLOG_TEST_CONTROL"))
PLAIN = bool(os.environ.get("FASTREVLOG_TEST_PLAIN"))
EXTENSION = Path(
    os.environ.get("FASTREVLOG_TEST_EXTENSION")
    or HERE.parent / "hgext3rd" / "fastrevlog"
)


@functools.cache
def hg_path() -> str:
    """The hg under test, by its absolute path."""
    chosen = os.environ.get("FASTREVLOG_TEST_HG")
    if chosen:
        return os.path.abspath(chosen)
    beside = Path(sys.executable).parent / "hg"
    if beside.exists():
        return str(beside)
    found = shutil.which("hg")
    if found is None:
        raise RuntimeError("no hg beside this Python, none on PATH")
    return found


@functools.cache
def hg_python() -> str:
    """The Python that runs the hg under test."""
    with open(hg_path(), "rb") as script:
        first = script.readline().decode("utf-8", "replace")
    named = first[2:].strip() if first.startswith("#!") else ""
    if "python" in named and os.path.exists(named):
        return named
    return str(Path(hg_path()).parent / "python3")


@functools.cache
def hg_version() -> tuple[int, ...]:
    """The version of the hg under test, for example (7, 2, 4)."""
    out = subprocess.run(
        [hg_path(), "version", "-q"],
        check=True,
        stdout=subprocess.PIPE,
        env=dict(os.environ, HGRCPATH=""),
    ).stdout.decode()
    found = re.search(r"version (\d+)\.(\d+)(?:\.(\d+))?", out)
    if not found:
        raise RuntimeError("hg version said " + out)
    return tuple(int(part or 0) for part in found.groups())


def memory_folder() -> Path | None:
    """A folder in memory that holds what the tests write, if there is one.

    To make, rename and remove a small file there costs a tenth of the system's time
    (0.02 ms against 0.26 ms on ext4).
    """
    memory = Path("/dev/shm")
    try:
        found = os.statvfs(memory)
    except OSError:
        return None
    # where nothing may be executed, as in many containers, there can be no hg
    may_execute = not found.f_flag & getattr(os, "ST_NOEXEC", 0)
    room = found.f_bavail * found.f_frsize > 2 << 30
    return memory if room and may_execute and os.access(memory, os.W_OK) else None


@contextlib.contextmanager
def quick_folder() -> Iterator[Path]:
    """A temporary folder, in memory where there is such a place."""
    folder = Path(tempfile.mkdtemp(prefix="fastrevlog-", dir=memory_folder()))
    try:
        yield folder
    finally:
        for path, _, _ in os.walk(folder):
            os.chmod(path, 0o755)
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def warm_hg(env: dict[str, str]) -> Iterator[Path]:
    """A stand-in for hg that has a warm process fork and run the command.

    `env` is what Mercurial looks at when it is imported; the commands have their own.
    It is called hg, and alone in its folder.
    """
    with quick_folder() as folder:
        socket = folder / "socket"
        command = [hg_python(), str(HERE / "forkserver.py"), "--listen", str(socket)]
        server = subprocess.Popen(
            [*command, str(EXTENSION)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,  # a stream that cannot seek, as most are
            stderr=subprocess.STDOUT,
            env=env,
        )
        while not socket.exists():
            assert server.poll() is None
            time.sleep(0.02)
        assert server.stdin
        hg = folder / "bin" / "hg"
        hg.parent.mkdir()
        client = HERE / "warmhg.py"
        hg.write_text(f'#!/bin/sh\nexec {sys.executable} -IS {client} {socket} "$@"\n')
        hg.chmod(0o755)
        try:
            yield hg
            server.communicate(timeout=30)
        finally:
            server.kill()
            server.wait()


@dataclass(frozen=True)
class Result:
    """What one command did. `status` is the exit code, negative for a signal."""

    status: int
    out: bytes
    err: bytes
    timed_out: bool = False


class Runner:
    """Runs hg commands, in forks of one warm process or as real processes."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        # The warm processes, by what they are started with.
        self._servers: dict[str, subprocess.Popen[bytes]] = {}
        self._stack = contextlib.ExitStack()
        self._warm_hg: Path | None = None
        self.uuids = folder / "uuids"
        # Only these reach the commands: nothing of the user's environment does.
        self.env: dict[str, str] = {
            "PATH": os.pathsep.join(
                [str(Path(hg_path()).parent), os.environ.get("PATH", os.defpath)]
            ),
            "HOME": str(folder),
            "HG": hg_path(),
            "HGRCPATH": "",
            "HGUSER": "Tester <tester@example.org>",
            "HGENCODING": "utf-8",
            "HGHOSTNAME": "test-host",
            "HGTEST_UUIDFILE": str(self.uuids),
            "LANG": "C.UTF-8",
            "LC_ALL": "C.UTF-8",
            "LANGUAGE": "C",
            "TZ": "GMT",
            "COLUMNS": "80",
            "PYTHONHASHSEED": "7",
            "HGEDITOR": "true",
        }

    def hg_for_children(self) -> dict[str, str]:
        """The environment in which what hg starts (hooks, ssh) finds a quick hg."""
        if PLAIN:
            return {}
        if self._warm_hg is None:
            self._warm_hg = self._stack.enter_context(warm_hg(self.env))
        folder = str(self._warm_hg.parent)
        path = os.pathsep.join([folder, self.env["PATH"]])
        return {"HG": str(self._warm_hg), "PATH": path}

    def close(self) -> None:
        """End the warm processes."""
        with self._stack:
            self._end_all()

    def _end_all(self) -> None:
        for how in list(self._servers):
            self._end(how)

    def _end(self, how: str) -> None:
        server = self._servers.pop(how)
        assert server.stdin and server.stdout
        server.stdin.close()
        server.wait(30)
        server.stdout.close()

    def run(
        self,
        args: Sequence[str],
        cwd: Path,
        env: dict[str, str],
        stdin: bytes = b"",
        timeout: float = 60,
        memory: int | None = None,
        humble: bool = False,
        stays: Sequence[str] | None = None,
    ) -> Result:
        """Run `hg args` in `cwd`.

        `timeout` is in seconds; past it the process group is killed. `memory` is
        the limit of the address space in bytes; `humble` makes root
        obey file permissions. `stays`: one process may run this and other commands,
        with stock Mercurial and the extensions that are named.
        """
        files = {name: self.folder / name for name in ("stdin", "stdout", "stderr")}
        files["stdin"].write_bytes(stdin)
        for name in ("stdout", "stderr"):
            files[name].write_bytes(b"")
            files[name].chmod(0o666)
        job = {
            "args": list(args),
            "cwd": str(cwd),
            "env": env,
            "memory": memory,
            "humble": humble,
            "stays": stays,
            **{name: str(path) for name, path in files.items()},
        }
        start = self._plain if PLAIN else self._forked
        status, timed_out = start(job, timeout)
        return Result(
            status,
            files["stdout"].read_bytes(),
            files["stderr"].read_bytes(),
            timed_out,
        )

    def _forked(self, job: dict, timeout: float) -> tuple[int, bool]:
        how = str(EXTENSION)
        stays = job["stays"] is not None
        if stays:
            how = json.dumps({key: job[key] for key in ("memory", "humble", "stays")})
        server = self._servers.get(how)
        if server is None:
            server = self._servers[how] = subprocess.Popen(
                [hg_python(), str(HERE / "forkserver.py"), how],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env=self.env,
                start_new_session=stays,
            )
        assert server.stdin and server.stdout
        server.stdin.write(json.dumps(job).encode("utf-8") + b"\n")
        server.stdin.flush()
        pid = json.loads(server.stdout.readline())["pid"]
        expired: list[bool] = []
        timer = threading.Timer(timeout, _kill_group, (pid, expired))
        timer.start()
        try:
            answer = server.stdout.readline()
            if stays and not answer:
                # The command was killed, and the next one needs another process.
                status = self._servers.pop(how).wait()
            else:
                told = json.loads(answer)
                status = told["status"]
                if told.get("spent"):
                    self._end(how)
        except BaseException:
            # The answer is still to come: this server cannot be asked again.
            server.kill()
            self._servers.pop(how, None)
            raise
        finally:
            timer.cancel()
        return status, bool(expired)

    def _plain(self, job: dict, timeout: float) -> tuple[int, bool]:
        def limit() -> None:
            restrict(job["memory"], job["humble"])

        with (
            open(job["stdin"], "rb") as given,
            open(job["stdout"], "ab") as out,
            open(job["stderr"], "ab") as err,
        ):
            process = subprocess.Popen(
                [hg_path()] + job["args"],
                cwd=job["cwd"],
                env=job["env"],
                stdin=given,
                stdout=out,
                stderr=err,
                preexec_fn=limit,
                start_new_session=True,
            )
            try:
                return process.wait(timeout), False
            except subprocess.TimeoutExpired:
                _kill_group(process.pid, [])
                return process.wait(), True


def _kill_group(pid: int, expired: list[bool]) -> None:
    expired.append(True)
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def hg_process(
    args: Sequence[str],
    cwd: Path,
    env: dict[str, str],
    stdin: int | None = None,
    stderr: int | None = None,
) -> subprocess.Popen[bytes]:
    """Start a real hg process, for servers that live beside other commands."""
    return subprocess.Popen(
        [hg_path(), *args],
        cwd=str(cwd),
        env=env,
        start_new_session=True,
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=stderr,
    )
