# The pool of forked workers, by itself.
# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hgext3rd.fastrevlog.workers import pool as poolmod

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


@pytest.mark.parametrize("tasks", [0, 1, 2, 7, 100, 5000, 100_000])
@pytest.mark.parametrize("large_tasks", [0, 1, 50, 3000])
@pytest.mark.parametrize("workers", [1, 2, 64])
def test_groups_cover_all_tasks_once(
    tasks: int, large_tasks: int, workers: int
) -> None:
    groups = poolmod.partition(tasks, min(large_tasks, tasks), workers)
    assert [i for group in groups for i in group] == list(range(tasks))
    assert len(groups) * 2 <= poolmod.select.PIPE_BUF
    assert all(len(group) == 1 for group in groups[: min(large_tasks, tasks, 256)])


@pytest.mark.parametrize("workers", [1, 2, 5])
@pytest.mark.parametrize("count", [1, 3, 1000])
def test_answers(count: int, workers: int) -> None:
    pool = poolmod.WorkerPool(lambda task: (task * task, os.getpid()), range(count))
    pool.start(workers)
    answers = [pool.answer(task) for task in range(count)]
    pool.finish()
    pool.close()
    assert [answer[0] for answer in answers] == [i * i for i in range(count)]
    pids = {answer[1] for answer in answers}
    assert os.getpid() not in pids
    assert len(pids) <= min(workers, count)


def test_work_goes_on_while_nobody_listens(tmp_path: Path) -> None:
    """Answers that fill the pipes many times over do not stop the workers."""

    def do(task: int) -> bytes:
        (tmp_path / str(task)).touch()
        return bytes([task]) * 100_000

    pool = poolmod.WorkerPool(do, range(60))
    pool.start(2)
    deadline = time.monotonic() + 60
    while len(list(tmp_path.iterdir())) < 60:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    for task in reversed(range(60)):
        assert pool.answer(task) == bytes([task]) * 100_000
        assert pool.answer(task) is None  # given once
    pool.finish()
    pool.close()


def test_exceptions_are_no_answers() -> None:
    pool = poolmod.WorkerPool(lambda task: 6 // task, range(4))
    pool.start(2)
    assert [pool.answer(task) for task in range(4)] == [None, 6, 3, 2]
    pool.finish()
    pool.close()


@pytest.mark.parametrize("how", ["kill", "exit", "no pickle"])
def test_lost_worker(how: str) -> None:
    losses = []

    def do(task: int) -> object:
        if task == 5:
            if how == "no pickle":
                return lambda: None
            if how == "exit":
                os._exit(0)
            os.kill(os.getpid(), signal.SIGKILL)
        return task

    pool = poolmod.WorkerPool(do, range(40), on_loss=lambda *loss: losses.append(loss))
    pool.start(2)
    answers = [pool.answer(task) for task in range(40)]
    pool.close()
    assert answers[5] is None
    assert all(answer in (None, task) for task, answer in enumerate(answers))
    # the other one went on
    assert answers[-1] == 39
    ((_pid, status),) = losses
    assert os.WIFSIGNALED(status) == (how == "kill")


def test_all_workers_lost() -> None:
    pool = poolmod.WorkerPool(lambda task: os._exit(1), range(10))
    pool.start(3)
    assert [pool.answer(task) for task in range(10)] == [None] * 10
    pool.close()


def test_finish_does_not_wait_for_what_nobody_asked() -> None:
    pool = poolmod.WorkerPool(lambda task: time.sleep(0.2), range(1000))
    pool.start(2)
    start = time.monotonic()
    pool.finish()
    pool.close()
    assert time.monotonic() - start < 20


def test_start_and_end_run_in_the_workers(tmp_path: Path) -> None:
    def note(what: str) -> None:
        (tmp_path / f"{what}-{os.getpid()}").touch()

    pool = poolmod.WorkerPool(
        lambda task: task,
        range(100),
        on_start=lambda: note("start"),
        on_end=lambda: note("end"),
    )
    pool.start(3)
    pool.finish()
    pool.close()
    notes = sorted(path.name for path in tmp_path.iterdir())
    assert len(notes) == 6
    assert f"start-{os.getpid()}" not in notes


def test_close_ends_what_runs() -> None:
    pool = poolmod.WorkerPool(lambda task: time.sleep(600), range(3))
    pool.start(3)
    start = time.monotonic()
    pool.close()
    assert time.monotonic() - start < 20


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
    pool = poolmod.WorkerPool(lambda task: task, range(3))
    with pytest.raises(BlockingIOError):
        pool.start(3)


THREADS = """
import os, sys, threading
sys.path.insert(0, sys.argv[1])
from hgext3rd.fastrevlog.workers import cpus
assert cpus.can_fork()
done = threading.Event()
thread = threading.Thread(target=done.wait)
thread.start()
assert not cpus.can_fork()
done.set()
thread.join()
"""


def test_threads_forbid_forking() -> None:
    # in a process of its own: the one that runs the tests may have threads
    project = Path(__file__).resolve().parents[2]
    subprocess.run([sys.executable, "-c", THREADS, str(project)], check=True)
