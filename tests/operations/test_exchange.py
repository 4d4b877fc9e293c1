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


class Trio:
    """The same done to three repositories: by stock, by us, by us with workers."""

    def __init__(self, hg: Hg, folder: pathlib.Path, name: str = "r") -> None:
        self.hg = hg
        self.folder = folder
        # a line that is written before an error that stock finds sooner
        self.may_come_early = b""
        # the same name, for the files that know it
        self.theirs, self.ours, self.shared = self.all = [
            folder / who / name for who in ("theirs", "ours", "shared")
        ]

    def shown(self, stdout: bytes) -> bytes:
        return stdout.replace(self.may_come_early, b"")

    def init(self, *args: str) -> None:
        for repo in self.all:
            repo.parent.mkdir(exist_ok=True)
            self.hg("init", str(repo), *args, *STOCK, cwd=self.folder)

    def do(self, *args: str, code: int | None = 0) -> Any:
        theirs = self.hg(*args, *STOCK, cwd=self.theirs, code=code)
        for repo, workers in ((self.ours, "1"), (self.shared, "2")):
            config = "--config", "fastrevlog.workers=" + workers
            got = self.hg(*args, *config, cwd=repo, code=code)
            assert got.returncode == theirs.returncode
            assert self.shown(got.stdout) == self.shown(theirs.stdout)
            assert said(got.stderr) == said(theirs.stderr)
            assert_same(repo, self.theirs)
        return theirs


@pytest.fixture
def trio(hg: Hg, tmp_path: pathlib.Path) -> Trio:
    return Trio(hg, tmp_path)


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


def check_served(served: Served) -> None:
    """fastrevlog wrote, in both repositories that are not stock's."""
    counts = served()
    assert counts.total_served > 0
    assert counts.entries > 0


def bundle(hg: Hg, source: pathlib.Path, to: pathlib.Path, *args: str) -> pathlib.Path:
    hg("bundle", "-q", *args, str(to), *STOCK, cwd=source)
    return to


SMALL = """
from mercurial import revlog
revlog._maxinline = 700
"""


@pytest.fixture
def split_early(trio: Trio, hgrc: pathlib.Path) -> None:
    """Revlogs, that of the manifest too, become too large to be inline early."""
    (trio.folder / "small.py").write_text(SMALL)
    with hgrc.open("a") as file:
        file.write(f"[extensions]\nsmall = {trio.folder / 'small.py'}\n")


def check_beside(served: Served, times: int) -> None:
    """So often were manifests worked out while the files were."""
    counts = served()
    if incoming.are_objects():
        assert counts.by_workers["manifests of a changegroup"] == times


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
    trio: Trio, source: pathlib.Path, served: Served, spec: str
) -> None:
    file = bundle(trio.hg, source, trio.folder / "b.hg", "--all", "-t", spec)
    trio.init()
    served()
    trio.do("unbundle", str(file))
    if "v2" in spec and "04" not in spec and incoming.are_objects():
        counts = served()
        assert counts.groups > 60
        assert counts.shared > 30


@pytest.mark.parametrize("spec", ["none-v2", "none-v2;cg.version=03"])
def test_manifests_beside_the_files(
    trio: Trio, source: pathlib.Path, served: Served, split_early: None, spec: str
) -> None:
    first = bundle(trio.hg, source, trio.folder / "a.hg", "-r", "20", "--base", "null")
    file = bundle(trio.hg, source, trio.folder / "b.hg", "--all", "-t", spec)
    trio.init()
    served()
    trio.do("unbundle", str(first))
    check_beside(served, 1)
    trio.do("unbundle", "--debug", str(file))
    check_beside(served, 1)
    # what is there already, and nothing else
    trio.do("unbundle", str(file))


