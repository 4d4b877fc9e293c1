# Makes the tip of a copied repository free of subrepositories; run like worker.py.
# SPDX-License-Identifier: GPL-2.0-or-later
"""``hg update`` refuses Git subrepositories, which a repository converted from Git
with submodules has.  A changeset that drops them is added to the copies that
`benchmarks.commands` measures, before they are measured.

Standard input: the repository's path.
"""

from __future__ import annotations

import importlib
import os
import sys


def main() -> None:
    context = importlib.import_module("mercurial.context")
    ui = importlib.import_module("mercurial.ui").ui.load()
    path = os.fsencode(sys.stdin.read())
    repo = importlib.import_module("mercurial.hg").repository(ui, path)
    tip = repo[b"tip"]
    gone = [name for name in (b".hgsub", b".hgsubstate") if name in tip]
    if gone:
        # "None" for every file that is asked for: it is not there any more.
        text, parents = b"drop subrepositories", (tip.node(), None)
        ctx = context.memctx(repo, parents, text, gone, lambda *_: None, date=(0, 0))
        with repo.lock():
            ctx.commit()


if __name__ == "__main__":
    main()
