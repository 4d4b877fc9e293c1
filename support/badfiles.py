# Makes the small bad files of tests/corpus, and reads such files in a child process.
# SPDX-License-Identifier: GPL-2.0-or-later
"""``python -m support.badfiles tests/corpus`` writes what `support.damage` can do.

Each case is a file ``NAME.i`` and, where the revlog is split, ``NAME.d``. What a fuzzer
finds is put beside them, under a name that says what it is, and stays.
"""

from __future__ import annotations

import gc
import os
import pathlib
import pickle
import re
import shutil
import signal
import sys
import tempfile
from typing import Any, Callable

from mercurial import error
from mercurial.utils import storageutil

from . import damage, enginelab

# of those that expand to 2 GiB a small sister does for the engine
BOMBS: dict[str, damage.Damage] = {
    "zlib bomb": lambda log: log.replace_last(damage.zlib_bomb(16)),
    "zstd bomb": lambda log: log.replace_last(damage.zstd_frame(1 << 17, False, 128)),
    "zstd bomb of unknown size": lambda log: log.replace_last(
        damage.zstd_frame(1 << 17, True, 128)
    ),
}


def write_corpus(target: pathlib.Path) -> None:
    """Write a case for each damage that leaves files behind, inline and split."""
    target.mkdir(parents=True, exist_ok=True)
    for form, engine in (("inline", b"zlib"), ("split", b"zstd")):
        ways = {**damage.DAMAGES, **BOMBS}
        if form == "split":
            ways.update(damage.SPLIT_ONLY)
        for name, way in ways.items():
            with tempfile.TemporaryDirectory() as made:
                folder = pathlib.Path(made)
                where = enginelab.opener(folder, engine=engine)
                enginelab.built(where, 4, 8, may_inline=form == "inline")
                way(damage.Log(folder / "log"))
                slug = re.sub(r"\W+", "-", f"{form} {name}")
                for suffix in (".i", ".d"):
                    left = folder / f"log{suffix}"
                    if left.is_file():
                        shutil.copyfile(left, target / (slug + suffix))


Outcome = tuple[str, Any]


def in_child(call: Callable[[], Any], seconds: int = 20) -> Outcome:
    """What ``call`` gives in a child process: ("value", it) or ("signal", number)."""
    reading, writing = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            gc.disable()  # a collection would copy what is shared with the parent
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(seconds)
            with os.fdopen(writing, "wb") as out:
                pickle.dump(call(), out)
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as answer:
        data = answer.read()
    _pid, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status):
        return "signal", os.WTERMSIG(status)
    return "value", pickle.loads(data)


def attempt(call: Callable[[], Any]) -> Outcome:
    """("text", what it gives), ("error", a storage error), or ("odd", the class)."""
    try:
        return "text", call()
    except (error.RevlogError, error.StorageError, OSError, EOFError) as exc:
        return "error", type(exc).__name__
    except Exception as exc:
        return "odd", type(exc).__name__


def read_all(make: Callable[..., Any], folder: pathlib.Path) -> list[Outcome]:
    """Open the log in ``folder`` and read each revision, twice, in two orders.

    A text comes with whether its hash is right.
    """
    opened = attempt(lambda: make(enginelab.opener(folder)))
    if opened[0] != "text":
        return [opened]
    rl = opened[1]

    def read(rev: int) -> Outcome:
        found = attempt(lambda: rl.revision(rev))
        if found[0] != "text":
            return found
        parents = (rl.node(parent) for parent in rl.parentrevs(rev))
        node = storageutil.hashrevisionsha1(found[1], *parents)
        return "text", (found[1], node == rl.node(rev))

    found = [read(rev) for rev in range(len(rl))]
    again = [read(rev) for rev in reversed(range(len(rl)))]
    for first, second in zip(found, reversed(again)):
        if first[0] == "text" and first != second:
            return [("odd", f"another text the second time: {second}")]
    return found


def read_installed(folder: pathlib.Path) -> list[Outcome]:
    """As users read: with the extension's hooks, which ask Mercurial in doubt."""
    with enginelab.installed():
        return read_all(enginelab.stock, folder)


def compare(folder: pathlib.Path, installed: bool = False) -> list[str]:
    """What is wrong with how the log in ``folder`` is read; [] if nothing.

    Where Mercurial's own code gives a text, ours gives the same; where it says what is
    wrong, so does ours, or it gives a text whose hash is right (an empty one needs no
    data); where it fails in an odd way, ours says what is wrong or fails in that very
    way (of the C index, which is the same one). The engine by itself may refuse what
    Mercurial can read, as long as it says so: asking Mercurial is the hooks' affair.
    """

    def by_stock() -> list[Outcome]:
        return read_all(enginelab.stock, folder)

    def by_us() -> list[Outcome]:
        return read_installed(folder) if installed else read_all(enginelab.ours, folder)

    both = in_child(lambda: (by_stock(), by_us()))
    if both[0] == "value":
        theirs, ours = [("value", one) for one in both[1]]
    else:  # one of them died of it
        theirs, ours = in_child(by_stock), in_child(by_us)
    if ours[0] == "signal":
        return [] if theirs == ours else [f"killed by signal {ours[1]}"]
    if theirs[0] == "signal":
        return [f"{one}" for one in ours[1] if one[0] == "odd"]
    if len(theirs[1]) != len(ours[1]):
        return [f"{len(ours[1])} answers, Mercurial's own code gives {len(theirs[1])}"]
    return [
        f"revision {rev}: {two!r:.200}, not {one!r:.200}"
        for rev, (one, two) in enumerate(zip(theirs[1], ours[1]))
        if not _agree(one, two, installed)
    ]


def _agree(theirs: Outcome, ours: Outcome, installed: bool) -> bool:
    if ours[0] == "error":
        return theirs[0] != "text" or not installed
    if ours[0] == "text":
        return theirs == ours or (theirs[0] == "error" and ours[1][1])
    return theirs == ours


if __name__ == "__main__":
    write_corpus(pathlib.Path(sys.argv[1]))
