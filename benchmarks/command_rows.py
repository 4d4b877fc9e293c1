# The whole commands that are measured: arguments, preparation, what they make.
# SPDX-License-Identifier: GPL-2.0-or-later
"""Each command runs in a folder of its set-up that holds ``repo``, a copy of the
repository, and ``out``, emptied before each run.  All paths are relative to it,
so what is printed is the same in all set-ups.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

Plan = dict[str, Any]
Arguments = Callable[[Plan], list[str]]


@dataclasses.dataclass(frozen=True)
class Row:
    """One command.

    ``before`` are commands run untimed before each run.  ``makes`` is what is
    digested after each run: a file or folder below the set-up's folder.  ``uses``
    says whether the extension must show that it served revlogs ("read"), that it
    also wrote revisions ("write"), or nothing (""). ``repeat`` multiplies the
    rounds of what is over in an instant.
    """

    name: str
    what: str
    args: Arguments
    before: tuple[Arguments, ...] = ()
    makes: str = ""
    uses: str = "read"
    repeat: int = 1

    @property
    def by_version(self) -> bool:
        """Whether versions of Mercurial may differ in what is printed or made."""
        return self.makes.endswith("store") or self.name == "start-up"


def _formats(plan: Plan) -> list[str]:
    """Make a new repository of the same format in every set-up.

    A persistent node map is the default of Rust builds only, and its files have
    random names.
    """
    zstd = "revlog-compression-zstd" in plan["requirements"]
    return [
        "--config",
        "format.use-persistent-nodemap=no",
        "--config",
        f"format.revlog-compression={'zstd' if zstd else 'zlib'}",
    ]


def _middle(plan: Plan) -> str:
    """The 200 revisions in the middle."""
    count = plan["changesets"]
    start = max(0, count // 2 - 100)
    return f"{start}:{min(count - 1, start + 199)}"


def _annotate(plan: Plan) -> list[str]:
    return ["annotate", "-r", "tip", f"path:{plan['annotate']}"]


def _distant(plan: Plan) -> list[str]:
    return ["diff", "-r", str(plan["changesets"] // 2), "-r", "tip"]


def _newest_tenth(plan: Plan) -> str:
    """The first revision of the newest tenth."""
    return str(plan["changesets"] * 9 // 10)


def _clone_without_newest_tenth(plan: Plan) -> list[str]:
    source = ["-r", _newest_tenth(plan), "repo", "out/new"]
    return ["clone", "-q", "--pull", "-U", *source]


def _run(plan: Plan, length: int) -> str:
    """So many revisions that end in the middle."""
    middle: int = plan["changesets"] // 2
    return f"{max(0, middle - length + 1)}:{middle}"


# twenty changesets, and two branches of 200 and of 20
STACK = "+20:fork+200*fork+20"
# made once, for all set-ups
BUNDLE = "../all.hg"
ZSTD_BUNDLE = "../all-zstd.hg"

ROWS: dict[str, Row] = {
    row.name: row
    for row in (
        Row("start-up", "version -q", lambda _: ["version", "-q"], uses="", repeat=5),
        Row("log-tip", "log -r tip", lambda _: ["log", "-r", "tip"], repeat=3),
        Row("verify", "verify", lambda _: ["verify"]),
        Row("log-desc", r"log -T '{desc}\n'", lambda _: ["log", "-T", r"{desc}\n"]),
        Row(
            "log-p-middle",
            "log -p, the 200 revisions in the middle",
            lambda plan: ["log", "-p", "-r", _middle(plan)],
        ),
        Row("log-p-newest", "log -p -l 100", lambda _: ["log", "-p", "-l", "100"]),
        Row("diff", "diff from the middle revision to tip", _distant),
        Row("annotate", "annotate the text file with most revisions", _annotate),
        Row("cat", "cat every file of tip", lambda _: ["cat", "-r", "tip", "path:."]),
        Row(
            "archive",
            "archive -r tip",
            lambda _: ["archive", "-r", "tip", "out/tree"],
            makes="out/tree",
        ),
        Row(
            "update",
            "update from null to tip",
            lambda _: ["update", "tip"],
            before=(lambda _: ["update", "-q", "-C", "null"],),
            makes="repo",
        ),
        Row(
            "bundle",
            "bundle --all, uncompressed",
            lambda _: ["bundle", "--all", "-t", "none-v2", "out/all.hg"],
            makes="out/all.hg",
        ),
        Row(
            "unbundle",
            "unbundle all into a new repository",
            lambda _: ["-R", "out/new", "unbundle", BUNDLE],
            before=(lambda plan: ["init", "out/new", *_formats(plan)],),
            makes="out/new/.hg/store",
            uses="write",
        ),
        Row(
            "unbundle-zstd",
            "unbundle all, compressed with zstd, into a new repository",
            lambda _: ["-R", "out/new", "unbundle", ZSTD_BUNDLE],
            before=(lambda plan: ["init", "out/new", *_formats(plan)],),
            makes="out/new/.hg/store",
            uses="write",
        ),
        Row(
            "clone-pull",
            "clone --pull",
            lambda plan: ["clone", "--pull", "-U", "repo", "out/new", *_formats(plan)],
            makes="out/new/.hg/store",
            uses="write",
        ),
        Row(
            "pull-tenth",
            "pull of the newest tenth, from a path",
            lambda _: ["-R", "out/new", "pull", "repo"],
            before=(
                lambda plan: [*_clone_without_newest_tenth(plan), *_formats(plan)],
            ),
            makes="out/new/.hg/store",
            uses="write",
        ),
        Row(
            "bundle-zstd",
            "bundle --all, compressed with zstd",
            lambda _: ["bundle", "--all", "-t", "zstd-v2", "out/all.hg"],
            makes="out/all.hg",
        ),
        Row(
            "log-p-1200",
            "log -p, 1,200 revisions that end in the middle",
            lambda plan: ["log", "-p", "-r", _run(plan, 1200)],
        ),
        Row("log-p-10", "log -p -l 10", lambda _: ["log", "-p", "-l", "10"], repeat=3),
        Row("log-G", "log -G -l 100", lambda _: ["log", "-G", "-l", "100"], repeat=3),
        Row(
            "log-file",
            "log of the text file with most revisions",
            lambda plan: ["log", f"path:{plan['annotate']}"],
        ),
        Row(
            "log-f-file",
            "log -f of that file, from tip",
            lambda plan: ["log", "-f", "-r", "tip", f"path:{plan['annotate']}"],
        ),
        Row(
            "grep-diff",
            "grep --diff over 2,000 revisions",
            lambda plan: ["grep", "--diff", "-r", _run(plan, 2000), "return"],
        ),
        Row(
            "export",
            "export of the 200 revisions in the middle",
            lambda plan: ["export", "-r", _middle(plan)],
        ),
        Row(
            "export-files",
            "export of the same, to files",
            lambda plan: ["export", "-r", _middle(plan), "-o", "out/%R.patch"],
            makes="out",
        ),
        Row(
            "log-G-p",
            "log -G -p, the 200 revisions in the middle",
            lambda plan: ["log", "-G", "-p", "-r", _middle(plan)],
        ),
        Row(
            "log-json",
            "log -T json -p, the 200 revisions in the middle",
            lambda plan: ["log", "-T", "json", "-p", "-r", _middle(plan)],
        ),
        Row(
            "churn",
            "churn of 1,200 revisions that end in the middle",
            lambda plan: [
                *("--config", "extensions.churn=", "churn", "-r", _run(plan, 1200)),
            ],
        ),
        Row(
            "outgoing-p",
            "outgoing -p to an empty repository, the oldest 200",
            lambda _: ["outgoing", "-p", "-l", "200", "-R", "repo", "out/new"],
            before=(lambda _: ["init", "out/new"],),
        ),
        Row(
            "outgoing",
            "outgoing to a repository that lacks the newest tenth",
            lambda _: ["outgoing", "-q", "-R", "repo", "out/new"],
            before=(_clone_without_newest_tenth,),
        ),
        Row(
            "incoming",
            "incoming of the newest tenth, from a path",
            lambda _: ["incoming", "-q", "-R", "out/new", "repo"],
            before=(_clone_without_newest_tenth,),
        ),
        Row(
            "convert",
            "convert of the oldest 2,000 changesets",
            lambda plan: [
                *("--config", "extensions.convert=", "convert", "-q"),
                *("--config", "convert.hg.revs=0:1999"),
                *("repo", "out/new", *_formats(plan)),
            ],
            makes="out/new/.hg/store",
            uses="write",
        ),
        Row(
            "rebase",
            "rebase of 200 changesets onto 20 others, all made up",
            lambda _: [
                *("--config", "extensions.rebase=", "-R", "out/new"),
                *("rebase", "-q", "-s", "20", "-d", "tip"),
            ],
            before=(
                lambda plan: ["init", "out/new", *_formats(plan)],
                lambda _: ["-R", "out/new", "debugbuilddag", "-n", STACK],
            ),
            makes="out/new/.hg/store",
            uses="write",
        ),
        Row(
            "update-back",
            "update from tip to one hundred revisions before",
            lambda _: ["update", "tip~100"],
            before=(lambda _: ["update", "-q", "-C", "tip"],),
            makes="repo",
        ),
        Row(
            "verify-fast",
            "verify against damage only (fastrevlog.verify-check)",
            lambda _: ["verify", "--config", "fastrevlog.verify-check=fast"],
        ),
        Row("log-wd", "log -r .", lambda _: ["log", "-r", "."], uses="", repeat=5),
        Row("status", "status", lambda _: ["status"], uses="", repeat=5),
    )
}
