# Questions about history in one process: revsets, ancestry, pages of hgweb.
# SPDX-License-Identifier: GPL-2.0-or-later
"""Usage, from the top of the project:

    python -m benchmarks.walks -R /path/to/repo \\
        --setup stock=/path/to/hg --setup rust=/path/to/rust/hg \\
        --setup fastrevlog=/path/to/hg,extensions.fastrevlog=hgext3rd/fastrevlog

As `benchmarks.micro`, with a fresh repository object for each round, and the
answers compared, in their order.  The revsets are those of Mercurial's
``contrib/base-revsets.txt`` and ``all-revsets.txt`` that ask about ancestry, with
revisions of the repository at hand in the place of the numbers there.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from typing import Any

from . import cli, micro, setups

# Names as they stand in tables; M is the middle revision, Q one three quarters up, F
# the text file with most revisions, G one of the ordinary files.
REVSETS = (
    "::tip",
    "tip:0",
    "0::",
    "0::tip",
    "last(::tip, 100)",
    "draft() and ::tip",
    "::tip and draft()",
    "::p1(p1(tip))::",
    "(M::) - (M)",
    "M::",
    "min(0::)",
    "children(M)",
    "children(tip~100)",
    "parents(M)",
    "parents(M:Q)",
    "parents(M)~5",
    "p1(M)",
    "p2(M)",
    "tip~25",
    "merge()",
    "(children(ancestor(tip~5, tip)) and ::(tip~5))::",
    "roots(M:)",
    "roots(all())",
    "roots(0:tip)",
    "roots(0::tip)",
    "roots((0:tip)::)",
    "roots((0::) - (0::tip))",
    "roots(tip~100:)",
    "roots((tip~100::) - (tip~100::tip))",
    "roots(-10000:-1)",
    "heads(all())",
    "heads(-10000:-1)",
    "head()",
    "heads(commonancestors(last(head(), 2)))",
    "heads(commonancestors(head()))",
    "only(tip, Q)",
    "only(tip, tip~50)",
    "only(max(head()))",
    "only(max(head()), min(head()))",
    "ancestor(M, tip)",
    "ancestors(tip, depth=50)",
    "descendants(M, depth=50)",
    "(tip~1000::) - public()",
    "follow(F, tip)",
    "parents(wdir())",
    "merge() and wdir()",
)

PAGES = {
    "hgweb shortlog": "shortlog",
    "hgweb rev": "rev/tip",
    "hgweb file": "file/tip/F",
    "hgweb filelog": "log/tip/F",
    "hgweb annotate": "annotate/tip/F",
    "hgweb file G": "file/tip/G",
    "hgweb filelog G": "log/tip/G",
    "hgweb annotate G": "annotate/tip/G",
    "hgweb manifest": "file/tip/",
    "hgweb raw-rev": "raw-rev/tip",
    "hgweb json-rev": "json-rev/tip",
    "hgweb json-log": "json-log",
}

OTHERS = ("introrev", "isancestorrev", "common-heads")


def asked(plan: dict[str, Any]) -> dict[str, str]:
    """Each row's name and what a worker is asked, for this repository."""
    return dict(_asked(plan))


def _asked(plan: dict[str, Any]) -> Iterator[tuple[str, str]]:
    count = plan["changesets"]
    path = plan["annotate"] or plan["longest"]
    for spec in REVSETS:
        text = spec.replace("M", str(count // 2)).replace("Q", str(count * 3 // 4))
        yield spec, "revset " + text.replace("(F,", f"('path:{path}',")
    files = {"F": path, "G": plan["ordinary"] or path}
    for name, page in PAGES.items():
        yield name, "page " + page[:-1] + files.get(page[-1:], page[-1:])
    for name in OTHERS:
        yield name, name


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.walks",
        description="Questions about history; the first set-up is the reference.",
    )
    rows = asked(
        dict.fromkeys(("annotate", "longest", "ordinary"), "F") | {"changesets": 0}
    )
    cli.add_options(parser, rows, rounds=7, budget=20.0, separator=";")
    parser.add_argument("--seed", type=int, default=0, help="of the random choices")
    args = parser.parse_args()
    try:
        result = micro.measure(args, {}, asked)
    except setups.SetupError as exc:
        sys.exit(f"walks: {exc}")
    return cli.finish(result)


if __name__ == "__main__":
    sys.exit(main())
