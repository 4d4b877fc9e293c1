# The distributions: built, looked into, installed, and used as a user would.
# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import importlib.metadata
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile

import pytest

PROJECT = pathlib.Path(__file__).resolve().parent.parent
PACKAGE = PROJECT / "hgext3rd" / "fastrevlog"
PIP = tuple(map(int, importlib.metadata.version("pip").split(".")[:2]))
NEEDS_ITS_OWN_PIP = PIP < (22, 3)  # knows no --python
LARGEST_WHEEL = 300_000  # bytes
LEFT_OUT = shutil.ignore_patterns(
    ".*", "*.egg-info", "__pycache__", "build", "dist", "node_modules"
)

pytestmark = pytest.mark.network


def run(*command: object, cwd: pathlib.Path) -> str:
    """Run a command that has to succeed; return what it printed."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**os.environ, "PIP_NO_COMPILE": "1"},  # most of what pip does
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}"
    return done.stdout


def pip(folder: pathlib.Path, *arguments: object) -> None:
    """Run a pip command that may need the network: without it, skip."""
    own = folder / "bin" / "python"
    command: list[object] = [sys.executable, "-m", "pip", "--python", own]
    if NEEDS_ITS_OWN_PIP:
        command = [own, "-m", "pip"]
    command += [*arguments, "--quiet"]
    try:
        run(*command, cwd=folder)
    except AssertionError as error:
        if re.search(r"NewConnectionError|Name or service|No matching", str(error)):
            pytest.skip(f"NOT RUN, pip reaches no index: {str(error)[-200:]}")
        raise


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A folder with a fresh sdist and the wheel that was built from it."""
    pytest.importorskip("build", reason="NOT RUN, the build module is not installed")
    folder = tmp_path_factory.mktemp("packaging")
    # From a copy: setuptools leaves build/ and an egg-info where it works.
    shutil.copytree(PROJECT, folder / "tree", ignore=LEFT_OUT)
    try:
        run(sys.executable, "-m", "build", "--outdir", "dist", "tree", cwd=folder)
    except AssertionError as error:
        if re.search(r"NewConnectionError|Name or service|No matching", str(error)):
            pytest.skip(f"NOT RUN, pip reaches no index: {str(error)[-200:]}")
        raise
    return folder / "dist"


@pytest.fixture(scope="module")
def wheel(dist: pathlib.Path) -> pathlib.Path:
    (found,) = dist.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def installed(
    wheel: pathlib.Path, tmp_path_factory: pytest.TempPathFactory
) -> pathlib.Path:
    """A clean environment with the wheel and what pip brought along for it."""
    folder = tmp_path_factory.mktemp("clean") / "venv"
    venv.create(folder, with_pip=NEEDS_ITS_OWN_PIP)
    here = run(sys.executable, "-c", SHOW_VERSION, cwd=wheel.parent).strip()
    pip(folder, "install", f"mercurial=={here}", wheel)
    return folder


SHOW_VERSION = "from mercurial import util; print(util.version().decode())"


def version() -> str:
    text = (PACKAGE / "metadata.py").read_text(encoding="utf-8")
    found = re.search(r"^__version__.*?(\d[\w.]*)", text, re.MULTILINE)
    assert found
    return found[1]


def test_wheel_is_small_and_pure(wheel: pathlib.Path) -> None:
    assert wheel.name == f"fastrevlog-{version()}-py3-none-any.whl"
    assert wheel.stat().st_size < LARGEST_WHEEL


def test_wheel_holds_the_extension_and_nothing_else(wheel: pathlib.Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert "hgext3rd/__init__.py" not in names  # Mercurial's own
    code = {name for name in names if ".dist-info/" not in name}
    expected = {
        str(path.relative_to(PROJECT))
        for path in PACKAGE.rglob("*.py")
        if "__pycache__" not in path.parts
    }
    assert code == expected


def test_wheel_metadata(wheel: pathlib.Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [n for n in archive.namelist() if n.endswith("/METADATA")]
        metadata = archive.read(name).decode()
        assert any(n.endswith("/COPYING") for n in archive.namelist())
    assert f"Version: {version()}\n" in metadata
    assert "License-Expression: GPL-2.0-or-later\n" in metadata
    needed = re.findall(r"^Requires-Dist: (\w+)(?!.*extra)", metadata, re.MULTILINE)
    assert needed == ["mercurial", "zstandard"]


def test_sdist_holds_the_tests(dist: pathlib.Path) -> None:
    (found,) = dist.glob("*.tar.gz")
    with tarfile.open(found) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    for wanted in ("COPYING", "Makefile", "tests/test_packaging.py", "setup.py"):
        assert wanted in names
    assert "conformance/cli.py" in names
    assert "support/running.py" in names
    assert not [n for n in names if n.endswith((".pyc", ".err"))]


@pytest.fixture
def repository(
    installed: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> pathlib.Path:
    """A repository made by the Mercurial of the clean environment."""
    monkeypatch.setenv("HGRCPATH", "")
    monkeypatch.delenv("PYTHONPATH", raising=False)
    folder = tmp_path / "repo"
    hg = installed / "bin" / "hg"
    run(hg, "init", folder, cwd=tmp_path)
    (folder / "file").write_text("content\n", encoding="utf-8")
    run(hg, "commit", "-A", "-q", "-m", "one", "-u", "test", cwd=folder)
    return folder


def test_install_leaves_mercurial_s_namespace_alone(installed: pathlib.Path) -> None:
    (init,) = installed.glob("lib/python*/site-packages/hgext3rd/__init__.py")
    owners = [
        record.parent.name
        for record in installed.glob("lib/python*/site-packages/*.dist-info/RECORD")
        if "hgext3rd/__init__.py," in record.read_text(encoding="utf-8")
    ]
    assert [owner.partition("-")[0] for owner in owners] == ["mercurial"]
    assert "extend_path" in init.read_text(encoding="utf-8")


@pytest.mark.parametrize("how", ["fastrevlog=", "hgext3rd.fastrevlog=", "by path"])
def test_loads_and_serves(
    how: str, installed: pathlib.Path, repository: pathlib.Path
) -> None:
    if how == "by path":
        (package,) = installed.glob("lib/python*/site-packages/hgext3rd/fastrevlog")
        how = f"fastrevlog={package}"
    report = repository.parent / "report.jsonl"
    enabled = [installed / "bin" / "hg", "--config", f"extensions.{how}"]
    told = run(*enabled, "version", "-v", cwd=repository)
    assert re.search(rf"fastrevlog +external +{re.escape(version())}", told), told
    setting = f"fastrevlog.report={report}"
    told = run(*enabled, "--config", setting, "verify", cwd=repository)
    assert "checked 1 changesets with 1 changes to 1 files" in told
    (line,) = report.read_text(encoding="utf-8").splitlines()
    served = json.loads(line)["served"]
    assert served["changelog"] and served["manifest"] and served["filelog"]
    assert not json.loads(line)["refused"]