@pytest.mark.slow
def test_manifests_beside_the_files_in_many_steps(
    trio: Trio, source: pathlib.Path, served: Served, split_early: None
) -> None:
    trio.init()
    for rev in sorted(random.Random(3).sample(range(70), 25)):
        trio.do("pull", "-q", "-r", str(rev), str(source))
    assert served().by_workers["manifests of a changegroup"] > 5


def test_node_maps_are_kept_of_manifests_beside_the_files(
    hg: Hg,
    tmp_path: pathlib.Path,
    source: pathlib.Path,
    served: Served,
    trio: Trio,
    split_early: None,
) -> None:
    first = bundle(hg, source, tmp_path / "a.hg", "-r", "20", "--base", "null")
    file = bundle(hg, source, tmp_path / "b.hg", "--all", "-t", "none-v2")
    repo = tmp_path / "r"
    hg("init", "--config", "format.use-persistent-nodemap=yes", "r", cwd=tmp_path)
    workers = ("--config", "fastrevlog.workers=2")
    served()
    for name in (first, file, file):
        hg("unbundle", "-q", str(name), *workers, cwd=repo)
        check_beside(served, 1)
        for which, log in (("-c", "00changelog"), ("-m", "00manifest")):
            revs = (repo / ".hg/store" / f"{log}.i").stat().st_size // 64
            data = hg("debugnodemap", which, "--metadata", cwd=repo).stdout
            assert b"tip-rev: %d\n" % (revs - 1) in data
            hg("debugnodemap", which, "--check", cwd=repo)


@pytest.mark.parametrize("args", [("--debug",), pytest.param(("-v",), marks=SLOW)])
def test_what_is_said(
    trio: Trio, source: pathlib.Path, served: Served, args: tuple[str, ...]
) -> None:
    file = bundle(trio.hg, source, trio.folder / "b.hg", "--all", "-t", "none-v2")
    trio.init()
    trio.do("unbundle", *args, str(file))
    check_served(served)


@pytest.mark.slow
def test_progress(trio: Trio, source: pathlib.Path, served: Served) -> None:
    file = bundle(trio.hg, source, trio.folder / "b.hg", "--all", "-t", "none-v2")
    trio.init()
    progress = ("progress.debug=yes", "progress.delay=0", "progress.refresh=0")
    config = [word for item in progress for word in ("--config", item)]
    trio.do("unbundle", str(file), *config)
    check_served(served)


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
# stores whose paths are encoded in another way
REFUSED = ("format.dotencode=no", "format.usefncache=no")


@pytest.mark.slow
@pytest.mark.parametrize("config", CONFIGS)
def test_configurations_with_small_revlogs(
    trio: Trio, source: pathlib.Path, served: Served, split_early: None, config: str
) -> None:
    test_configurations(trio, source, served, config)


@pytest.mark.slow
@pytest.mark.parametrize("config", CONFIGS)
def test_configurations(
    trio: Trio, source: pathlib.Path, served: Served, config: str
) -> None:
    file = bundle(trio.hg, source, trio.folder / "b.hg", "-r", "40", "--base", "null")
    rest = bundle(trio.hg, source, trio.folder / "c.hg", "--all")
    trio.init("--config", config)
    for name in (file, rest):
        trio.do("unbundle", "-q", str(name), "--config", config)
    if config in REFUSED:
        counts = served()
        assert counts.total_served == 0
        assert sum(counts.refused.values()) > 0
    else:
        check_served(served)


def test_pulls_in_steps(trio: Trio, source: pathlib.Path, served: Served) -> None:
    trio.init()
    rng = random.Random(2)
    revs = sorted(rng.sample(range(70), 2))
    for rev in revs:
        trio.do("pull", "-q", "-r", str(rev), str(source))
    if incoming.are_objects():
        counts = served()
        assert counts.groups > 10
        assert 5 < counts.shared < counts.groups
    trio.do("pull", str(source))


@pytest.mark.slow
def test_pulls_in_many_steps(trio: Trio, source: pathlib.Path, served: Served) -> None:
    trio.init()
    for rev in sorted(random.Random(3).sample(range(70), 50)):
        trio.do("pull", "-q", "-r", str(rev), str(source))
    check_served(served)


