# Repositories with a node map: opened, written, rolled back, upgraded, cloned.
# SPDX-License-Identifier: GPL-2.0-or-later
"""Maps are asked here however small the index is (``support/mapalways.py``).

What fastrevlog wrote is checked by stock, with its slow path, and the other way round.
"""

from __future__ import annotations

import os
import pathlib
import re
import shutil
import subprocess
from typing import Any, Callable

import pytest

from tests.conftest import Hg

SUPPORT = pathlib.Path(__file__).resolve().parents[2] / "support"
STOCK = (
    "--config=fastrevlog.enabled=no",
    "--config=storage.revlog.persistent-nodemap.slow-path=allow",
)
CHECKED = rb"revisions in index: +(\d+)\nrevisions in nodemap: \1\n"


@pytest.fixture(scope="module")
def made(
    tmp_path_factory: pytest.TempPathFactory, hg_path: pathlib.Path
) -> pathlib.Path:
    """A repository of 1,400 changesets with a map of its changelog, made by stock."""
    repo = tmp_path_factory.mktemp("made") / "repo"
    env = {"PATH": os.environ["PATH"], "HGRCPATH": "", "HGUSER": "test"}
    allow = "--config=storage.all-slow-path=allow"
    for args in (
        ["init", str(repo), "--config=format.use-persistent-nodemap=yes"],
        ["debugbuilddag", "-R", str(repo), "+1400"],
    ):
        subprocess.run([str(hg_path), *args, allow], env=env, check=True)
    return repo


@pytest.fixture
def repo(
    made: pathlib.Path, tmp_path: pathlib.Path, hgrc: pathlib.Path
) -> pathlib.Path:
    with hgrc.open("a") as fp:
        fp.write(f"[extensions]\nalways = {SUPPORT / 'mapalways.py'}\nstrip =\n")
    return pathlib.Path(shutil.copytree(made, tmp_path / "repo"))


@pytest.fixture
def check(hg: Hg, repo: pathlib.Path) -> Callable[..., dict[str, int]]:
    """Let both check the map of the changelog; what the docket says."""

    def run(*more: str) -> dict[str, int]:
        for who in ((), STOCK):
            done = hg("debugnodemap", "--check", *more, *who, cwd=repo)
            assert re.fullmatch(CHECKED, done.stdout), done.stdout
        told = hg("debugnodemap", "--metadata", *more, cwd=repo).stdout.decode()
        numbers = re.findall(r"^([a-z-]+): (\d+)$", told, re.MULTILINE)
        return {name: int(number) for name, number in numbers}

    return run


def status(hg: Hg, repo: pathlib.Path) -> list[bytes]:
    shown = hg("debug::fastrevlog", cwd=repo).stdout
    return shown.partition(b"node maps on disk:\n")[2].splitlines()


def commit(hg: Hg, repo: pathlib.Path, name: str, *more: str, code: int = 0) -> Any:
    (repo / name).write_text(name)
    return hg("commit", "-q", "-A", "-m", name, *more, cwd=repo, code=code)


def test_it_opens_without_a_slow_path(hg: Hg, repo: pathlib.Path, served: Any) -> None:
    done = hg("log", "-r", "700", "-T", "{node|short} {rev}\n", cwd=repo)
    assert done.stderr == b""
    digits, _space, _rev = done.stdout.decode().partition(" ")
    assert hg("log", "-r", digits, "-T", "{rev}", cwd=repo).stdout == b"700"
    assert (
        b"unknown revision"
        in hg("id", "-r", "f" * 11 + "0", cwd=repo, code=None).stderr
    )
    first = status(hg, repo)[0]
    assert first == b"  changelog           in use; 1400 revisions, 0 behind"
    assert served().served["changelog"] >= 4
    # stock refuses, and so it does without us
    done = hg("id", "--config=fastrevlog.enabled=no", cwd=repo, code=255)
    assert b"without associated fast implementation" in done.stderr
    warn = "--config=storage.all-slow-path=warn"
    assert hg("id", warn, cwd=repo).stderr == b""
    bad = "--config=storage.revlog.persistent-nodemap.slow-path=never"
    done = hg("id", bad, cwd=repo)
    assert b"unknown value for config" in done.stderr
    assert b"fast implementation" not in done.stderr


