# eligibility.py: each refusal has its name, and nothing else is refused.
# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import pathlib
import struct
from typing import Any

import pytest
from mercurial import bundlerepo, changelog, revlog, store
from mercurial import vfs as vfsmod

from hgext3rd.fastrevlog import eligibility, process, settings, stores, unchanged
from support import enginelab

# does every vfs name its path encoding?  (7.2)
NAMED = hasattr(vfsmod.abstractvfs, "filter_name")
HAS_PLAIN = hasattr(store, "Encoding")


@pytest.fixture
def folder(tmp_path: pathlib.Path) -> pathlib.Path:
    (tmp_path / "store").mkdir()
    return tmp_path


def judged(opener: Any) -> Any:
    """The refusal, or "served"."""
    return eligibility.refusal(opener) or "served"


# openers


@pytest.mark.parametrize("encoding", ["dotencode", "plain"])
def test_stores_that_are_served(folder: pathlib.Path, encoding: str) -> None:
    if encoding == "plain" and not HAS_PLAIN:
        pytest.skip("this Mercurial has no plain encoding")
    opener = enginelab.store_opener(folder, encoding)
    assert judged(opener) == "served"
    assert judged(vfsmod.readonlyvfs(opener)) == "served"


def test_a_store_of_a_file_index_is_served(folder: pathlib.Path) -> None:
    if not hasattr(store, "FileIndexStore"):
        pytest.skip("this Mercurial has no file index")
    made = store.FileIndexStore(
        None, bytes(folder), vfsmod.vfs, store.Encoding.DOTENCODE, False
    )
    assert judged(made.vfs) == "served"


def test_older_path_encodings(folder: pathlib.Path) -> None:
    hybrid = enginelab.store_opener(folder, "hybrid")
    assert judged(hybrid).startswith("path encoding: ")
    encoded = store.encodedstore(bytes(folder), vfsmod.vfs).vfs
    basic = store.basicstore(bytes(folder), vfsmod.vfs).vfs
    for opener in (encoded, basic):
        expected = "path encoding: " if NAMED else "store: no fncache"
        assert judged(opener).startswith(expected)


def test_a_folder_that_is_no_store(folder: pathlib.Path) -> None:
    expected = "served" if NAMED else "store: no fncache"
    assert judged(vfsmod.vfs(bytes(folder))) == expected


def test_an_opener_that_wants_no_native_access(folder: pathlib.Path) -> None:
    opener = enginelab.store_opener(folder)
    opener.rust_compatible = False
    assert judged(opener) == "vfs: asks for no native access (static-http)"


class Wrapped(vfsmod.vfs):
    """What an extension might put in the place of Mercurial's vfs."""


class WrappedStore(store._fncachevfs):
    """What an extension might put in the place of the store's vfs."""


def test_wrapped_openers_are_not_served(folder: pathlib.Path) -> None:
    opener = enginelab.store_opener(folder)
    above = WrappedStore(opener.vfs, opener.fncache, opener.encode)
    assert judged(above) == "vfs: WrappedStore"
    below = enginelab.store_opener(folder)
    below.vfs = Wrapped(bytes(folder / "store"))
    assert judged(below) == "vfs: Wrapped"
    # two read-only layers: not something that Mercurial makes
    twice = judged(vfsmod.readonlyvfs(vfsmod.readonlyvfs(opener)))
    assert twice.startswith(("vfs: readonlyvfs", "store: no fncache"))


def test_what_is_no_vfs_at_all() -> None:
    assert judged(b"opener") == "vfs: bytes"


# revlogs


@pytest.fixture
def opener(folder: pathlib.Path) -> Any:
    return enginelab.store_opener(folder)


def refusal(rl: Any) -> str | None:
    return eligibility.revlog_refusal(rl)


@pytest.mark.parametrize("may_inline", [True, False])
@pytest.mark.parametrize("general_delta", [True, False])
def test_every_sort_of_version_1_is_served(
    opener: Any, may_inline: bool, general_delta: bool
) -> None:
    if not general_delta:
        del opener.options[b"generaldelta"]
    assert refusal(enginelab.stock(opener, may_inline=may_inline)) is None
    enginelab.built(opener, 1, 10, may_inline=may_inline)
    assert refusal(enginelab.stock(opener)) is None


