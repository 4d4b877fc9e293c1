# The files of a changegroup, and who may have a say in them.
# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import pathlib
import textwrap
from typing import Any, Callable

import pytest

from hgext3rd.fastrevlog.compat import incoming
from support import histories

Hg = Callable[..., Any]
Served = Callable[[], Any]

pytestmark = pytest.mark.skipif(
    not incoming.are_objects(), reason="7.0 adds groups in its own way"
)
SHARED = ("--config", "fastrevlog.workers=2")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    folder = tmp_path_factory.mktemp("source") / "repo"
    histories.Maker(folder, seed=9).many(25)
    return folder


@pytest.fixture
def bundle(hg: Hg, source: pathlib.Path, tmp_path: pathlib.Path) -> pathlib.Path:
    name = tmp_path / "all.hg"
    hg("bundle", "-q", "--all", str(name), cwd=source)
    return name


def receive(
    hg: Hg, folder: pathlib.Path, bundle: pathlib.Path, extension: str, *args: str
) -> Any:
    """Unbundle into a new repository, with an extension of these lines."""
    (folder / "ext.py").write_text(textwrap.dedent(extension), encoding="utf-8")
    hg("init", "r", cwd=folder)
    done = hg(
        "unbundle",
        str(bundle),
        "--config",
        f"extensions.ext={folder / 'ext.py'}",
        *args,
        cwd=folder / "r",
        code=None,
    )
    return done


@pytest.mark.parametrize("args", [(), SHARED])
def test_who_wraps_the_adding_of_revisions_is_called(
    hg: Hg,
    tmp_path: pathlib.Path,
    served: Served,
    bundle: pathlib.Path,
    args: tuple[str, ...],
) -> None:
    done = receive(
        hg,
        tmp_path,
        bundle,
        """
        from mercurial import extensions, revlog
        count = 0
        def wrap(orig, self, *args, **kwargs):
            global count
            count += 1
            return orig(self, *args, **kwargs)
        def extsetup(ui):
            extensions.wrapfunction(revlog.revlog, '_addrevision', wrap)
            ui.atexit(lambda: ui.status(b'%d added\\n' % count))
        """,
        *args,
    )
    assert done.returncode == 0, done.stderr
    counts = served()
    assert counts.groups == 0
    assert counts.refused["adding: wrapped by an extension"] == 1
    assert b"\n%d added\n" % counts.entries in done.stdout


KILLER = """
    import importlib, os, signal, sys
    def kill(ui, **kwargs):
        (package,) = [name for name in sys.modules if name.endswith('_fastrevlog')]
        groups = importlib.import_module(package + '.workers.groups')
        start = groups.TaskPool.start
        def start_and_kill(pool, workers):
            start(pool, workers)
            for worker in pool._workers[:%d]:
                os.kill(worker.pid, signal.SIGKILL)
        groups.TaskPool.start = start_and_kill
    def reposetup(ui, repo):
        ui.setconfig(b'hooks', b'prechangegroup.kill', kill)
"""


@pytest.mark.parametrize("killed", [1, 2])
def test_the_work_of_workers_that_die_is_done_all_the_same(
    hg: Hg, tmp_path: pathlib.Path, served: Served, bundle: pathlib.Path, killed: int
) -> None:
    done = receive(hg, tmp_path, bundle, KILLER % killed, *SHARED)
    assert done.returncode == 0, done.stderr
    counts = served()
    assert counts.shared < counts.served["filelog"]
    theirs = tmp_path / "theirs"
    stock = ("--config", "extensions.fastrevlog=!")
    hg("init", str(theirs), *stock, cwd=tmp_path)
    hg("unbundle", "-q", str(bundle), *stock, cwd=theirs)
    stores = [tmp_path / "r/.hg/store/data", theirs / ".hg/store/data"]
    ours, wanted = (
        {p.relative_to(s): p.read_bytes() for p in s.rglob("*.[id]") if p.is_file()}
        for s in stores
    )
    assert ours == wanted
    hg("verify", "-q", *stock, cwd=tmp_path / "r")


