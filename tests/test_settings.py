# Every setting has the default that its documentation says, and refuses nonsense.
# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import json
import pathlib
import re
from typing import Callable

import pytest

from hgext3rd import fastrevlog
from hgext3rd.fastrevlog import settings
from support.reports import Counts
from tests.conftest import PROJECT, Hg

Served = Callable[[], Counts]
DEFAULTS = {
    "enabled": "yes",
    "over-rust": "no",
    "cache-memory": str(64 << 20),
    "check": "fast",
    "verify-check": "collision-detection",
    "workers": "0",
    "workers-for-clients": "no",
}
BAD = [
    ("enabled=perhaps", "fastrevlog.enabled is not a boolean ('perhaps')"),
    ("over-rust=2x", "fastrevlog.over-rust is not a boolean ('2x')"),
    ("cache-memory=much", "fastrevlog.cache-memory is not a byte quantity ('much')"),
    ("cache-memory=-1", "fastrevlog.cache-memory is -1, expected 0 or more"),
    (
        "check=never",
        "fastrevlog.check is 'never', expected one of: fast, collision-detection",
    ),
    (
        "verify-check=yes",
        "fastrevlog.verify-check is 'yes', expected one of: fast, collision-detection",
    ),
    ("workers=all", "fastrevlog.workers is not a valid integer ('all')"),
    ("workers=-2", "fastrevlog.workers is -2, expected 0 or more"),
]


@pytest.fixture
def repo(tmp_path: pathlib.Path, hg: Hg) -> pathlib.Path:
    """A repository with one changeset."""
    path = tmp_path / "repo"
    hg("init", str(path), cwd=tmp_path)
    (path / "a").write_text("a\n")
    hg("commit", "-A", "-m", "a", cwd=path)
    return path


def in_force(hg: Hg, repo: pathlib.Path, *config: str) -> dict[str, str]:
    """The settings that ``hg debug::fastrevlog`` shows."""
    args = [arg for item in config for arg in ("--config", item)]
    shown = json.loads(hg("debug::fastrevlog", "-Tjson", *args, cwd=repo).stdout)
    return {s["name"]: s["value"] for s in shown[0]["settings"]}


def test_defaults(repo: pathlib.Path, hg: Hg) -> None:
    shown = in_force(hg, repo)
    shown.pop("report")
    assert shown == DEFAULTS


@pytest.mark.parametrize(("profile", "megabytes"), [("low", 16), ("high", 256)])
def test_memory_follows_mercurial(
    repo: pathlib.Path, hg: Hg, profile: str, megabytes: int
) -> None:
    shown = in_force(hg, repo, f"usage.resources.memory={profile}")
    assert shown["cache-memory"] == str(megabytes << 20)


def test_set(repo: pathlib.Path, hg: Hg) -> None:
    given = {"over-rust": "yes", "check": "collision-detection", "workers": "3"}
    config = [f"fastrevlog.{name}={value}" for name, value in given.items()]
    shown = in_force(hg, repo, *config, "fastrevlog.cache-memory=1 kB")
    assert {**given, "cache-memory": "1024"}.items() <= shown.items()


@pytest.mark.parametrize(("setting", "message"), BAD)
def test_nonsense(repo: pathlib.Path, hg: Hg, setting: str, message: str) -> None:
    """Nonsense is Mercurial's configuration error, whose exit code may vary."""
    for command in ("cat a", "verify", "debug::fastrevlog"):
        done = hg(
            *command.split(), "--config", f"fastrevlog.{setting}", cwd=repo, code=None
        )
        assert done.stderr.decode() == f"config error: {message}\n"


@pytest.mark.parametrize("setting", [s for s, _message in BAD if "enabled" not in s])
def test_off_whatever_else_is_set(repo: pathlib.Path, hg: Hg, setting: str) -> None:
    """The way out has to work also for who has set nonsense."""
    config = ("--config", f"fastrevlog.{setting}", "--config", "fastrevlog.enabled=no")
    assert hg("cat", "a", *config, cwd=repo).stdout == b"a\n"
    hg("verify", *config, cwd=repo)


