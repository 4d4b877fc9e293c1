# The benchmarks run, compare what they should, and refuse to vouch for nothing.
# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import xml.etree.ElementTree
from pathlib import Path
from typing import Any

import pytest

from benchmarks import command_rows, corpus, processes, results, setups, walks, worker

ROOT = Path(__file__).resolve().parent.parent
NO_PLAN = {"changesets": 0, "annotate": "F", "longest": "F", "ordinary": "G"}
SMALL = ["changelog=30", "manifest=30", "filelog=30", "lookups=50", "index=100"]


@pytest.fixture(scope="module")
def hg(hg_path: Path) -> str:
    return str(hg_path)


@pytest.fixture(scope="module")
def repo(hg: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny corpus, with zlib and zstd in it."""
    path = tmp_path_factory.mktemp("corpus") / "repo"
    make(hg, path, compression="mixed")
    return path


def make(hg: str, path: Path, *, compression: str) -> None:
    setup = setups.parse(f"corpus={hg}")
    corpus.make(setup, str(path), changesets=60, files=25, compression=compression)


def bench(
    name: str, repo: Path, rivals: list[str], *more: str
) -> tuple[subprocess.CompletedProcess[str], dict[str, Any]]:
    """Run a benchmark; answers the process and the JSON it wrote."""
    out = repo.parent / f"{name}.json"
    line = [sys.executable, "-m", f"benchmarks.{name}", "-R", str(repo)]
    for rival in rivals:
        line += ["--setup", rival]
    line += ["--json", str(out), "--budget", "1", *more]
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stderr
    return done, json.loads(out.read_text(encoding="utf-8"))


def rivals(hg: str) -> list[str]:
    extension = ROOT / "hgext3rd" / "fastrevlog"
    return [f"stock={hg}", f"fast={hg},extensions.fastrevlog={extension}"]


def pretender(hg: str, folder: Path) -> str:
    """A set-up whose extension has the right name and does nothing."""
    path = folder / "fastrevlog.py"
    path.write_text("configtable = {}\n", encoding="utf-8")
    return f"fake={hg},extensions.fastrevlog={path}"


def check_shape(result: dict[str, Any], rows: list[str], names: list[str]) -> None:
    assert result["format"] == results.FORMAT
    assert [setup["name"] for setup in result["setups"]] == names
    assert [row["name"] for row in result["rows"]] == rows
    for row in result["rows"]:
        assert row["same"] is True
        assert list(row["results"]) == sorted(names)
        for found in row["results"].values():
            assert found["median"] > 0
            assert len(found["cpu"]) == len(found["wall"])
            assert len(found["times"]) >= 1
            assert found["ratio"] > 0
        assert row["results"][names[0]]["ratio"] == 1.0
    assert result["noise"]["yardstick"]["median"] > 0
    assert str(ROOT) not in json.dumps(result), "results are published: no folders"


def test_micro(hg: str, repo: Path) -> None:
    sizes = [arg for size in SMALL for arg in ("--size", size)]
    svg, markdown = repo.parent / "micro.svg", repo.parent / "micro.md"
    files = ["--svg", str(svg), "--markdown", str(markdown)]
    done, result = bench("micro", repo, rivals(hg), "--rounds", "1", *sizes, *files)
    assert (done.returncode, result["problems"]) == (0, []), done.stdout
    check_shape(result, list(worker.ROWS), ["stock", "fast"])
    for row in result["rows"]:
        assert row["proven"] is True
        assert row["results"]["fast"]["is_fastrevlog"] is True
        assert row["results"]["stock"]["is_fastrevlog"] is False
    counted = {r["name"]: r["results"]["fast"]["counted"] for r in result["rows"]}
    assert counted["changelog-random"]["texts"] >= 30
    assert counted["open-filelogs"]["served"] == result["repository"]["filelogs"]
    xml.etree.ElementTree.parse(svg)
    assert "| manifest-random |" in markdown.read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.parametrize(
    "rows",
    [
        ["::tip", "only(tip, Q)", "hgweb file", "introrev"],
        # all for which the corpus is large enough
        [row for row in walks.asked(NO_PLAN) if "10000" not in row],
    ],
    ids=["some", "all"],
)
def test_walks(hg: str, repo: Path, rows: list[str]) -> None:
    options = ("--rounds", "1", "--rows", ";".join(rows))
    done, result = bench("walks", repo, rivals(hg), *options)
    said = done.stdout + done.stderr
    assert (done.returncode, result["problems"]) == (0, []), said
    check_shape(result, rows, ["stock", "fast"])


def test_micro_notices_that_nothing_was_served(hg: str, repo: Path) -> None:
    both = [f"stock={hg}", pretender(hg, repo.parent)]
    options = ("--rounds", "1", "--rows", "manifest-random,index-len")
    done, result = bench("micro", repo, both, *options)
    assert done.returncode == 1
    assert [row["proven"] for row in result["rows"]] == [False, False]
    assert "in fake, revlogs were served by" in done.stdout


ROWS = ["start-up", "log-p-newest", "archive", "update", "bundle", "unbundle"]


@pytest.mark.parametrize(
    "rows",
    [
        ["start-up", "log-p-newest", "unbundle"],
        pytest.param(ROWS, marks=pytest.mark.slow),
    ],
    ids=["some", "all"],
)
def test_commands(hg: str, repo: Path, rows: list[str]) -> None:
    options = ("--rounds", "1", "--rows", ",".join(rows))
    done, result = bench("commands", repo, rivals(hg), *options)
    assert (done.returncode, result["problems"]) == (0, []), done.stdout
    check_shape(result, rows, ["stock", "fast"])
    assert [row["proven"] for row in result["rows"]] == [None] + [True] * len(rows[1:])
    log, unbundle = (result["rows"][n]["results"] for n in (1, -1))
    assert log["fast"]["proof"]["served"]["filelog"] > 0
    assert log["fast"]["proof"]["texts"] > 0
    assert log["stock"]["proof"] is None
    assert unbundle["fast"]["proof"]["entries"] >= 60
    if sys.platform.startswith("linux"):
        assert log["fast"]["peak"] > 1 << 20


@pytest.mark.slow
def test_commands_notices_that_nothing_was_served(hg: str, repo: Path) -> None:
    both = [f"stock={hg}", pretender(hg, repo.parent)]
    options = ("--rounds", "1", "--rows", "log-tip")
    done, result = bench("commands", repo, both, *options)
    assert done.returncode == 1
    assert result["rows"][0]["proven"] is False
    assert "no proof of service" in done.stdout


@pytest.mark.slow
def test_commands_notices_other_output(hg: str, repo: Path) -> None:
    both = [f"stock={hg}", f"talkative={hg},ui.verbose=yes"]
    options = ("--rounds", "1", "--rows", "log-tip,update")
    done, result = bench("commands", repo, both, *options)
    assert done.returncode == 1
    assert [row["same"] for row in result["rows"]] == [False, False]
    assert [row["differs"] for row in result["rows"]] == [["talkative"]] * 2
    assert "log-tip: talkative prints or exits otherwise than stock" in done.stdout


@pytest.mark.slow
def test_hotspots(hg: str, repo: Path) -> None:
    line = [sys.executable, "-m", "benchmarks.hotspots", "-R", str(repo), "--setup"]
    line += [rivals(hg)[1], "--limit", "200"]
    for what in (["--row", "manifest-random"], ["--", "log", "-p", "-l", "3"]):
        done = subprocess.run(
            line + what, cwd=ROOT, capture_output=True, text=True, check=True
        )
        assert "tottime" in done.stdout
        assert os.path.join("fastrevlog", "engine") in done.stdout


def store(repo: Path) -> str:
    return processes.digest_tree(str(repo / ".hg" / "store"), leave_out=("undo*",))


@pytest.mark.slow
def test_corpus_is_the_same_each_time(hg: str, repo: Path, tmp_path: Path) -> None:
    make(hg, tmp_path / "again", compression="mixed")
    make(hg, tmp_path / "zlib", compression="zlib")
    assert store(tmp_path / "again") == store(repo)
    assert store(tmp_path / "zlib") != store(repo)


def test_corpus_has_what_it_promises(hg: str, repo: Path) -> None:
    env = setups.environment(os.devnull)

    def ask(*args: str) -> str:
        line = [hg, "-R", str(repo), *args]
        done = subprocess.run(line, env=env, capture_output=True, text=True, check=True)
        return done.stdout

    ask("verify")
    assert ask("log", "-r", "merge()", "-T", "x") != ""
    assert ask("log", "-T", "{file_copies}") != ""
    chunks = ask("debugrevlog", "CHANGES")
    assert "0x28" in chunks, "no zstd"
    assert "0x78" in chunks, "no zlib"
    assert int(ask("log", "-r", "all()", "-T", "x").count("x")) == 60
    large = repo / ".hg" / "store" / "data" / "data" / "_large.txt.d"
    assert large.stat().st_size > 131072


@pytest.mark.parametrize("text", ["stock", "=hg", "stock=", "a=hg,x", "a=hg,x=1"])
def test_bad_setups_are_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        setups.parse(text)


@pytest.mark.parametrize(
    ("config", "ours"),
    [
        ("extensions.fastrevlog=x", True),
        ("extensions.hgext3rd.fastrevlog=", True),
        ("extensions.fastrevlog=!", False),
        ("extensions.fastrevlog=x,fastrevlog.enabled=off", False),
        ("extensions.rebase=", False),
    ],
)
def test_which_setups_must_prove_service(config: str, ours: bool) -> None:
    assert setups.parse(f"a=hg,{config}").is_fastrevlog is ours


def test_a_setup_that_does_not_run_is_named() -> None:
    setup = setups.parse("ghost=/nonexistent/hg")
    with pytest.raises(setups.SetupError, match="ghost"):
        setups.inspect(setup, dict(os.environ))


def test_ratios() -> None:
    a, b = results.summary([4, 4, 8], [1, 1, 1]), results.summary([1, 2], [1, 1])
    row = {"results": {"a": a, "b": b}}
    results.add_ratios(row, "a")
    assert row["results"]["a"]["median"] == 4
    assert row["results"]["a"]["spread"] == 0.5
    assert row["results"]["b"]["ratio"] == pytest.approx(4 / 1.5)
    assert row["results"]["b"]["paired"] == 3.0
    assert results.summary([4, 4, 8], [1, 1, 1], "cpu")["median"] == 1


@pytest.mark.parametrize(
    ("value", "said"),
    [(12.0, "12.0 s"), (0.5, "500 ms"), (0.00312, "3.12 ms"), (2e-5, "20.0 µs")],
)
def test_times_for_people(value: float, said: str) -> None:
    assert results.seconds(value) == said


def test_trees_differ_where_they_should(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("1\n2\n", encoding="utf-8")
    first = processes.digest_tree(str(tmp_path))
    (tmp_path / "fncache").write_text("1\n2\n", encoding="utf-8")
    second = processes.digest_tree(str(tmp_path))
    (tmp_path / "fncache").write_text("2\n1\n", encoding="utf-8")
    assert processes.digest_tree(str(tmp_path)) == second != first
    (tmp_path / "a").write_text("2\n1\n", encoding="utf-8")
    assert processes.digest_tree(str(tmp_path)) != second
    os.unlink(tmp_path / "a")
    os.unlink(tmp_path / "fncache")
    (tmp_path / "undo.x").write_text("", encoding="utf-8")
    empty = processes.digest_tree(str(tmp_path), leave_out=("undo*",))
    assert empty != processes.digest_tree(str(tmp_path))


def test_a_command_that_hangs_is_killed(tmp_path: Path) -> None:
    line = [sys.executable, "-c", "import time; time.sleep(60)"]
    outcome = processes.run(line, cwd=str(tmp_path), env=dict(os.environ), timeout=0.5)
    assert outcome.code < 0
    assert outcome.wall < 30


def test_row_names_are_told_apart() -> None:
    assert not set(worker.ROWS) & set(command_rows.ROWS)
