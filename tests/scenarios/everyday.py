# Scenarios: what people do with Mercurial every day.
# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import functools
import shutil
from pathlib import Path

from support import snapshot
from support.running import Runner

from . import scenario
from .world import World


@functools.lru_cache(maxsize=1)
def prepared(runner: Runner) -> tuple[Path, snapshot.Snapshot, object, object]:
    """A repository in which stock played `play_history`.

    With it, what makes another repository and its world such that the same play would
    have the same result, the files of the empty one and the state of the random
    numbers, and the state of those afterwards. `history.hg` beside it is its bundle.
    """
    w = World(runner.folder / "history", runner)
    before = w.random.getstate()
    w.init()
    fresh = snapshot.take(w.path("repo"))
    play_history(w)
    w.hg("bundle -q --all ../history.hg")
    return w.path("repo"), fresh, before, w.random.getstate()


def history(w: World, repo: str = "repo") -> None:
    """What `play_history` makes, copied where it would be what it was before.

    That fastrevlog makes the same of it is shown once, by `everyday`, and by each
    scenario of another format or configuration.
    """
    made, fresh, before, after = prepared(w.runner)
    if (
        w.configured
        or w.random.getstate() != before
        or snapshot.take(w.path(repo)) != fresh
    ):
        play_history(w, repo)
        return
    shutil.rmtree(w.path(repo))
    shutil.copytree(made, w.path(repo), symlinks=True)
    w.random.setstate(after)  # type: ignore[arg-type]


def play_history(w: World, repo: str = "repo") -> None:
    """A small history with a bit of everything, used by other scenarios too.

    Branches, a merge, a copy, a rename, a removal, an executable and a link.
    """
    w.write(f"{repo}/a.txt", w.lines(60))
    w.write(f"{repo}/dir/b.txt", w.lines(20, "b"))
    w.write(f"{repo}/dir/deep/c.bin", w.noise(3000))
    w.commit("first", repo=repo)
    w.append(f"{repo}/a.txt", "one more\n")
    w.commit("second", "-u", "Ünïcode <u@example.org>", repo=repo)
    w.hg("copy a.txt copied.txt", repo=repo)
    w.hg("rename dir/b.txt moved.txt", repo=repo)
    w.commit("copy and rename", repo=repo)
    w.append(f"{repo}/moved.txt", "after the move\n")
    w.hg("remove dir/deep/c.bin", repo=repo)
    w.commit("edit the moved, remove", repo=repo)
    w.hg("update -q 1", repo=repo)
    w.hg("branch -q side", repo=repo)
    w.write(f"{repo}/side.sh", "#!/bin/sh\necho side\n")
    w.path(f"{repo}/side.sh").chmod(0o755)
    w.path(f"{repo}/link").symlink_to("a.txt")
    before = w.path(f"{repo}/dir/b.txt").read_bytes()
    w.write(f"{repo}/dir/b.txt", b"on the side\n" + before)
    w.commit("side", repo=repo)
    w.hg("merge -q default", repo=repo)
    w.commit("merge", repo=repo)
    w.hg("tag -l local", repo=repo)
    w.hg("tag v1", repo=repo)


def look(w: World, repo: str = "repo", more: str = "", code: int | None = 0) -> None:
    """Read everything back, in a few commands."""
    w.hg(f"log -p -r 'all()' --debug {more}", repo=repo, code=code)
    w.hg(f"verify {more}", repo=repo, code=code)


@scenario()
def everyday(w: World) -> None:
    w.init()
    play_history(w)
    look(w)
    w.hg("log -p -G --git")
    w.hg("log -r 'reverse(::tip)' -T '{rev} {shortest(node)} {files} {p1.rev}\\n'")
    w.hg("log -f moved.txt --copies -v")
    w.hg("annotate -nu moved.txt a.txt copied.txt")
    w.hg("diff -r 0 -r tip --git")
    w.hg("diff -c 3 --stat")
    w.hg("cat -r 0 a.txt dir/b.txt dir/deep/c.bin")
    w.hg("manifest -r 0 --debug")
    w.hg("status --change 5 -C")
    w.hg("status --rev 0 --rev tip")
    w.hg("heads -v")
    w.hg("tags")
    w.hg("grep --all more")
    w.hg("update -C 0")
    w.hg("archive -r 4 ../archived", repo="repo")
    w.hg("archive -r tip ../archived.tar")
    w.hg("export 2 3 4")
    w.hg("id -r 3 --debug")
    w.hg("log -r 'ancestor(3, 4) + heads(all()) + merge() + file(\"a.txt\")'")
    w.hg("log -r abcdef0123", code=255)
    w.hg("cat -r 0 nothing", code=1)
    w.hg("update -q tip")
    w.hg("backout -q -r 1 -m 'back out'")
    w.hg("update -q 4")
    w.hg("graft -q 3 --log", code=None)
    w.hg("resolve --list")
    w.hg("files -v")
    w.hg("bisect --bad 3")
    w.hg("bisect --good 0")


@scenario()
def conflicts(w: World) -> None:
    w.init()
    w.write("repo/f", w.lines(30))
    w.commit("base")
    for side in ("one", "two"):
        w.hg("update -q 0")
        text = w.path("repo/f").read_text().split("\n")
        text[10] = side
        w.write("repo/f", "\n".join(text))
        w.commit(side)
    w.hg("merge", code=1)
    w.hg("resolve -l")
    w.hg("diff")
    w.hg("resolve --tool internal:other f")
    w.hg("commit -m merged")
    w.hg("import --bypass -m imported -", stdin=PATCH)
    w.hg("log -p -r tip")
    w.hg("import -", stdin=PATCH, code=None)
    look(w)


