# Runs one command and measures it: time, peak memory, digests of what it made.
# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import dataclasses
import fnmatch
import hashlib
import math
import os
import signal
import subprocess
import sys
import threading
import time


@dataclasses.dataclass
class Outcome:
    """One run of a command.

    ``wall`` is the seconds that passed, ``cpu`` those that processors spent on
    the command and the children it waited for.
    ``peak`` is what wait4 says: the resident memory, in bytes, of the largest
    *single* process among the command and the children it waited for.
    ``tree_peak`` is the proportional set size (shared pages counted once) of
    the command and all its descendants *together*, sampled; None if not asked
    for or not Linux.
    """

    wall: float
    cpu: float
    code: int
    peak: int | None
    tree_peak: int | None
    digest: str
    errors: str


def run(
    line: list[str],
    *,
    cwd: str,
    env: dict[str, str],
    timeout: float = 900.0,
    sample: bool = False,
) -> Outcome:
    """Run a command to its end, in ``cwd``, its output kept in files beside it.

    After ``timeout`` seconds the command and its children are killed, and its
    exit code is negative.  ``sample`` watches memory and disturbs the time.
    """
    streams = [os.path.join(cwd, name) for name in ("stdout", "stderr")]
    with open(streams[0], "wb") as out, open(streams[1], "wb") as err:
        start = time.perf_counter()
        child = subprocess.Popen(
            line,
            cwd=cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            start_new_session=True,
        )
        killer = threading.Timer(timeout, _kill, [child.pid])
        killer.daemon = True
        killer.start()
        watch = _Watch(child.pid) if sample else None
        cpu, peak = _wait(child)
        wall = time.perf_counter() - start
        killer.cancel()
    made = hashlib.sha256(b"%d\n" % child.returncode)
    for path in streams:
        _add_file(made, path)
    with open(streams[1], encoding="utf-8", errors="replace") as err_text:
        errors = err_text.read(2000).strip()
    tree_peak = watch.stop() if watch else None
    return Outcome(
        wall, cpu, child.returncode, peak, tree_peak, made.hexdigest(), errors
    )


def _wait(child: subprocess.Popen[bytes]) -> tuple[float, int | None]:
    """Wait for the child; answers processor time and peak memory, if told them."""
    if not hasattr(os, "wait4"):
        child.wait()
        return math.nan, None
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    cpu = usage.ru_utime + usage.ru_stime
    return cpu, usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _kill(pid: int) -> None:
    if hasattr(os, "killpg"):
        os.killpg(pid, signal.SIGKILL)


class _Watch:
    """A thread that samples the memory of a process and its descendants."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._peak: int | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._loop, daemon=True)
        self._thread.start()

    def _loop(self) -> None:
        while not self._stop.wait(0.02):
            size = _tree_size(self._pid)
            if size:
                self._peak = max(size, self._peak or 0)

    def stop(self) -> int | None:
        self._stop.set()
        self._thread.join()
        return self._peak


def _tree_size(pid: int) -> int:
    """The proportional set size of a process and its descendants, now."""
    total = 0
    try:
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as lines:
            for line in lines:
                if line.startswith("Pss:"):
                    total = int(line.split()[1]) * 1024
                    break
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as text:
            children = text.read().split()
    except (OSError, ValueError):
        return total  # it ended, or this is no Linux
    return total + sum(_tree_size(int(child)) for child in children)


def _add_file(made: hashlib._Hash, path: str, *, in_order: bool = True) -> None:
    with open(path, "rb") as content:
        if not in_order:
            made.update(b"".join(sorted(content)))
        while block := content.read(1 << 20):
            made.update(block)


def digest_tree(root: str, *, leave_out: tuple[str, ...] = ()) -> str:
    """A digest of a file, or of a folder: names, modes (x), links, contents.

    Entries of the top folder that match a pattern in ``leave_out`` do not count,
    and neither does the order of lines in an fncache: it is a set, written in the
    order in which Python's hashes happen to fall.
    """
    made = hashlib.sha256()
    if not os.path.isdir(root):
        _add_file(made, root)
        return made.hexdigest()
    for folder, subfolders, names in os.walk(root):
        if folder == root:
            for pattern in leave_out:
                for name in fnmatch.filter(subfolders + names, pattern):
                    (subfolders if name in subfolders else names).remove(name)
        subfolders.sort()
        for name in sorted(names):
            path = os.path.join(folder, name)
            mode = os.lstat(path).st_mode
            kind = "l" if os.path.islink(path) else "x" if mode & 0o100 else "-"
            made.update(f"{os.path.relpath(path, root)}\0{kind}\0".encode())
            if kind == "l":
                made.update(os.fsencode(os.readlink(path)))
            else:
                made.update(b"%d\0" % os.path.getsize(path))
                _add_file(made, path, in_order=name != "fncache")
    return made.hexdigest()
