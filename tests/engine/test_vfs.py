# engine/vfs.py: paths as Mercurial encodes them, reading, and whose rules write.
# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import os
import pathlib
import stat
import sys
from typing import Any

import pytest
from mercurial import error, store
from mercurial import vfs as vfsmod

from hgext3rd.fastrevlog import eligibility
from hgext3rd.fastrevlog.compat import incoming
from hgext3rd.fastrevlog.engine import vfs
from support import enginelab

ENCODINGS = ["dotencode", "hybrid"]
if hasattr(store, "Encoding"):
    ENCODINGS.append("plain")

NAMES = [
    b"00changelog.i",
    b"00changelog.i.a",
    b"00manifest.d",
    b"data/a.i",
    b"data/UPPER/Case.d",
    b"data/.hidden/..dots/a.i",
    b"data/a.hg/b.i/c.d/x.i",
    b"data/aux/con.txt/nul.i",
    b"data/with space /end.i",
    b"data/_under_~tilde.i",
    "data/gr\u00fc\u00dfe/\u65e5\u672c.i".encode(),
    b"data/\xff\xfe\x01:*?.i",
    b"data/" + b"deep/" * 40 + b"name.i",
    b"data/" + b"L" * 200 + b".d",
    b"data/.%s.i" % (b"x" * 240),
    b"data-s/a.i",
    b"meta/Dir/00manifest.i",
    b"dh/not-encoded.i",
]


@pytest.fixture(params=ENCODINGS)
def store_opener(tmp_path: pathlib.Path, request: pytest.FixtureRequest) -> Any:
    (tmp_path / "store").mkdir()
    return enginelab.store_opener(tmp_path, request.param)


@pytest.fixture
def plain_opener(tmp_path: pathlib.Path) -> Any:
    return enginelab.opener(tmp_path)


# paths


@pytest.mark.parametrize("name", NAMES, ids=lambda name: repr(name[:24]))
def test_a_path_is_what_the_opener_makes_of_the_name(
    store_opener: Any, name: bytes
) -> None:
    ours = vfs.StoreVFS(store_opener)
    assert ours._encode is not None
    assert ours.path(name) == store_opener.join(name)
    above = vfs.StoreVFS(vfsmod.readonlyvfs(store_opener))
    assert above.path(name) == store_opener.join(name)


@pytest.mark.parametrize("name", NAMES, ids=lambda name: repr(name[:24]))
def test_a_file_written_by_mercurial_is_found(store_opener: Any, name: bytes) -> None:
    if b"data/\xff" in name and sys.platform == "darwin":
        pytest.skip("this file system wants UTF-8")
    store_opener.write(name, b"content of " + name)
    ours = vfs.StoreVFS(store_opener)
    assert ours.read_whole(name) == b"content of " + name
    reader = ours.reader(name)
    assert reader.pread(10, 3) == b"tent of " + name[:2]
    reader.close()
    assert ours.exists(name)
    store_opener.write(b"data/elsewhere.i", b"to be replaced")
    ours.rename(name, b"data/elsewhere.i")
    assert ours.read_whole(b"data/elsewhere.i") == b"content of " + name
    ours.unlink(b"data/elsewhere.i")
    assert not ours.exists(b"data/elsewhere.i")


def test_a_rule_that_cannot_be_seen_to_hold_is_not_used(
    store_opener: Any, plain_opener: Any
) -> None:
    class Elsewhere(type(store_opener)):  # type: ignore[misc]
        def join(self, path: bytes, *insidef: bytes) -> bytes:
            return b"/elsewhere/" + path

    moved = object.__new__(Elsewhere)
    moved.__dict__.update(store_opener.__dict__)
    ours = vfs.StoreVFS(moved)
    assert ours._encode is None
    assert ours.path(b"data/a.i") == b"/elsewhere/data/a.i"
    # no encoding at all: the opener is asked
    assert vfs.StoreVFS(plain_opener).path(b"x/Y") == plain_opener.join(b"x/Y")


