# The stubs in typings/ name what is really there in the installed Mercurial.
# SPDX-License-Identifier: GPL-2.0-or-later
"""Every name of a stub has to exist at run time.

The stubs list what fastrevlog touches of Mercurial, so this is also a first look
at whether a new Mercurial still has it. A module or name marked ``# from 7.2``
is expected from that version on.
"""

from __future__ import annotations

import ast
import importlib
import pathlib
import re
from typing import Any

import pytest

TYPINGS = pathlib.Path(__file__).resolve().parent.parent / "typings"
STUBS = sorted(TYPINGS.rglob("*.pyi"))


def mercurial_version() -> tuple[int, ...]:
    util = importlib.import_module("mercurial.util")
    return tuple(int(n) for n in re.findall(rb"\d+", util.version())[:2])


def since(line: str) -> tuple[int, ...]:
    """The version from which on the name of this line is there."""
    found = re.search(r"# from (\d+)\.(\d+)", line)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def names(body: list[ast.stmt], lines: list[str]) -> list[str]:
    """Names that these statements promise, for the Mercurial that is here."""
    found = []
    for node in body:
        name = None
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            name = node.name
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            name = node.target.id
        if name is None or name == "__getattr__":
            continue
        if since(lines[node.lineno - 1]) <= mercurial_version():
            found.append(name)
    return found


@pytest.mark.parametrize("stub", STUBS, ids=lambda p: str(p.relative_to(TYPINGS)))
def test_names_exist(stub: pathlib.Path) -> None:
    text = stub.read_text(encoding="utf-8")
    lines = text.splitlines()
    if since(lines[0]) > mercurial_version():
        pytest.skip(f"{lines[0]}")
    parts = stub.relative_to(TYPINGS).with_suffix("").parts
    module: Any = importlib.import_module(".".join(parts).replace(".__init__", ""))
    tree = ast.parse(text)
    missing = [name for name in names(tree.body, lines) if not hasattr(module, name)]
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and node.name not in missing:
            # What __init__ sets is no attribute of the class.
            members = names(
                [n for n in node.body if isinstance(n, ast.FunctionDef)], lines
            )
            cls = getattr(module, node.name)
            missing += [f"{node.name}.{m}" for m in members if not hasattr(cls, m)]
    assert not missing
