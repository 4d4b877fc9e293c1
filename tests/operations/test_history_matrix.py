# Commands of history, colours, widths and repositories, each with each.
# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import itertools
import os
from pathlib import Path
from typing import NamedTuple

import pytest

from .history import Lab, write

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


class World(NamedTuple):
    """A repository, what it needs, and a file of it that has a history."""

    root: Path
    config: tuple[str, ...]
    file: str


def _with(*config: str) -> tuple[str, ...]:
    return tuple(word for one in config for word in ("--config", one))


CONFIG = {
    "everything": (),
    "keyword": _with("extensions.keyword=", "keyword.**=", "keywordset.svn=yes"),
    "largefiles": _with("extensions.largefiles="),
    "lfs": _with("extensions.lfs=", "lfs.track=size('>3')"),
    "subrepository": (),
}


@pytest.fixture(scope="module")
def worlds(lab: Lab, everything: Path) -> dict[str, World]:
    found = {
        name: World(everything, CONFIG[name], "a") for name in ("everything", "keyword")
    }
    for name in ("largefiles", "lfs", "subrepository"):
        root = lab.folder / name
        config = CONFIG[name]
        lab.hg("init", str(root), *config, cwd=lab.folder)
        if name == "subrepository":
            lab.hg("init", str(root / "sub"), cwd=lab.folder)
            write(root / ".hgsub", "sub = sub\n")
        for i in range(5):
            write(root / "file", f"line {i}\n" * (i + 1))
            if name == "largefiles":
                write(root / "big", f"big {i}\n")
                if not i:
                    lab.hg("add", "--large", "big", *config, cwd=root)
            if name == "subrepository":
                write(root / "sub/inner", f"inner {i}\n")
                lab.hg("commit", "-Am", f"inner {i}", cwd=root / "sub")
            lab.hg("commit", "-Am", f"number {i}", *config, cwd=root)
        found[name] = World(root, config, "file")
    return found


COMMANDS = {
    "patches": ("log", "-p", "--git", "--stat"),
    "debug": ("log", "--debug", "-p", "--hidden"),
    "status": ("log", "-T", "status", "-C", "--stat"),
    "template": ("log", "-T", "{rev} {phase} {diffstat}\n{fill(desc)}\n{diff()}"),
    "list": ("log", "-T", "json", "-v"),
    "graph": ("log", "-G", "-p"),
    "export": ("export", "0:tip", "--git"),
    "grep": ("grep", "--diff", "-n", "line"),
    "annotate": ("annotate", "-unl"),
    "diff": ("diff", "-r", "0", "-r", "tip", "--git", "--stat"),
}
COLOURS = ((), ("--color=always",), ("--color=debug",))
WIDTHS = ("20", "80", "200")
MATRIX = list(itertools.product(COMMANDS, CONFIG, COLOURS, WIDTHS))
# with each command, repository, colour and width in it; the others are long
QUICK = MATRIX[::41]


def _compare(
    lab: Lab, worlds: dict[str, World], combination: tuple[object, ...]
) -> int:
    command, name, colour, width = combination
    assert isinstance(colour, tuple)
    world = worlds[str(name)]
    args = COMMANDS[str(command)]
    if command == "annotate":
        args = (*args, world.file)
    full = (*args, *colour, *world.config)
    if (command, name) == ("debug", "lfs"):
        # which says why
        result, counts = lab.ours(*full, cwd=world.root, COLUMNS=str(width))
        assert b"log: storage: files may come from a server" in result.err
        plain = result.err.count(b"\n") == 1
        expected = lab.stock(*full, cwd=world.root, COLUMNS=str(width))
        assert (result.out, result.status) == (expected.out, expected.status) and plain
    else:
        _result, counts = lab.same(*full, cwd=world.root, COLUMNS=str(width))
    if name == "lfs":
        assert not counts.by_workers
    return sum(counts.by_workers.values())


def test_some(lab: Lab, worlds: dict[str, World]) -> None:
    for place, values in enumerate((COMMANDS, CONFIG, COLOURS, WIDTHS)):
        assert {one[place] for one in QUICK} == set(values)
    assert sum(_compare(lab, worlds, one) for one in QUICK) > 50


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_all(lab: Lab, worlds: dict[str, World], command: str) -> None:
    done = [_compare(lab, worlds, one) for one in MATRIX if one[0] == command]
    assert any(done) or command == "diff"
