# Builds what would be published, and tries it as a user would.
# SPDX-License-Identifier: GPL-2.0-or-later
"""``python -m support.release [FOLDER]``, which ``make release-check`` runs.

The version and the changelog have to agree. A source distribution and, out of it, a
wheel are built into FOLDER (``dist``), looked into, and passed by ``twine check``. The
wheel is installed into a clean environment with each supported Mercurial, without
network; there the help, both commands and a ``log -p`` that is served run from it.
Exit code 1, and a line that begins with NOT GOOD, for the first thing that is wrong.
"""

from __future__ import annotations

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import venv
import zipfile

from .versions import MERCURIALS

PROJECT = pathlib.Path(__file__).resolve().parent.parent
PACKAGE = PROJECT / "hgext3rd" / "fastrevlog"
LARGEST_WHEEL = 300_000  # bytes; that of today has 230,000
LEFT_OUT = shutil.ignore_patterns(".*", "*.egg-info", "__pycache__", "build", "dist")


class NotGoodError(Exception):
    """What keeps this from being released."""


def run(*command: object, cwd: pathlib.Path, **more: str) -> str:
    """The output of a command that has to succeed."""
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env={**os.environ, "HGRCPATH": "", **more},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        check=False,
    )
    if done.returncode:
        line = " ".join(map(str, command))
        raise NotGoodError(f"{line}\n{done.stdout}")
    return done.stdout


def version_in_metadata() -> str:
    text = (PACKAGE / "metadata.py").read_text(encoding="utf-8")
    found = re.search(r"^__version__ = b'([^']+)'", text, re.MULTILINE)
    if found is None:
        raise NotGoodError("metadata.py names no version")
    return found[1]


def check_changelog(version: str, changelog: str) -> str:
    """What the changelog makes of ``version``, in words; raises `NotGoodError`.

    Either the version is its newest, with a day, and nothing is unreleased; or it is
    yet to come: not among the versions there, and what is unreleased is told.
    """
    sections = re.split(r"^## ", changelog, flags=re.MULTILINE)[1:]
    if not sections or not sections[0].startswith("[Unreleased]"):
        raise NotGoodError("the changelog does not begin with [Unreleased]")
    unreleased = sections[0].partition("\n")[2].strip()
    titles = [section.partition("\n")[0] for section in sections[1:]]
    if any(title.startswith(f"[{version}]") for title in titles):
        if not re.fullmatch(
            rf"\[{re.escape(version)}\] - \d{{4}}-\d\d-\d\d", titles[0]
        ):
            raise NotGoodError(f"the newest section is {titles[0]!r}, not {version}")
        if unreleased:
            raise NotGoodError(f"{version} is in the changelog, and more is unreleased")
        return f"{version} is released in the changelog"
    if not unreleased:
        raise NotGoodError(f"the changelog says nothing of {version}")
    return f"{version} is yet to come: its changes stand under [Unreleased]"


def build(folder: pathlib.Path) -> pathlib.Path:
    """Build both distributions into ``folder``, and check them; the wheel."""
    shutil.rmtree(folder, ignore_errors=True)
    with tempfile.TemporaryDirectory() as made:
        # from a copy: setuptools leaves build/ and an egg-info where it works
        tree = pathlib.Path(made) / "tree"
        shutil.copytree(PROJECT, tree, ignore=LEFT_OUT)
        run(sys.executable, "-m", "build", "--outdir", folder, tree, cwd=tree)
    files = sorted(folder.iterdir())
    run(sys.executable, "-m", "twine", "check", "--strict", *files, cwd=folder)
    (wheel,) = folder.glob("*.whl")
    return wheel


