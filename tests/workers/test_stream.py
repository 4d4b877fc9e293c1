# Answers of forked workers in order, with a bound on what waits.
# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

streammod = pytest.importorskip("hgext3rd.fastrevlog.workers.stream")
poolmod = pytest.importorskip("hgext3rd.fastrevlog.workers.pool")
children = pytest.importorskip("hgext3rd.fastrevlog.workers.children")

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    """Every test leaves with no descriptor more."""
    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    yield
    if before:
        assert len(os.listdir("/proc/self/fd")) == before
    assert not children._held


def pieces_of(task: int) -> Iterator[bytes]:
    """A few pieces of very different sizes, different for each task."""
    yield b"<%d" % task
    yield b""
    for i in range(task % 4):
        yield bytes([task % 256]) * (task * 977 % 70_000 + i)
    yield b">"


def whole(task: int) -> bytes:
    return b"".join(pieces_of(task))


def read_all(stream: object, tasks: int) -> list[bytes]:
    return [b"".join(stream.pieces(i)) for i in range(tasks)]  # type: ignore[attr-defined]


@pytest.mark.parametrize("workers", [1, 2, 5])
@pytest.mark.parametrize("count", [0, 1, 3, 300])
def test_in_order(count: int, workers: int) -> None:
    stream = streammod.WorkerStream(pieces_of, range(count))
    stream.start(workers)
    assert read_all(stream, count) == [whole(i) for i in range(count)]
    assert stream.redone == 0
    assert stream.waiting == 0
    stream.close()


def test_serial_twin() -> None:
    stream = streammod.SerialStream(pieces_of, range(20))
    assert read_all(stream, 20) == [whole(i) for i in range(20)]
    stream.close()


def test_made_by_others() -> None:
    stream = streammod.WorkerStream(lambda _task: [b"%d" % os.getpid()], range(50))
    stream.start(2)
    pids = set(map(int, read_all(stream, 50)))
    stream.close()
    assert os.getpid() not in pids
    assert 1 <= len(pids) <= 2


@pytest.mark.parametrize("limit", [1, 100_000])
@pytest.mark.parametrize("workers", [2, 4])
def test_bounded(limit: int, workers: int) -> None:
    """The first task is slow, the others are large: they do not pile up."""

    def do(task: int) -> Iterator[bytes]:
        if not task:
            time.sleep(0.3)
        for _i in range(40):
            yield b"x" * 100_000

    stream = streammod.WorkerStream(do, range(30), waiting=limit)
    stream.start(workers)
    most = 0
    for i in range(30):
        size = 0
        for piece in stream.pieces(i):
            most = max(most, stream.waiting)
            size += len(piece)
        assert size == 4_000_000
    stream.close()
    assert most <= limit + workers * streammod._READ_SIZE


def test_too_many_tasks() -> None:
    with pytest.raises(ValueError, match="tasks"):
        streammod.WorkerStream(pieces_of, range(streammod.MAX_TASKS + 1))


def test_out_of_order() -> None:
    stream = streammod.WorkerStream(pieces_of, range(3))
    with pytest.raises(ValueError, match="next"):
        next(stream.pieces(1))
    stream.close()


@pytest.mark.parametrize("where", ["before", "between", "after"])
@pytest.mark.parametrize("how", ["kill", "exit", "raise"])
def test_lost_work_is_done_again(where: str, how: str) -> None:
    """Whatever a worker got done of a task is neither lost nor given twice."""
    parent = os.getpid()

    def fall() -> None:
        if os.getpid() == parent:
            return
        if how == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        elif how == "exit":
            os._exit(0)
        raise OSError("in the worker")

    def do(task: int) -> Iterator[bytes]:
        at_it = task in (0, 17, 18, 39)
        if at_it and where == "before":
            fall()
        yield b"first %d " % task * 5000
        if at_it and where == "between":
            fall()
        yield b"second %d" % task
        if at_it and where == "after":
            fall()

    stream = streammod.WorkerStream(do, range(40))
    stream.start(3)
    answers = read_all(stream, 40)
    stream.close()
    assert answers == [b"".join(do(i)) for i in range(40)]
    assert stream.redone >= 4


def test_a_worker_that_never_says_what_it_took() -> None:
    def die() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    stream = streammod.WorkerStream(pieces_of, range(10), on_start=die)
    stream.start(2)
    assert read_all(stream, 10) == [whole(i) for i in range(10)]
    assert stream.redone == 10
    stream.close()


def test_an_error_is_raised_here() -> None:
    def do(task: int) -> Iterator[bytes]:
        yield b"begin"
        if task == 3:
            raise OSError("damaged")

    stream = streammod.WorkerStream(do, range(6))
    stream.start(2)
    for i in range(3):
        assert b"".join(stream.pieces(i)) == b"begin"
    got = []
    with pytest.raises(OSError, match="damaged"):
        got.extend(stream.pieces(3))
    assert got == [b"begin"]
    stream.close()


def test_close_in_the_middle() -> None:
    stream = streammod.WorkerStream(lambda _task: [b"x" * 3_000_000] * 9, range(20))
    stream.start(3)
    next(stream.pieces(0))
    start = time.monotonic()
    stream.close()
    assert time.monotonic() - start < 20


def test_start_and_end_run_in_the_workers(tmp_path: Path) -> None:
    def note(what: str) -> None:
        (tmp_path / f"{what}-{os.getpid()}").touch()

    stream = streammod.WorkerStream(
        pieces_of,
        range(9),
        on_start=lambda: note("start"),
        on_end=lambda: note("end"),
    )
    stream.start(2)
    read_all(stream, 9)
    while stream._pipes:  # they end by themselves
        stream._next = 99  # beyond all tasks: whatever comes is read
        stream._collect()
    stream.close()
    names = sorted(path.name for path in tmp_path.iterdir())
    assert [name.split("-")[0] for name in names] == ["end", "end", "start", "start"]
    assert f"start-{os.getpid()}" not in names


def test_no_fork(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second fork fails: the first worker is not left behind."""
    fork = os.fork
    forks = []

    def fail_later() -> int:
        forks.append(1)
        if len(forks) > 1:
            raise BlockingIOError
        return fork()

    monkeypatch.setattr(os, "fork", fail_later)
    stream = streammod.WorkerStream(pieces_of, range(3))
    with pytest.raises(BlockingIOError):
        stream.start(3)


def test_a_killed_parent_leaves_no_worker(tmp_path: Path) -> None:
    """Workers end when nobody reads any more."""
    read, write = os.pipe()
    parent = os.fork()
    if parent == 0:
        os.close(read)
        stream = streammod.WorkerStream(lambda _task: [b"x" * 9_000_000], range(50))
        stream.start(2)
        next(stream.pieces(0))
        os.kill(os.getpid(), signal.SIGKILL)
    os.close(write)  # the workers inherited it, too
    os.waitpid(parent, 0)
    assert os.read(read, 1) == b""  # comes when the last of them is gone
    os.close(read)


def test_two_pools_at_once() -> None:
    """No child keeps what the parent holds of another pool's."""
    first = streammod.WorkerStream(pieces_of, range(40))
    first.start(2)
    second = poolmod.WorkerPool(
        lambda task: (
            len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else task
        ),
        range(4),
    )
    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 9
    second.start(1)
    assert all(second.answer(i) <= before for i in range(4))
    assert read_all(first, 40) == [whole(i) for i in range(40)]
    second.close()
    first.close()
