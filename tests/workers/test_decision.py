# Whether there are workers: what is asked, by whom, and what is said if there are none.
# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import os
import subprocess
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mercurial import ui as uimod

from hgext3rd.fastrevlog import process
from hgext3rd.fastrevlog.workers import cpus, decision
from support.cmdserver import CommandServer
from support.reports import read_report

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


@pytest.fixture
def ui(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(cpus, "usable_cores", lambda: 4)
    monkeypatch.setattr("hgext3rd.fastrevlog.workers.cpus.can_fork", lambda: True)
    made = uimod.ui()
    made.setconfig(b"fastrevlog", b"workers", 0)
    made.setconfig(b"fastrevlog", b"workers-for-clients", False)
    return made


def decide(module: str, ui: Any, **how: Any) -> tuple[int, bool, str]:
    """As a function of ``module`` would have it answered."""
    scope = types.ModuleType(module).__dict__
    exec("def ask(ui, ask, how):\n    return ask(ui, **how)\n", scope)
    found: tuple[int, bool, str] = scope["ask"](ui, decision.workers_for, how)
    return found


def test_one_for_each_core(ui: Any) -> None:
    assert decision.workers_for(ui) == (4, False, "")


def test_a_number_of_the_user(ui: Any) -> None:
    ui.setconfig(b"fastrevlog", b"workers", 7)
    assert decision.workers_for(ui) == (7, True, "")


def test_no_workers(ui: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    ui.setconfig(b"fastrevlog", b"workers", 1)
    assert decision.workers_for(ui) == (0, True, "setting: fastrevlog.workers is 1")
    ui.setconfig(b"fastrevlog", b"workers", 0)
    with monkeypatch.context() as patch:
        patch.setattr(cpus, "usable_cores", lambda: 1)
        assert decision.workers_for(ui) == (0, False, "machine: one processor")
    with monkeypatch.context() as patch:
        patch.setattr(process.state, "in_worker", True)
        assert decision.workers_for(ui) == (0, False, "process: is a worker itself")
    with monkeypatch.context() as patch:
        patch.setattr("hgext3rd.fastrevlog.workers.cpus.can_fork", lambda: False)
        reason = "process: cannot fork, or has threads"
        assert decision.workers_for(ui) == (0, False, reason)
    ui.setconfig(b"worker", b"enabled", False)
    assert decision.workers_for(ui) == (0, False, "setting: worker.enabled is no")


@pytest.mark.parametrize("module", ["commandserver", "chgserver"])
def test_command_servers(ui: Any, module: str) -> None:
    name = f"mercurial.{module}"
    assert decide(name, ui) == (0, False, "process: serves others")
    assert decide(name, ui, for_clients=True) == (4, False, "")
    ui.setconfig(b"fastrevlog", b"workers-for-clients", True)
    assert decide(name, ui) == (4, False, "")


@pytest.mark.parametrize("module", ["hgweb.hgweb_mod", "wireprotoserver"])
def test_servers_of_many(ui: Any, module: str) -> None:
    name = f"mercurial.{module}"
    assert decide(name, ui) == (0, False, "process: serves others")
    assert decide(name, ui, for_clients=True) == (0, False, "process: serves others")


@pytest.fixture
def server(hg_path: Path, hgrc: Path, tmp_path: Path) -> Iterator[CommandServer]:
    with hgrc.open("a") as more:
        more.write("[fastrevlog]\nworkers = 3\n")
    repo = tmp_path / "repo"
    subprocess.run([hg_path, "init", repo], check=True)
    for i in range(6):
        for j in range(6):
            (repo / f"file{j}").write_text(f"number {i}\n")
        subprocess.run([hg_path, "-R", repo, "commit", "-qAm", f"{i}"], check=True)
    serve = [str(hg_path), "-R", str(repo), "serve", "--cmdserver", "pipe"]
    running = CommandServer(
        subprocess.Popen(serve, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    )
    yield running
    running.process.kill()
    running.process.wait()


def test_in_a_command_server(server: CommandServer, tmp_path: Path) -> None:
    """`verify` has workers, for a client too; what writes to its streams has none."""
    report = tmp_path / "report.jsonl"
    report.unlink()
    code, out, err = server.run(["verify"])
    assert (code, err) == (0, b"")
    assert b"checked 6 changesets with 36 changes to 6 files\n" in out
    assert len(report.read_text().splitlines()) == 3  # the workers
    report.unlink()
    code, out, err = server.run(["log", "-p"])
    assert (code, err) == (0, b"") and out.count(b"\ndiff ") == 36
    assert not report.exists()
    shown = server.run(["log", "-p", "--config", "fastrevlog.workers-for-clients=yes"])
    assert shown == (0, out, b"")
    server.close()
    counts = read_report(report)
    assert counts.in_one_process["log: process: serves others"] == 1
    assert not counts.by_workers