def test_what_is_looked_up_is_the_same(hg: Hg, repo: pathlib.Path) -> None:
    for template in ("{rev} {node} {shortest(node, 1)}\n", "{p1node} {p2node}\n"):
        ask = ["log", "-T", template]
        assert hg(*ask, cwd=repo).stdout == hg(*ask, *STOCK, cwd=repo).stdout
    within = "--config=experimental.revisions.disambiguatewithin=1300::"
    ask = ["log", "-T", "{shortest(node, 1)}\n", within]
    assert hg(*ask, cwd=repo).stdout == hg(*ask, *STOCK, cwd=repo).stdout
    for prefix in ("7", "0", "00", "a0f", "dead"):
        ask = ["log", "-r", f"id({prefix})", "-T", "{node}\n"]
        ours = hg(*ask, cwd=repo, code=None)
        stock = hg(*ask, *STOCK, cwd=repo, code=None)
        assert (ours.stdout, ours.stderr) == (stock.stdout, stock.stderr)


def test_commits_add_to_it(
    hg: Hg, repo: pathlib.Path, check: Callable[..., dict[str, int]]
) -> None:
    before = check()
    commit(hg, repo, "one")
    after = check()
    assert after["tip-rev"] == before["tip-rev"] + 1
    added = after["data-length"] - before["data-length"]
    assert 0 < added < 600  # bytes
    assert 0 < after["data-unused"] <= added
    # stock writes all of it anew, and ours goes on from there
    commit(hg, repo, "two", *STOCK)
    assert check()["data-unused"] == 0
    commit(hg, repo, "three")
    assert check()["data-unused"] > 0
    assert len(list(repo.glob(".hg/store/00changelog-*.nd"))) == 1


def test_strip_rollback_and_abort(
    hg: Hg, repo: pathlib.Path, check: Callable[..., dict[str, int]]
) -> None:
    commit(hg, repo, "one")
    commit(hg, repo, "two")
    hg("rollback", "-q", "--config=ui.rollback=yes", "--force", cwd=repo)
    assert check()["tip-rev"] == 1400
    hg("strip", "-q", "-r", "tip", cwd=repo)
    # Mercurial leaves the map as it was, until something is added
    assert b"index: shorter than the map" in status(hg, repo)[0]
    assert hg("log", "-r", "tip", "-T", "{rev}", cwd=repo).stdout == b"1399"
    commit(hg, repo, "three")
    assert check()["tip-rev"] == 1400
    no = "--config=hooks.pretxncommit.no=false"
    commit(hg, repo, "four", no, code=255)
    assert check()["tip-rev"] == 1400
    hg("strip", "-q", "-r", "1000", cwd=repo)
    commit(hg, repo, "five")
    assert check()["tip-rev"] == 1001
    assert len(list(repo.glob(".hg/store/00changelog-*.nd"))) == 1


def test_hooks_see_the_pending_map(hg: Hg, repo: pathlib.Path, tmp_path: Any) -> None:
    script = tmp_path / "hook.sh"
    check = "$HG debugnodemap --check"
    script.write_text(
        f"$HG debugnodemap --metadata\n{check}\n{check} {' '.join(STOCK)}\n"
        "$HG log -r tip -T 'saw {rev}\\n'\n"
    )
    done = commit(hg, repo, "one", f"--config=hooks.pretxnclose=sh {script}")
    told = (done.stdout + done.stderr).decode()
    assert "saw 1400" in told
    assert "tip-rev: 1400" in told
    assert told.count("revisions in nodemap: 1401") == 2
    assert not list(repo.glob(".hg/store/*.n.a"))


