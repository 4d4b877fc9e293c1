# engine/hashing.py: hashlib for what is read, Mercurial's function where promised.
# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import pathlib
from collections.abc import Iterator
from typing import Any

import pytest
from mercurial import error
from mercurial.utils import storageutil

from hgext3rd.fastrevlog import stores
from hgext3rd.fastrevlog.engine import hashing
from hgext3rd.fastrevlog.engine import inner as innermod
from support import enginelab

P1 = bytes(range(20))
P2 = bytes(range(100, 120))
TEXTS = [b"", b"x", b"y" * 4095, b"y" * 4096, b"z" * 100_000]


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The texts that Mercurial's own function, with collision detection, hashes."""
    texts: list[bytes] = []
    original = storageutil.hashrevisionsha1

    def hashrevisionsha1(text: bytes, p1: bytes, p2: bytes) -> bytes:
        texts.append(text)
        return original(text, p1, p2)

    monkeypatch.setattr(storageutil, "hashrevisionsha1", hashrevisionsha1)
    return texts


@pytest.mark.parametrize("detect", [False, True])
@pytest.mark.parametrize("parents", [(P1, P2), (P2, P1), (P1, P1), (P1, b"\0" * 20)])
def test_a_text_matches_its_node_and_no_other(
    detect: bool, parents: tuple[bytes, bytes]
) -> None:
    policy = hashing.HashPolicy(detect)
    for text in TEXTS:
        node = storageutil.hashrevisionsha1(text, *parents)
        assert hashing.node_matches(text, node, *parents, policy)
        assert hashing.node_matches(text, node, parents[1], parents[0], policy)
        assert not hashing.node_matches(text + b"x", node, *parents, policy)
        assert not hashing.node_matches(text, node, P1, b"\1" * 20, policy)
        assert not hashing.node_matches(text, node[:-1] + b"\xfe", *parents, policy)


def test_detection_is_asked_for_every_text_where_it_is_promised(
    hashed: list[bytes],
) -> None:
    policy = hashing.HashPolicy()
    for text in TEXTS:
        hashing.node_matches(text, b"n" * 20, P1, P2, policy)
    assert not hashed
    with policy.detecting_collisions():
        for text in TEXTS:
            hashing.node_matches(text, b"n" * 20, P1, P2, policy)
    assert hashed == TEXTS
    assert not policy.collision_detection


def test_the_policy_comes_back_after_an_error() -> None:
    policy = hashing.HashPolicy()
    with pytest.raises(KeyError), policy.detecting_collisions():
        raise KeyError
    assert not policy.collision_detection
    policy.collision_detection = True
    with policy.detecting_collisions():
        pass
    assert policy.collision_detection


# through a whole inner revlog


@pytest.fixture
def served(tmp_path: pathlib.Path) -> Iterator[Any]:
    """A revlog of ours read as the extension reads, and its texts."""
    where = enginelab.opener(tmp_path)
    enginelab.built(where, 8, 30, may_inline=False)
    with enginelab.installed():
        yield enginelab.ours(where)


def read_all(rl: Any) -> list[bytes]:
    return [rl.revision(rev) for rev in rl]


def test_reading_needs_no_detection_by_default(
    served: Any, hashed: list[bytes]
) -> None:
    assert read_all(served)
    assert not hashed


def test_reading_with_detection_hashes_every_text(
    served: Any, hashed: list[bytes]
) -> None:
    with stores.of(served.opener).hash_policy.detecting_collisions():
        texts = read_all(served)
    assert sorted(hashed) == sorted(texts)


def damage(rl: Any, rev: int) -> Any:
    """The same revlog with another node for ``rev`` in its index."""
    path = rl._indexfile
    data = bytearray(rl.opener.read(path))
    data[rev * 64 + 33] ^= 1
    rl.opener.write(path, bytes(data))
    return enginelab.ours(rl.opener)


def test_mercurials_function_has_the_last_word(
    served: Any, hashed: list[bytes]
) -> None:
    broken = damage(served, 12)
    with pytest.raises(error.RevlogError) as caught:
        broken.revision(12)
    assert b"integrity check failed" in bytes(caught.value)
    assert enginelab.raw(broken._inner, 12) in hashed


def test_a_wrong_hashlib_changes_no_answer(
    served: Any, hashed: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = [enginelab.raw(served._inner, rev) for rev in served]
    served._inner.forget()
    for module in (hashing, innermod):
        for name in ("sha1", "_sha1"):
            wrong = __import__("hashlib").sha256
            monkeypatch.setattr(module, name, wrong, raising=False)
    assert read_all(served) == expected
    assert set(expected) <= {*hashed, b""}


def test_a_wrong_text_in_the_cache_is_read_again_from_the_disk(served: Any) -> None:
    inner = served._inner
    expected = read_all(served)
    for rev in range(5, 20):
        inner.restorer.text_cache[rev] = (served.node(rev), b"wrong", False)
    assert read_all(served) == expected


def test_what_was_read_unchecked_is_checked_when_it_is_read_next(
    served: Any,
) -> None:
    broken = damage(served, 12)
    if "validate" not in broken.rawdata.__code__.co_varnames:
        pytest.skip("this Mercurial checks always")
    broken.rawdata(12, validate=False)
    broken.rawdata(3)
    for _ in range(2):
        with pytest.raises(error.RevlogError):
            broken.revision(12)
        with pytest.raises(error.RevlogError):
            broken.rawdata(12)
