# Ordered answers from forked workers, by themselves.
# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

ordered = pytest.importorskip("hgext3rd.fastrevlog.workers.ordered")
process = pytest.importorskip("hgext3rd.fastrevlog.process")

PROJECT = Path(__file__).resolve().parent.parent.parent

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    """Every test leaves with no more open files than before."""
    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    yield
    if before:
        assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize("workers", [1, 2, 5])
@pytest.mark.parametrize("count", [0, 1, 3, 1000])
@pytest.mark.parametrize("known", [True, False])
def test_answers_in_order(count: int, workers: int, known: bool) -> None:
    def do(task: int) -> tuple[int, int]:
        time.sleep(0.0001 * (task % 3))
        return task * task, os.getpid()

    with ordered.OrderedPool(do, workers) as pool:
        found = list(pool.answers(range(count), count if known else None))
    assert [task for task, _answer in found] == list(range(count))
    assert [answer[0] for _task, answer in found] == [i * i for i in range(count)]
    pids = {answer[1] for _task, answer in found}
    assert os.getpid() not in pids
    assert len(pids) == min(workers, count)


def test_serial_twin() -> None:
    with ordered.Serial() as pool:
        assert list(pool.answers("ab")) == [("a", None), ("b", None)]


def test_runs_grow_and_shrink() -> None:
    pool = ordered.OrderedPool(str, 2)
    sizes = []
    for runs in range(14):
        pool._runs = runs
        sizes.append(pool._run_length(None))
    assert sizes == [1, 1, 2, 2, 4, 4, 8, 8, 16, 16, 16, 16, 16, 16]
    assert [pool._run_length(left) for left in (200, 40, 16, 4, 1, 0)] == [
        16,
        10,
        4,
        1,
        1,
        1,
    ]


