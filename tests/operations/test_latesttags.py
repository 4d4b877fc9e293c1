# operations/latesttags.py: the same notes as Mercurial's, made before it looks.
# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import pathlib
import random
from collections.abc import Iterator
from typing import Any

import pytest
from mercurial import commands, debugcommands, dispatch
from mercurial import hg as hgmod
from mercurial import ui as uimod

from hgext3rd.fastrevlog import install
from hgext3rd.fastrevlog.operations import latesttags
from support import enginelab

templates: Any = pytest.importorskip("mercurial.templateutil")
if not hasattr(templates, "get_latest_tags"):  # 7.0, 7.1
    from mercurial import templatekw

    MODULE, NAME = templatekw, "getlatesttags"
else:
    MODULE, NAME = templates, "get_latest_tags"
assert dispatch.run  # loaded now: it registers revset predicates


class Context:
    """What of a template's context is asked for."""

    def __init__(self, repo: Any, rev: Any) -> None:
        self.resources = {b"repo": repo, b"ctx": repo[rev], b"cache": {}}

    def resource(self, mapping: Any, key: bytes) -> Any:
        return self.resources[key]


def new_ui() -> Any:
    ui = uimod.ui.load()
    ui.setconfig(b"ui", b"username", b"test")
    ui.setconfig(b"ui", b"quiet", b"yes")
    return ui


def dag(rnd: random.Random, length: int) -> bytes:
    """A history with branches and merges, as `debugbuilddag` takes it."""
    parts = [b"+3"]
    made = 3
    while made < length:
        kind = rnd.randrange(5)
        back = rnd.randrange(1, min(made, 9) + 1)
        if kind == 0:
            parts.append(b"*%d" % back)
        elif kind == 1 and made > 4:
            parts.append(b"/%d" % rnd.randrange(2, min(made, 9) + 1))
        else:
            parts.append(b"+1")
        made += 1
    return b" ".join(parts)


