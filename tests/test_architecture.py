# The import rules of the package: arrows go one way, without circles.
# SPDX-License-Identifier: GPL-2.0-or-later
"""`docs/architecture.md` says which room may import which; each import is read."""

from __future__ import annotations

import ast
import pathlib

import pytest

from tests.conftest import EXTENSION

# rooms from the bottom up: a module imports from its own level or from below
LEVELS = [
    {"engine"},
    {"compat", "metadata", "modulewatch"},
    {"process", "settings", "eligibility", "unchanged", "stores", "fallback"},
    {"workers"},
    {"outer"},
    {"operations"},
    {"install", "table"},
    {"debug", "__init__"},
]
# modules of Mercurial that know of ui, repo or configuration
KNOWING = {
    "bundlerepo",
    "changegroup",
    "cmdutil",
    "commands",
    "configitems",
    "context",
    "dispatch",
    "exchange",
    "extensions",
    "exthelper",
    "filelog",
    "changelog",
    "hg",
    "localrepo",
    "logcmdutil",
    "manifest",
    "merge",
    "registrar",
    "repair",
    "repoview",
    "revlog",
    "scmutil",
    "smartset",
    "statichttprepo",
    "store",
    "ui",
    "verify",
    "worker",
}
# ours, and why it is allowed: nothing
EXCEPTIONS: set[tuple[str, str]] = set()


def modules(root: pathlib.Path = EXTENSION) -> dict[str, pathlib.Path]:
    """Dotted names below the package, ``engine.inner``, and their files."""
    found = {}
    for path in sorted(root.rglob("*.py")):
        parts = list(path.relative_to(root).with_suffix("").parts)
        if parts[-1] == "__init__" and len(parts) > 1:
            parts.pop()
        found[".".join(parts)] = path
    return found


def imports(name: str, source: str, known: set[str], package: bool) -> set[str]:
    """What the module ``name`` imports: ``mercurial.x``, and ours as ``.engine.x``."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if not node.level:
                base = node.module or ""
                found.add(base)
                found.update(f"{base}.{alias.name}" for alias in node.names)
                continue
            # as the interpreter does: one dot is the package that a module is in
            parts = [] if name == "__init__" else name.split(".")
            if parts and not package:
                parts.pop()
            parts = parts[: len(parts) - (node.level - 1)]
            parts += (node.module or "").split(".") if node.module else []
            for alias in node.names:
                inner = ".".join([*parts, alias.name])
                whole = ".".join(parts)
                target = inner if inner in known else whole
                if target:
                    found.add("." + target)
    return found


def graph(root: pathlib.Path = EXTENSION) -> dict[str, set[str]]:
    files = modules(root)
    known = set(files)
    return {
        name: imports(
            name,
            path.read_text(encoding="utf-8"),
            known,
            path.name == "__init__.py",
        )
        for name, path in files.items()
    }


def level_of(name: str) -> int:
    room = name.split(".")[0]
    for level, rooms in enumerate(LEVELS):
        if room in rooms:
            return level
    raise AssertionError(f"{name} stands in a room without a level")


def wrong_arrows(arrows: dict[str, set[str]]) -> list[str]:
    """Imports from a higher level, and the engine's of what knows too much."""
    wrong = []
    for name, targets in arrows.items():
        for target in sorted(targets):
            if (name, target) in EXCEPTIONS:
                continue
            if target.startswith("."):
                if level_of(target[1:]) > level_of(name):
                    wrong.append(f"{name} imports {target[1:]}")
            elif name.split(".")[0] == "engine":
                words = target.split(".")
                if words[0] == "mercurial" and KNOWING & set(words[1:]):
                    wrong.append(f"{name} imports {target}")
    return wrong


def circles(arrows: dict[str, set[str]]) -> list[list[str]]:
    """Each circle of imports between our modules, once."""
    ours = {
        name: [target[1:] for target in sorted(targets) if target.startswith(".")]
        for name, targets in arrows.items()
    }
    found = []
    done: set[str] = set()

    def visit(name: str, way: list[str]) -> None:
        if name in way:
            found.append([*way[way.index(name) :], name])
        elif name not in done:
            for target in ours.get(name, []):
                # a package that imports its own modules is no circle
                if target != name and not name.startswith(target + "."):
                    visit(target, [*way, name])
            done.add(name)

    for name in ours:
        visit(name, [])
    return found


def test_arrows_go_one_way() -> None:
    assert wrong_arrows(graph()) == []


def test_there_are_no_circles() -> None:
    assert circles(graph()) == []


@pytest.mark.parametrize(
    ("module", "line", "said"),
    [
        ("engine/index.py", "from .. import process", "engine.index imports process"),
        ("engine/texts.py", "from mercurial import ui", "mercurial.ui"),
        ("engine/texts.py", "import mercurial.localrepo", "mercurial.localrepo"),
        ("workers/cpus.py", "from ..outer import reading", "imports outer.reading"),
        ("outer/reading.py", "from ..operations import diff", "operations.diff"),
        ("operations/diff.py", "from .. import install", "imports install"),
        ("process.py", "from .workers import pool", "process imports workers.pool"),
        ("compat/hg72.py", "    from .. import stores", "compat.hg72 imports stores"),
    ],
)
def test_a_wrong_arrow_is_seen(
    tmp_path: pathlib.Path, module: str, line: str, said: str
) -> None:
    for name, path in modules().items():
        copy = tmp_path / path.relative_to(EXTENSION)
        copy.parent.mkdir(parents=True, exist_ok=True)
        text = path.read_text(encoding="utf-8")
        if copy == tmp_path / module:
            text += f"\n\ndef _f() -> None:\n    {line.strip()}\n"
        copy.write_text(text, encoding="utf-8")
        assert name
    assert any(said in wrong for wrong in wrong_arrows(graph(tmp_path)))


def test_a_circle_is_seen() -> None:
    arrows = graph()
    arrows["engine.errors"].add(".engine.inner")
    assert circles(arrows)


def test_state_of_the_process_is_in_its_room() -> None:
    """No other module says ``global``."""
    for name, path in modules().items():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        said = [node for node in ast.walk(tree) if isinstance(node, ast.Global)]
        assert not said or name == "process", name
