# stores.py: what one repository's configuration decides is that repository's alone.
# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import io
import pathlib
import subprocess
from collections.abc import Iterator
from typing import Any, Callable

import pytest
from mercurial import commands, dispatch, error, hg
from mercurial import ui as uimod

from hgext3rd.fastrevlog import settings, stores
from support import cmdserver, enginelab
from support.reports import Counts
from tests.conftest import Hg

Served = Callable[[], Counts]
assert dispatch.run  # loaded now: it registers what commands need


@pytest.fixture
def repos(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Any, list[Any]]]:
    """A ui, and two repositories of one changeset each, of one process."""
    monkeypatch.setenv("HGRCPATH", "")
    with enginelab.installed() as ui:
        ui.setconfig(b"ui", b"username", b"test")
        ui.setconfig(b"ui", b"quiet", b"yes")
        made = []
        for name in ("one", "two"):
            path = tmp_path / name
            repo = hg.repository(ui, bytes(path), create=True)
            (path / "f").write_bytes(b"text\n" * 100)
            commands.commit(ui, repo, message=b"m", addremove=True)
            made.append(hg.repository(ui, bytes(path)))
        yield ui, made


def of(repo: Any) -> stores.Store:
    return stores.of(repo.svfs)


def is_served(repo: Any) -> bool:
    inners = [repo.changelog._inner, repo.file(b"f")._revlog._inner]
    found = {getattr(inner, "is_fastrevlog", False) for inner in inners}
    assert len(found) == 1
    return bool(found.pop())


def test_each_repository_keeps_its_own(repos: Any) -> None:
    _ui, (one, two) = repos
    stores.attach(one, settings.Settings(cache_memory=1000, collision_detection=True))
    stores.attach(two, settings.Settings(cache_memory=5000))
    for repo, memory, collisions in ((one, 1000, True), (two, 5000, False)):
        storage = repo.unfiltered().changelog._inner.storage
        assert storage.share.asked == storage.share.limit == memory
        assert storage.hash_policy.collision_detection is collisions
    stores.attach(one, settings.OFF)
    assert not is_served(one)
    assert is_served(two)
    stores.attach(one, settings.Settings())
    assert is_served(one)


def test_settings_of_a_command_are_noticed(repos: Any) -> None:
    ui, (one, two) = repos
    for value, expected in ((b"no", False), (b"yes", True), (b"no", False)):
        one.ui = one.baseui.copy()
        one.ui.setconfig(b"fastrevlog", b"enabled", value)
        stores.refresh(one)
        assert is_served(one) is expected
        assert is_served(two)
    one.ui = ui.copy()
    one.ui.setconfig(b"fastrevlog", b"check", b"nonsense")
    with pytest.raises(error.ConfigError, match=r"fastrevlog\.check"):
        stores.refresh(one)


def test_a_text_that_was_checked_in_another_way_is_checked_again(repos: Any) -> None:
    _ui, (one, _two) = repos
    log = one.file(b"f")
    assert log.read(0)
    share = of(one).share
    assert share is not None
    assert share.used
    stores.attach(one, settings.Settings(collision_detection=True))
    assert not share.used
    assert not share.by_node


def test_an_opener_around_an_opener_has_the_same_settings(repos: Any) -> None:
    from mercurial import vfs as vfsmod

    _ui, (one, _two) = repos
    above = stores.of(vfsmod.readonlyvfs(one.svfs))
    assert above.settings == of(one).settings
    assert above.share is of(one).share
    stores.attach(one, settings.OFF)
    assert not above.enabled


def test_an_opener_of_no_repository_is_not_served(tmp_path: pathlib.Path) -> None:
    from mercurial import vfs as vfsmod

    store = stores.of(vfsmod.vfs(bytes(tmp_path)))
    assert not store.enabled
    assert store.refusal is not None
    assert stores.of(b"no opener").refusal == "vfs: bytes"


def test_trouble_is_told_to_the_repository_that_has_it(repos: Any) -> None:
    _ui, (one, two) = repos
    assert of(one).ui is one.ui
    assert of(two).ui is two.ui


def test_the_verifier_overrides_and_takes_back(repos: Any) -> None:
    _ui, (one, _two) = repos
    with of(one).overriding(enabled=False):
        assert not of(one).enabled
        with of(one).overriding(enabled=True):
            assert of(one).enabled
        assert not of(one).enabled
    assert of(one).enabled


# whole commands


@pytest.fixture
def pair(tmp_path: pathlib.Path, hg: Hg, served: Served) -> tuple[pathlib.Path, ...]:
    """A repository where fastrevlog is on and a clone of it where it is off."""
    on, off = tmp_path / "on", tmp_path / "off"
    hg("init", str(on), cwd=tmp_path)
    (on / "a").write_text("a\n")
    hg("commit", "-A", "-m", "a", cwd=on)
    hg("clone", str(on), str(off), cwd=tmp_path)
    with (off / ".hg" / "hgrc").open("a") as rc:
        rc.write("[fastrevlog]\nenabled = no\n")
    (on / "a").write_text("b\n")
    hg("commit", "-m", "b", cwd=on)
    served()
    return on, off


@pytest.mark.parametrize("from_on", [True, False])
def test_pull_from_a_path(
    pair: tuple[pathlib.Path, ...], hg: Hg, served: Served, from_on: bool
) -> None:
    on, off = pair
    source, target = (on, off) if from_on else (off, on)
    hg("pull", str(source), cwd=target)
    counts = served()
    assert counts.served["changelog"] == 1
    assert counts.refused["setting: fastrevlog.enabled"] >= 1


