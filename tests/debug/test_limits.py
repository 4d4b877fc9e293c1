# debug/limits.py: the plan restores the texts, and does nothing twice.
# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import pathlib
from typing import Any

import pytest
from mercurial import mdiff

from hgext3rd.fastrevlog.debug import limits
from support import enginelab


@pytest.fixture(params=[b"zlib", b"zstd", b"none"])
def log(request: pytest.FixtureRequest, tmp_path: pathlib.Path) -> Any:
    where = enginelab.opener(tmp_path, engine=request.param, sparse=True)
    enginelab.built(where, 5, 60)
    return enginelab.stock(where)


def restored(steps: list[limits.Step]) -> dict[int, bytes]:
    """The texts that the steps lead to; fails where one starts from what is gone."""
    texts: dict[int, bytes] = {}
    every = {}
    for rev, start, chunks, _parents, needed, last in steps:
        parts = [decompress(chunk) for decompress, chunk in chunks]
        if start is None:
            text = parts.pop(0)
        else:
            text = texts.pop(start) if last else texts[start]
        if parts:
            text = mdiff.patches(text, parts)
        every[rev] = text
        if needed:
            texts[rev] = text
    assert not texts, "kept for nothing"
    return every


def test_the_steps_lead_to_the_texts(log: Any) -> None:
    steps = limits.plan(log, reversed(range(len(log))))
    assert [step.rev for step in steps] == list(range(len(log)))
    assert restored(steps) == {rev: log.rawdata(rev) for rev in log}
    # all of them are asked for: no chunk is decompressed twice
    assert max(len(step.chunks) for step in steps) == 1
    assert limits.run([steps, steps]) >= 0


def test_a_few_texts_need_their_chains(log: Any) -> None:
    steps = limits.plan(log, [50, 3, 50, 41])
    assert [step.rev for step in steps] == [3, 41, 50]
    assert restored(steps) == {rev: log.rawdata(rev) for rev in (3, 41, 50)}
    assert steps[0].parents == b"".join(sorted(map(log.node, log.parentrevs(3))))


def test_memory_is_bounded(log: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = {rev: log.rawdata(rev) for rev in log}
    roomy = sum(len(step.chunks) for step in limits.plan(log, log))
    monkeypatch.setattr(limits, "_KEPT", 3000)
    tight = limits.plan(log, log)
    assert restored(tight) == expected
    assert sum(len(step.chunks) for step in tight) > roomy


def test_a_stream_of_zstd_does_not_say_its_size(tmp_path: pathlib.Path) -> None:
    """Mercurial compresses texts of more than 1,000,000 bytes as streams."""
    where = enginelab.opener(tmp_path, engine=b"zstd")
    text = b"a line of a large text\n" * 60_000
    rl = enginelab.stock(where, may_inline=False)
    enginelab.write(rl, enginelab.Transaction(where), [(text, -1, -1)])
    assert restored(limits.plan(enginelab.stock(where), [0])) == {0: text}
