# What short ways leave out is called where somebody has wrapped it, as by Mercurial.
# SPDX-License-Identifier: GPL-2.0-or-later
"""Each method that an operation lists as left out is wrapped: on its class, in a class
that was put in its place, on the object.  The operation is done by Mercurial alone and
with fastrevlog: the wrapper is called by both, or by none, and they do the same.
"""

from __future__ import annotations

import contextlib
import itertools
import pathlib
import subprocess
import sys
import types
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from mercurial import (
    ancestor,
    changegroup,
    changelog,
    commands,
    context,
    dispatch,
    filelog,
    hg,
    localrepo,
    manifest,
    metadata,
    revlog,
    verify,
)
from mercurial import ui as uimod
from mercurial import vfs as vfsmod
from mercurial.revlogutils import deltas

from hgext3rd.fastrevlog import process, settings, stores
from hgext3rd.fastrevlog.compat import incoming
from hgext3rd.fastrevlog.operations import (
    archive,
    exchange,
    filetexts,
    newfiles,
    update,
)
from hgext3rd.fastrevlog.operations.verify import wrap
from hgext3rd.fastrevlog.outer import (
    ancestors,
    bundling,
    emitting,
    groups,
    linkrevs,
    missing,
    parents,
    sources,
    templates,
)
from support import enginelab, running
from support.wrapping import Counted