def test_what_raises_is_for_the_parent() -> None:
    with ordered.OrderedPool(lambda task: 6 // task, 2) as pool:
        assert list(pool.answers(range(4))) == [(0, None), (1, 6), (2, 3), (3, 2)]


def test_what_is_too_large_is_for_the_parent() -> None:
    with ordered.OrderedPool(lambda task: b"x" * task, 2, largest=5000) as pool:
        answers = [answer for _task, answer in pool.answers([1, 10_000, 2])]
    assert answers == [b"x", None, b"xx"]


def test_tasks_for_the_parent() -> None:
    with ordered.OrderedPool(str, 2, here=lambda task: task % 10 == 3) as pool:
        found = list(pool.answers(range(50)))
    assert found == [(i, None if i % 10 == 3 else str(i)) for i in range(50)]


def test_only_tasks_for_the_parent() -> None:
    with ordered.OrderedPool(str, 2, here=lambda task: True) as pool:
        assert list(pool.answers(range(50))) == [(i, None) for i in range(50)]


@pytest.mark.parametrize("how", ["kill", "exit", "no pickle"])
def test_lost_worker(how: str) -> None:
    losses = []

    def do(task: int) -> object:
        if task == 25:
            if how == "no pickle":
                return lambda: None
            if how == "exit":
                os._exit(0)
            os.kill(os.getpid(), signal.SIGKILL)
        return task

    with ordered.OrderedPool(do, 2, on_loss=lambda *loss: losses.append(loss)) as pool:
        found = list(pool.answers(range(400)))
    assert [task for task, _answer in found] == list(range(400))
    assert found[25] == (25, None)
    assert all(answer in (None, task) for task, answer in found)
    assert found[-1] == (399, 399)  # the other one went on
    if how == "no pickle":
        assert not losses
        assert sum(answer is None for _task, answer in found) == 1
    else:
        ((_pid, status),) = losses
        assert os.WIFSIGNALED(status) == (how == "kill")


def test_all_workers_lost() -> None:
    with ordered.OrderedPool(lambda task: os._exit(1), 3) as pool:
        assert list(pool.answers(range(500))) == [(i, None) for i in range(500)]


def test_a_worker_killed_while_idle() -> None:
    """The pipe to it is closed; the signal of that must not reach Mercurial."""
    signals = []
    before = signal.signal(signal.SIGPIPE, lambda *_details: signals.append(1))
    try:
        with ordered.OrderedPool(lambda task: task, 2) as pool:
            answers = pool.answers(iter(range(300)))
            found = [next(answers) for _i in range(20)]
            for worker in list(pool._workers):
                os.kill(worker.pid, signal.SIGKILL)
            time.sleep(0.05)
            found += answers
    finally:
        signal.signal(signal.SIGPIPE, before)
    assert [task for task, _answer in found] == list(range(300))
    assert all(answer in (None, task) for task, answer in found)
    assert found[-1] == (299, None)
    assert not signals


def test_no_fork(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> int:
        raise BlockingIOError

    monkeypatch.setattr(os, "fork", fail)
    with ordered.OrderedPool(str, 3) as pool:
        assert list(pool.answers(range(5))) == [(i, None) for i in range(5)]


def test_one_fork(monkeypatch: pytest.MonkeyPatch) -> None:
    fork = os.fork
    forks = []

    def fail_later() -> int:
        forks.append(1)
        if len(forks) > 1:
            raise BlockingIOError
        return fork()

    monkeypatch.setattr(os, "fork", fail_later)
    with ordered.OrderedPool(str, 3) as pool:
        assert list(pool.answers(range(50))) == [(i, str(i)) for i in range(50)]
    assert len(forks) == 2


def test_an_error_of_the_tasks_comes_in_its_place() -> None:
    def tasks() -> Iterator[int]:
        yield from range(37)
        raise KeyError("no more")

    found = []
    with (
        ordered.OrderedPool(str, 2) as pool,
        pytest.raises(KeyError, match="no more"),
    ):
        for task, answer in pool.answers(tasks()):
            found.append((task, answer))
    assert found == [(i, str(i)) for i in range(37)]


def test_slow_tasks_do_not_hold_back_answers() -> None:
    """While the next task is looked for, no answer to an earlier one waits."""
    times: list[float] = []

    def tasks() -> Iterator[int]:
        for i in range(6):
            time.sleep(0.1)
            times.append(time.monotonic())
            yield i

    with ordered.OrderedPool(str, 2) as pool:
        for task, answer in pool.answers(tasks()):
            assert answer == str(task)
            # but for the first ones, when nothing was known yet
            if task > 2:
                assert time.monotonic() - times[task] < 0.09


def test_a_slow_taker_slows_the_workers_down(tmp_path: Path) -> None:
    def do(task: int) -> bytes:
        (tmp_path / str(task)).touch()
        return b"x" * 100_000

    with ordered.OrderedPool(do, 2, unread=200_000, longest_run=256) as pool:
        answers = pool.answers(iter(range(10_000)))
        for _i in range(400):
            next(answers)
        time.sleep(0.3)
        done = len(list(tmp_path.iterdir()))
        # two pipes, an answer at each worker, what waits here and was read at once;
        # the runs that were handed out are many times as much
        assert done < 400 + 2 * 11 + 2 + 2 + 2 * 11
        assert len(next(answers)[1]) == 100_000


def sleep(seconds: float) -> int:
    time.sleep(seconds)
    return 1


def test_leaving_early_kills(tmp_path: Path) -> None:
    start = time.monotonic()
    with ordered.OrderedPool(sleep, 2) as pool:
        for _pair in pool.answers([0, 600, 600, 600]):
            break
    with (
        pytest.raises(KeyboardInterrupt),
        ordered.OrderedPool(sleep, 2) as pool,
    ):
        for _pair in pool.answers([0, 600, 600, 600]):
            raise KeyboardInterrupt
    assert time.monotonic() - start < 20


def test_start_and_end_run_in_the_workers(tmp_path: Path) -> None:
    def note(what: str) -> None:
        assert process.state.in_worker
        (tmp_path / f"{what}-{os.getpid()}").touch()

    with ordered.OrderedPool(
        str, 3, on_start=lambda: note("start"), on_end=lambda: note("end")
    ) as pool:
        list(pool.answers(range(100)))
    notes = sorted(path.name for path in tmp_path.iterdir())
    assert len(notes) == 6
    assert f"start-{os.getpid()}" not in notes
    assert not process.state.in_worker


def test_large_tasks() -> None:
    """Tasks that no pipe holds: nobody waits for somebody who waits for him."""
    tasks = [bytes([i % 256]) * 300_000 for i in range(40)]
    with ordered.OrderedPool(lambda task: task, 2) as pool:
        found = list(pool.answers(tasks))
    assert all(task is tasks[i] for i, (task, _answer) in enumerate(found))
    assert all(answer == task for task, answer in found)


def test_workers_end_with_their_parent(tmp_path: Path) -> None:
    script = textwrap.dedent(
        """
        import os, sys, time
        sys.path.insert(0, sys.argv[1])
        from hgext3rd.fastrevlog.workers import ordered
        pool = ordered.OrderedPool(lambda task: os.getpid(), 2)
        answers = pool.answers(iter(range(100)))
        pids = {next(answers)[1] for i in range(50)}
        print(*pids, flush=True)
        time.sleep(600)
        """
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", script, str(PROJECT)], stdout=subprocess.PIPE
    )
    assert parent.stdout is not None
    pids = [int(pid) for pid in parent.stdout.readline().split()]
    assert len(pids) == 2
    parent.kill()
    parent.wait()
    parent.stdout.close()
    deadline = time.monotonic() + 20
    while pids and time.monotonic() < deadline:
        pids = [pid for pid in pids if _runs(pid)]
        time.sleep(0.01)
    assert not pids


def _runs(pid: int) -> bool:
    """Whether the process is there and no zombie (in a container nobody reaps)."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii")
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"