BESIDE = """
from mercurial import extensions, {module}, revlog
revlog._maxinline = 700
def wrap(orig, *args, **kwargs):
    print("called")
    return orig(*args, **kwargs)
def extsetup(ui):
    extensions.wrapfunction({owner}, "{name}", wrap)
"""
PUT_ASIDE = "manifests of a changegroup"


@pytest.mark.parametrize(
    "module, owner, name, times",
    [
        ("", "", "", 1),
        ("changegroup", "changegroup", "_addchangegroupfiles", 0),
        ("changegroup", "changegroup.cg1unpacker", "_unpackmanifests", 0),
        ("changegroup", "changegroup.cg1unpacker", "apply", 0),
        ("manifest", "manifest.manifestrevlog", "addgroup", 0),
    ],
)
def test_who_wraps_the_order_of_manifests_and_files_has_it(
    hg: Hg,
    tmp_path: pathlib.Path,
    served: Served,
    bundle: pathlib.Path,
    module: str,
    owner: str,
    name: str,
    times: int,
) -> None:
    served()
    text = BESIDE.format(module=module, owner=owner, name=name)
    if times:
        text = BESIDE.split("def wrap")[0].replace("{module}, ", "")
    done = receive(hg, tmp_path, bundle, text, *SHARED)
    assert done.returncode == 0, done.stderr
    assert (b"called" in done.stdout) == (not times)
    assert served().by_workers.get(PUT_ASIDE, 0) == times


def are_as_by_stock(hg: Hg, tmp_path: pathlib.Path, bundle: pathlib.Path) -> None:
    """Are manifest and changelog of ``r`` what Mercurial makes of ``bundle``?"""
    stock = ("--config", "extensions.fastrevlog=!")
    theirs = tmp_path / "theirs"
    hg("init", str(theirs), *stock, cwd=tmp_path)
    (tmp_path / "ext.py").write_text(SMALL, encoding="utf-8")
    config = ("--config", f"extensions.ext={tmp_path / 'ext.py'}", *stock)
    hg("unbundle", "-q", str(bundle), *config, cwd=theirs)
    for name in ("00manifest.i", "00manifest.d", "00changelog.i"):
        ours = tmp_path / "r/.hg/store" / name
        assert ours.read_bytes() == (theirs / ".hg/store" / name).read_bytes()
    hg("verify", "-q", *stock, cwd=tmp_path / "r")


SMALL = "from mercurial import revlog\nrevlog._maxinline = 700\n"


@pytest.mark.parametrize("killed", [1, 2])
def test_manifests_of_a_worker_that_dies_are_added_all_the_same(
    hg: Hg, tmp_path: pathlib.Path, served: Served, bundle: pathlib.Path, killed: int
) -> None:
    done = receive(
        hg, tmp_path, bundle, SMALL + textwrap.dedent(KILLER % killed), *SHARED
    )
    assert done.returncode == 0, done.stderr
    assert served().by_workers.get(PUT_ASIDE, 0) <= 2 - killed
    are_as_by_stock(hg, tmp_path, bundle)


NO_FILE = """
    import tempfile
    def no_file(*args, **kwargs):
        raise OSError(28, 'full')
    def reposetup(ui, repo):
        tempfile.TemporaryFile = no_file
"""
NO_ROOM = """
    import os
    real = os.pwrite
    parent = os.getpid()
    def full(fd, data, at):
        if (os.getpid() == parent) is {in_parent}:
            raise OSError(28, 'full')
        return real(fd, data, at)
    def reposetup(ui, repo):
        os.pwrite = full
"""
ALMOST_FULL = """
    import os, sys
    real = os.statvfs
    class Found:
        f_frsize = 1
        def __init__(self, free):
            self.f_bavail = free
    def statvfs(path):
        return Found(found.pop(0) if found else 0)
    found = {found}
    def reposetup(ui, repo):
        os.statvfs = statvfs
"""
MUCH = 1 << 30


