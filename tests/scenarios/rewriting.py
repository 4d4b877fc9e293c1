# Scenarios: history that is changed, hidden, cut off or taken back.
# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from . import scenario
from .everyday import history, look
from .world import World

EVOLVE = "[experimental]\nevolution = all\n"
HISTEDIT = "[extensions]\nhistedit =\n"


@scenario()
def strip_and_back(w: World) -> None:
    w.init()
    history(w)
    w.hg("strip -q -r 5")
    look(w)
    w.hg("unbundle -q", *_backups(w))
    look(w)
    w.hg("update -q -C 0")
    w.hg("strip --keep -r 1")
    w.hg("verify")
    w.hg("log -G")
    # A middle branch goes while later revisions stay: they are written anew.
    w.init("other")
    history(w, "other")
    w.hg("update -q 0", repo="other")
    w.write("other/late", w.lines(50))
    w.commit("late, on the root", repo="other")
    w.hg("strip -q -r 4 --no-backup", repo="other")
    look(w, "other")
    w.hg("strip -q -r 'all()'", repo="other")
    look(w, "other")


def _backups(w: World, repo: str = "repo") -> list:
    folder = w.path(repo) / ".hg" / "strip-backup"
    return [str(path) for path in sorted(folder.iterdir()) if path.suffix == ".hg"]


@scenario()
def rollback(w: World) -> None:
    w.init()
    w.write("repo/a", w.lines(20))
    w.commit("kept")
    w.append("repo/a", "more\n")
    w.write("repo/b", "new file\n")
    w.commit("taken back")
    w.hg("rollback --config ui.rollback=true")
    w.hg("verify")
    w.hg("log -v")
    w.hg("status")
    w.commit("again")
    w.hg("clone -q repo other", repo=None)
    w.append("other/a", "elsewhere\n")
    w.commit("elsewhere", repo="other")
    w.hg("pull -q ../other")
    w.hg("rollback --config ui.rollback=true")
    look(w)
    w.hg("rollback --config ui.rollback=true", code=1)
    w.init("fresh")
    w.write("fresh/only", "x\n")
    w.commit("only", repo="fresh")
    w.hg("rollback --config ui.rollback=true", repo="fresh")
    w.hg("verify", repo="fresh")
    w.commit("once more", repo="fresh")
    look(w, "fresh")


@scenario(rc=HISTEDIT)
def amend_and_rebase(w: World) -> None:
    """Without obsolescence: rewriting strips."""
    w.init()
    history(w)
    w.append("repo/a.txt", "amended\n")
    w.hg("commit --amend -m amended")
    w.hg("uncommit -q a.txt")
    w.commit("back again")
    w.hg("rebase -q -r tip -d 3 --tool internal:other")
    look(w)
    w.hg("rebase -q -s 4 -d 2 --keep --tool internal:other", code=None)
    w.hg("log -G -T '{rev} {desc} {node|short}\\n'")
    w.hg("update -q -C 3")
    for number in range(4):
        w.append("repo/a.txt", f"{number}\n")
        w.commit(f"step {number}")
    plan = "\n".join(f"{verb} {rev}" for verb, rev in _plan(w))
    w.hg("histedit -q --commands - -r 'tip~3'", stdin=plan.encode())
    look(w)


def _plan(w: World) -> list:
    told = w.hg("log -r 'tip~3::tip' -T '{node|short}\\n'").out.decode().split()
    return list(zip(("pick", "fold", "roll", "drop"), told))


@scenario(rc=EVOLVE + "[extensions]\namend =\n")
def obsolescence(w: World) -> None:
    w.init()
    history(w)
    w.append("repo/a.txt", "amended\n")
    w.hg("amend -q")
    w.hg("commit --amend -m 'another message' -d '5 0'")
    w.hg("log -G -T '{rev} {desc} {obsolete} {phase}\\n'")
    w.hg("log --hidden -p -r 'hidden()'")
    w.hg("update -q -C 3")
    w.append("repo/a.txt", "to be rebased\n")
    w.commit("rebase me")
    w.hg("rebase -q -r . -d 2 --tool internal:other")
    w.hg("debugobsolete")
    w.hg("log -r 'obsolete() or orphan()'")
    w.hg("uncommit -q --allow-dirty-working-copy a.txt")
    w.hg("update -q -C 3")
    w.hg("clone -q --pull repo other", repo=None)
    w.hg("log -G -T '{rev} {desc}\\n'", repo="other")
    w.hg("pull -q ../other")
    w.hg("log --hidden -r 'all()' -T '{rev}:{node|short} {instabilities}\\n'")
    w.hg("bundle -q --all ../with-markers.hg")
    look(w)
    look(w, more="--hidden")


