# Writing the files of an update: the parts that no output shows.
# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import contextlib
import pathlib
import time
from collections.abc import Iterator
from typing import Any, Callable

import pytest
from mercurial import ui as uimod

from hgext3rd.fastrevlog.operations import update

PATHS = [b"file%d" % n for n in range(3000)]


class Storage:
    """A store that takes a while for each file."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.read: list[bytes] = []

    def read_whole(self, name: bytes) -> bytes:
        self.read.append(name)
        end = time.perf_counter() + self.seconds
        while time.perf_counter() < end:
            pass
        return b""


class TemplateCache:
    def __init__(self, seconds: float = 0) -> None:
        self.storage: Any = Storage(seconds)


def workers(
    ui: Any, template_cache: Any, paths: list[bytes], cores: int, monkeypatch: Any
) -> Any:
    monkeypatch.setattr(update.cpus, "usable_cores", lambda: cores)
    with update._fewer_workers(ui, template_cache, paths):
        return ui.config(b"worker", b"numcpus")


@pytest.mark.parametrize(
    ("cores", "files", "expected"),
    [(1, 3000, b"1"), (2, 3000, b"2"), (64, 3000, b"7"), (64, 600, b"2")],
)
def test_no_more_workers_than_are_of_use(
    cores: int, files: int, expected: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    ui = uimod.ui()
    template_cache = TemplateCache()
    assert workers(ui, template_cache, PATHS[:files], cores, monkeypatch) == expected
    assert ui.config(b"worker", b"numcpus") is None, "only for this update"
    assert 10 < len(template_cache.storage.read) < 40


def test_a_store_on_a_disk_keeps_mercurials_workers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert workers(uimod.ui(), TemplateCache(0.001), PATHS, 2, monkeypatch) is None


def test_what_the_user_set_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    ui = uimod.ui()
    ui.setconfig(b"worker", b"numcpus", b"5")
    assert workers(ui, TemplateCache(), PATHS, 2, monkeypatch) == b"5"


def test_few_files_and_unknown_stores_are_left_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert workers(uimod.ui(), TemplateCache(), PATHS[:100], 2, monkeypatch) is None
    assert workers(uimod.ui(), None, PATHS, 2, monkeypatch) is None


def test_a_store_that_cannot_be_read_is_left_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    template_cache = TemplateCache()

    def missing(name: bytes) -> bytes:
        raise FileNotFoundError(name)

    template_cache.storage.read_whole = missing
    assert workers(uimod.ui(), template_cache, PATHS, 2, monkeypatch) is None


@pytest.fixture
def umask() -> Iterator[None]:
    import os

    before = os.umask(0o022)
    with contextlib.ExitStack() as stack:
        stack.callback(os.umask, before)
        yield


def test_only_what_is_not_there_is_created(tmp_path: pathlib.Path, umask: None) -> None:
    path = tmp_path / "a" / "b" / "file"
    name = bytes(path)
    assert update.create(name, b"one")
    assert path.read_bytes() == b"one"
    assert path.stat().st_mode & 0o777 == 0o644
    assert not update.create(name, b"two")
    assert path.read_bytes() == b"one"
    assert not update.create(name + b"/below", b"two")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    assert not update.create(bytes(tmp_path / "link"), b"two")
    assert not (tmp_path / "nowhere").exists()


EXTENSION = """\
from mercurial import extensions, filelog
def read(orig, self, node):
    return orig(self, node).upper()
def uisetup(ui):
    extensions.wrapfunction(filelog.filelog, 'read', read)
"""


@pytest.mark.parametrize("wrapped", [False, True])
def test_an_extension_that_reads_files_its_own_way_is_heard(
    wrapped: bool,
    tmp_path: pathlib.Path,
    hg: Any,
    hgrc: pathlib.Path,
    served: Callable[[], Any],
) -> None:
    repo = tmp_path / "repo"
    hg("init", str(repo), cwd=tmp_path)
    for name in ("a", "b", "c"):
        (repo / name).write_text(name)
    hg("commit", "-qAm", "first", cwd=repo)
    hg("update", "-q", "null", cwd=repo)
    served()
    extension = tmp_path / "loud.py"
    extension.write_text(EXTENSION)
    if wrapped:
        with hgrc.open("a") as more:
            more.write(f"[extensions]\nloud = {extension}\n")
    hg("update", "-q", "tip", cwd=repo)
    texts = [(repo / name).read_text() for name in ("a", "b", "c")]
    assert texts == (["A", "B", "C"] if wrapped else ["a", "b", "c"])
    assert served().served["filelog"] >= 3
