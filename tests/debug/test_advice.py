# debug/advice.py: what to do next, for each thing that can be off.
# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from typing import Any

import pytest
from mercurial import configitems
from mercurial import ui as uimod

from hgext3rd.fastrevlog import settings
from hgext3rd.fastrevlog.debug import advice, status


@pytest.fixture
def ui() -> Any:
    made = uimod.ui.load()
    configitems.loadconfigtable(made, b"fastrevlog", settings.eh.configtable)
    return made


def refused(*reasons: str) -> status.Survey:
    found = status.Survey()
    for reason in reasons:
        found.refused["filelog", reason] = 1
    return found


def test_nothing_is_off(ui: Any) -> None:
    assert advice.next_step(ui, object(), refused(), False) is None


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("format: revlog v0", b"debugupgraderepo"),
        ("path encoding: encode-dir", b"debugupgraderepo"),
        ("store: no fncache", b"debugupgraderepo"),
        ("vfs: wrappedvfs", b"another extension"),
        ("class: hgext.other.Log", b"another extension"),
        ("storage: hgext.sqlitestore.sqlitefilestore", b"another extension"),
        ("rust: Mercurial runs its own Rust revlog", b"over-rust"),
        ("cannot be opened: abort", b"hg verify"),
        ("something that nobody thought of", b"report"),
    ],
)
def test_a_refusal(ui: Any, reason: str, words: bytes) -> None:
    said = advice.next_step(ui, object(), refused(reason), False)
    assert said is not None and words in said


def test_what_is_left_to_mercurial_by_design_is_not_off(ui: Any) -> None:
    found = refused(
        "class: mercurial.bundlerepo.bundlerevlog",
        "class: mercurial.unionrepo.unionrevlog",
        "vfs: asks for no native access (static-http)",
    )
    assert advice.next_step(ui, object(), found, False) is None


def test_trouble_comes_first(ui: Any) -> None:
    ui.setconfig(b"fastrevlog", b"enabled", b"no")
    said = advice.next_step(ui, None, refused("format: revlog v0"), True)
    assert said is not None and b"report" in said


def test_off_and_outside(ui: Any) -> None:
    said = advice.next_step(ui, None, refused(), False)
    assert said == b"run this inside a repository"
    ui.setconfig(b"fastrevlog", b"enabled", b"no")
    said = advice.next_step(ui, object(), refused(), False)
    assert said is not None and b"to switch it on" in said


def test_a_mercurial_that_is_not_known(
    ui: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(status, "why_aside", lambda: b"it stands aside: unknown")
    said = advice.next_step(ui, object(), refused(), False)
    assert said is not None and b"knows Mercurial" in said