def test_a_map_of_another_history(hg: Hg, repo: pathlib.Path) -> None:
    store = repo / ".hg" / "store"
    (data,) = store.glob("00changelog-*.nd")
    docket = store / "00changelog.n"
    good, blocks = docket.read_bytes(), data.read_bytes()
    node = hg("log", "-r", "77", "-T", "{node}", cwd=repo).stdout.decode()
    tip = len(good) - 20
    for name, bad, why in (
        ("docket", good[:30], b"docket: cut off"),
        ("docket", b"\7" + good[1:], b"docket: unknown version"),
        ("docket", good[:tip] + b"x" * 20, b"index: another tip node"),
        ("docket", good[:2] + b"\0" * 6 + b"\x20" + good[9:], b"index: shorter"),
        ("data", blocks[:-64], b"data: cut off"),
        ("data", b"\0" * len(blocks), b"data: "),
        ("data", None, b"data: missing"),
        ("docket", b"", b"docket: empty"),
        ("docket", None, b"no map on disk"),
    ):
        docket.write_bytes(good)
        data.write_bytes(blocks)
        path = docket if name == "docket" else data
        if bad is None:
            path.unlink()
        else:
            path.write_bytes(bad)
        found = hg("log", "-r", node[:9], "-T", "{rev}", cwd=repo)
        assert (found.stdout, found.stderr) == (b"77", b""), why
        assert why in status(hg, repo)[0] or why == b"data: "
    # the next transaction writes a good one
    commit(hg, repo, "one")
    assert status(hg, repo)[0].endswith(b"in use; 1401 revisions, 0 behind")


def test_one_that_lags(hg: Hg, repo: pathlib.Path, check: Any, tmp_path: Any) -> None:
    docket = repo / ".hg" / "store" / "00changelog.n"
    (data,) = docket.parent.glob("00changelog-*.nd")
    old, blocks = docket.read_bytes(), data.read_bytes()
    commit(hg, repo, "one")
    node = hg("log", "-r", "tip", "-T", "{node}", cwd=repo).stdout.decode()
    docket.write_bytes(old)
    data.write_bytes(blocks)
    assert status(hg, repo)[0].endswith(b"in use; 1400 revisions, 1 behind")
    assert hg("log", "-r", node[:10], "-T", "{rev}", cwd=repo).stdout == b"1400"
    hg("debugupdatecaches", cwd=repo)
    assert check()["tip-rev"] == 1400
    assert status(hg, repo)[0].endswith(b"in use; 1401 revisions, 0 behind")


def test_upgrades(hg: Hg, repo: pathlib.Path, check: Any) -> None:
    requirements = repo / ".hg" / "store" / "requires"
    if b"nodemap" not in requirements.read_bytes():
        requirements = repo / ".hg" / "requires"
    no = "--config=format.use-persistent-nodemap=no"
    hg("debugupgraderepo", "--run", "--no-backup", "-q", no, cwd=repo)
    assert b"nodemap" not in requirements.read_bytes()
    assert not list(repo.glob(".hg/store/00changelog*.n*"))
    yes = "--config=format.use-persistent-nodemap=yes"
    hg("debugupgraderepo", "--run", "--no-backup", "-q", yes, cwd=repo)
    assert b"nodemap" in requirements.read_bytes()
    assert check()["tip-rev"] == 1399
    assert status(hg, repo)[0].endswith(b"in use; 1400 revisions, 0 behind")


def test_clones_and_shares(hg: Hg, repo: pathlib.Path, tmp_path: Any) -> None:
    share = "--config=extensions.share="
    yes = "--config=format.use-persistent-nodemap=yes"
    hg("clone", "-q", "-U", "repo", "linked", cwd=tmp_path)
    hg("clone", "-q", "-U", "--pull", yes, "repo", "pulled", cwd=tmp_path)
    hg("clone", "-q", "-U", "--pull", "--stream", yes, "repo", "streamed", cwd=tmp_path)
    hg("share", "-q", "-U", "repo", "shared", share, cwd=tmp_path)
    for name in ("linked", "pulled", "streamed", "shared"):
        there = tmp_path / name
        done = hg("debugnodemap", "--check", cwd=there)
        assert re.fullmatch(CHECKED, done.stdout), (name, done.stdout)
        assert status(hg, there)[0].endswith(b"in use; 1400 revisions, 0 behind")
        (there / "new").write_text(name)
        hg("commit", "-q", "-A", "-m", name, cwd=there)
        done = hg("debugnodemap", "--check", *STOCK, cwd=there)
        assert re.fullmatch(CHECKED, done.stdout), (name, done.stdout)
    # the clone had links to the same files
    assert b"1401" in hg("debugnodemap", "--check", cwd=repo).stdout


def test_the_same_maps_as_stock(hg: Hg, repo: pathlib.Path) -> None:
    ours = hg("debugnodemap", "--dump-new", cwd=repo).stdout
    assert ours == hg("debugnodemap", "--dump-new", *STOCK, cwd=repo).stdout
    assert ours == hg("debugnodemap", "--dump-disk", cwd=repo).stdout
