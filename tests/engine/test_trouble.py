# engine/writer.py: misuse, and trouble in the middle of writing.
# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import errno
import pathlib
from typing import Any, Callable

import pytest
from mercurial import error

from hgext3rd.fastrevlog.engine import counters
from support import enginelab
from support.enginelab import KIND_CHANGELOG, Bench, Script, Transaction


@pytest.fixture
def bench(tmp_path: pathlib.Path) -> Bench:
    return Bench(tmp_path)


# misuse


def misuse(call: Callable[[Any, Transaction], Any]) -> Script:
    def script(rl: Any, tr: Transaction) -> Any:
        enginelab.write(rl, tr, enginelab.history(9, 3))
        try:
            call(rl, tr)
        except (error.ProgrammingError, AssertionError) as exc:
            # what an assertion of Mercurial's finds may have a better name
            return [not isinstance(exc, ValueError), rl._inner.is_delaying]
        raise AssertionError("nobody minds")

    return script


def _while_open(name: str) -> Callable[[Any, Transaction], Any]:
    def call(rl: Any, tr: Transaction) -> Any:
        with rl._writing(tr):
            getattr(rl._inner, name)()

    return call


def _clear_while_delaying(rl: Any, tr: Transaction) -> Any:
    rl._inner.delay()
    rl._inner.clear_cache()


MISUSES: dict[str, tuple[bool, Callable[[Any, Transaction], Any]]] = {
    "add outside": (False, lambda rl, tr: add(rl, tr)),
    "delay open": (False, _while_open("delay")),
    "pending open": (False, _while_open("write_pending")),
    "finalize open": (False, _while_open("finalize_pending")),
    "delay inline": (True, lambda rl, tr: rl._inner.delay()),
    "pending inline": (True, lambda rl, tr: rl._inner.write_pending()),
    "finalize inline": (True, lambda rl, tr: rl._inner.finalize_pending()),
    "finalize nothing": (False, lambda rl, tr: rl._inner.finalize_pending()),
    "clear while delaying": (False, _clear_while_delaying),
}


def add(rl: Any, tr: Transaction) -> Any:
    rl._inner.write_entry(tr, b"e" * 64, (b"", b"x"), 0, 0, b"", 0, None, None, None)


@pytest.mark.parametrize("name", MISUSES)
def test_misuse_is_an_error_and_changes_nothing(bench: Bench, name: str) -> None:
    may_inline, call = MISUSES[name]
    bench.same(misuse(call), kind=KIND_CHANGELOG, may_inline=may_inline)


# trouble within a context


@pytest.mark.parametrize("trouble", [KeyError, KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("may_inline", [True, False])
def test_an_exception_ends_the_context_cleanly(
    bench: Bench, trouble: type[BaseException], may_inline: bool
) -> None:
    def script(rl: Any, tr: Transaction) -> Any:
        enginelab.write(rl, tr, enginelab.history(9, 5))
        again = type(tr)(rl.opener)
        with pytest.raises(trouble), rl._writing(again):
            enginelab.write(rl, again, [(b"text", 4, -1)])
            raise trouble
        seen = [rl._inner.is_open, rl._inner.is_writing, enginelab.texts(rl)]
        seen.append(enginelab.files(rl.opener))
        again.abort()
        return seen

    bench.same(script, may_inline=may_inline)


class Failing:
    """A file of Mercurial's that fails when something is written."""

    def __init__(self, fp: Any) -> None:
        self.fp = fp

    def write(self, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    def __getattr__(self, name: str) -> Any:
        return getattr(self.fp, name)


@pytest.mark.parametrize("failing", [b"log.d", b"log.i"])
def test_a_full_disk_leaves_no_entry_without_its_data(
    tmp_path: pathlib.Path, failing: bytes
) -> None:
    where = enginelab.opener(tmp_path)
    rl = enginelab.ours(where, may_inline=False)
    enginelab.write(rl, Transaction(where), enginelab.history(9, 5))
    before = enginelab.files(where)
    opened = type(rl._inner.storage).open

    class Storage(type(rl._inner.storage)):  # type: ignore[misc]
        def open(self, name: bytes, mode: bytes, checkambig: bool = False) -> Any:
            fp = opened(self, name, mode, checkambig)
            return Failing(fp) if name == failing else fp

    rl._inner.storage = Storage(where)
    tr = Transaction(where)
    with pytest.raises(OSError, match="No space left"):
        enginelab.write(rl, tr, enginelab.history(10, 5))
    assert not rl._inner.is_open
    assert not rl._inner.is_writing
    # before anything is taken back: what a reader without a lock would see
    assert where.read(b"log.i") == before["log.i"]
    tr.abort()
    assert enginelab.files(where) == before


def test_entries_are_counted(tmp_path: pathlib.Path) -> None:
    where = enginelab.opener(tmp_path)
    before = counters.counters.entries
    enginelab.write(enginelab.ours(where), Transaction(where), enginelab.history(9, 7))
    assert counters.counters.entries == before + 7


def test_a_split_that_fails_loses_nothing(tmp_path: pathlib.Path) -> None:
    where = enginelab.opener(tmp_path)
    rl = enginelab.ours(where)
    enginelab.write(rl, Transaction(where), enginelab.large(4))
    before = where.read(b"log.i")
    tr = Transaction(where)
    opened = type(rl._inner.storage).open

    class Storage(type(rl._inner.storage)):  # type: ignore[misc]
        def open(self, name: bytes, mode: bytes, checkambig: bool = False) -> Any:
            if name.endswith(b".s"):
                raise OSError(errno.ENOSPC, "No space left on device")
            return opened(self, name, mode, checkambig)

    rl._inner.storage = Storage(where)
    with pytest.raises(OSError, match="No space left"):
        enginelab.write(rl, tr, enginelab.large()[4:])
    assert not rl._inner.is_open
    tr.abort()
    assert where.read(b"log.i") == before
    assert enginelab.texts(enginelab.stock(where)) == enginelab.texts(
        enginelab.ours(where)
    )
