# Writing the files of an update: the parts that no output shows.
# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import contextlib
import os
import pathlib
import shutil
import time
from collections.abc import Iterator
from typing import Any, Callable

import pytest
from mercurial import ui as uimod

from hgext3rd.fastrevlog.operations import newfiles, update

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
    before = os.umask(0o022)
    with contextlib.ExitStack() as stack:
        stack.callback(os.umask, before)
        yield


def test_a_file_takes_the_place_of_nothing_or_of_a_file(
    tmp_path: pathlib.Path, umask: None
) -> None:
    path = tmp_path / "a" / "b" / "file"
    name = bytes(path)
    assert newfiles.create(name, b"one")
    assert path.read_bytes() == b"one"
    twin = tmp_path / "twin"
    os.link(path, twin)
    path.chmod(0o755)
    found = newfiles.create(name, b"three")
    assert found is not None
    assert found.st_size == 5
    assert found.st_mode == path.stat().st_mode
    assert found.st_mode & 0o777 == 0o644
    assert path.read_bytes() == b"three"
    assert twin.read_bytes() == b"one", "a hard link is broken, not written through"
    assert not newfiles.create(name + b"/below", b"two")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    assert newfiles.create(bytes(tmp_path / "link"), b"two")
    assert (tmp_path / "link").read_bytes() == b"two"
    assert not (tmp_path / "nowhere").exists()
    assert not newfiles.create(bytes(tmp_path / "a"), b"two")
    assert path.exists()


Way = Callable[[pathlib.Path], None]


def a_folder(repo: pathlib.Path) -> None:
    (repo / "f5").mkdir()
    (repo / "f5" / "unknown").write_text("mine")


def an_empty_folder(repo: pathlib.Path) -> None:
    (repo / "f5").mkdir()


def a_link_for_a_folder(repo: pathlib.Path) -> None:
    (repo.parent / "elsewhere").mkdir(exist_ok=True)
    (repo / "f6").symlink_to("../elsewhere")


def a_file_for_a_folder(repo: pathlib.Path) -> None:
    (repo / "f6").write_text("mine")


def a_missing_node(repo: pathlib.Path) -> None:
    store = repo / ".hg" / "store" / "data"
    shutil.copy(store / "f1.i", store / "f5.i")


def a_damaged_text(repo: pathlib.Path) -> None:
    path = repo / ".hg" / "store" / "data" / "f5.i"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def nothing(repo: pathlib.Path) -> None:
    pass


WAYS: list[Way] = [
    a_folder,
    an_empty_folder,
    a_link_for_a_folder,
    a_file_for_a_folder,
    a_missing_node,
    a_damaged_text,
    nothing,
]


_built: list[pathlib.Path] = []


@pytest.fixture
def history(hg: Any, tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """Files, folders, a link and an executable; made once, to be copied.

    Revision 0 has none of `f5` and `f6`; nothing is checked out.
    """
    if not _built:
        repo = tmp_path_factory.mktemp("history") / "repo"
        hg("init", str(repo), cwd=repo.parent)
        names = ["f1", "f2", "f8", "f9/a/b"]
        for text in ("old", "new"):
            for name in names:
                (repo / name).parent.mkdir(parents=True, exist_ok=True)
                (repo / name).write_text(f"{name} {text}")
            (repo / "f8").chmod(0o755)
            if text == "new":
                (repo / "f7").symlink_to("f1")
            hg("commit", "-qAm", text, cwd=repo)
            names += ["f5", "f6/below"]
        hg("update", "-q", "null", cwd=repo)
        _built.append(repo)
    return _built[0]


def left_in(repo: pathlib.Path) -> dict[str, Any]:
    """Everything in a working directory, and the state that Mercurial keeps of it."""
    found: dict[str, Any] = {}
    for folder, folders, names in os.walk(repo):
        folders[:] = [name for name in folders if name != ".hg"]
        for name in folders + names:
            path = pathlib.Path(folder, name)
            mode = path.lstat().st_mode
            content: Any = os.readlink(path) if path.is_symlink() else None
            if path.is_file() and not path.is_symlink():
                content = path.read_bytes()
            found[str(path.relative_to(repo))] = (mode, content)
    return found


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("start", ["null", "0"])
def test_a_failed_update_leaves_what_mercurial_leaves(
    way: Way,
    start: str,
    history: pathlib.Path,
    tmp_path: pathlib.Path,
    hg: Any,
    served: Callable[[], Any],
) -> None:
    results = []
    for config in ("extensions.fastrevlog=!", "fastrevlog.enabled=yes"):
        there = tmp_path / config.partition(".")[0] / "repo"
        there.parent.mkdir()
        shutil.copytree(history, there, symlinks=True)
        if start != "null":
            hg("update", "-q", start, cwd=there)
        way(there)
        served()
        done = hg("update", "--config", config, "1", cwd=there, code=None)
        errors = done.stderr.replace(bytes(there), b"REPO")
        left = left_in(there.parent)
        results.append((done.returncode, done.stdout, errors, left))
    assert results[0] == results[1]
    assert served().served["filelog"] or results[0][0]


def a_file_beside(repo: pathlib.Path) -> None:
    (repo / "f9" / "a" / "unknown").write_text("mine")


def a_missing_file(repo: pathlib.Path) -> None:
    (repo / "f2").unlink()


def a_folder_for_a_file(repo: pathlib.Path) -> None:
    (repo / "f2").unlink()
    (repo / "f2" / "full").mkdir(parents=True)


def a_link_to_a_folder(repo: pathlib.Path) -> None:
    shutil.rmtree(repo / "f6")
    elsewhere = repo.parent / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "below").write_text("mine")
    (repo / "f6").symlink_to("../elsewhere")


