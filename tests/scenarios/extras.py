# Scenarios: extensions that replace or wrap parts of the storage.
# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from . import scenario
from .everyday import history, look
from .world import World


def on(*names: str) -> str:
    return "[extensions]\n" + "".join(f"{name} =\n" for name in names)


@scenario(rc=on("narrow") + "[experimental]\nnarrowservebrokenellipses = no\n")
def narrow(w: World) -> None:
    w.init()
    for number in range(4):
        for folder in ("in", "out", "in/deep"):
            w.write(f"repo/{folder}/f", w.lines(10))
        w.commit(f"r{number}")
    url = "ssh://dummy/repo"
    w.hg(f"clone -q --narrow {url} narrowed --include in --noupdate", repo=None)
    w.hg("update -q tip", repo="narrowed")
    look(w, "narrowed")
    w.append("narrowed/in/f", "more\n")
    w.commit("narrow commit", repo="narrowed")
    w.hg("tracked --addinclude out", repo="narrowed", code=None)
    w.hg("verify", repo="narrowed", code=None)
    w.hg(
        "tracked --removeinclude out --force-delete-local-changes",
        repo="narrowed",
        code=None,
    )
    w.hg("push -q", repo="narrowed", code=None)
    look(w, "narrowed")


@scenario(rc=on("lfs") + "[lfs]\ntrack = size('>1KB')\n")
def lfs(w: World) -> None:
    w.init()
    history(w)
    w.write("repo/large", w.noise(20000))
    w.commit("large")
    w.append("repo/large", w.noise(100))
    w.hg("rename a.txt renamed.txt")
    w.commit("larger")
    w.hg("cat -r 'tip^' large")
    w.hg("debugdata large 0")
    w.hg("verify", code=None)
    w.hg("log -p -r tip")
    w.hg("clone -q --pull repo pulled", repo=None, code=None)
    w.hg("verify", repo="pulled", code=None)
    w.hg("bundle -q --all ../lfs.hg", code=None)
    w.hg("strip -q -r tip --no-backup")
    look(w, code=None)


@scenario(rc=on("largefiles"))
def largefiles(w: World) -> None:
    w.init()
    w.write("repo/small", "small\n")
    w.write("repo/dir/large", w.noise(5000))
    w.hg("add small")
    w.hg("add --large dir/large")
    w.hg("commit -m both")
    w.append("repo/dir/large", "more")
    w.hg("commit -m 'larger'")
    w.hg("log -p -r tip")
    w.hg("cat -r 0 small")
    w.hg("clone -q --pull repo pulled", repo=None, code=None)
    w.hg("verify", code=None)
    w.hg("verify", repo="pulled", code=None)
    w.hg("update -q 0")
    w.hg("strip -q -r tip --no-backup", code=None)
    w.hg("verify", code=None)


@scenario(rc=on("mq", "shelve", "transplant", "absorb"))
def patches_and_shelves(w: World) -> None:
    w.init()
    history(w)
    w.append("repo/a.txt", "shelved\n")
    w.hg("shelve -q -n one")
    w.hg("shelve --list -p")
    w.append("repo/moved.txt", "patch\n")
    w.hg("qnew -m 'a patch' p1.patch")
    w.append("repo/moved.txt", "more of it\n")
    w.hg("qrefresh")
    w.hg("qpop -q", code=None)
    w.hg("verify")
    w.hg("qpush -q", code=None)
    w.hg("qfinish -q tip", code=None)
    w.hg("unshelve -q", code=None)
    w.commit("unshelved")
    w.hg("update -q 2", code=None)
    w.hg("transplant -q tip", code=None)
    look(w)


@scenario(rc=on("convert"))
def convert(w: World) -> None:
    """hg to hg: every revision read by one repository, written to another."""
    w.init()
    history(w)
    w.hg("convert -q repo converted", repo=None)
    look(w, "converted")
    w.append("repo/a.txt", "more\n")
    w.commit("more")
    w.hg("convert -q repo converted", repo=None)
    w.hg("convert -q --config convert.hg.saverev=yes repo other", repo=None)
    look(w, "other")


@scenario()
def subrepositories(w: World) -> None:
    w.init()
    history(w)
    w.init("repo/sub")
    w.write("repo/sub/s", "sub\n")
    w.hg("add s", repo="repo/sub")
    w.write("repo/.hgsub", "sub = sub\n")
    w.hg("add .hgsub")
    w.hg("commit -S -m 'with a sub'")
    w.append("repo/sub/s", "more\n")
    w.hg("commit -S -m 'more in the sub'")
    w.hg("archive -S ../archived")
    w.hg("clone -q repo cloned", repo=None)
    w.hg("verify", code=None)
    w.hg("files -S")
