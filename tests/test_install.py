# install.py: all or nothing, in and out any number of times, nothing twice.
# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import os
import pathlib
import sys
import types
from typing import Any

import pytest
from mercurial import extensions, hg, revlog, scmutil
from mercurial import ui as uimod

from hgext3rd.fastrevlog import install, modulewatch, process, table
from support import enginelab
from tests.conftest import EXTENSION, PROJECT, Hg

Row = table.Row


def snapshot() -> dict[tuple[str, str], Any]:
    """What stands in each place of the table whose module was run."""
    found = {}
    for row in table.TABLE:
        module, _colon, inner = row.where.partition(":")
        if modulewatch.is_run(module):
            holder = sys.modules[module]
            holder = getattr(holder, inner) if inner else holder
            found[row.where, row.name] = vars(holder).get(row.name)
    return found


def test_in_and_out_any_number_of_times() -> None:
    before = snapshot()
    with enginelab.installed():
        inside = snapshot()
        assert inside != before
        for _ in range(3):
            with install.taken_out():
                assert {key: snapshot()[key] for key in before} == before
            assert {key: snapshot()[key] for key in inside} == inside
            with install.taken_out(), install.taken_out():
                pass
            install.install(uimod.ui())
            assert {key: snapshot()[key] for key in inside} == inside
    assert {key: snapshot()[key] for key in before} == before


def test_what_wraps_ours_stays_around_what_is_there() -> None:
    calls = []

    def wrapper(orig: Any, self: Any, *args: Any, **kwargs: Any) -> Any:
        calls.append(self)
        return orig(self, *args, **kwargs)

    with enginelab.installed():
        extensions.wrapfunction(revlog.revlog, "parentrevs", wrapper)
        try:
            with install.taken_out():
                there = revlog.revlog.parentrevs
                assert there._unboundwrapper is wrapper
                assert there._origfunc.__globals__ is vars(revlog)
            assert len(extensions.getwrapperchain(revlog.revlog, "parentrevs")) >= 2
        finally:
            extensions.unwrapfunction(revlog.revlog, "parentrevs", wrapper)


def make_it(place: Any) -> Any:
    return lambda *args: place.stock(*args)


def make_nothing(place: Any) -> None:
    return None


def fail(place: Any) -> Any:
    raise KeyError("oh no")


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """A module of a few functions, which stands for one of Mercurial's."""
    made = types.ModuleType("a_module")
    exec("def f(): return 'f'\ndef g(): return 'g'\nclass C:\n  pass", vars(made))
    monkeypatch.setitem(sys.modules, "a_module", made)
    makers = types.ModuleType("makers")
    makers.__dict__.update(make_it=make_it, make_nothing=make_nothing, fail=fail)
    monkeypatch.setitem(sys.modules, install.__package__ + ".makers", makers)
    return made


def put_in(*rows: Row) -> install.Installation:
    made = install.Installation(rows)
    made.put_in(enginelab.generation())
    return made


def test_all_or_nothing(module: Any) -> None:
    before = dict(vars(module))
    with pytest.raises(KeyError):
        put_in(
            Row("a_module", "f", "makers:make_it", "a test"),
            Row("a_module", "g", "makers:fail", "a test"),
        )
    assert dict(vars(module)) == before


def test_what_does_not_fit_is_left_out(module: Any) -> None:
    f = module.f
    module.g = lambda: "written here"
    g = module.g
    made = put_in(
        Row("a_module", "f", "makers:make_nothing", "a test"),
        Row("a_module", "g", "makers:make_it", "somebody wrapped it"),
        Row("a_module", "h", "makers:fail", "there is none"),
    )
    assert (module.f, module.g) == (f, g)
    assert not made.replaced
    made = put_in(Row("a_module", "g", "makers:make_it", "a test", calls_stock=True))
    assert module.g is not g
    made.take_out()
    assert module.g is g


def test_what_is_added_is_deleted(module: Any) -> None:
    made = put_in(
        Row("a_module:C", "new", "makers:make_it", "a test", adds=True),
        Row("a_module:C", "__repr__", "makers:make_it", "a test", calls_stock=True),
    )
    assert {"new", "__repr__"} <= set(vars(module.C))
    made.take_out()
    assert not {"new", "__repr__"} & set(vars(module.C))


def test_groups_come_when_they_are_asked_for(module: Any) -> None:
    f = module.f
    made = put_in(Row("a_module", "f", "makers:make_it", "a test", group="some"))
    assert module.f is f
    made.add_group("some")
    made.add_group("some")
    assert module.f is not f
    assert module.f() == "f"
    made.take_out()
    assert module.f is f