def check_wheel(wheel: pathlib.Path, version: str) -> None:
    """List the content of the wheel; raises `NotGoodError` if it is not right."""
    with zipfile.ZipFile(wheel) as archive:
        content = archive.infolist()
    for entry in content:
        print(f"  {entry.file_size:8} {entry.filename}")
    print(f"  {wheel.stat().st_size:8} {wheel.name}")
    code = {e.filename for e in content if ".dist-info/" not in e.filename}
    expected = {
        str(path.relative_to(PROJECT))
        for path in PACKAGE.rglob("*.py")
        if "__pycache__" not in path.parts
    }
    if code != expected:
        raise NotGoodError(f"in the wheel or missing: {sorted(code ^ expected)}")
    if wheel.name != f"fastrevlog-{version}-py3-none-any.whl":
        raise NotGoodError(f"the wheel is called {wheel.name}")
    if wheel.stat().st_size > LARGEST_WHEEL:
        raise NotGoodError(f"the wheel is larger than {LARGEST_WHEEL} bytes")


def install(wheel: pathlib.Path, mercurial: str, folder: pathlib.Path) -> pathlib.Path:
    """A clean environment with a Mercurial and the wheel; its hg."""
    house = folder / "wheels"
    home = folder / "venv"
    venv.create(home, with_pip=True)
    python = home / "bin" / "python"
    pip = (python, "-m", "pip", "--disable-pip-version-check", "--quiet")
    wanted = (f"mercurial=={mercurial}", "zstandard>=0.19")
    options = ("--only-binary=:all:", "--dest", house)
    run(*pip, "download", *options, *wanted, cwd=folder)
    offline = ("--no-index", "--find-links", house)
    run(*pip, "install", *offline, f"mercurial=={mercurial}", wheel, cwd=folder)
    return home / "bin" / "hg"


def try_out(hg: pathlib.Path, version: str, folder: pathlib.Path) -> None:
    """Use the extension as somebody does who has just installed it."""
    repo = folder / "repo"
    run(hg, "init", repo, cwd=folder)
    for number in range(5):
        (repo / "file").write_text(f"{number}\n" * 20, encoding="utf-8")
        run(hg, "commit", "-A", "-q", "-m", f"{number}", "-u", "test", cwd=repo)
    stock = run(hg, "log", "-p", cwd=repo)
    report = folder / "report.jsonl"
    on = (hg, "--config", "extensions.fastrevlog=")
    reporting = ("--config", f"fastrevlog.report={report}")
    if run(*on, *reporting, "log", "-p", cwd=repo) != stock:
        raise NotGoodError("log -p prints something else")
    (line,) = report.read_text(encoding="utf-8").splitlines()
    told = json.loads(line)
    if not all(told["served"].get(k) for k in ("changelog", "manifest", "filelog")):
        raise NotGoodError(f"log -p was not served: {line}")
    if told["refused"]:
        raise NotGoodError(f"refused: {line}")
    for words, expected in (
        (("version", "-v"), version),
        (("help", "-e", "fastrevlog"), "fastrevlog.enabled"),
        (("help", "perf::fastrevlog"), "measure what fastrevlog does"),
        (("debug::fastrevlog",), f"fastrevlog {version} is on for this repository"),
        (("perf::fastrevlog", "--seconds", "1"), "files at tip, read tip"),
        (("verify",), "checked 5 changesets"),
    ):
        if expected not in run(*on, *words, cwd=repo):
            raise NotGoodError(f"hg {' '.join(words)} does not say {expected!r}")


def main(arguments: list[str]) -> int:
    """Check everything; the exit code."""
    folder = pathlib.Path(arguments[0] if arguments else PROJECT / "dist").absolute()
    try:
        version = version_in_metadata()
        changelog = (PROJECT / "CHANGELOG.md").read_text(encoding="utf-8")
        print(check_changelog(version, changelog))
        wheel = build(folder)
        print("built, and twine has nothing to say; in the wheel are:")
        check_wheel(wheel, version)
        for mercurial in MERCURIALS:
            with tempfile.TemporaryDirectory() as made:
                place = pathlib.Path(made)
                try_out(install(wheel, mercurial, place), version, place)
            print(f"Mercurial {mercurial}: installed without network, and served")
    except NotGoodError as why:
        print(f"NOT GOOD: {why}")
        return 1
    print(f"{folder} holds what can be published")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
