# Receiving changegroups: the store is the same, byte for byte, as without us.
# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import pathlib
import random
import shutil
from typing import Any, Callable

import pytest

from hgext3rd.fastrevlog.compat import incoming
from support import histories

Hg = Callable[..., Any]
Served = Callable[[], Any]
STOCK = ("--config", "extensions.fastrevlog=!")
# what differs from run to run, or says how something was done and not what
LEFT_OUT = {"cache", "wcache", "hgrc"}


def tree(repo: pathlib.Path) -> dict[str, Any]:
    """Every file below ``.hg``: content and mode."""
    found = {}
    for path in sorted((repo / ".hg").rglob("*")):
        name = path.relative_to(repo / ".hg")
        if name.parts[0] in LEFT_OUT:
            continue
        content = path.read_bytes() if path.is_file() else None
        found[str(name)] = path.stat().st_mode, content
    return found


def assert_same(ours: pathlib.Path, theirs: pathlib.Path) -> None:
    got, wanted = tree(ours), tree(theirs)
    assert got.keys() == wanted.keys()
    assert [name for name in wanted if got[name] != wanted[name]] == []


def said(stderr: bytes) -> bytes:
    """The last line of a traceback, whose others name files and extensions."""
    if b"Traceback" in stderr:
        return stderr.splitlines()[-1]
    return stderr


class Pair:
    """The same done to two repositories, by stock and by fastrevlog."""

    def __init__(self, hg: Hg, folder: pathlib.Path, name: str = "r") -> None:
        self.hg = hg
        self.folder = folder
        # the same name, for the files that know it
        self.ours = folder / "ours" / name
        self.theirs = folder / "theirs" / name

    def init(self, *args: str) -> None:
        for repo in (self.ours, self.theirs):
            repo.parent.mkdir(exist_ok=True)
            self.hg("init", str(repo), *args, *STOCK, cwd=self.folder)

    def copy_of(self, repo: pathlib.Path) -> None:
        for made in (self.ours, self.theirs):
            shutil.copytree(repo, made)

    def do(self, *args: str, code: int | None = 0, ours: tuple[str, ...] = ()) -> Any:
        theirs = self.hg(*args, *STOCK, cwd=self.theirs, code=code)
        got = self.hg(*args, *ours, cwd=self.ours, code=code)
        assert got.returncode == theirs.returncode
        assert got.stdout == theirs.stdout
        assert said(got.stderr) == said(theirs.stderr)
        assert_same(self.ours, self.theirs)
        return got