FILES = 30
WALKED = 1000  # changesets
assert dispatch.run  # loaded now: it registers what commands need


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A folder with a repository and a bundle of it, and one with a long history."""
    folder = tmp_path_factory.mktemp("left-out")
    with plain() as ui:
        repo = hg.repository(ui, bytes(folder / "repo"), create=True)
        for change in range(3):
            for number in range(FILES):
                text = b"line %d\n" * 20 % tuple(range(20)) + b"%d\n" % change
                (folder / "repo" / f"f{number}").write_bytes(text)
            commands.commit(ui, repo, message=b"m", addremove=True)
        commands.update(ui, repo, node=b"null")
        repo = hg.repository(ui, bytes(folder / "long"), create=True)
        with repo.lock(), repo.transaction(b"long") as tr:
            cl = repo.unfiltered().changelog
            no_files = metadata.ChangingFiles()
            nodes = [repo.nullid]
            for rev in range(WALKED):
                p2 = nodes[rev // 2] if rev % 7 == 6 else repo.nullid
                text = b"change %d" % rev
                about = text, tr, nodes[-1], p2, b"u", b"0 0"
                nodes.append(cl.add(repo.nullid, no_files, *about))
    command = [running.hg_path(), "-R", str(folder / "repo"), "bundle", "--all", "-q"]
    subprocess.run([*command, str(folder / "all.hg")], env={"HGRCPATH": ""}, check=True)
    return folder


def configure(ui: Any) -> Any:
    for section, name, value in (
        (b"ui", b"username", b"test"),
        (b"ui", b"quiet", b"yes"),
        (b"worker", b"enabled", b"no"),
        (b"devel", b"default-date", b"0 0"),
    ):
        ui.setconfig(section, name, value)
    return ui


@contextlib.contextmanager
def plain() -> Iterator[Any]:
    """A ui, without anything of ours."""
    yield configure(uimod.ui.load())


# operations, on a repository that was just opened; what they return is compared


def do_update(ui: Any, repo: Any, made: pathlib.Path, into: pathlib.Path) -> Any:
    folder = made / "repo"
    commands.update(ui, repo, node=b"tip")
    found = contents(folder, "f*")
    commands.update(ui, repo, node=b"null")
    return found, contents(folder, "f*")


def do_archive(ui: Any, repo: Any, made: pathlib.Path, into: pathlib.Path) -> Any:
    commands.archive(ui, repo, bytes(into), rev=b"tip", prefix=b"")
    return contents(into, "f*")


def do_cat(ui: Any, repo: Any, made: pathlib.Path, into: pathlib.Path) -> Any:
    ui.pushbuffer()
    commands.cat(ui, repo, b"re:f", rev=b"tip")
    return ui.popbuffer()


def do_bundle(ui: Any, repo: Any, made: pathlib.Path, into: pathlib.Path) -> Any:
    commands.bundle(ui, repo, bytes(into), all=True, type=b"none-v2")
    return into.read_bytes()


def do_unbundle(ui: Any, repo: Any, made: pathlib.Path, into: pathlib.Path) -> Any:
    commands.unbundle(ui, repo, bytes(made / "all.hg"))
    return {
        name: data
        for name, data in contents(into / ".hg" / "store", "**/*.[id]").items()
        if "undo" not in name
    }


def do_verify(ui: Any, repo: Any, made: pathlib.Path, into: pathlib.Path) -> Any:
    ui.pushbuffer(error=True)
    status = commands.verify(ui, repo, full=False)
    return status, ui.popbuffer()


def do_walk(ui: Any, repo: Any, made: pathlib.Path, into: pathlib.Path) -> Any:
    cl = repo.changelog
    tip = len(cl) - 1
    lazy = cl.ancestors([tip], inclusive=True)
    found: list[Any] = [
        list(lazy),
        [rev in lazy for rev in range(0, tip, 3)],
        cl.findmissingrevs([3], [tip, tip - 1]),
        cl.findmissing([cl.node(3)], [cl.node(tip)]),
        cl.headrevs(set(range(0, tip, 2))),
    ]
    for words in (
        "::900",
        "5::",
        "roots(5::)",
        "merge()",
        "parents(all())",
        "p1(all())",
    ):
        found.append(list(repo.revs(words.encode())))
    found.append(list(repo.revs(b"p2(all()) + children(4 + 9) + ::(9 + %d)", tip)))
    return found


def do_follow(ui: Any, repo: Any, made: pathlib.Path, into: pathlib.Path) -> Any:
    tip = repo[b"tip"]
    return (
        list(repo.revs(b"follow('path:f3', startrev=tip)")),
        [tip[path].introrev() for path in sorted(tip.manifest())],
        [tip[path].p1().introrev() for path in sorted(tip.manifest())],
    )


OPERATIONS: dict[str, Callable[..., Any]] = {
    "update": do_update,
    "archive": do_archive,
    "cat": do_cat,
    "bundle": do_bundle,
    "unbundle": do_unbundle,
    "verify": do_verify,
    "walk": do_walk,
    "follow": do_follow,
}


def contents(folder: pathlib.Path, pattern: str) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.glob(pattern))
        if path.is_file()
    }


def open_for(operation: str, made: pathlib.Path, into: pathlib.Path, ui: Any) -> Any:
    if operation == "unbundle":
        return hg.repository(ui, bytes(into), create=True)
    name = "long" if operation == "walk" else "repo"
    return hg.repository(ui, bytes(made / name))


# what is listed


def packers() -> list[type]:
    return [changegroup.cgpacker, *changegroup.cgpacker.__subclasses__()]


def split(rows: Any) -> list[Any]:
    return [(owner, names.split()) for owner, names in rows]


def listed() -> dict[str, list[Any]]:
    """For each operation, what it leaves out: a class or a module, and names."""
    files = [*filetexts.LEFT_OUT, *filetexts.LEFT_OUT_OF_FILELOGS]
    of_verify = []
    for module, cls, names in wrap.LEFT_OUT:
        holder = sys.modules[module]
        of_verify.append((getattr(holder, cls) if cls else holder, names.split()))
    return {
        "update": [
            *files,
            *update.LEFT_OUT,
            (localrepo.localrepository, ("file", *update._OF_REPOSITORY)),
        ],
        "archive": [
            *filetexts.LEFT_OUT_OF_FILELOGS,
            *archive.LEFT_OUT,
            *newfiles.LEFT_OUT,
        ],
        "cat": [*filetexts.LEFT_OUT_OF_FILELOGS, *archive.LEFT_OUT],
        "unbundle": [
            *split(exchange.LEFT_OUT),
            (revlog.revlog, groups.LEFT_OUT.split()),
            (changelog.changelog, groups.LEFT_OUT.split()),
        ],
        "bundle": [
            *((cls, ("_builddeltaheader", *emitting.LEFT_OUT)) for cls in packers()),
            (changegroup, emitting.LEFT_OUT_OF_MODULE),
            (changegroup, bundling.LEFT_OUT_OF_MODULE),
            (changegroup.cg1unpacker, bundling.LEFT_OUT),
            (bundling.util.chunkbuffer, bundling.LEFT_OUT_OF_STREAM),
            (revlog.revlog, sources.LEFT_OUT),
            (changelog.changelog, (*sources.LEFT_OUT, "changelogrevision")),
            (changelog.changelogrevision, ("files", "manifest")),
            (filelog.filelog, sources.LEFT_OUT_OF_FILELOGS),
            (manifest.manifestrevlog, sources.LEFT_OUT_OF_MANIFESTS),
            (localrepo.localrepository, ("file",)),
        ],
        "verify": of_verify,
        "walk": [
            (revlog.revlog, (*missing.LEFT_OUT, *parents.LEFT_OUT)),
            (changelog.changelog, (*missing.LEFT_OUT, *parents.LEFT_OUT)),
            (ancestor.lazyancestors, ancestors.LEFT_OUT),
        ],
        "follow": [
            (revlog.revlog, linkrevs.LEFT_OUT),
            (changelog.changelog, linkrevs.LEFT_OUT),
            (ancestor.lazyancestors, linkrevs.LEFT_OUT_OF_WALKS),
        ],
    }


def cases() -> list[Any]:
    """(operation, the class or module that holds it, name) for all that is listed."""
    found: dict[str, Any] = {}
    for operation, rows in listed().items():
        for holder, names in rows:
            for name in names:
                if hasattr(holder, name):
                    words = f"{operation}-{holder.__name__}.{name}"
                    found[words] = pytest.param(operation, holder, name, id=words)
    return list(found.values())


def quick_if(quick: bool, *values: Any, name: str | None = None) -> Any:
    """A case, left to the long run if it is not a quick one."""
    return pytest.param(*values, id=name, marks=() if quick else pytest.mark.slow)


CASES = cases()
CLASSES = [
    quick_if(case.values[0] in ("update", "archive"), *case.values, name=case.id)
    for case in CASES
    if isinstance(case.values[1], type)
]


# objects that an operation finds, and what it leaves out of them

REPO = ["file", "wwrite", "_filter"]
OBJECTS: dict[str, Callable[[Any], Any]] = {
    "repo": lambda repo: repo,
    "unfiltered": lambda repo: repo.unfiltered(),
    "wvfs": lambda repo: repo.wvfs,
    "changelog": lambda repo: repo.changelog,
    "unfiltered changelog": lambda repo: repo.unfiltered().changelog,
    "storage": lambda repo: repo.manifestlog.getstorage(b""),
    "revlog": lambda repo: repo.manifestlog.getstorage(b"").get_revlog(),
}
_ON_OBJECTS = [
    *itertools.product(["update"], ["repo", "unfiltered"], REPO),
    *itertools.product(["update"], ["wvfs"], update._OF_VFS),
    *itertools.product(["archive", "cat"], ["repo", "unfiltered"], ["file"]),
    *itertools.product(["unbundle", "bundle"], ["repo", "unfiltered"], ["file"]),
    *itertools.product(
        ["bundle"],
        ["unfiltered changelog", "revlog"],
        [name for name in sources.LEFT_OUT if hasattr(revlog.revlog, name)],
    ),
    *itertools.product(["bundle"], ["storage"], sources.LEFT_OUT_OF_MANIFESTS),
    *itertools.product(
        ["unbundle"], ["unfiltered changelog", "revlog"], groups.LEFT_OUT.split()
    ),
    *itertools.product(
        ["walk"],
        ["changelog", "unfiltered changelog"],
        [*missing.LEFT_OUT, *parents.LEFT_OUT],
    ),
    *itertools.product(["follow"], ["unfiltered changelog"], linkrevs.LEFT_OUT),
]
ON_OBJECTS = [
    quick_if(case[0] == "walk" or "log" not in case[1], *case) for case in _ON_OBJECTS
]


class Outcome:
    """An operation done by Mercurial alone and with fastrevlog, with a wrapper."""

    def __init__(
        self,
        operation: str,
        made: pathlib.Path,
        tmp_path: pathlib.Path,
        before: Callable[[Counted], None] | None = None,
        after: Callable[[Counted, Any], Any] | None = None,
    ) -> None:
        self.counts = []
        self.results = []
        for served in (False, True):
            into = tmp_path / f"into-{served}"
            # what is wrapped is taken off before ours is, which is below
            installed = enginelab.installed() if served else plain()
            with installed as ui, pytest.MonkeyPatch.context() as patch:
                counted = Counted(patch)
                configure(ui)
                if before is not None:
                    before(counted)
                repo = open_for(operation, made, into, ui)
                if served:
                    stores.attach(repo.unfiltered(), settings.of(ui))
                if after is not None:
                    repo = after(counted, repo) or repo
                start = counted.count
                result = OPERATIONS[operation](ui, repo, made, into)
                self.counts.append(counted.count - start)
                self.results.append(result)

    def check(self) -> None:
        alone, with_us = self.counts
        assert bool(alone) <= bool(with_us), (alone, with_us)
        assert self.results[0] == self.results[1]
        assert not process.counters.internal_errors


@pytest.mark.parametrize(("operation", "holder", "name"), CASES)
def test_on_the_class(
    operation: str, holder: Any, name: str, made: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    def after(counted: Counted, repo: Any) -> None:
        counted.on(holder, name)

    Outcome(operation, made, tmp_path, after=after).check()


@pytest.mark.parametrize(("operation", "holder", "name"), CLASSES)
def test_in_a_class_in_its_place(
    operation: str, holder: Any, name: str, made: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    def before(counted: Counted) -> None:
        counted.instead(holder, name)

    Outcome(operation, made, tmp_path, before=before).check()


@pytest.mark.parametrize(("operation", "holder", "name"), ON_OBJECTS)
def test_on_the_object(
    operation: str, holder: str, name: str, made: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    def after(counted: Counted, repo: Any) -> None:
        counted.on(OBJECTS[holder](repo), name)

    Outcome(operation, made, tmp_path, after=after).check()


@pytest.mark.parametrize(
    ("operation", "holder", "name"),
    [case for case in ON_OBJECTS if case.values[1] != "repo"],
)
def test_in_a_subclass(
    operation: str, holder: str, name: str, made: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    """As extensions do when a repository is set up: views of it are made since."""

    def after(counted: Counted, repo: Any) -> Any:
        counted.another_class(OBJECTS[holder](repo), name)
        return repo.unfiltered().filtered(repo.filtername) if repo.filtername else repo

    Outcome(operation, made, tmp_path, after=after).check()


# that the short ways are taken where nobody wrapped anything

TAKEN: dict[str, tuple[Any, str]] = {
    "update": (templates.TemplateCache, "text"),
    "archive": (templates.TemplateCache, "text"),
    "cat": (templates.TemplateCache, "text"),
    "bundle": (emitting._Sender, "_manifests"),
    "unbundle": (exchange.receiving.FilesStage, "work_out"),
    "verify": (wrap.standinsmod.Standins, "mark_verified"),
    "walk": (missing.missing, "missing"),
    "follow": (linkrevs, "_reaches"),
}


@pytest.mark.parametrize("operation", OPERATIONS)
def test_where_nobody_wrapped_anything_it_is_left_out(
    operation: str, made: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    if operation == "unbundle" and not incoming.are_objects():
        pytest.skip("not done the short way with this Mercurial")
    holder, name = TAKEN[operation]

    def after(counted: Counted, repo: Any) -> None:
        counted.on(holder, name)

    outcome = Outcome(operation, made, tmp_path, after=after)
    assert outcome.counts[1] and not outcome.counts[0]
    assert outcome.results[0] == outcome.results[1]


# what is not listed: every method that Mercurial calls, one at a time

SWEPT = [
    revlog.revlog,
    filelog.filelog,
    changelog.changelog,
    manifest.manifestrevlog,
    manifest.manifestlog,
    *context.changectx.__mro__[:-1],
    *context.filectx.__mro__[:-1],
    *context.workingctx.__mro__[:-1],
    *context.workingfilectx.__mro__[:-1],
    localrepo.localrepository,
    getattr(localrepo, "revlogfilestorage", localrepo.localrepository),
    verify.verifier,
    changegroup.cg1unpacker,
    *packers(),
    *vfsmod.vfs.__mro__[:-1],
    *deltas._SparseDeltaSearch.__mro__[:-1],
    deltas.deltacomputer,
]
# methods that a short way may pass over, and why
PASSED_OVER: set[tuple[str, str]] = set()


def methods() -> dict[tuple[str, str], Any]:
    found = {}
    for cls in SWEPT:
        for name, value in vars(cls).items():
            if isinstance(value, types.FunctionType):
                found[cls.__name__, name] = cls
    return found


@pytest.mark.slow
@pytest.mark.parametrize("operation", ["archive", "verify", "follow"])
def test_whatever_mercurial_calls_is_called(
    operation: str, made: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    passed_over = set()
    for number, (cls, name) in enumerate(sorted(methods())):
        holder = methods()[cls, name]
        with pytest.MonkeyPatch.context() as patch:
            counted = Counted(patch)
            with plain() as ui:
                into = tmp_path / f"{number}"
                repo = open_for(operation, made, into, ui)
                counted.on(holder, name)
                OPERATIONS[operation](ui, repo, made, into)
        if not counted.count:
            continue

        def after(counted: Counted, repo: Any) -> None:
            counted.on(holder, name)  # noqa: B023

        folder = tmp_path / f"with-{number}"
        folder.mkdir()
        outcome = Outcome(operation, made, folder, after=after)
        assert outcome.results[0] == outcome.results[1]
        if not outcome.counts[1]:
            passed_over.add((cls, name))
    assert passed_over <= PASSED_OVER
