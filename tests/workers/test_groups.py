# Tasks given one by one to worker processes.
# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import os
import random
import signal
import time

import pytest

from hgext3rd.fastrevlog.workers import groups

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")


def reverse(task: bytes) -> bytes | None:
    if task.startswith(b"none"):
        return None
    if task.startswith(b"raise"):
        raise ValueError("as asked")
    if task.startswith(b"die"):
        os._exit(3)
    return task[::-1]


def pool_of(workers: int) -> groups.TaskPool:
    pool = groups.TaskPool(reverse)
    pool.start(workers)
    return pool


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_answers_belong_to_their_tasks(workers: int) -> None:
    rng = random.Random(workers)
    pool = pool_of(workers)
    try:
        tasks = [rng.randbytes(rng.choice([0, 3, 5000, 300_000])) for _ in range(300)]
        numbers = [pool.submit(task) for task in tasks]
        for task, number in zip(tasks, numbers):
            assert pool.answer(number) == task[::-1]
        assert pool.waiting == 0
    finally:
        pool.close()


def test_more_than_the_pipes_hold_in_both_directions() -> None:
    pool = pool_of(2)
    try:
        tasks = [bytes([n]) * (3 << 20) for n in range(8)]
        numbers = [pool.submit(task) for task in tasks]
        assert [pool.answer(n) for n in numbers] == tasks
    finally:
        pool.close()


def test_no_answer_and_exceptions_are_none() -> None:
    pool = pool_of(2)
    try:
        numbers = [pool.submit(task) for task in (b"none", b"raise", b"abc")]
        assert [pool.answer(n) for n in numbers] == [None, None, b"cba"]
    finally:
        pool.close()


def test_a_worker_that_dies_answers_none_and_the_others_go_on() -> None:
    pool = pool_of(2)
    try:
        first = pool.submit(b"die")
        others = [pool.submit(b"%d!" % n) for n in range(50)]
        answers = [pool.answer(n) for n in others]
        assert pool.answer(first) is None
        assert pool.lost == 1
        assert pool.workers == 1
        for n, answer in enumerate(answers):
            assert answer in (None, (b"%d!" % n)[::-1])
        assert pool.answer(pool.submit(b"still")) == b"llits"
    finally:
        pool.close()


def test_all_workers_killed() -> None:
    pool = pool_of(3)
    pids = [worker.pid for worker in pool._workers]
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    numbers = [pool.submit(b"x" * 100_000) for _ in range(40)]
    assert all(pool.answer(n) is None for n in numbers)
    assert pool.workers == 0
    assert pool.waiting == 0
    pool.close()
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_ready_does_not_wait() -> None:
    def slow(task: bytes) -> bytes:
        time.sleep(0.2)
        return task

    pool = groups.TaskPool(slow)
    pool.start(1)
    try:
        number = pool.submit(b"a")
        assert not pool.ready(number)
        assert pool.answer(number) == b"a"
    finally:
        pool.close()


def test_workers_end_when_the_parent_is_gone() -> None:
    ours, theirs = os.pipe()
    pid = os.fork()
    if pid == 0:
        pool = pool_of(2)
        pool.submit(b"x")
        os.write(theirs, b" ".join(b"%d" % w.pid for w in pool._workers))
        os._exit(0)
    os.close(theirs)
    os.waitpid(pid, 0)
    pids = [int(word) for word in os.read(ours, 100).split()]
    os.close(ours)
    assert len(pids) == 2
    deadline = time.monotonic() + 10
    while any(map(runs, pids)):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def runs(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False