def test_version_0_is_not_served(opener: Any) -> None:
    del opener.options[b"revlogv1"]
    opener.options[b"revlogv0"] = True
    assert refusal(enginelab.stock(opener)) == "format: revlog v0"


def test_version_2_is_not_served(opener: Any) -> None:
    opener.options[b"revlogv2"] = True
    assert refusal(enginelab.stock(opener)) == "format: revlog version 0xdead"


def test_a_docket_is_not_served(opener: Any) -> None:
    rl = enginelab.stock(opener)
    rl._docket = object()
    assert refusal(rl) == "format: docket"
    rl._docket = None
    rl._sidedatafile = b"log.sda"
    assert refusal(rl) == "format: docket"


class Custom(revlog.revlog):
    """A revlog of an extension."""


class CustomChangelog(changelog.changelog):
    """A changelog of an extension."""


def test_classes() -> None:
    plain = unchanged.is_plain_revlog_class
    assert plain(revlog.revlog)
    assert plain(changelog.changelog)
    for custom in (
        Custom,
        CustomChangelog,
        bundlerepo.bundlerevlog,
        bundlerepo.bundlechangelog,
        bundlerepo.bundlemanifest,
    ):
        assert not plain(custom)


def test_the_class_of_a_filtered_changelog_is_plain() -> None:
    from mercurial import repoview

    filtered = type(
        "filteredchangelog",
        (repoview.filteredchangelogmixin, changelog.changelog),
        {"__module__": "mercurial.repoview"},
    )
    assert unchanged.is_plain_revlog_class(filtered)


def test_a_class_is_named_in_the_refusal(opener: Any) -> None:
    rl = enginelab.stock(opener)
    rl.__class__ = Custom
    assert refusal(rl) == "class: %s.Custom" % __name__


# all together, as the hooks ask


@pytest.fixture
def refused() -> Any:
    from hgext3rd.fastrevlog.outer import opening

    with enginelab.installed():
        before = dict(process.counters.refused)

        def since() -> list[str]:
            now = process.counters.refused
            return [name for name in now if now[name] != before.get(name, 0)]

        yield opening, since


def test_a_served_revlog_is_refused_nothing(opener: Any, refused: Any) -> None:
    opening, since = refused
    rl = enginelab.stock(opener)
    assert rl._inner.is_fastrevlog
    assert opening.refusal(rl, rl.index.cindex) is None
    assert since() == []


def test_switched_off(opener: Any, refused: Any) -> None:
    _hooks, since = refused
    stores.of(opener).configure(settings.OFF, None)
    rl = enginelab.stock(opener)
    assert type(rl._inner) is revlog._InnerRevlog
    assert since() == ["setting: fastrevlog.enabled"]


def test_rust(opener: Any, refused: Any) -> None:
    opening, _since = refused
    rl = enginelab.stock(opener)
    rl.uses_rust = True
    assert opening.refusal(rl, rl.index.cindex).startswith("rust: ")


def test_an_index_that_is_not_cs(opener: Any, refused: Any) -> None:
    opening, _since = refused
    rl = enginelab.stock(opener)
    assert opening.refusal(rl, object()) == "index: not the C index"


def test_a_refused_revlog_is_mercurials_own(folder: pathlib.Path, refused: Any) -> None:
    _hooks, since = refused
    opener = enginelab.store_opener(folder, "hybrid")
    texts = enginelab.built(opener, 2, 10)
    rl = enginelab.stock(opener)
    assert type(rl._inner) is revlog._InnerRevlog
    assert [rl.revision(rev) for rev in rl] == texts
    assert len(since()) == 1


def test_an_unknown_version_is_for_mercurial_to_refuse(
    opener: Any, refused: Any
) -> None:
    from mercurial import error

    opener.write(b"log.i", struct.pack(">I", 99) + b"\0" * 60)
    with pytest.raises(error.RevlogError, match="unknown version"):
        enginelab.stock(opener)