@pytest.fixture
def pair(hg: Hg, tmp_path: pathlib.Path) -> Pair:
    return Pair(hg, tmp_path)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A repository with a little of everything."""
    folder = tmp_path_factory.mktemp("source") / "repo"
    maker = histories.Maker(folder, seed=5)
    maker.many(70)
    noise = maker.rng.randbytes(histories.SPLITS)
    maker.commit({b"split/later": noise[:90_000]})
    maker.commit({b"split/later": noise[::-1], b"split/at-once": noise})
    maker.commit({b"split/at-once": noise + b"end\n"})
    return folder


def bundle(hg: Hg, source: pathlib.Path, to: pathlib.Path, *args: str) -> pathlib.Path:
    hg("bundle", "-q", *args, str(to), *STOCK, cwd=source)
    return to


def groups(served: Served) -> int:
    return int(served().groups)


SLOW = pytest.mark.slow
SPECS = [
    "none-v2",
    pytest.param("zstd-v2", marks=SLOW),
    pytest.param("gzip-v1", marks=SLOW),
    "none-v2;cg.version=03",
    pytest.param("none-v2;cg.version=04", marks=SLOW),
]


@pytest.mark.parametrize("spec", SPECS)
def test_whole_histories(
    pair: Pair, source: pathlib.Path, served: Served, spec: str
) -> None:
    file = bundle(pair.hg, source, pair.folder / "b.hg", "--all", "-t", spec)
    pair.init()
    served()
    pair.do("unbundle", str(file))
    if "v2" in spec and "04" not in spec and incoming.are_objects():
        assert groups(served) > 30


@pytest.mark.parametrize("args", [("--debug",), pytest.param(("-v",), marks=SLOW)])
def test_what_is_said(pair: Pair, source: pathlib.Path, args: tuple[str, ...]) -> None:
    file = bundle(pair.hg, source, pair.folder / "b.hg", "--all", "-t", "none-v2")
    pair.init()
    pair.do("unbundle", *args, str(file))


@pytest.mark.slow
def test_progress(pair: Pair, source: pathlib.Path) -> None:
    file = bundle(pair.hg, source, pair.folder / "b.hg", "--all", "-t", "none-v2")
    pair.init()
    progress = ("progress.debug=yes", "progress.delay=0", "progress.refresh=0")
    config = [word for item in progress for word in ("--config", item)]
    pair.do("unbundle", str(file), *config)


CONFIGS = [
    "format.sparse-revlog=no",
    "format.revlog-compression=zlib",
    "format.usegeneraldelta=no",
    "storage.revlog.optimize-delta-parent-choice=yes",
    "storage.revlog.reuse-external-delta=no",
    "storage.revlog.reuse-external-delta-parent=no",
    "storage.revlog.issue6528.fix-incoming=no",
    "format.maxchainlen=3",
    "server.validate=yes",
    "server.bundle1=no",
    "format.exp-use-fileindex-v1=enable-unstable-format-and-corrupt-my-data",
    "format.exp-use-delta-info-flags=yes",
    "experimental.treemanifest=yes",
    "debug.unbundling-stats=no",
    "format.dotencode=no",
    "format.usefncache=no",
]


@pytest.mark.slow
@pytest.mark.parametrize("config", CONFIGS)
def test_configurations(pair: Pair, source: pathlib.Path, config: str) -> None:
    file = bundle(pair.hg, source, pair.folder / "b.hg", "-r", "40", "--base", "null")
    rest = bundle(pair.hg, source, pair.folder / "c.hg", "--all")
    pair.init("--config", config)
    for name in (file, rest):
        pair.do("unbundle", "-q", str(name), "--config", config)


def test_pulls_in_steps(pair: Pair, source: pathlib.Path, served: Served) -> None:
    pair.init()
    rng = random.Random(2)
    revs = sorted(rng.sample(range(70), 2))
    for rev in revs:
        pair.do("pull", "-q", "-r", str(rev), str(source))
    if incoming.are_objects():
        assert groups(served) > 5
    pair.do("pull", str(source))


@pytest.mark.slow
def test_pulls_in_many_steps(pair: Pair, source: pathlib.Path) -> None:
    pair.init()
    for rev in sorted(random.Random(3).sample(range(70), 50)):
        pair.do("pull", "-q", "-r", str(rev), str(source))


def test_same_again(pair: Pair, source: pathlib.Path) -> None:
    """Revisions that are there already."""
    file = bundle(pair.hg, source, pair.folder / "b.hg", "--all")
    pair.init()
    pair.do("unbundle", "-q", str(file))
    pair.do("unbundle", "-q", str(file))
    half = bundle(pair.hg, source, pair.folder / "h.hg", "-r", "30", "--base", "5")
    pair.do("unbundle", "-q", str(half))


def test_hard_links_are_broken(pair: Pair, source: pathlib.Path) -> None:
    pair.init()
    pair.do("pull", "-q", "-r", "40", str(source))
    before = tree(pair.ours)
    for repo in (pair.ours, pair.theirs):
        pair.hg("clone", "-q", "-U", str(repo), str(repo) + "-linked", cwd=pair.folder)
    linked = Pair(pair.hg, pair.folder, "r-linked")
    linked.do("pull", "-q", str(source))
    assert tree(pair.ours) == before


@pytest.mark.slow
def test_modes_follow_the_store(pair: Pair, source: pathlib.Path) -> None:
    file = bundle(pair.hg, source, pair.folder / "b.hg", "--all")
    pair.init()
    for repo in (pair.ours, pair.theirs):
        for path in (repo / ".hg", repo / ".hg" / "store"):
            path.chmod(0o2770)
    pair.do("unbundle", "-q", str(file))


@pytest.mark.slow
def test_a_file_in_two_groups(pair: Pair, source: pathlib.Path) -> None:
    """One stream, the same file twice, in a bundle with two changegroups."""
    first = bundle(pair.hg, source, pair.folder / "a.hg", "-r", "30", "--base", "null")
    rest = bundle(pair.hg, source, pair.folder / "b.hg", "--all")
    pair.init()
    pair.do("unbundle", "-q", str(first), str(rest))


def damaged(data: bytes, rng: random.Random) -> bytes:
    kind = rng.randrange(4)
    at = rng.randrange(len(data) // 3, len(data))
    if kind == 0:
        return data[:at]
    if kind == 1:
        return data[:at] + rng.randbytes(4) + data[at + 4 :]
    if kind == 2:
        return data[:at] + rng.randbytes(rng.randrange(1, 200)) + data[at:]
    return data[:at] + data[at + rng.randrange(1, 200) :]


def test_cut_off_and_damaged(pair: Pair, source: pathlib.Path) -> None:
    check_damage(pair, source, range(3))


@pytest.mark.slow
def test_cut_off_and_damaged_much(pair: Pair, source: pathlib.Path) -> None:
    check_damage(pair, source, range(100, 400))


def check_damage(pair: Pair, source: pathlib.Path, seeds: range) -> None:
    """Stock's error, and the store as it was."""
    file = bundle(pair.hg, source, pair.folder / "b.hg", "--all", "-t", "none-v2")
    first = bundle(pair.hg, source, pair.folder / "a.hg", "-r", "20", "--base", "null")
    data = file.read_bytes()
    pair.init()
    pair.do("unbundle", "-q", str(first))
    before = pair.folder / "before"
    shutil.copytree(pair.ours, before)
    for seed in seeds:
        rng = random.Random(seed)
        file.write_bytes(damaged(data, rng))
        done = pair.do("unbundle", str(file), code=None)
        if done.returncode:
            pair.do("verify", "-q")
        for repo in (pair.ours, pair.theirs):
            shutil.rmtree(repo)
            shutil.copytree(before, repo)