@pytest.mark.parametrize("inside", ["", "f9/a"], ids=["outside", "in a removed folder"])
@pytest.mark.parametrize("keep", ["no", "yes"])
@pytest.mark.parametrize(
    "way",
    [nothing, a_file_beside, a_missing_file, a_folder_for_a_file, a_link_to_a_folder],
)
def test_files_are_removed_as_mercurial_does(
    way: Way,
    keep: str,
    inside: str,
    history: pathlib.Path,
    tmp_path: pathlib.Path,
    hg: Any,
) -> None:
    if keep == "yes" and (inside or way is not nothing):
        pytest.skip("as with folders that are removed")
    results = []
    for config in ("extensions.fastrevlog=!", "fastrevlog.enabled=yes"):
        there = tmp_path / config.partition(".")[0] / "repo"
        there.parent.mkdir()
        shutil.copytree(history, there, symlinks=True)
        hg("update", "-q", "1", cwd=there)
        way(there)
        more = ("--config", f"experimental.removeemptydirs={keep}")
        args = ("update", "-C", "null", "--config", config, *more)
        done = hg(*args, cwd=there / inside, code=None)
        errors = done.stderr.replace(bytes(there), b"REPO")
        results.append((done.returncode, done.stdout, errors, left_in(there.parent)))
    assert results[0] == results[1]


EOL = """\
[patterns]
** = native
"""


def test_filters_that_are_set_up_late_are_applied(
    tmp_path: pathlib.Path, hg: Any, hgrc: pathlib.Path, served: Callable[[], Any]
) -> None:
    """Two updates of one process: `.hgeol` comes with the second."""
    with hgrc.open("a") as more:
        more.write("[extensions]\neol =\n[eol]\nnative = CRLF\n")
    repo = tmp_path / "repo"
    hg("init", str(repo), cwd=tmp_path)
    (repo / "a").write_text("one\n")
    hg("commit", "-qAm", "plain", cwd=repo)
    (repo / ".hgeol").write_text(EOL)
    (repo / "b").write_text("two\n")
    hg("commit", "-qAm", "eol", cwd=repo)
    hg("update", "-q", "null", cwd=repo)
    script = tmp_path / "script.py"
    script.write_text(TWO_UPDATES)
    found = []
    for config in ("extensions.fastrevlog=!", "fastrevlog.enabled=yes"):
        hg("update", "-q", "null", cwd=repo)
        served()
        hg("--config", f"extensions.two={script}", "--config", config, "two", cwd=repo)
        found.append({n: (repo / n).read_bytes() for n in ("a", "b", ".hgeol")})
    assert found[0] == found[1]
    assert found[0]["b"] == b"two\r\n"
    assert served().served["filelog"]


# the first update writes in worker processes, which leaves the parent's state alone
TWO_UPDATES = """\
from mercurial import hg, registrar, worker
cmdtable = {}
command = registrar.command(cmdtable)
@command(b'two')
def two(ui, repo):
    with ui.configoverride({(b'worker', b'numcpus'): b'2'}):
        worth = worker.worthwhile
        worker.worthwhile = lambda *args, **kwargs: True
        hg.update(repo, repo[0].node())
        worker.worthwhile = worth
    hg.update(repo, repo[1].node())
"""


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


@pytest.mark.parametrize("workers", [1, 2, 3, 4, 7])
@pytest.mark.parametrize("count", [1, 5, 100, 101])
def test_workers_begin_apart(workers: int, count: int) -> None:
    """Each does its whole share, and they begin in different folders."""
    paths = [b"dir%03d/file" % n for n in range(count)]
    checkout = object.__new__(update.Checkout)
    checkout._count = count
    checkout._places = {f: i for i, f in enumerate(paths[: update._MOST_WORKERS])}
    actions = [(f, (b"", False), b"msg") for f in paths]
    shares = [actions[i::workers] for i in range(workers) if actions[i::workers]]
    begun = [checkout.begin_elsewhere(share) for share in shares]
    for share, order in zip(shares, begun):
        assert sorted(order) == share
        at = share.index(order[0])
        assert order == share[at:] + share[:at]
    assert checkout.begin_elsewhere([]) == []
    if count >= 100:
        first = sorted(paths.index(order[0][0]) for order in begun)
        assert all(b - a > count // workers // 2 for a, b in zip(first, first[1:]))
