# Named parts of Mercurial's test suite.
# SPDX-License-Identifier: GPL-2.0-or-later
"""Which test files belong to which subset, by glob; and choosing from them."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable

SUBSETS: dict[str, tuple[str, ...]] = {
    "revlog": (
        "test-*revlog*",
        "test-contrib-dumprevlog.t",
        "test-debugindexdot.t",
        "test-delta*",
        "test-empty-content-chain.t",
        "test-empty-group.t",
        "test-empty-manifest-index.t",
        "test-filelog.py",
        "test-flagprocessor.t",
        "test-generaldelta.t",
        "test-issue6528.t",
        "test-manifest*",
        "test-parseindex*",
        "test-persistent-nodemap*",
        "test-repo-compengines.t",
        "test-sidedata*",
        "test-storage.py",
        "test-pullling-to-general-delta.t",
    ),
    "repository": (
        "test-annotate.t",
        "test-basic.t",
        "test-cat.t",
        "test-commit*.t",
        "test-convert-hg-*.t",
        "test-copies*.t",
        "test-copy*.t",
        "test-debugcommands.t",
        "test-file-index.t",
        "test-fncache.t",
        "test-hardlinks.t",
        "test-init.t",
        "test-inherit-mode.t",
        "test-lock*",
        "test-log*.t",
        "test-merge*.t",
        "test-permissions.t",
        "test-requires.t",
        "test-share*.t",
        "test-shelve*.t",
        "test-store-*.t",
        "test-unionrepo.t",
        "test-update-*.t",
        "test-verify*",
        "test-archive*.t",
        "test-amend*.t",
        "test-rebase-*.t",
    ),
    "exchange": (
        "test-acl.t",
        "test-bundle2*.t",
        "test-clone*.t",
        "test-exchange*.t",
        "test-getbundle.t",
        "test-hgweb*.t",
        "test-http*.t",
        "test-incoming-outgoing.t",
        "test-pull*.t",
        "test-push*.t",
        "test-pending.t",
        "test-phases-exchange.t",
        "test-ssh*.t",
        "test-static-http.t",
        "test-stream*",
        "test-wireproto*",
        "test-unrelated-pull.t",
        "test-bookmarks-pushpull.t",
        "test-obsolete-*exchange*.t",
        "test-obsolete-streamclone.t",
    ),
    "strip": (
        "test-*strip*.t",
        "test-histedit-*.t",
        "test-unamend.t",
        "test-uncommit.t",
    ),
    "censor": ("test-censor*.t",),
    "upgrade": ("test-*upgrade*.t", "test-split-legacy-inline-changelog.t"),
    "bundle": ("test-*bundle*",),
    "transaction": (
        "test-*transaction*",
        "test-rollback.t",
        "test-journal*.t",
        "test-hook.t",
        "test-hup.t",
        "test-push-race.t",
        "test-racy-mutations.t",
        "test-nointerrupt.t",
    ),
    "treemanifest": ("test-*treemanifest*", "test-rebase-emptycommit.t"),
    "lfs": ("test-lfs*", "test-largefiles*", "test-lfconvert.t"),
    "narrow": ("test-narrow*",),
    "perf": ("test-contrib-perf.t",),
    # A few quick files, to see that a set-up works.
    "smoke": ("test-basic.t", "test-cat.t", "test-empty-file.t", "test-bundle-r.t"),
    "all": ("test-*",),
}

# Together these are what has to be clean on every supported Mercurial.
SUBSETS["storage"] = tuple(
    glob
    for name in (
        "revlog",
        "repository",
        "exchange",
        "strip",
        "censor",
        "upgrade",
        "bundle",
        "transaction",
        "treemanifest",
        "lfs",
        "narrow",
        "perf",
    )
    for glob in SUBSETS[name]
)


def choose(files: Iterable[str], wanted: Iterable[str]) -> list[str]:
    """Return the test files chosen by subset names, file names or globs, sorted.

    A name may lack its extension. ``ValueError`` for one that matches nothing.
    """
    files = sorted(files)
    chosen: set[str] = set()
    for name in wanted:
        globs = SUBSETS.get(name) or (name, name + ".t", name + ".py")
        found = {f for glob in globs for f in fnmatch.filter(files, glob)}
        if not found:
            raise ValueError(f"no test file is called {name!r}")
        chosen |= found
    return sorted(chosen)


def part(files: list[str], which: str) -> list[str]:
    """Return part ``"i/n"`` (1-based) of the files; every n-th, so of like size."""
    number, _, total = which.partition("/")
    if not (number.isdigit() and total.isdigit() and 1 <= int(number) <= int(total)):
        raise ValueError(f"a part is written 1/3, not {which!r}")
    return files[int(number) - 1 :: int(total)]
