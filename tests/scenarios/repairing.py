# Scenarios: looking inside, repairing, and surviving a crash.
# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from . import scenario
from .everyday import history, look
from .world import World


@scenario()
def debug_commands(w: World) -> None:
    w.init()
    history(w)
    w.write("repo/big", w.noise(150000))
    w.commit("big")
    for what in ("-c", "-m", "a.txt", "big"):
        w.hg(f"debugindex {what}")
        w.hg(f"debugrevlog {what}")
        w.hg(f"debugrevlog --dump {what}")
        w.hg(f"debugdeltachain {what}")
        w.hg(f"debugdata {what} 0")
        w.hg(f"debugindexdot {what}", code=None)
        w.hg(f"debug-delta-find {what} 0", code=None)
    w.hg("debugdeltachain a.txt -T json", code=None)
    w.hg("debug-revlog-index -c --verbose", code=None)
    w.hg("debug-revlog-index a.txt -T json", code=None)
    w.hg("debug-revlog-stats", code=None)
    w.hg("debugindexstats", code=None)
    w.hg("debugrename moved.txt")
    w.hg("debugdata moved.txt 0")
    w.hg("debugdag")
    w.hg("debugancestor 3 4")
    w.hg("debugformat")
    w.hg("debugformat -T json")
    w.hg("debugrequires", code=None)
    w.hg("debugfsinfo --config ui.debug=no", code=None)
    w.hg("debugupdatecaches")
    w.hg("debugtagscache", code=None)
    w.hg("debugpathcopies 0 tip")
    w.hg("debugp1copies -r 2")
    w.hg("debuglocks")
    w.hg("debugrevspec 'all()' --verify-optimized")
    w.hg("debugwalk -v")
    w.hg("debug-repair-issue6528", code=None)
    w.hg("debug-repair-issue6528 --dry-run", code=None)
    w.hg("debugfileset -r tip '**'")
    w.hg("debugnodemap -d", code=None)
    w.hg("debugdata -c 99", code=None)
    w.hg("debugdata nothing 0", code=None)
    w.hg("debugindex nothing", code=None)
    w.hg("debugrebuilddirstate")
    w.hg("status")


@scenario()
def fncache_and_admin(w: World) -> None:
    w.stays = False  # the second admin::verify of a process fails
    w.init()
    history(w)
    listing = w.store() / "fncache"
    whole = listing.read_bytes()
    listing.unlink()
    w.hg("verify", code=None)
    w.hg("debugrebuildfncache")
    w.write("repo/new", "x\n")
    w.commit("goes on with the rebuilt")
    listing.write_bytes(whole[: len(whole) // 2])
    w.hg("verify", code=None)
    w.hg("debugrebuildfncache")
    w.hg("debugrebuildfncache --only-data", code=None)
    w.hg("verify --full")
    w.hg("admin::verify", code=None)
    w.hg("admin::verify -c working-copy", code=None)
    w.hg("admin::verify -c dirstate", code=None)
    w.hg("verify -v", code=None)
    w.hg("recover", code=1)
    w.hg("debugupdatecaches")


KILLED = "kill -9 $PPID && sleep 0.2"


@scenario()
def recover(w: World) -> None:
    """The process dies inside a transaction; `hg recover` undoes it."""
    w.init()
    history(w)
    w.write("repo/big", w.noise(100000))
    w.commit("inline")
    killing = ("--config", "hooks.pretxnclose.die=" + KILLED)
    w.append("repo/big", w.noise(60000))
    w.append("repo/a.txt", "lost\n")
    w.write("repo/brand-new", "lost as well\n")
    w.hg("commit -A -m 'dies, having split'", *killing, code=-9)
    w.hg("log -r tip")
    w.hg("verify", code=None)
    w.append("repo/a.txt", "?\n")
    w.hg("commit -m 'refused: abandoned transaction'", code=None)
    w.hg("recover --config ui.interactive=no")
    look(w)
    w.hg("commit -m 'goes on'", code=None)
    look(w)
    w.init("other")
    w.hg("pull -q ../repo", *killing, repo="other", code=-9)
    w.hg("recover -q", repo="other")
    w.hg("pull -q ../repo", repo="other")
    w.hg("verify", repo="other")
    w.hg("debuglocks", repo="other", code=None)
    dying = ("--config", "hooks.pretxnclose.die=" + KILLED)
    w.hg("strip -q -r 2", *dying, repo="other", code=None)
    w.hg("recover", repo="other", code=None)
    w.hg("verify", repo="other", code=None)
    w.append("repo/big", w.noise(10))
    w.hg("commit -m 'dies on a split log'", *killing, code=-9)
    w.hg("recover -q")
    w.hg("verify")


@scenario()
def interrupted(w: World) -> None:
    """A signal in the middle: the transaction rolls back by itself."""
    w.init()
    history(w)
    w.write("repo/big", w.noise(140000))
    stopping = "hooks.pretxnclose.stop=kill -TERM $PPID && sleep 0.5"
    w.hg("commit -A -m stopped --config", stopping, code=None)
    look(w)
    w.hg("commit -A -m accepted", code=None)
    look(w)


@scenario()
def file_modes(w: World) -> None:
    """New store files get their modes from the store's folder."""
    w.init()
    for folder in (w.store(), w.path("repo/.hg")):
        folder.chmod(0o2770)
    history(w)
    w.write("repo/big", w.noise(140000))
    w.commit("splits")
    for name in ("00changelog.i", "00manifest.i"):
        (w.store() / name).chmod(0o600)
    w.append("repo/big", "more")
    w.commit("after the mode was changed")
    w.hg("strip -q -r tip --no-backup")
    look(w)