PATCH = b"""\
# HG changeset patch
# User Patcher <p@example.org>
# Date 1000 -3600

imported

diff --git a/new b/new
new file mode 100644
--- /dev/null
+++ b/new
@@ -0,0 +1,2 @@
+new
+lines
"""


@scenario()
def odd_names(w: World) -> None:
    w.init()
    names = [
        ".dotted/.hidden",
        "with space/and  two",
        "aux.txt/con",
        "UPPER/MiXed_under",
        "ends.i/x.d",
        "ends.hg/y",
        "grüße/日本",
        "tilde~7e/percent%25",
        "trailing./dot.",
        "x" * 200,
        "/".join(["very long folder name %d" % n for n in range(9)]) + "/leaf",
        "data/meta.i",
        "00changelog.i",
    ]
    for number, name in enumerate(names):
        w.write("repo/" + name, f"{number}\n")
    w.commit("odd names")
    for name in names:
        w.append("repo/" + name, w.lines(3))
    w.commit("again")
    for name in names[::2]:
        w.hg("mv", name, name + "2") if len(name) < 150 else None
    w.commit("moved")
    look(w)
    w.hg("debugrebuildfncache")
    w.hg("clone -q repo copy", repo=None)
    w.hg("clone -q --pull repo pulled", repo=None)
    w.hg("manifest", repo="pulled")


@scenario()
def empty_things(w: World) -> None:
    w.init()
    w.hg("log")
    w.hg("verify")
    w.hg("heads", code=1)
    w.hg("tip")
    w.write("repo/empty", "")
    w.write("repo/becomes", "text\n")
    w.commit("an empty file")
    w.write("repo/becomes", "")
    w.write("repo/empty", "no more\n")
    w.commit("swap")
    w.write("repo/becomes", "text\n")
    w.write("repo/empty", "")
    w.commit("swap back")
    w.hg("rename empty still-empty")
    w.commit("move an empty file")
    w.hg("branch -q nothing-but-a-branch")
    w.commit("an empty change")
    w.hg("commit -m 'refused'", code=1)
    w.hg("remove -q becomes still-empty")
    w.commit("an empty manifest")
    look(w)
    w.hg("debugindex -m")
    w.hg("debugdata -m 4")
    w.hg("debugdata -c 0")
    w.hg("update -q null")
    w.write("repo/root", "another root\n")
    w.commit("another root")
    w.hg("merge -q 2")
    w.commit("merge of roots")
    look(w)


@scenario()
def first_bytes(w: World) -> None:
    """Texts that begin like chunk headers, and other texts hard to store."""
    w.init()
    starts = [
        b"\0",
        b"u",
        b"x",
        b"\x28",
        b"\x1f\x8b",
        b"\1\n",
        b"\1\ncopy: x\n\1\n",
        b"\n",
    ]
    for size, step in ((0, 0), (6, 1), (43, 2), (44, 3), (5000, 4)):
        for number, start in enumerate(starts):
            w.write(f"repo/f{number}", start + w.noise(size // 2) + b"ab" * (size // 4))
        w.commit(f"step {step}")
    w.hg("copy f5 c5")
    w.hg("copy f6 c6")
    w.commit("copies of texts with markers")
    for number in range(3):
        w.write("repo/zeros", b"\0" * (10 + number))
        w.write("repo/long-line", b"y" * 70000 + b"%d" % number)
        w.commit("more")
    look(w, more="--config diff.text=yes")
    w.hg("debugindex f5")
    w.hg("debugdata f6 1")
    w.hg("cat c6 f0 f3")


@scenario()
def many_changesets(w: World) -> None:
    """Hundreds of revisions: chains that pass snapshots, look-ups, pruning."""
    w.init()
    w.hg("debugbuilddag -n -o '+60:fork +80*fork +30'")
    w.hg("debugbuilddag -m '+5'", code=None)
    w.hg("update -q 100")
    w.hg("log -r '::tip' -T '{node|shortest} {rev} {branch} {phase}\\n'")
    w.hg("log -r 'roots(all()) + heads(all()) + 50::70 - 60'")
    w.hg("log -p -r 100:90")
    w.hg("debugindex -c")
    w.hg("debugindex -m")
    w.hg("debugrevlog -m")
    w.hg("debugrevlog -c")
    w.hg("debugdeltachain -m")
    w.hg("verify")
    w.hg("log -r 'min(head())' -T '{node}\\n'")
    for prefix in ("0", "1", "2", "00", "ff", "f"):
        w.hg("log -T '{rev} {node}\\n' -r", prefix, code=None)
    w.hg("log -T '{rev}\\n' -r 'sort(all(), -rev)' -l 5")
    w.hg("log -r 'last(all(), 3)' -T '{shortest(node, 2)} {shortest(node, 6)}\\n'")
    w.hg("bundle -q --all ../all.hg")
    w.hg("debugancestor 10 140")
    w.hg("debugdag")
    w.hg("branches")
    w.hg("debugnodemap --metadata", code=None)
    w.hg("debugindexstats", code=None)
