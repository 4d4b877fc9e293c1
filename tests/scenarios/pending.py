# Scenarios: what hooks see of a transaction that is still open.
# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from support.running import Result

from . import scenario
from .everyday import history, look
from .world import World

# One start of hg for each hook: they are what these scenarios spend their time on.
SEES = (
    "\"$HG\" log -r 'tip + heads(all()) + (0 - tip)' -p --stat "
    "-T '{rev} {desc|firstline} {phase} {files % \"{file} \"}\\n'"
)


def hooks(**named: str) -> str:
    return "[hooks]\n" + "".join(f"{name} = {what}\n" for name, what in named.items())


@scenario(rc=hooks(pretxncommit=SEES, pretxnclose=SEES))
def hooks_see_commits(w: World) -> None:
    w.init()
    w.write("repo/a.txt", w.lines(30))
    w.commit("the first of all: no index file yet")
    w.write("repo/big", w.noise(140000).hex())
    w.commit("splits while a hook looks")
    w.append("repo/big", "more\n")
    w.hg("commit -q --amend -m amended")
    w.hg("update -q 0")
    w.append("repo/a.txt", "to be refused\n")
    veto = f"hooks.pretxnclose={SEES} && exit 1"
    w.hg("commit -m refused --config", veto, code=None)
    w.hg("verify")
    w.hg("commit -m accepted")
    look(w)


# Over ssh, lines of the two sides arrive in any order: the hooks write to a file.
TO_FILE = f'(echo $HG_HOOKTYPE $HG_NODE $HG_SOURCE; {SEES}) >> "$WORLD/seen" 2>&1'


@scenario(rc=hooks(pretxnchangegroup=TO_FILE, changegroup=TO_FILE))
def hooks_see_changegroups(w: World) -> None:
    w.init("source")
    history(w, "source")
    w.write("source/big", w.noise(140000).hex())
    w.commit("big", repo="source")
    w.init()
    w.hg("pull -r 2 ../source")
    w.hg("pull ../source --config hooks.pretxnchangegroup.veto=false", code=None)
    w.hg("verify")
    w.hg("pull -q ../source")
    look(w)
    w.append("source/big", "more")
    w.commit("more", repo="source")
    w.hg("push -q ssh://dummy/repo", repo="source")
    w.append("source/big", "yet more")
    w.commit("yet more", repo="source")
    w.hg("bundle -q --base 'tip^' -r tip ../one.hg", repo="source")
    veto = f"hooks.pretxnclose.veto={SEES} && false"
    w.hg("unbundle ../one.hg --config", veto, code=None)
    w.hg("unbundle ../one.hg")
    look(w)
    w.record("what the hooks saw", Result(0, w.path("seen").read_bytes(), b""))


IN_PROCESS = """
import os

def look(ui, repo, hooktype, **kwargs):
    tip = repo[b'tip']
    ui.write(b'%s: %d %s\\n' % (hooktype, tip.rev(), tip.description()))
    for name in tip.files():
        if name in tip:
            ui.write(b' %s %d\\n' % (name, len(tip[name].data())))
    log = repo.changelog
    ui.write(b' %d revisions, heads %r\\n' % (len(log), sorted(log.headrevs())))
"""


@scenario(
    rc="[hooks]\n"
    + "".join(
        f"{name}.look = python:$WORLD/../hooks.py:look\n"
        for name in ("pretxncommit", "commit", "pretxnclose", "txnclose", "incoming")
    )
)
def hooks_in_process(w: World) -> None:
    (w.base / "hooks.py").write_text(IN_PROCESS)
    w.init()
    history(w)
    w.write("repo/big", w.noise(140000))
    w.commit("splits")
    w.init("other")
    w.hg("pull ../repo", repo="other")
    w.hg("commit --amend -m amended")
    w.hg("verify")


@scenario()
def other_processes_do_not_see(w: World) -> None:
    """While a hook holds the transaction open, a reader without HG_PENDING looks."""
    w.init()
    history(w)
    outside = 'env -u HG_PENDING "$HG" -R "$WORLD/repo"'
    looks = f"{outside} log -G -T '{{rev}} {{desc}}\\n' && {outside} cat -r tip a.txt"
    w.append("repo/a.txt", "unseen\n")
    w.write("repo/big", w.noise(140000))
    w.commit("unseen", "--config", f"hooks.pretxnclose.look={looks}")
    w.append("repo/big", "again\n")
    w.commit("unseen again", "--config", f"hooks.pretxncommit.look={looks}")
    w.hg("strip -q -r tip~1 --config", f"hooks.pretxnclose.look={looks}", code=None)
    look(w)