@pytest.mark.parametrize("name", [b"../outside", b"data/../../outside", b"a/../../b"])
def test_climbing_out_is_for_mercurials_audit_to_refuse(
    plain_opener: Any, tmp_path: pathlib.Path, name: bytes
) -> None:
    (tmp_path.parent / "outside").write_bytes(b"secret")
    with pytest.raises(error.Abort) as expected:
        plain_opener(name)
    ours = vfs.StoreVFS(plain_opener)
    for call in (ours.reader, ours.read_whole):
        with pytest.raises(error.Abort) as caught:
            call(name)
        assert bytes(caught.value) == bytes(expected.value)


def test_folders_are_audited_by_mercurial_once(
    store_opener: Any, tmp_path: pathlib.Path
) -> None:
    for name in (b"data/in/a.i", b"data/in/b.i", b"data/out/a.i", b"data/nested/a.i"):
        store_opener.write(name, b"content")
    out = pathlib.Path(os.fsdecode(store_opener.join(b"data/out/a.i"))).parent
    out.rename(tmp_path / "out")
    out.symlink_to(tmp_path / "out")
    nested = pathlib.Path(os.fsdecode(store_opener.join(b"data/nested/a.i"))).parent
    (nested / ".hg").mkdir()
    base = store_opener.vfs
    while hasattr(base, "vfs"):
        base = base.vfs
    asked = []
    theirs = base.audit

    def audit(path: bytes, mode: Any = None) -> None:
        asked.append(path)
        theirs(path, mode=mode)

    base.audit = audit
    ours = vfs.StoreVFS(store_opener)
    for name in (b"data/in/a.i", b"data/in/b.i", b"data/in/a.i"):
        assert ours.read_whole(name) == b"content"
        ours.reader(name).close()
    assert asked == [store_opener.encode(b"data/in/a.i")]
    for name in (b"data/out/a.i", b"data/nested/a.i"):
        with pytest.raises(error.Abort) as expected:
            store_opener(name)
        for call in (ours.reader, ours.read_whole, ours.reader):
            with pytest.raises(error.Abort) as caught:
                call(name)
            assert bytes(caught.value) == bytes(expected.value)


# appending


@pytest.fixture
def appending(store_opener: Any) -> vfs.StoreVFS:
    """Both hard links and the way Mercurial opens files are known to be usual."""
    if incoming.REGISTERS_OPENED:
        pytest.skip("before 7.2 to open a file for writing registers it")
    store_opener.write(b"data/in/a.i", b"begin")
    for _times in range(2):
        # at the second Mercurial finds out whether links are counted right
        store_opener(b"data/in/a.i", b"r+").close()
    return vfs.StoreVFS(store_opener, plain_vfs=eligibility.plain_vfs)


def test_a_file_that_is_there_is_opened_by_one_call(
    appending: vfs.StoreVFS, store_opener: Any
) -> None:
    fp = appending.open_to_append(b"data/in/a.i")
    assert fp.seek(0, os.SEEK_END) == 5
    fp.write(b" end")
    fp.close()
    assert store_opener.read(b"data/in/a.i") == b"begin end"


def test_what_needs_care_is_left_to_mercurial(
    appending: vfs.StoreVFS, store_opener: Any
) -> None:
    name = b"data/in/a.i"
    path = store_opener.join(name)
    assert appending.open_to_append(b"data/in/missing.i") is None
    os.mkdir(store_opener.join(b"data/folder.i"))
    assert appending.open_to_append(b"data/folder.i") is None
    os.link(path, path + b".link")
    assert appending.open_to_append(name) is None
    with store_opener(name, b"r+") as fp:  # breaks the link
        fp.write(b"B")
    appending.open_to_append(name).close()
    below = eligibility.plain_vfs(store_opener)
    below._trustnlink = False
    assert appending.open_to_append(name) is None
    assert appending.open_to_append(b"data/in/../in/a.i") is None