def test_a_subrepository_has_its_own(
    pair: tuple[pathlib.Path, ...], hg: Hg, served: Served
) -> None:
    on, off = pair
    hg("clone", str(off), str(on / "sub"), cwd=on)
    (on / ".hgsub").write_text("sub = sub\n")
    hg("commit", "-A", "-m", "sub", cwd=on)
    with (on / "sub" / ".hg" / "hgrc").open("a") as rc:
        rc.write("[fastrevlog]\nenabled = no\n")
    served()
    assert hg("cat", "-r", "tip", "sub/a", "a", cwd=on).stdout == b"b\na\n"
    counts = served()
    assert counts.served["filelog"] >= 1
    assert counts.refused["setting: fastrevlog.enabled"] >= 2


class Server:
    """A command server in a pipe, which keeps its repository."""

    def __init__(self, hg_path: pathlib.Path, repo: pathlib.Path) -> None:
        self.server = cmdserver.CommandServer(
            subprocess.Popen(
                [str(hg_path), "serve", "--cmdserver", "pipe"],
                cwd=repo,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
        )

    def run(self, *args: str) -> tuple[int, bytes]:
        """Exit code and output, of both kinds."""
        code, out, err = self.server.run(list(args))
        return code, out + err


@pytest.mark.parametrize("first", ["yes", "no"])
def test_a_command_server(
    pair: tuple[pathlib.Path, ...], hg_path: pathlib.Path, first: str
) -> None:
    """What comes with one command holds for it, at once and in both directions."""
    on, off = pair
    server = Server(hg_path, on if first == "yes" else off)
    on_words, off_words = b"is on for this repository", b"off, because"
    try:
        for setting in ("no", "yes", None, "yes", "no", None, None, "no", "yes"):
            config = ["--config", f"fastrevlog.enabled={setting}"] if setting else []
            code, said = server.run("debug::fastrevlog", *config)
            expected = (setting or first) == "yes"
            assert code == (0 if expected else 1), (setting, said)
            assert (on_words if expected else off_words) in said
            assert server.run("cat", "a", *config)[0] == 0
        code, said = server.run("cat", "a", "--config", "fastrevlog.check=nonsense")
        if first == "yes":
            assert code and b"fastrevlog.check is 'nonsense'" in said
        assert server.run("cat", "a")[0] == 0
        size = ["--config", "fastrevlog.cache-memory=12345"]
        size += ["--config", "fastrevlog.enabled=yes"]
        assert b"of 12.1 KB used" in server.run("debug::fastrevlog", *size)[1]
        size[1] = "fastrevlog.cache-memory=1 MB"
        assert b"of 1.00 MB used" in server.run("debug::fastrevlog", *size)[1]
    finally:
        server.server.close()


def test_a_ui_without_settings_has_defaults() -> None:
    ui = uimod.ui()
    enginelab.configitems.loadconfigtable(ui, b"fastrevlog", settings.eh.configtable)
    assert settings.load(ui) == settings.Settings()


# several repositories behind one web server


def page(app: Any, path: str) -> tuple[str, bytes]:
    """Status and body of a page of a WSGI application."""
    status: list[str] = []
    environ = {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": "",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }

    def start(what: str, headers: Any, exc_info: Any = None) -> Any:
        status.append(what)
        return lambda data: None

    body = b"".join(app(environ, start))
    return status[0], body


PAGES = ("rev/tip", "file/tip/f", "raw-file/tip/f", "annotate/tip/f", "log", "graph")
OF_EACH = {
    "fast": b"[fastrevlog]\ncache-memory = 1000\n",
    "careful": b"[fastrevlog]\ncheck = collision-detection\n",
    "off": b"[fastrevlog]\nenabled = no\n",
}


def served_pages(ui: Any, folder: pathlib.Path) -> list[Any]:
    """The pages of the repositories in ``folder``, by turns, and twice."""
    from mercurial.hgweb import hgwebdir_mod

    # a whole collection after each page takes longer than the page
    ui.setconfig(b"experimental", b"web.full-garbage-collection-rate", b"99")
    paths = [(name.encode(), bytes(folder / name)) for name in OF_EACH]
    app = hgwebdir_mod.hgwebdir(paths, ui)
    return [
        page(app, f"/{name}/{one}")
        for _ in range(2)
        for one in PAGES
        for name in OF_EACH
    ]


def test_behind_one_web_server_each_keeps_its_own(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HGRCPATH", "")
    ui = uimod.ui.load()
    ui.setconfig(b"ui", b"username", b"test")
    ui.setconfig(b"ui", b"quiet", b"yes")
    for name, config in OF_EACH.items():
        repo = hg.repository(ui, bytes(tmp_path / name), create=True)
        for text in (b"text\n" * 100, b"text\n" * 50 + b"more\n"):
            (tmp_path / name / "f").write_bytes(text)
            commands.commit(ui, repo, message=b"m", addremove=True)
        (tmp_path / name / ".hg" / "hgrc").write_bytes(config)
    expected = served_pages(uimod.ui.load(), tmp_path)
    assert {status for status, _body in expected} == {"200 Script output follows"}
    attached: dict[str, Any] = {}
    attach = stores.attach

    def noted(repo: Any, *args: Any) -> None:
        attach(repo, *args)
        attached[repo.root.rpartition(b"/")[2].decode()] = repo

    monkeypatch.setattr(stores, "attach", noted)
    with enginelab.installed() as ours:
        assert served_pages(ours, tmp_path) == expected
        assert set(attached) == set(OF_EACH)
        for name, repo in attached.items():
            assert is_served(repo) is (name != "off")
            detects = of(repo).hash_policy.collision_detection
            assert detects is (name == "careful")
            share = of(repo).share
            assert share is not None
            assert (share.asked == 1000) is (name == "fast")