def test_no_caches(repo: pathlib.Path, hg: Hg, served: Served) -> None:
    """With no memory at all everything is still read."""
    for i in range(3):
        (repo / "a").write_text(f"{i}\n")
        hg("commit", "-m", "more", cwd=repo)
    config = ("--config", "fastrevlog.cache-memory=0")
    out = hg("log", "-p", "--git", *config, cwd=repo).stdout
    served()
    assert out == hg("log", "-p", "--git", cwd=repo).stdout
    counts = served()
    assert counts.served["filelog"] > 0


def words_of(row: settings.Setting) -> str:
    return row.default_words.decode()


def test_readme_knows_them_all() -> None:
    """The table of the README has a row for every setting, and no other."""
    text = (PROJECT / "README.md").read_text(encoding="utf-8")
    table = text[text.index("| setting |") : text.index("## Security")]
    rows = dict(re.findall(r"^\| `([a-z-]+)` \| ([^|]*) \|", table, re.M))
    assert set(rows) == {row.name.decode() for row in settings.TABLE}
    for row in settings.TABLE:
        told = rows[row.name.decode()].replace("`", "")
        if row.name == b"cache-memory":
            assert "usage.resources.memory" in told
            assert re.findall(r"\d+", told) == re.findall(r"\d+", words_of(row))
        else:
            assert told == words_of(row).replace("`", "")


def test_the_help_page_knows_them_all() -> None:
    """``hg help fastrevlog`` says of each what the table says, and of no other."""
    page = fastrevlog.__doc__ or ""
    part = page[page.index("Settings, in the section") :]
    told = re.findall(r"^``([a-z-]+)``\n((?:    .*\n)+)", part, re.M)
    assert [name for name, _ in told] == [row.name.decode() for row in settings.TABLE]
    for row, (_name, text) in zip(settings.TABLE, told):
        text = " ".join(text.split())
        assert text == f"{row.help.decode()} (default: {words_of(row)})"


def test_nothing_else_is_named_as_a_setting() -> None:
    """Wherever ``fastrevlog.NAME`` stands in what users read, there is NAME."""
    names = {row.name.decode() for row in settings.TABLE}
    names |= {row.alias.decode() for row in settings.TABLE if row.alias}
    pages = [PROJECT / "README.md", PROJECT / "CHANGELOG.md"]
    pages += sorted((PROJECT / "docs").glob("*.md"))
    texts = [page.read_text(encoding="utf-8") for page in pages]
    for text in [*texts, fastrevlog.__doc__ or ""]:
        config = r"(?:--config |`)fastrevlog\.([a-z][a-z-]*)\b(?!\.)"
        assert set(re.findall(config, text)) <= names


def test_what_is_registered_is_the_table() -> None:
    for row in settings.TABLE:
        item = settings.eh.configtable[b"fastrevlog"][row.name]
        assert item.default == row.default


def test_each_repository_has_its_own(
    repo: pathlib.Path,
    hg: Hg,
    tmp_path: pathlib.Path,
    hgrc: pathlib.Path,
    served: Served,
) -> None:
    """Off for one repository of a process is on for another."""
    other = tmp_path / "other"
    hg("clone", "-U", str(repo), str(other), cwd=tmp_path)
    with (other / ".hg" / "hgrc").open("a") as f:
        f.write("[fastrevlog]\nenabled = no\n")
    (repo / "a").write_text("b\n")
    hg("commit", "-m", "b", cwd=repo)
    served()
    # pulling opens both in one process, the one that is off first
    hg("pull", str(repo), cwd=other)
    counts = served()
    assert counts.served["changelog"] == 1
    assert counts.refused["setting: fastrevlog.enabled"] >= 3
