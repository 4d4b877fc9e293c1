# What would be pulled or pushed, and what a bundle has, shown by workers.
# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from .history import Lab

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")

COLOR = ("--color=always", "--config", "ui.color=yes")


@pytest.fixture(scope="module")
def partial(lab: Lab, everything: Path) -> Path:
    """A clone that has the first few changesets of ``everything``."""
    root = lab.folder / "partial"
    lab.hg("clone", "-q", "-r", "2", str(everything), str(root), cwd=lab.folder)
    return root


@pytest.fixture(scope="module")
def bundles(lab: Lab, everything: Path, partial: Path) -> Path:
    """A folder of bundles of what ``partial`` has not, of several sorts."""
    for kind in ("none-v1", "bzip2-v1", "none-v2", "gzip-v2", "zstd-v2"):
        name = str(lab.folder / f"{kind}.hg")
        lab.hg("bundle", "-q", "-t", kind, name, str(partial), cwd=everything)
    return lab.folder


@pytest.fixture(scope="module")
def mapfile(lab: Lab) -> str:
    path = lab.folder / "map-with-header"
    path.write_text(
        "changeset = 'rev {rev} {desc|firstline}\\n'\nheader = '== {branch}\\n'\n"
        "docheader = 'begin\\n'\ndocfooter = 'end\\n'\n",
        encoding="utf-8",
    )
    return str(path)


WHAT = [
    ("-p",),
    ("-p", "-v", "--git"),
    ("-p", "--debug"),
    ("-p", "--git", *COLOR),
    ("--stat", *COLOR),
    ("--stat", "-p", "-T", "{rev} {node|short} {files % '{file} '}\n"),
    ("-p", "-T", "{index}{separate(' ', rev, phase)}\n{diffstat}\n"),
    ("-p", "-n", "-M"),
    ("-p", "-l", "7"),
    ("-p", "-l", "7", "-n"),
    ("-T", "json", "-p", "--stat"),
    ("-p", "-q"),
    ("-p", "-G"),
    ("-p", "-G", "--stat", *COLOR),
    ("-T", "json", "-v"),
]


@pytest.mark.parametrize("args", WHAT, ids=" ".join)
def test_outgoing(
    lab: Lab, everything: Path, partial: Path, args: tuple[str, ...]
) -> None:
    result, counts = lab.same("outgoing", str(partial), *args, cwd=everything)
    assert not result.status and result.out
    assert not counts.in_one_process
    assert counts.by_workers["log"] >= 6


@pytest.mark.parametrize("args", WHAT[1::2], ids=" ".join)
def test_incoming_from_a_path(
    lab: Lab, everything: Path, partial: Path, args: tuple[str, ...]
) -> None:
    result, counts = lab.same("incoming", str(everything), *args, cwd=partial)
    assert not result.status and result.out
    assert not counts.in_one_process
    assert counts.by_workers["log"] >= 6


@pytest.mark.parametrize("args", WHAT[::3], ids=" ".join)
def test_incoming_from_a_bundle(
    lab: Lab, bundles: Path, partial: Path, args: tuple[str, ...]
) -> None:
    result, counts = lab.same("incoming", "../none-v2.hg", *args, cwd=partial)
    assert not result.status and result.out
    assert not counts.in_one_process
    assert counts.by_workers["log"] >= 6


@pytest.mark.parametrize(
    "kind", ["none-v1", "bzip2-v1", "none-v2", "gzip-v2", "zstd-v2"]
)
def test_sorts_of_bundles(
    lab: Lab, bundles: Path, partial: Path, everything: Path, kind: str
) -> None:
    """Processes that share one open file would read each other's bytes."""
    bundle = f"../{kind}.hg"
    _result, counts = lab.same("incoming", "-p", bundle, cwd=partial)
    assert counts.by_workers["log"] >= 10
    commands: list[tuple[str, ...]] = [
        ("log", "-p", "--git", "-r", "tip:0"),
        ("export", "0:tip"),
        ("grep", "--diff", "-n", "line"),
        ("annotate", "-r", "tip", "-unl", "a"),
    ]
    for command in commands:
        result, counts = lab.same("-R", bundle, *command, cwd=partial)
        assert not result.status
        assert counts.by_workers[command[0]] >= 3, command
        assert not counts.in_one_process
    kept = lab.folder / "kept.hg"
    args = ("incoming", "-p", "--bundle", str(kept), str(everything))
    _result, counts = lab.same(*args, cwd=partial)
    assert counts.by_workers["log"] >= 10


def test_a_bundle_alone(lab: Lab, everything: Path) -> None:
    """Without a repository below: one that is made for the moment."""
    lab.hg("bundle", "-q", "-a", "../all.hg", cwd=everything)
    _result, counts = lab.same("-R", "all.hg", "log", "-p", cwd=lab.folder)
    assert counts.by_workers["log"] >= 10


def test_a_truncated_bundle(lab: Lab, bundles: Path, partial: Path) -> None:
    data = (bundles / "none-v2.hg").read_bytes()
    for size in (len(data) // 2, len(data) - 100):
        (bundles / "short.hg").write_bytes(data[:size])
        result, _counts = lab.same("incoming", "-p", "../short.hg", cwd=partial)
        assert result.status


def test_a_union(lab: Lab, everything: Path, partial: Path) -> None:
    union = f"union:{partial}+{everything}"
    _result, counts = lab.same("-R", union, "log", "-p", cwd=lab.folder)
    assert counts.in_one_process["log: storage: a union repository"] == 1


@pytest.mark.parametrize("command", ["incoming", "outgoing"])
def test_headers(
    lab: Lab, everything: Path, partial: Path, mapfile: str, command: str
) -> None:
    """Written once for what follows, as by a displayer that does not buffer."""
    other, cwd = (
        (everything, partial) if command == "incoming" else (partial, everything)
    )
    args = (command, str(other), "--style", mapfile, "-p")
    result, counts = lab.same(*args, cwd=cwd)
    assert 1 < result.out.count(b"== ") < 10
    assert result.out.startswith(b"comparing with") and b"\nend\n" in result.out
    assert counts.by_workers["log"] >= 6


def test_a_header_and_a_separator(lab: Lab, everything: Path, partial: Path) -> None:
    """Their order depends on whether a displayer buffers."""
    words: tuple[str, ...] = ("-T", "{sep}", "--config", "templates.sep='{rev}\\n'")
    words += ("--config", "templates.sep:header='== {branch}\\n'")
    words += ("--config", "templates.sep:separator='--\\n'")
    _result, counts = lab.same("outgoing", str(partial), *words, cwd=everything)
    (reason,) = counts.in_one_process or ["none"]
    assert reason in (
        "none",
        "log: template: has a header and a separator, and is not buffered",
    )


@pytest.mark.parametrize("args", [("incoming",), ("outgoing",)])
def test_nothing(lab: Lab, everything: Path, args: tuple[str, ...]) -> None:
    twin = lab.folder / "twin"
    if not twin.exists():
        shutil.copytree(everything, twin, symlinks=True)
    result, _counts = lab.same(*args, "-p", str(twin), cwd=everything)
    assert result.status == 1
