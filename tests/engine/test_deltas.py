# Decisions about deltas, compared with Mercurial's for random histories.
# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import random
import tempfile
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mercurial import mdiff, revlogutils
from mercurial.revlogutils import constants
from mercurial.revlogutils import deltas as hgdeltas

from hgext3rd.fastrevlog.compat import incoming
from hgext3rd.fastrevlog.engine import deltas
from support import enginelab

pytestmark = pytest.mark.skipif(
    not incoming.are_objects(), reason="7.0 adds groups in its own way"
)


def built(where: Any, seed: int, count: int) -> Any:
    rl = enginelab.stock(
        where, kind=enginelab.KIND_FILELOG, censorable=True, upperboundcomp=10
    )
    tr = enginelab.Transaction(where)
    enginelab.write(rl, tr, enginelab.history(seed, count, lines=25))
    return rl


def theirs(rl: Any, base: int, p1: int, p2: int, delta: bytes, size: int) -> Any:
    """``(may be a base, snapshot depth, could be small enough, is good)``."""
    revinfo = revlogutils.revisioninfo(
        b"n" * 20,
        rl.node(p1),
        rl.node(p2),
        None,
        size,
        incoming.cached_delta(base, delta, None),
        0,
    )
    search_class = (
        hgdeltas._SparseDeltaSearch
        if rl.delta_config.sparse_revlog
        else hgdeltas._GeneralDeltaSearch
    )
    search = search_class(
        rl, revinfo, p1, p2, revinfo.cachedelta, set(), target_rev=len(rl)
    )
    if search.current_stage != hgdeltas._STAGE.CACHED or search.current_group != (
        base,
    ):
        return None
    info = hgdeltas.deltacomputer(rl)._builddeltainfo(
        revinfo,
        base,
        target_rev=len(rl),
        as_snapshot=search.current_group_is_snapshot,
    )
    return info is not None and search.is_good_delta_info(info)


def ours(rl: Any, base: int, p1: int, p2: int, delta: bytes, size: int) -> Any:
    config = rl.delta_config
    judge = deltas.Judge(
        rl.index,
        deltas.Limits(
            config.sparse_revlog,
            config.max_chain_len,
            config.max_deltachain_span,
            config.upper_bound_comp,
            config.filter_suspicious_delta,
        ),
    )
    if not judge.base_may_do(base, p1, p2, size):
        return None
    depth = judge.depth(base, p1, p2)
    if depth == deltas.REFUSED:
        return None
    if not judge.may_be_small_enough(base, depth, len(delta), size):
        return False
    header, data = rl._inner.compress(delta)
    stored = len(header) + len(data)
    return judge.is_good(base, depth, stored, rl.end(len(rl) - 1), size)


@pytest.mark.parametrize("sparse", [True, False])
@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(
    seed=st.integers(0, 10**6),
    longest=st.sampled_from([0, 3, 1000]),
    span=st.sampled_from([0, 500, 4 << 20]),
    bound=st.sampled_from([None, 2, 10]),
    suspicious=st.booleans(),
)
def test_decides_as_mercurial(
    sparse: bool,
    seed: int,
    longest: int,
    span: int,
    bound: int | None,
    suspicious: bool,
) -> None:
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        where = enginelab.opener(folder, sparse=sparse)
        where.options[b"delta-config"].max_chain_len = longest
        where.options[b"delta-config"].max_deltachain_span = span
        where.options[b"delta-config"].filter_suspicious_delta = suspicious
        rl = built(where, seed, rng.randrange(2, 50))
        rl.delta_config.upper_bound_comp = bound
        texts = enginelab.texts(rl)
        seen = set()
        for _ in range(60):
            base, p1 = rng.randrange(len(rl)), rng.randrange(-1, len(rl))
            p2 = rng.choice([-1, rng.randrange(-1, len(rl))])
            text = rng.choice(texts)
            if rng.random() < 0.3:
                text = text[: rng.randrange(len(text) + 1)] + rng.randbytes(
                    rng.choice([1, 50, 3000])
                )
            if not text:
                continue
            delta = mdiff.textdiff(texts[base], text)
            asked = rl, base, p1, p2, delta, len(text)
            assert ours(*asked) == theirs(*asked), (base, p1, p2, len(text))
            seen.add(ours(*asked))
        assert len(seen) > 1 or len(rl) < 10


def test_all_answers_occur() -> None:
    """The comparison above would prove nothing if one answer never came."""
    with tempfile.TemporaryDirectory() as folder:
        rl = built(enginelab.opener(folder, sparse=True), 3, 60)
        texts = enginelab.texts(rl)
        rng = random.Random(1)
        answers = set()
        for _ in range(500):
            base, p1 = rng.randrange(len(rl)), rng.randrange(len(rl))
            text = rng.choice(texts) + rng.randbytes(rng.choice([0, 2000]))
            delta = mdiff.textdiff(texts[base], text)
            if text:
                answers.add(ours(rl, base, p1, -1, delta, len(text)))
        assert answers == {None, False, True}


def test_a_chain_without_a_start() -> None:
    class Index:
        @staticmethod
        def __getitem__(rev: int) -> tuple[int, ...]:
            return (0, 10, 10, (rev + 1) % 3, 0, -1, -1)

    judge = deltas.Judge(Index(), deltas.Limits(True, 0, 0, None, False))
    with pytest.raises(IndexError):
        judge.chain(1)


assert constants.KIND_FILELOG == enginelab.KIND_FILELOG