def test_an_opener_that_does_more_than_open_is_called(
    appending: vfs.StoreVFS, store_opener: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrapper(self: Any, *args: Any, **kwargs: Any) -> Any:
        return theirs(self, *args, **kwargs)

    theirs = vfsmod.vfs.__call__
    with monkeypatch.context() as patch:
        patch.setattr(vfsmod.vfs, "__call__", wrapper)
        assert appending.open_to_append(b"data/in/a.i") is None
    appending.open_to_append(b"data/in/a.i").close()
    readonly = vfs.StoreVFS(
        vfsmod.readonlyvfs(store_opener), plain_vfs=eligibility.plain_vfs
    )
    assert readonly.open_to_append(b"data/in/a.i") is None


def test_who_looks_at_writes_sees_each(
    appending: vfs.StoreVFS, store_opener: Any
) -> None:
    """``devel.check-locks`` puts something around the auditor."""
    below = eligibility.plain_vfs(store_opener)
    theirs = below.audit
    asked = []

    def audit(path: bytes, mode: Any = None) -> None:
        asked.append(mode)
        theirs(path, mode=mode)

    below.audit = audit
    assert appending.read_whole(b"data/in/a.i") == b"begin"
    for _times in range(2):
        appending.open_to_append(b"data/in/a.i").close()
    assert asked == [b"rb", b"r+b", b"r+b"]


# reading


@pytest.fixture(params=[True, False], ids=["descriptor", "file object"])
def ours(plain_opener: Any, request: pytest.FixtureRequest) -> vfs.StoreVFS:
    return vfs.StoreVFS(plain_opener, direct=request.param)


def test_both_readers_read_alike(ours: vfs.StoreVFS, plain_opener: Any) -> None:
    content = bytes(range(256)) * 300
    plain_opener.write(b"f", content)
    reader = ours.reader(b"f")
    assert isinstance(reader, vfs.FdReader if ours.direct else vfs.FileReader)
    size = len(content)
    for offset in (0, 1, 5000, size - 3, size, size + 9):
        for length in (0, 1, 4096, size, 2 * size):
            assert reader.pread(length, offset) == content[offset : offset + length]
    reader.close()
    reader.close()


def test_a_reader_that_was_not_closed_closes_itself(plain_opener: Any) -> None:
    plain_opener.write(b"f", b"x")
    reader = vfs.StoreVFS(plain_opener, direct=True).reader(b"f")
    assert isinstance(reader, vfs.FdReader)
    fd = reader.fd
    os.fstat(fd)
    del reader
    with pytest.raises(OSError, match="Bad file"):
        os.fstat(fd)


@pytest.mark.skipif(not hasattr(os, "pread"), reason="needs os.pread")
def test_short_answers_of_the_kernel_are_completed(
    plain_opener: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = bytes(range(256)) * 20
    plain_opener.write(b"f", content)
    reader = vfs.StoreVFS(plain_opener, direct=True).reader(b"f")
    pread = os.pread
    monkeypatch.setattr(os, "pread", lambda fd, n, at: pread(fd, min(n, 700), at))
    assert reader.pread(5000, 10) == content[10:5010]
    assert reader.pread(9999, 100) == content[100:]


def test_both_readers_report_the_same_trouble(
    ours: vfs.StoreVFS, plain_opener: Any
) -> None:
    plain_opener.makedirs(b"folder")
    for call in (ours.reader, ours.read_whole):
        with pytest.raises(FileNotFoundError) as caught:
            call(b"missing")
        assert os.fsencode(caught.value.filename) == plain_opener.join(b"missing")
    with pytest.raises(IsADirectoryError):
        ours.read_whole(b"folder")
    with pytest.raises(IsADirectoryError):
        ours.reader(b"folder").pread(1, 0)


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read all"
)
def test_what_may_not_be_read(ours: vfs.StoreVFS, plain_opener: Any) -> None:
    plain_opener.write(b"f", b"x")
    plain_opener.chmod(b"f", 0)
    with pytest.raises(PermissionError):
        ours.reader(b"f")
    with pytest.raises(PermissionError):
        ours.read_whole(b"f")


@pytest.mark.parametrize("size", [0, 1, 65536, 3 << 20])
def test_a_file_is_read_whole(ours: vfs.StoreVFS, plain_opener: Any, size: int) -> None:
    content = b"0123456789abcdef" * (size // 16) + b"x" * (size % 16)
    plain_opener.write(b"f", content)
    assert ours.read_whole(b"f") == content


@pytest.mark.parametrize("claimed", [0, 10, 5000])
def test_a_file_that_grows_while_it_is_read(
    plain_opener: Any, monkeypatch: pytest.MonkeyPatch, claimed: int
) -> None:
    content = bytes(range(256)) * 10
    plain_opener.write(b"f", content)
    fstat = os.fstat

    def before_it_grew(fd: int) -> os.stat_result:
        values = list(fstat(fd))
        values[stat.ST_SIZE] = claimed
        return os.stat_result(values)

    monkeypatch.setattr(os, "fstat", before_it_grew)
    assert vfs.StoreVFS(plain_opener, direct=True).read_whole(b"f") == content


# writing: Mercurial's opener, and so its rules


def test_the_fncache_learns_of_new_revlogs(tmp_path: pathlib.Path) -> None:
    def written(name: str, through: Any) -> tuple[set[bytes], bytes]:
        folder = tmp_path / name
        (folder / "store").mkdir(parents=True)
        opener = enginelab.store_opener(folder)
        for path in (b"data/A.i", b"data/A.d", b"meta/d/00manifest.i", b"00manifest.i"):
            with through(opener)(path, b"w+") as fp:
                fp.write(b"x")
        found = set(opener.fncache)
        listing = sorted(os.listdir(opener.join(b"data")))
        return found, b" ".join(listing)

    def ours(opener: Any) -> Any:
        return vfs.StoreVFS(opener).open

    def theirs(opener: Any) -> Any:
        return opener

    assert written("ours", ours) == written("theirs", theirs)


@pytest.mark.skipif(os.name != "posix", reason="modes and links of POSIX")
def test_modes_follow_the_store(tmp_path: pathlib.Path) -> None:
    (tmp_path / "store").mkdir()
    opener = enginelab.store_opener(tmp_path)
    opener.vfs.createmode = 0o2770
    before = os.umask(0o022)
    try:
        vfs.StoreVFS(opener).open(b"data/sub/a.i", b"w+").close()
    finally:
        os.umask(before)
    path = opener.join(b"data/sub/a.i")
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o660
    assert stat.S_IMODE(os.stat(os.path.dirname(path)).st_mode) == 0o2770


@pytest.mark.skipif(os.name != "posix", reason="modes and links of POSIX")
def test_hard_links_are_broken_and_single_links_left_alone(plain_opener: Any) -> None:
    ours = vfs.StoreVFS(plain_opener)
    plain_opener.write(b"log", b"shared")
    inode = plain_opener.stat(b"log").st_ino
    with ours.open(b"log", b"r+") as fp:
        fp.write(b"S")
    assert plain_opener.stat(b"log").st_ino == inode
    os.link(plain_opener.join(b"log"), plain_opener.join(b"other"))
    with ours.open(b"log", b"r+", checkambig=True) as fp:
        fp.seek(0, os.SEEK_END)
        fp.write(b" no more")
    assert plain_opener.read(b"other") == b"Shared"
    assert plain_opener.read(b"log") == b"Shared no more"
    assert plain_opener.stat(b"other").st_ino == inode


def test_a_read_only_store_is_not_written(plain_opener: Any) -> None:
    plain_opener.write(b"log", b"x")
    ours = vfs.StoreVFS(vfsmod.readonlyvfs(plain_opener))
    assert ours.read_whole(b"log") == b"x"
    with pytest.raises(error.Abort, match="read only"):
        ours.open(b"log", b"r+")


def test_sizes(plain_opener: Any) -> None:
    plain_opener.write(b"log", b"12345")
    with plain_opener(b"log") as fp:
        assert vfs.StoreVFS(plain_opener).size(fp) == 5
