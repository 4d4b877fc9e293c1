# surface/: recognising Mercurial, its two generations, and file logs from a template.
# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import pathlib
import types
from typing import Any, Callable

import pytest
from mercurial import revlog, util

from hgext3rd.fastrevlog import process
from hgext3rd.fastrevlog.compat import detect
from support import enginelab

counters = process.counters

# pick: is this a Mercurial that we know?


def lookalike() -> Any:
    """A module like ``mercurial.revlog`` that a test may change."""

    def copy(cls: type) -> type:
        skipped = ("__dict__", "__weakref__")
        content = {k: v for k, v in vars(cls).items() if k not in skipped}
        return type(cls.__name__, (), content)

    module = types.SimpleNamespace(**vars(revlog))
    module.revlog = copy(revlog.revlog)
    module._InnerRevlog = copy(revlog._InnerRevlog)
    return module


def test_the_real_mercurial_is_recognised() -> None:
    for module in (revlog, lookalike()):
        found = detect.detect(module)
        assert isinstance(found, detect.HgApi)
        expected = "7.2" if util.versiontuple(n=2) >= (7, 2) else "7.0"
        assert found.name == expected
        assert found.inner.__module__.endswith("hg" + expected.replace(".", ""))


def other_arguments(self: Any, entirely: Any, other: Any) -> None:
    """A method whose arguments are not the known ones."""


CHANGES: dict[str, Callable[[Any], None]] = {
    "no revlog": lambda m: delattr(m, "revlog"),
    "no inner revlog": lambda m: delattr(m, "_InnerRevlog"),
    **{
        "%s gone" % name: lambda m, name=name: delattr(m.revlog, name)
        for name in ("_loadindex", "_load_inner", "checkhash", "_revisiondata")
    },
    **{
        "%s changed" % name: lambda m, name=name: setattr(
            m.revlog, name, other_arguments
        )
        for name in ("_loadindex", "_load_inner", "checkhash", "_revisiondata")
    },
    **{
        "inner %s gone" % name: lambda m, name=name: delattr(m._InnerRevlog, name)
        for name in ("raw_text", "write_entry")
    },
    **{
        "inner %s changed" % name: lambda m, name=name: setattr(
            m._InnerRevlog, name, other_arguments
        )
        for name in ("raw_text", "write_entry")
    },
    "not a Python function": lambda m: setattr(m.revlog, "checkhash", len),
    "a new method": lambda m: setattr(m._InnerRevlog, "fetch_all", other_arguments),
    "a new property": lambda m: setattr(m._InnerRevlog, "is_remote", property(len)),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_mercurial_that_differs_has_a_reason(change: str) -> None:
    module = lookalike()
    CHANGES[change](module)
    found = detect.detect(module)
    assert isinstance(found, str)
    assert found.startswith("unknown Mercurial: ")


def test_nothing_is_patched_for_an_unknown_mercurial(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from hgext3rd.fastrevlog import process

    monkeypatch.setattr(detect, "detect", lambda module: "unknown Mercurial: test")
    monkeypatch.setattr(process.state, "disabled_reason", None)
    monkeypatch.setattr(process.state, "installation", None)
    before = dict(vars(revlog.revlog))
    with (
        pytest.raises(AssertionError, match="unknown Mercurial"),
        enginelab.installed(),
    ):
        pass
    assert dict(vars(revlog.revlog)) == before
    assert process.state.disabled_reason == "unknown Mercurial: test"


def test_every_name_of_mercurials_inner_revlog_exists_on_ours() -> None:
    inner = enginelab.generation().inner
    for name in vars(revlog._InnerRevlog):
        if name.startswith(("__", "_InnerRevlog__")):
            continue
        assert hasattr(inner, name) or name in detect._INTERNAL


# what each generation adds


@pytest.fixture
def where(tmp_path: pathlib.Path) -> Any:
    made = enginelab.opener(tmp_path)
    enginelab.built(made, 3, 20)
    return made


def test_one_text_cache_of_7_0(where: Any) -> None:
    inner = enginelab.ours(where)._inner
    if not hasattr(inner, "_revisioncache"):
        pytest.skip("another generation")
    node = inner.index[4][7]
    text = inner.raw_text(node, 4)
    assert inner.held_text(4) is None
    # Mercurial sets it when it has checked a text, or was told not to
    inner._revisioncache = (node, 4, text)
    assert inner.held_text(4) == (text, False)
    # what it found there it would trust, and not ask whether rev 4 is filtered
    assert inner._revisioncache is None
    assert inner.raw_text(node, 4) is text
    inner._revisioncache = None
    inner.clear_cache()
    assert inner.held_text(4) is None
    # a text without a rev, or of one that is not there
    inner._revisioncache = (node, None, text)
    inner._revisioncache = (node, 99, text)
    assert not inner.restorer.text_cache


def test_text_cache_of_7_2(where: Any) -> None:
    ours = enginelab.ours(where)._inner
    if not hasattr(ours, "cache_revision_text"):
        pytest.skip("another generation")
    stock = enginelab.stock(where)._inner
    for inner in (ours, stock):
        assert inner.get_cached_text(4) is None
        assert inner.raw_text(-1) == (-1, b"", True)
        inner.clear_cached_text(4)
        rev, text, validated = inner.raw_text(4)
        assert (rev, validated) == (4, False)
        assert inner.get_cached_text(4) == (4, text, False)
        inner.clear_cached_text(4)
        assert inner.get_cached_text(4) is None
        inner.seen_file_size(10**9)
        inner.record_uncompressed_chunk(4, b"chunk")
    assert bytes(ours._chunk(4)) == b"chunk"
    ours.clear_cache()
    assert bytes(ours._chunk(4)) == bytes(enginelab.stock(where)._inner._chunk(4))


def test_the_opener_can_be_replaced(where: Any, tmp_path: pathlib.Path) -> None:
    """As Mercurial's cache of repositories does, when a repository has moved."""
    rl = enginelab.ours(where, may_inline=False)
    expected = enginelab.texts(rl)
    moved = tmp_path / "moved"
    moved.mkdir()
    for name, content in enginelab.files(where).items():
        (moved / name).write_bytes(content)
        where.unlink(name.encode())
    rl._inner.forget()
    if hasattr(rl, "_set_opener"):
        rl._set_opener(enginelab.opener(moved))
    else:
        rl._inner.opener = enginelab.opener(moved)
    assert [enginelab.raw(rl._inner, rev) for rev in rl] == expected
    assert rl._inner.opener.base == bytes(moved)
