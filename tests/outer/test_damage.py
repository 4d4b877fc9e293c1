# Every field of every index entry, damaged: read as Mercurial reads it, or an error.
# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import pathlib
import resource
from typing import Any

import pytest
from mercurial import error, mdiff

from hgext3rd.fastrevlog.engine import caches
from support import badfiles, damage, enginelab
from support.damage import Log

COUNT = 12
FIELDS: dict[str, list[int]] = {
    "offset_flags": [100 << 16, (1 << 40) << 16],
    "clen": [0, 5, 10**6, -5],
    "ulen": [1, 10**6, -1],
    "base": [-3, 0, COUNT - 1, 99],
    "p1": [-7, 99, COUNT - 1],
    "p2": [-7, 99, COUNT - 1],
}


def history() -> list[enginelab.Stored]:
    """One line of revisions; the texts from the seventh on have nothing of before."""
    texts = []
    for rev in range(COUNT):
        seed = rev if rev < 7 else rev * 100
        texts.append(
            (b"".join(b"%d\n" % (n * n + seed) for n in range(90)), rev - 1, -1)
        )
    return texts


def shared(where: Any, kind: int) -> Any:
    """As file logs are opened, with one cache for all of them."""
    return enginelab.ours(where, kind=kind, share_texts=True)


def answer(make: Any, where: Any, rev: int) -> Any:
    """The text of ``rev``, or the kind and the words of the error."""
    try:
        return bytes(make(where, kind=enginelab.KIND_FILELOG).revision(rev))
    except error.RevlogError as exc:
        return "error", bytes(exc)
    except Exception as exc:
        return "traceback", exc


@pytest.mark.parametrize("inline", [True, False], ids=["inline", "split"])
@pytest.mark.parametrize("field", [*FIELDS, "twice"])
def test_a_damaged_field(inline: bool, field: str, tmp_path: pathlib.Path) -> None:
    where = enginelab.opener(tmp_path)
    rl = enginelab.stock(where, kind=enginelab.KIND_FILELOG, may_inline=inline)
    tr = enginelab.Transaction(where)
    enginelab.write(rl, tr, history())
    tr.close()
    log = Log(tmp_path / "log")
    assert log.inline is inline
    good = log.index.read_bytes()
    texts = {bytes(rl.revision(rev)) for rev in rl}
    read = refused = 0
    for damaged in range(1, COUNT):
        for value in FIELDS.get(field, [0]):
            log.index.write_bytes(good)
            if field == "twice":
                log.change(damaged, **log.entry(damaged - 1))
            else:
                log.change(damaged, **{field: value})
            for rev in range(COUNT):
                theirs = answer(enginelab.stock, where, rev)
                caches.budget.clear()
                with enginelab.installed():
                    told = answer(shared, where, rev)
                if theirs[0] == "traceback":
                    assert told[0] == "error", (damaged, value, rev, theirs, told)
                    refused += 1
                else:
                    assert told == theirs, (damaged, value, rev)
                    read += told in texts
    # an inline revlog with a wrong length cannot be opened
    assert read or (inline and field == "clen")
    assert refused or field in ("offset_flags", "clen", "ulen", "twice")


def test_too_small_a_size_says_what_to_do(tmp_path: pathlib.Path) -> None:
    where = enginelab.opener(tmp_path)
    rl = enginelab.stock(where)
    tr = enginelab.Transaction(where)
    enginelab.write(rl, tr, [(b"line\n" * 100_000, -1, -1)])
    tr.close()
    Log(tmp_path / "log").change(0, ulen=1)
    assert enginelab.stock(where).revision(0)
    ours = enginelab.ours(where)
    with enginelab.installed(), pytest.raises(error.RevlogError) as caught:
        ours.revision(0)
    assert b"the sizes in its index allow" in bytes(caught.value)
    assert b"fastrevlog.enabled=no" in (caught.value.hint or b"")


def test_what_is_asked_of_mercurial_is_bounded(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A chunk that expands too far behind one that cannot be read."""
    import zlib

    where = enginelab.opener(tmp_path)
    rl = enginelab.stock(where, may_inline=False)
    tr = enginelab.Transaction(where)
    enginelab.write(rl, tr, history())
    tr.close()
    log = Log(tmp_path / "log")
    log.change(3, base=3, offset_flags=(1 << 40) << 16)
    log.change(COUNT - 1, base=3)
    log.replace_last(zlib.compress(b"\0" * (64 << 20)))
    expanded = []

    def patches(text: bytes, bins: list[bytes]) -> bytes:
        expanded.append(bins)
        return b""

    monkeypatch.setattr(mdiff, "patches", patches)
    ours = enginelab.ours(where)
    with enginelab.installed(), pytest.raises(error.RevlogError) as caught:
        ours.revision(COUNT - 1)
    assert b"expands beyond" in bytes(caught.value) or b"partial" in bytes(caught.value)
    assert not expanded


@pytest.mark.parametrize("inline", [True, False], ids=["inline", "split"])
@pytest.mark.parametrize("base", ["full text", "delta"])
def test_a_size_that_is_not_told_bounds_all_the_same(
    tmp_path: pathlib.Path, inline: bool, base: str
) -> None:
    """A chunk of 19 kB that expands to 600 MB, and a size of -1."""
    where = enginelab.opener(tmp_path)
    enginelab.built(where, 4, 8, may_inline=inline)
    log = Log(tmp_path / "log")
    log.replace_last(damage.zstd_frame(1 << 17, True, 4800))
    last = len(log.places) - 1
    log.change(last, ulen=-1, base=last if base == "full text" else last - 1)

    def read() -> bytes:
        resource.setrlimit(resource.RLIMIT_AS, (_ROOM + _size(), _ROOM + _size()))
        with enginelab.installed(), pytest.raises(error.RevlogError) as caught:
            enginelab.ours(where).revision(last)
        return bytes(caught.value)

    kind, told = badfiles.in_child(read)
    assert kind == "value"
    assert b"expands beyond the 67108864 bytes" in told or (
        base == "delta" and b"expands beyond the 671" in told
    )


def test_a_text_whose_size_is_not_told_is_read(tmp_path: pathlib.Path) -> None:
    where = enginelab.opener(tmp_path)
    enginelab.built(where, 4, 8)
    texts = enginelab.texts(enginelab.stock(where))
    log = Log(tmp_path / "log")
    for rev in range(len(log.places)):
        log.change(rev, ulen=-1)
    with enginelab.installed():
        assert enginelab.texts(enginelab.ours(where)) == texts


_ROOM = 450 << 20  # bytes of address space on top of what there is


def _size() -> int:
    """Bytes of address space that this process has."""
    with open("/proc/self/statm") as f:
        return int(f.read().split()[0]) * resource.getpagesize()