@pytest.mark.parametrize(
    "trouble",
    [NO_FILE, NO_ROOM.format(in_parent=True), NO_ROOM.format(in_parent=False)],
    ids=["no file", "no room", "no room for a worker"],
)
def test_manifests_without_room_for_a_file_are_added_all_the_same(
    hg: Hg, tmp_path: pathlib.Path, served: Served, bundle: pathlib.Path, trouble: str
) -> None:
    text = SMALL + textwrap.dedent(trouble)
    done = receive(hg, tmp_path, bundle, text, *SHARED)
    assert done.returncode == 0, done.stderr
    counts = served()
    assert PUT_ASIDE not in counts.by_workers
    assert counts.shared > 0
    are_as_by_stock(hg, tmp_path, bundle)


@pytest.mark.parametrize(
    "found, times",
    [
        ([], 0),
        ([MUCH], 0),  # for the group, not for what it makes
        ([MUCH, MUCH], 1),  # and not for the files, then: the manifests are written
        ([MUCH] * 99, 1),
    ],
)
def test_where_the_disk_is_almost_full(
    hg: Hg,
    tmp_path: pathlib.Path,
    served: Served,
    bundle: pathlib.Path,
    found: list[int],
    times: int,
) -> None:
    text = SMALL + textwrap.dedent(ALMOST_FULL.format(found=found))
    done = receive(hg, tmp_path, bundle, text, *SHARED)
    assert done.returncode == 0, done.stderr
    assert served().by_workers.get(PUT_ASIDE, 0) == times
    are_as_by_stock(hg, tmp_path, bundle)


def test_changesets_are_added_without_the_search_for_a_delta(
    hg: Hg, tmp_path: pathlib.Path, served: Served, bundle: pathlib.Path
) -> None:
    done = receive(
        hg,
        tmp_path,
        bundle,
        """
        from mercurial import revlogutils
        made = 0
        class counted(revlogutils.revisioninfo):
            def __init__(self, *args, **kwargs):
                global made
                made += 1
                super().__init__(*args, **kwargs)
        def extsetup(ui):
            ui.atexit(lambda: ui.status(b"searched %d times\\n" % made))
            revlogutils.revisioninfo = counted
        """,
    )
    assert done.returncode == 0, done.stderr
    (searched,) = [
        int(line.split()[1])
        for line in done.stdout.splitlines()
        if line.startswith(b"searched")
    ]
    changesets = int(done.stdout.split(b"added ")[1].split()[0])
    # the first of the changelog, and the inline manifest
    assert 1 <= searched <= changesets + 1
    assert served().entries > 2 * changesets


def test_workers_only_where_the_user_has_them(
    hg: Hg, tmp_path: pathlib.Path, served: Served, bundle: pathlib.Path
) -> None:
    """As for all other work: `worker.enabled` has a say."""
    for enabled in ("yes", "no"):
        hg("init", enabled, cwd=tmp_path)
        config = ("--config", f"worker.enabled={enabled}")
        served()
        hg("unbundle", str(bundle), *SHARED, *config, cwd=tmp_path / enabled)
        assert (served().shared > 0) is (enabled == "yes")


@pytest.mark.parametrize("limit", [5000, 8 << 20])
def test_caches_are_small_meanwhile(
    hg: Hg, tmp_path: pathlib.Path, served: Served, bundle: pathlib.Path, limit: int
) -> None:
    """Whatever the settings of the repository allow: little is read again."""
    done = receive(
        hg,
        tmp_path,
        bundle,
        f"""
        import importlib, sys
        def caches():
            (package,) = [name for name in sys.modules if name.endswith('_fastrevlog')]
            return importlib.import_module(package + '.engine.caches')
        def limit(ui, **kwargs):
            caches().RECEIVING_LIMIT = {limit}
        def reposetup(ui, repo):
            ui.setconfig(b'hooks', b'pretxnopen.limit', limit)
            ui.atexit(lambda: ui.status(b'%d held\\n' % caches().budget.used))
        """,
    )
    assert done.returncode == 0, done.stderr
    assert served().groups > 10
    held = int(done.stdout.split(b" held")[0].split()[-1])
    assert (held <= 5000) is (limit == 5000)