@scenario()
def phases_and_bookmarks(w: World) -> None:
    w.init()
    history(w)
    w.hg("phase -p 1")
    w.hg("phase -s -f 4", code=None)
    w.hg("bookmark here")
    w.hg("bookmark -r 2 there")
    w.hg("log -T '{rev} {phase} {bookmarks}\\n'")
    w.hg("clone -q repo other", repo=None)
    w.hg("phase -r 'all()'", repo="other")
    w.hg("update -q there")
    w.append("repo/a.txt", "bookmarked\n")
    w.commit("moves the bookmark")
    w.hg("bookmarks")
    w.hg("push -q ../other -B there", code=None)
    w.hg("push -q -f ../other -B there", code=None)
    w.hg("bookmarks", repo="other")
    w.hg("phase -r 'all()'")
    w.hg("commit --amend -m 'public, refused'", code=None)
    w.hg("strip -q -r 1 --force", code=None)
    w.hg("verify")
    w.hg("verify", repo="other")


CENSOR_RC = "[extensions]\ncensor =\n[censor]\npolicy = ignore\n"


@scenario(rc=CENSOR_RC, refuses=("class: mercurial.bundlerepo",))
def censor(w: World) -> None:
    w.init()
    for number in range(8):
        w.write("repo/secret", f"password {number}\n" + w.lines(40))
        w.write("repo/plain", w.lines(10))
        w.commit(f"r{number}")
    w.write("repo/secret", "clean\n")
    w.commit("clean")
    w.hg("censor -r 3 secret -t 'it was secret'")
    w.hg("cat -r 3 secret")
    w.hg("cat -r 3 secret --config censor.policy=abort", code=None)
    w.hg("cat -r 4 secret")
    look(w)
    w.hg("debugindex secret")
    w.hg("debugdata secret 3", code=None)
    w.hg("log -p -r : secret")
    w.hg("annotate -r 5 secret")
    w.hg("clone -q --pull repo other", repo=None)
    look(w, "other")
    w.hg("censor -r 2+5 secret plain", code=None)
    w.hg("censor -r 2 -r 5 secret", code=None)
    w.hg("pull -q ../repo", repo="other")
    w.write("repo/secret", "after the censorship\n")
    w.commit("goes on")
    w.hg("bundle -q --all ../censored.hg")
    w.hg("incoming -q ../censored.hg", repo="other")
    look(w)


@scenario(rc=CENSOR_RC)
def censor_split_file(w: World) -> None:
    """Censorship of a file log that is not inline, and of a deep delta chain."""
    w.init()
    base = w.lines(6000)
    for number in range(12):
        w.write("repo/big", f"number {number}\n" + base + w.noise(20000).hex() + "\n")
        w.commit(f"r{number}")
    w.hg("debugdeltachain big")
    w.hg("censor -r 4 big")
    w.hg("debugdeltachain big")
    w.hg("verify")
    w.hg("cat -r 7 big")
    w.hg("cat -r 4 big")


@scenario(
    # without it Mercurial does not open what it has just upgraded, where ours does
    rc="[storage]\nrevlog.persistent-nodemap.slow-path = allow\n",
    refuses=("dotencode?", "path encoding: hybrid?"),
)
def upgrades(w: World) -> None:
    """`debugupgraderepo` there and back: every revision is written anew."""
    w.init(config="--config format.revlog-compression=zlib")
    history(w)
    w.write("repo/big", w.noise(150000))
    w.commit("big")
    w.append("repo/big", w.noise(1000))
    w.commit("bigger")
    quiet = "--quiet --run --no-backup"
    w.hg("debugupgraderepo", code=None)
    w.hg(f"debugupgraderepo {quiet} --config format.revlog-compression=zstd")
    look(w)
    w.hg(f"debugupgraderepo {quiet} --config format.revlog-compression=none", code=None)
    look(w)
    w.hg(f"debugupgraderepo {quiet} -o re-delta-all")
    look(w)
    w.hg(f"debugupgraderepo {quiet} -o re-delta-fulladd --no-changelog")
    w.hg(f"debugupgraderepo {quiet} --manifest -o re-delta-parent", code=None)
    w.hg(
        f"debugupgraderepo {quiet} --config format.use-persistent-nodemap=yes",
        code=None,
    )
    w.hg(f"debugupgraderepo {quiet} --config format.use-dirstate-v2=yes", code=None)
    w.hg(f"debugupgraderepo {quiet} --config format.sparse-revlog=no", code=None)
    look(w)
    w.hg(f"debugupgraderepo {quiet} --config format.dotencode=no", code=None)
    w.hg("debugrevlog -m")
