# The matrix: every supported Mercurial on every supported Python.
# SPDX-License-Identifier: GPL-2.0-or-later
"""``nox`` runs the tests on all combinations that this machine can make.

    nox                          all of them, then docs/matrix.md is written
    nox -s "tests(mercurial='7.0.3')" -p 3.9 -- -k packaging

An interpreter that is not installed is skipped by nox, and so is missing from
docs/matrix.md, which says what ran and nothing else.
"""

from __future__ import annotations

import datetime
import json
import pathlib
import re
import sys
import xml.etree.ElementTree as ElementTree

import nox

PROJECT = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(PROJECT))

from support.versions import MERCURIALS, PYTHONS  # noqa: E402

RESULTS = PROJECT / ".cache" / "matrix"
TABLE = PROJECT / "docs" / "matrix.md"

nox.options.sessions = ["tests", "table"]
nox.options.reuse_existing_virtualenvs = True


@nox.session(python=PYTHONS)
@nox.parametrize("mercurial", MERCURIALS)
def tests(session: nox.Session, mercurial: str) -> None:
    """Run pytest with one Mercurial, from its wheel, on one Python."""
    session.install("--only-binary=mercurial", f"mercurial=={mercurial}")
    tools = ("build", "hypothesis", "pytest", "pytest-timeout", "pytest-xdist")
    session.install("--editable", ".", *tools)
    name = f"{mercurial}-{session.python}"
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / f"{name}.json").unlink(missing_ok=True)
    report = RESULTS / f"{name}.xml"
    report.unlink(missing_ok=True)
    try:
        run = ("python", "-m", "pytest", "--numprocesses=auto", "--dist=loadscope")
        session.run(*run, f"--junitxml={report}", *session.posargs)
    finally:
        if report.exists():
            note(name, mercurial, session, report)


def note(name: str, mercurial: str, session: nox.Session, report: pathlib.Path) -> None:
    """Write down what came of one combination."""
    suite = ElementTree.parse(report).getroot().find("testsuite")
    assert suite is not None
    python = session.run("python", "-V", silent=True) or ""
    counts = {k: int(suite.get(k, "0")) for k in ("tests", "skipped")}
    counts["bad"] = int(suite.get("failures", "0")) + int(suite.get("errors", "0"))
    result = {
        "mercurial": mercurial,
        "python": str(python).split()[-1],
        "arguments": session.posargs,
        "day": datetime.date.today().isoformat(),
        **counts,
    }
    (RESULTS / f"{name}.json").write_text(json.dumps(result), encoding="utf-8")


@nox.session(python=False)
def table(session: nox.Session) -> None:
    """Write docs/matrix.md from the combinations that ran."""
    rows = [
        json.loads(path.read_text(encoding="utf-8"))
        for path in sorted(RESULTS.glob("*.json"))
    ]
    rows.sort(key=lambda row: [row["mercurial"], numbers(row["python"])])
    lines = [
        "# Which combinations were tested",
        "",
        "Written by `nox` from runs of the tests; what is not here did not run.",
        "",
        "| Mercurial | Python | passed | failed | skipped | of | day |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        passed = row["tests"] - row["bad"] - row["skipped"]
        chosen = " ".join(row["arguments"]) or "all tests"
        lines.append(
            f"| {row['mercurial']} | {row['python']} | {passed} | {row['bad']}"
            f" | {row['skipped']} | {chosen} | {row['day']} |"
        )
    TABLE.parent.mkdir(exist_ok=True)
    TABLE.write_text("\n".join(lines) + "\n", encoding="utf-8")
    session.log(f"{len(rows)} combinations in {TABLE}")


def numbers(version: str) -> list[int]:
    """Return the numbers of a version, to sort by."""
    return [int(number) for number in re.findall(r"\d+", version)]