def write(folder: pathlib.Path, name: str, text: str) -> None:
    (folder / f"{name}.py").write_text(text, encoding="utf-8")


@pytest.mark.parametrize("lazy", [True, False])
def test_a_module_that_is_used_later(
    tmp_path: pathlib.Path,
    module: Any,
    monkeypatch: pytest.MonkeyPatch,
    lazy: bool,
) -> None:
    import importlib.util

    name = f"used_later_{lazy}"
    write(tmp_path, name, "def f(): return 'f'\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    if lazy:
        spec = importlib.util.find_spec(name)
        assert spec is not None and spec.loader is not None
        spec.loader = importlib.util.LazyLoader(spec.loader)
        later = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, name, later)
        spec.loader.exec_module(later)
    made = put_in(Row(name, "f", "makers:make_it", "a test"))
    assert not made.replaced
    assert not modulewatch.is_run(name)
    later = __import__(name)
    assert later.f() == "f"
    assert later.f.__code__ is not compile("", "", "exec")
    assert len(made.replaced) == 1
    assert modulewatch._finder not in sys.meta_path or modulewatch._finder._waiting
    made.take_out()
    assert later.f.__globals__ is vars(later)
    monkeypatch.delitem(sys.modules, name)


def test_a_module_that_is_run_while_others_are_dealt_with(
    tmp_path: pathlib.Path, module: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What makes a row may be the first to use the module of a row before it."""
    write(tmp_path, "used_meanwhile", "def f(): return 'f'\n")
    monkeypatch.syspath_prepend(str(tmp_path))

    def make_and_use(place: Any) -> Any:
        __import__("used_meanwhile")
        return make_it(place)

    makers = sys.modules[install.__package__ + ".makers"]
    monkeypatch.setattr(makers, "make_and_use", make_and_use, raising=False)
    made = put_in(
        Row("used_meanwhile", "f", "makers:make_it", "a test"),
        Row("a_module", "f", "makers:make_and_use", "a test"),
    )
    later = sys.modules["used_meanwhile"]
    assert [done.holder for done in made.replaced] == [module, later]
    made.take_out()
    assert later.f.__globals__ is vars(later)
    monkeypatch.delitem(sys.modules, "used_meanwhile")


def test_trouble_with_a_module_that_is_used_later(
    tmp_path: pathlib.Path, module: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, "used_much_later", "def f(): pass\ndef g(): pass\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    made = put_in(
        Row("used_much_later", "f", "makers:make_it", "a test"),
        Row("used_much_later", "g", "makers:fail", "a test"),
    )
    errors = dict(process.counters.internal_errors)
    later = __import__("used_much_later")
    assert later.f.__globals__ is vars(later)
    assert not made.replaced
    assert process.counters.internal_errors != errors
    process.counters.internal_errors = errors


def test_an_error_in_the_first_repository_leaves_nothing_behind(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import hgext3rd.fastrevlog as front
    from hgext3rd.fastrevlog import stores

    monkeypatch.setenv("HGRCPATH", "")
    install.remove()  # what another test may have left below a wrapper of its own
    before = snapshot()

    def attach(repo: Any, settings: Any) -> None:
        raise KeyError("oh no")

    ui = uimod.ui.load()
    enginelab.configitems.loadconfigtable(ui, b"fastrevlog", front.configtable)
    repo = hg.repository(ui, bytes(tmp_path / "repo"), create=True)
    monkeypatch.setattr(stores, "attach", attach)
    monkeypatch.setattr(process.state, "disabled_reason", None)
    front._reposetup(ui, repo)
    assert process.state.disabled_reason == "KeyError: 'oh no'"
    assert {key: snapshot()[key] for key in before} == before


def test_loaded_by_two_names(tmp_path: pathlib.Path, hg: Hg, hgrc: Any) -> None:
    repo = tmp_path / "repo"
    hg("init", str(repo), cwd=tmp_path)
    for number in range(3):
        (repo / f"f{number}").write_text("a\n")
        hg("commit", "-A", "-m", "a", cwd=repo)
    expected = hg("verify", cwd=repo)
    with hgrc.open("a") as more:
        more.write(f"[extensions]\nanother = {EXTENSION}\nhgext3rd.fastrevlog =\n")
    os.environ["PYTHONPATH"] = str(PROJECT)
    try:
        done = hg("verify", cwd=repo)
    finally:
        del os.environ["PYTHONPATH"]
    assert b"checked 3 changesets with 3 changes to 3 files" in done.stdout
    assert (done.stdout, done.stderr) == (expected.stdout, expected.stderr)


def test_parsers_stay_mercurials() -> None:
    with enginelab.installed():
        assert scmutil.parsers.parse_index2 is revlog.parsers.parse_index2
