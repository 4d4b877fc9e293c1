# Scenarios: one process, many commands, while others change the repository.
# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from . import scenario
from .everyday import history
from .world import World

READS = (
    "log -G -T '{rev} {desc|firstline} {phase}\\n'",
    "log -p -r tip",
    "cat -r tip a.txt",
    "manifest -r tip",
    "heads -q",
)


@scenario()
def command_server(w: World) -> None:
    w.init()
    history(w)
    with w.command_server() as run:
        for read in READS:
            run(read)
        w.append("repo/a.txt", "from inside\n")
        run("commit -m inside")
        w.append("repo/a.txt", "from outside\n")
        w.hg("commit -m outside")
        for read in READS:
            run(read)
        w.hg("strip -q -r tip --no-backup")
        for read in READS:
            run(read)
        # The same number of revisions again, with other contents.
        w.append("repo/a.txt", "something else\n")
        w.hg("commit -m 'something else'")
        for read in READS:
            run(read)
        w.hg("strip -q -r 'tip~1' --no-backup")
        w.write("repo/big", w.noise(140000))
        run("commit -A -m 'big, inside'")
        w.append("repo/big", "outside\n")
        w.hg("commit -m 'on the big, outside'")
        run("debugindex big")
        run("verify")
        w.hg("strip -q -r tip --no-backup")
        w.append("repo/big", "inside\n")
        run("commit -m 'on the big, inside'", code=None)
        run("verify")
        run("commit --amend -m amended", code=None)
        run("rollback -q --config ui.rollback=yes", code=None)
        run("log -r tip -p --stat")
    w.hg("verify")


@scenario()
def command_server_beside_rewriting(w: World) -> None:
    """Files are replaced and truncated under a process that has them open."""
    w.init()
    for number in range(30):
        w.write("repo/f", w.lines(200))
        w.write(f"repo/g{number % 4}", w.lines(20))
        w.hg("commit -q -A -m", f"r{number}")
    with w.command_server() as run:
        run("log -p -r 0:5 --stat")
        run("verify -q")
        w.hg("debugupgraderepo -q --run --no-backup -o re-delta-all")
        run("cat -r 7 f")
        run("verify -q")
        w.hg("strip -q -r 10 --no-backup")
        run("cat -r 7 f")
        run("cat -r 20 f", code=None)
        run("verify -q")
        w.hg("pull -q ../repo", code=None)
        w.hg("censor -r 3 f --config extensions.censor=", code=None)
        run("cat -r 3 f", code=None)
        run("cat -r 4 f", code=None)
        run("log -T '{rev}\\n' -l 3")


@scenario()
def two_writers(w: World) -> None:
    """A command server and single commands take turns in appending."""
    w.init()
    w.write("repo/f", "0\n")
    w.commit("start")
    with w.command_server() as run:
        for number in range(6):
            w.append("repo/f", f"server {number}\n")
            w.write(f"repo/s{number}", w.noise(9000 * number))
            run("commit -q -A -m", f"server {number}")
            w.append("repo/f", f"other {number}\n")
            w.append("repo/s0", w.noise(40000))
            w.hg("commit -q -m", f"other {number}")
        run("log -T '{rev} {desc} {node|short}\\n'")
        run("verify")
    w.hg("verify")
    w.hg("debugindex f")
    w.hg("debugindex s0")