@pytest.fixture(params=[1, 2, 3])
def tagged(
    request: Any, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> bytes:
    """A repository with tags, of several names and of none."""
    monkeypatch.setenv("HGRCPATH", "")
    rnd = random.Random(request.param)
    ui = new_ui()
    repo = hgmod.repository(ui, bytes(tmp_path / "repo"), create=True)
    debugcommands.debugbuilddag(ui, repo, dag(rnd, 120), new_file=False)
    repo = hgmod.repository(ui, repo.root)
    hgmod.updatetotally(ui, repo, repo[b"tip"].rev(), None)
    lines = []
    for number in range(14):
        name = rnd.choice([b"v%d", b"other%d"]) % number
        lines.append(b"%s %s\n" % (repo[rnd.randrange(len(repo))].hex(), name))
    for number in range(30):
        (tmp_path / "repo" / f"file{number}").write_bytes(b"%d\n" % number)
    (tmp_path / "repo" / ".hgtags").write_bytes(b"".join(lines))
    commands.commit(ui, repo, message=b"tags", addremove=True)
    commands.tag(ui, repo, b"here only", local=True, rev=b"tip~3")
    return bytes(tmp_path / "repo")


@pytest.fixture
def both(tagged: bytes) -> Iterator[tuple[Any, Any, Any, list[bool]]]:
    """Mercurial's function and repository, ours, and whether notes were there."""
    stock = getattr(MODULE, NAME)
    theirs = hgmod.repository(new_ui(), tagged)
    noted: list[bool] = []

    def looked(context: Any, mapping: Any, pattern: Any = None) -> Any:
        name = b"latesttags" if pattern is None else b"latesttags-" + pattern
        rev = context.resources[b"ctx"].rev()
        noted.append(rev in context.resources[b"cache"].get(name, ()))
        return stock(context, mapping, pattern)

    with enginelab.installed() as ui:
        ours = hgmod.repository(ui, tagged)
        api: Any = None
        place = install.Place(MODULE, NAME, looked, api)
        yield stock, theirs, (latesttags.make_latest_tags(place), ours), noted


@pytest.mark.parametrize("pattern", [None, b"re:^v", b"other3"])
def test_same_notes(both: Any, pattern: bytes | None) -> None:
    stock, theirs, (function, ours), noted = both
    for rev in (len(theirs) - 1, len(theirs) // 2, 3, 0):
        expected, found = Context(theirs, rev), Context(ours, rev)
        assert function(found, {}, pattern) == stock(expected, {}, pattern)
        name = b"latesttags" if pattern is None else b"latesttags-" + pattern
        assert found.resources[b"cache"][name] == expected.resources[b"cache"][name]
    assert noted == [True] * 4


def test_one_after_the_other(both: Any) -> None:
    """As `log` asks, with one cache."""
    stock, theirs, (function, ours), _noted = both
    expected, found = Context(theirs, 0), Context(ours, 0)
    for rev in reversed(range(len(theirs))):
        expected.resources[b"ctx"], found.resources[b"ctx"] = theirs[rev], ours[rev]
        assert function(found, {}) == stock(expected, {})


def test_the_working_directory_is_mercurial_s(both: Any) -> None:
    stock, theirs, (function, ours), noted = both
    assert function(Context(ours, None), {}) == stock(Context(theirs, None), {})
    assert noted == [False]


def test_of_an_archive(tagged: bytes, hg: Any, tmp_path: pathlib.Path) -> None:
    """Whose changeset is one of ours: it is noted as any is."""
    folder = pathlib.Path(tagged.decode())
    counter = tmp_path / "counter.py"
    counter.write_text(COUNTER)
    told, asked = [], []
    for enabled in ("no", "yes"):
        place = tmp_path / enabled
        options = ["--config", f"fastrevlog.enabled={enabled}"]
        options += ["--config", f"extensions.counter={counter}"]
        done = hg("archive", *options, "-r", "tip", str(place), cwd=folder)
        told.append((place / ".hg_archival.txt").read_bytes())
        asked.append(int(done.stdout.split()[-2]))
    assert b"latesttagdistance" in told[0]
    assert told[1] == told[0]
    assert asked[1] < asked[0]


# how many changesets Mercurial's function looks at: with tags, it is one
COUNTER = """
import sys
count = 0
def look(frame, event, arg):
    global count
    if event == 'call' and frame.f_code.co_name == 'nodetags':
        count += 1
def uisetup(ui):
    sys.setprofile(look)
    ui.atexit(lambda: ui.write(b'%d looked\\n' % count))
"""


@pytest.mark.parametrize("name", ["tags", "_parents", "date"])
def test_who_wraps_what_is_left_out_is_called(
    both: Any, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    stock, theirs, (function, ours), noted = both
    cls: Any = type(ours[0])
    orig = cls.__dict__[name]
    calls = []

    def wrapped(self: Any) -> Any:
        calls.append(name)
        return orig.func(self) if name == "_parents" else orig(self)

    in_place = property(wrapped) if name == "_parents" else wrapped
    monkeypatch.setattr(cls, name, in_place, raising=False)
    rev = len(ours) - 1
    assert function(Context(ours, rev), {}) == stock(Context(theirs, rev), {})
    assert noted == [False]
    assert calls


def test_through_a_template(tagged: bytes, hg: Any, served: Any) -> None:
    folder = pathlib.Path(tagged.decode())
    template = "{rev} {latesttag} {latesttagdistance} {changessincelatesttag}\\n"
    args = ("log", "-r", "reverse(all())", "-T", template)
    stock = hg(*args, "--config", "fastrevlog.enabled=no", cwd=folder)
    served()
    assert hg(*args, cwd=folder).stdout == stock.stdout
    assert served().served["changelog"] >= 1
    assert stock.stdout.count(b"\n") > 100