def test_same_again(trio: Trio, source: pathlib.Path, served: Served) -> None:
    """Revisions that are there already."""
    file = bundle(trio.hg, source, trio.folder / "b.hg", "--all")
    trio.init()
    trio.do("unbundle", "-q", str(file))
    check_served(served)
    trio.do("unbundle", "-q", str(file))
    half = bundle(trio.hg, source, trio.folder / "h.hg", "-r", "30", "--base", "5")
    trio.do("unbundle", "-q", str(half))


def test_hard_links_are_broken(trio: Trio, source: pathlib.Path) -> None:
    trio.init()
    trio.do("pull", "-q", "-r", "40", str(source))
    before = tree(trio.ours)
    for repo in trio.all:
        trio.hg("clone", "-q", "-U", str(repo), str(repo) + "-linked", cwd=trio.folder)
    linked = Trio(trio.hg, trio.folder, "r-linked")
    linked.do("pull", "-q", str(source))
    assert tree(trio.ours) == before


@pytest.mark.slow
def test_modes_follow_the_store(
    trio: Trio, source: pathlib.Path, served: Served
) -> None:
    file = bundle(trio.hg, source, trio.folder / "b.hg", "--all")
    trio.init()
    for repo in trio.all:
        for path in (repo / ".hg", repo / ".hg" / "store"):
            path.chmod(0o2770)
    trio.do("unbundle", "-q", str(file))
    check_served(served)


@pytest.mark.slow
def test_a_file_in_two_groups(trio: Trio, source: pathlib.Path) -> None:
    """One stream, the same file twice, in a bundle with two changegroups."""
    first = bundle(trio.hg, source, trio.folder / "a.hg", "-r", "30", "--base", "null")
    rest = bundle(trio.hg, source, trio.folder / "b.hg", "--all")
    trio.init()
    trio.do("unbundle", "-q", str(first), str(rest))


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


def test_cut_off_and_damaged(trio: Trio, source: pathlib.Path, served: Served) -> None:
    check_damage(trio, source, served, range(3))


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", range(100, 400, 40))
def test_cut_off_and_damaged_much(
    trio: Trio, source: pathlib.Path, served: Served, seed: int
) -> None:
    check_damage(trio, source, served, range(seed, seed + 40))


def test_cut_off_and_damaged_with_manifests_beside_the_files(
    trio: Trio, source: pathlib.Path, served: Served, split_early: None
) -> None:
    trio.may_come_early = b"adding file changes\n"
    check_damage(trio, source, served, range(3, 6))


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", range(400, 600, 40))
def test_much_is_cut_off_and_damaged_with_manifests_beside_the_files(
    trio: Trio, source: pathlib.Path, served: Served, split_early: None, seed: int
) -> None:
    trio.may_come_early = b"adding file changes\n"
    check_damage(trio, source, served, range(seed, seed + 40))


def check_damage(
    trio: Trio, source: pathlib.Path, served: Served, seeds: range
) -> None:
    """Stock's error, and the store as it was."""
    file = bundle(trio.hg, source, trio.folder / "b.hg", "--all", "-t", "none-v2")
    first = bundle(trio.hg, source, trio.folder / "a.hg", "-r", "20", "--base", "null")
    data = file.read_bytes()
    trio.init()
    trio.do("unbundle", "-q", str(first))
    if trio.may_come_early:
        check_beside(served, 1)
    else:
        check_served(served)
    before = trio.folder / "before"
    shutil.copytree(trio.ours, before)
    for seed in seeds:
        rng = random.Random(seed)
        file.write_bytes(damaged(data, rng))
        done = trio.do("unbundle", str(file), code=None)
        if done.returncode:
            trio.do("verify", "-q")
        for repo in trio.all:
            shutil.rmtree(repo)
            shutil.copytree(before, repo)
