# Scenarios: revlogs that outgrow their inline form.
# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from . import scenario
from .everyday import look
from .world import World


@scenario()
def split_filelog(w: World) -> None:
    w.init()
    w.write("repo/f", w.noise(60000))
    w.commit("inline")
    w.append("repo/f", w.noise(60000))
    w.commit("inline still")
    w.hg("debugindex f")
    w.append("repo/f", w.noise(60000))
    w.commit("split")
    w.hg("debugindex f")
    w.append("repo/f", w.noise(10))
    w.commit("appended")
    w.write("repo/at-once", w.noise(1500000))
    w.commit("split by its first revision, stored as a stream")
    w.append("repo/at-once", "x")
    w.commit("a delta on the large")
    w.write("repo/text", w.lines(60000))
    w.commit("large and compressible: frames without a content size")
    w.append("repo/text", w.lines(10))
    w.commit("a delta on that")
    w.hg("verify")
    w.hg("cat -r tip f at-once")
    w.hg("cat -r 'tip~1' text")
    w.hg("debugdeltachain at-once")
    w.hg("strip -q --no-backup -r 'tip~3'")
    w.hg("verify")
    w.hg("strip -q --no-backup -r 1")
    look(w)
    w.append("repo/f", w.noise(200000))
    w.commit("split again")
    w.hg("verify")


@scenario()
def split_aborted(w: World) -> None:
    """A transaction that split a revlog fails: everything is as it was."""
    w.init()
    w.write("repo/f", w.noise(100000))
    w.commit("inline")
    veto = ("--config", "hooks.pretxnclose=false")
    for _ in range(2):
        w.append("repo/f", w.noise(60000))
        w.hg("commit -m refused", *veto, code=None)
        w.hg("debugindex f")
        w.hg("verify")
    w.hg("commit -m accepted")
    w.hg("debugindex f")
    w.append("repo/f", w.noise(1000))
    w.hg("commit -m 'refused after the split'", *veto, code=None)
    w.hg("verify")
    w.hg("rollback -q --config ui.rollback=yes", code=None)
    w.hg("debugindex f")
    w.hg("verify")
    w.hg("commit -m 'after the rollback'", code=None)
    w.hg("verify")
    w.init("other")
    w.hg(
        "pull -q ../repo --config hooks.pretxnchangegroup=false",
        repo="other",
        code=None,
    )
    w.hg("verify", repo="other")
    w.hg("pull -q ../repo", repo="other")
    w.hg("verify", repo="other")


@scenario()
def split_changelog_and_manifest(w: World) -> None:
    w.init()
    for _ in range(3):
        for each in range(20):
            w.write(f"repo/{w.noise(60).hex()}", f"{each}\n")
        w.commit(w.noise(30000).hex())
    w.hg("debugindex -c")
    for number in range(3):
        w.write("repo/last", f"{number}\n")
        w.hg("commit -q -A -l -", stdin=w.noise(60000).hex().encode())
        w.hg("log -r tip -T '{rev} {desc|count}\\n'", code=None)
    w.hg("debugindex -c")
    w.write("repo/last", "refused\n")
    w.hg(
        "commit -q -l - --config hooks.pretxnclose=false",
        stdin=w.noise(60000).hex().encode(),
        code=None,
    )
    w.hg("verify")
    names = [w.noise(90).hex() for _ in range(900)]
    for name in names:
        w.write("repo/many/" + name, "")
    w.commit("a manifest that splits")
    w.hg("debugindex -m")
    w.hg("remove -q", "many/" + names[0])
    w.commit("one less")
    w.hg("verify")
    w.hg("clone -q --pull repo pulled", repo=None)
    w.hg("verify", repo="pulled")
    w.hg("log -r : -T '{rev} {node}\\n'", repo="pulled")


@scenario()
def split_in_one_changegroup(w: World) -> None:
    """One group of many revisions, with the split in its middle."""
    w.init()
    for number in range(8):
        w.write("repo/f", w.noise(30000) + b"%d" % number)
        w.write("repo/g", w.lines(400))
        w.commit(f"r{number}")
    w.hg("bundle -q --all ../all.hg")
    w.init("other")
    w.hg("unbundle -q ../all.hg", repo="other")
    look(w, "other")
    w.hg("debugindex f", repo="other")
    w.hg("strip -q -r 4 --no-backup", repo="other")
    w.hg("unbundle -q ../all.hg", repo="other")
    w.hg("debugindex f", repo="other")
    look(w, "other")


@scenario()
def long_chains(w: World) -> None:
    """Chains long and wide enough for snapshots and for sparse reads."""
    w.init()
    body = w.lines(4000).splitlines(keepends=True)
    count = 70
    patches = []
    w.write("repo/long", "".join(body))
    w.commit("base")
    for _ in range(count):
        place = w.random.randrange(len(body))
        body[place] = w.noise(900).hex() + "\n"
        patches.append("".join(body))
    with w.command_server() as run:
        for number, text in enumerate(patches):
            w.write("repo/long", text)
            run("commit -q -m", f"edit {number}")
    w.hg("debugdeltachain long")
    w.hg("debugrevlog long")
    w.hg("verify")
    w.hg(f"cat -r {count} long")
    w.hg(f"cat -r {count // 2} long")
    w.hg("log -p -l 10 long")
    w.hg("log -p -r 5:15 long")
    w.hg("annotate -n long")
    w.hg("clone -q --pull repo pulled", repo=None)
    w.hg("debugdeltachain long", repo="pulled")
    w.hg("cat -r tip long", repo="pulled")
