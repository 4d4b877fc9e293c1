# What short ways leave out is called where somebody has wrapped it, as by Mercurial.
# SPDX-License-Identifier: GPL-2.0-or-later
"""Each method that an operation lists as left out is wrapped on its class, and some on
the object; the operation is done by Mercurial alone and with fastrevlog: the wrapper
is called by both, or by none.
"""

from __future__ import annotations

import contextlib
import functools
import pathlib
import subprocess
import types
from collections.abc import Iterator
from typing import Any

import enginelab
import pytest
from mercurial import commands, dispatch, hg, localrepo
from mercurial import ui as uimod

from hgext3rd.fastrevlog.operations import archive, exchange, filetexts, update
from hgext3rd.fastrevlog.outer import opening
from support import running

FILES = 30
assert dispatch.run  # loaded now: it registers what commands need


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A folder with a repository and a bundle of it."""
    folder = tmp_path_factory.mktemp("left-out")
    with enginelab.installed() as ui:
        configure(ui)
        repo = hg.repository(ui, bytes(folder / "repo"), create=True)
        for change in range(3):
            for number in range(FILES):
                text = b"line %d\n" * 20 % tuple(range(20)) + b"%d\n" % change
                (folder / "repo" / f"f{number}").write_bytes(text)
            commands.commit(ui, repo, message=b"m", addremove=True)
        commands.update(ui, repo, node=b"null")
    command = [running.hg_path(), "-R", str(folder / "repo"), "bundle", "--all", "-q"]
    subprocess.run([*command, str(folder / "all.hg")], env={"HGRCPATH": ""}, check=True)
    return folder


def configure(ui: Any) -> None:
    for section, name, value in (
        (b"ui", b"username", b"test"),
        (b"ui", b"quiet", b"yes"),
        (b"worker", b"enabled", b"no"),
    ):
        ui.setconfig(section, name, value)


class Counted:
    """How often what was wrapped is called."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.count = 0
        self._patch = patch

    def wrap(self, holder: Any, name: str) -> None:
        orig = vars(holder).get(name)
        if orig is None:
            orig = getattr(holder, name)
        if not isinstance(orig, (types.FunctionType, types.MethodType)):
            self._patch.setattr(holder, name, self._property(orig))
            return

        @functools.wraps(orig)
        def counted(*args: Any, **kwargs: Any) -> Any:
            self.count += 1
            return orig(*args, **kwargs)

        self._patch.setattr(holder, name, counted)

    def _property(self, orig: Any) -> Any:
        def counted(this: Any) -> Any:
            self.count += 1
            return orig.__get__(this, type(this))

        return property(counted)


def do(operation: str, made: pathlib.Path, into: pathlib.Path, ui: Any) -> Any:
    """Do ``operation`` with a repository that was just opened."""
    configure(ui)
    if operation == "unbundle":
        repo = hg.repository(ui, bytes(into), create=True)
        yield repo
        commands.unbundle(ui, repo, bytes(made / "all.hg"))
        assert len(repo) == 3
        yield None
        return
    repo = hg.repository(ui, bytes(made / "repo"))
    yield repo
    if operation == "update":
        commands.update(ui, repo, node=b"tip")
        files = len(list((made / "repo").glob("f*")))
        commands.update(ui, repo, node=b"null")
    else:
        commands.archive(ui, repo, bytes(into), rev=b"tip", prefix=b"")
        files = len(list(into.glob("f*")))
    assert files == FILES
    yield None


def cases() -> list[Any]:
    """(operation, the class that holds it, name) for all that is listed."""
    found: list[Any] = []
    files = [*filetexts.LEFT_OUT, *filetexts.LEFT_OUT_OF_FILELOGS]
    repository = (localrepo.localrepository, ("file", "wwrite", "_filter"))
    listed = {
        "update": [*files, *update.LEFT_OUT, repository],
        "archive": [*filetexts.LEFT_OUT_OF_FILELOGS, *archive.LEFT_OUT],
        "unbundle": [(owner, names.split()) for owner, names in exchange.LEFT_OUT],
    }
    for operation, rows in listed.items():
        for holder, names in rows:
            for name in names:
                if hasattr(holder, name):
                    words = f"{operation}-{holder.__name__}.{name}"
                    found.append(pytest.param(operation, holder, name, id=words))
    return found


CASES = cases()


def count_of(
    operation: str, made: pathlib.Path, tmp_path: pathlib.Path, holder: Any, name: str
) -> tuple[int, int]:
    """How often the wrapper is called by Mercurial alone, and with fastrevlog."""
    counts = []
    for served in (False, True):
        with pytest.MonkeyPatch.context() as patch:
            counted = Counted(patch)
            ui: Any
            with enginelab.installed() if served else plain() as ui:
                steps = do(operation, made, tmp_path / f"into-{served}", ui)
                repo = next(steps)
                before = counted.count
                if isinstance(holder, str):
                    counted.wrap(repo if holder == "repo" else repo.unfiltered(), name)
                else:
                    counted.wrap(holder, name)
                next(steps)
                counts.append(counted.count - before)
    return counts[0], counts[1]


@contextlib.contextmanager
def plain() -> Iterator[Any]:
    """A ui, without anything of ours."""
    yield uimod.ui.load()


@pytest.mark.parametrize(("operation", "holder", "name"), CASES)
def test_on_the_class(
    operation: str, holder: Any, name: str, made: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    alone, with_us = count_of(operation, made, tmp_path, holder, name)
    assert bool(alone) == bool(with_us), (alone, with_us)


@pytest.mark.parametrize(
    ("operation", "name"),
    [
        ("update", "file"),
        ("update", "wwrite"),
        ("archive", "file"),
        ("unbundle", "file"),
    ],
)
@pytest.mark.parametrize("holder", ["repo", "unfiltered"])
def test_on_the_object(
    operation: str, holder: str, name: str, made: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    alone, with_us = count_of(operation, made, tmp_path, holder, name)
    assert bool(alone) == bool(with_us), (alone, with_us)


@pytest.mark.parametrize("operation", ["update", "archive"])
def test_where_nobody_wrapped_anything_it_is_left_out(
    operation: str, made: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    with pytest.MonkeyPatch.context() as patch, enginelab.installed() as ui:
        counted = Counted(patch)
        counted.wrap(opening.TemplateCache, "text")
        steps = do(operation, made, tmp_path / "into", ui)
        next(steps)
        next(steps)
        assert counted.count >= FILES - 1
