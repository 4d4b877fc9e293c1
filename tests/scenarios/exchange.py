# Scenarios: history that travels.
# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import http.client

from . import scenario
from .everyday import history, look
from .world import World


def two(w: World) -> None:
    """`repo` with a history, and `other` with the first half of it and more."""
    w.init()
    history(w)
    w.hg("phase -p 0")
    w.hg("clone -q --pull -r 3 repo other", repo=None)
    w.append("other/moved.txt", w.lines(4))
    w.write("other/elsewhere", "made elsewhere\n")
    w.commit("made elsewhere", repo="other")


@scenario(refuses=("class: mercurial.bundlerepo",))
def bundles(w: World) -> None:
    two(w)
    for kind in ("none-v2", "gzip-v2", "bzip2-v2", "zstd-v2", "gzip-v1", "none-v1"):
        w.hg(f"bundle -q -t {kind} --base 1 -r tip ../{kind}.hg")
    w.hg("bundle -q ../missing.hg ../other", code=0)
    w.hg("bundle -q --all -t 'none-v2;stream=v2' ../stream.hg", code=None)
    w.hg("bundle -q --all --exact -t none-v3 ../v3.hg", code=None)
    w.hg("debugbundle ../zstd-v2.hg")
    w.hg("debugbundle --all ../none-v2.hg")
    w.hg("init half", repo=None)
    w.hg("pull -q -r 1 ../repo", repo="half")
    w.hg("incoming -p ../gzip-v2.hg", repo="half")
    w.hg("-R ../zstd-v2.hg log -p -r 'all()'", repo="half")
    w.hg("-R ../zstd-v2.hg cat -r tip a.txt", repo="half")
    w.hg("-R ../zstd-v2.hg verify", repo="half", code=None)
    w.hg("unbundle -q ../bzip2-v2.hg", repo="half")
    w.hg("unbundle ../none-v1.hg", repo="half")
    look(w, "half")
    w.hg("unbundle ../missing.hg", repo="other")
    look(w, "other")
    w.hg("init whole", repo=None)
    w.hg("debugcreatestreamclonebundle ../packed1.hg", code=None)
    w.hg("debugapplystreamclonebundle ../packed1.hg", repo="whole", code=None)
    w.hg("log -G", repo="whole")
    w.hg("clone -q stream.hg unpacked", repo=None, code=None)
    w.hg("clone -q v3.hg from-v3", repo=None, code=None)


@scenario(
    refuses=(
        "class: mercurial.bundlerepo",
        "class: mercurial.unionrepo",
    )
)
def bundle_and_union_repositories(w: World) -> None:
    """Revlogs of which a part lies elsewhere; their index grows in memory only."""
    two(w)
    w.write("other/big", w.noise(200000))
    w.commit("big", repo="other")
    w.append("other/big", "tail\n")
    w.commit("bigger", repo="other")
    w.hg("bundle -q ../add.hg ../repo", repo="other")
    w.hg("-R ../add.hg log -p -r 'all()' --debug")
    w.hg("-R ../add.hg manifest -r tip")
    w.hg("-R bundle:../repo+../add.hg annotate -r tip moved.txt")
    w.hg("-R ../add.hg diff -r 0 -r tip --stat")
    w.hg("-R ../add.hg archive -q -r tip ../archived")
    w.hg("-R ../add.hg bundle -q --all ../again.hg")
    w.hg("-R ../add.hg log -r 'bundle()' -T '{rev} {node}\\n'")
    w.hg("incoming -q --bundle kept.hg ../other")
    w.hg("-R union:../repo+../other log -p -r 'all()' --debug")
    w.hg("-R union:../repo+../other cat -r tip moved.txt")
    w.hg("-R union:../repo+../other manifest -r 'heads(all())'", code=None)
    w.hg("-R union:../repo+../other bundle -q --all ../union.hg")
    w.hg("-R union:../repo+../other debugindex -c")
    w.hg("verify")


@scenario(refuses=("class: mercurial.bundlerepo",))
def ssh(w: World) -> None:
    two(w)
    url = "ssh://dummy/"
    w.hg(f"clone -q {url}repo cloned", repo=None)
    look(w, "cloned")
    w.hg(f"clone -q --stream {url}repo streamed", repo=None)
    look(w, "streamed")
    w.hg(f"incoming -p {url}repo", repo="other")
    w.hg(f"pull {url}repo", repo="other")
    w.hg(f"outgoing -p {url}repo", repo="other")
    w.hg(f"push -q {url}repo", repo="other", code=None)
    w.hg(f"push -q -f {url}repo", repo="other", code=None)
    w.write("cloned/big", w.noise(140000))
    w.commit("splits on the other side", repo="cloned")
    w.hg("push -q -f", repo="cloned")
    w.append("cloned/big", "more")
    w.hg("bookmark b", repo="cloned")
    w.commit("and then", repo="cloned")
    w.hg("push -q -f -B b --config devel.legacy.exchange=bundle1", repo="cloned")
    w.hg(f"identify {url}repo --debug", repo=None)
    w.hg("phase -r 'all()'")
    look(w)


@scenario(refuses=("class: mercurial.bundlerepo",))
def http_server(w: World) -> None:
    two(w)
    with w.serving("repo") as url:
        w.hg(f"clone -q {url} cloned", repo=None)
        look(w, "cloned")
        w.hg(f"clone -q --stream {url} streamed", repo=None)
        w.hg("verify", repo="streamed")
        w.hg(f"incoming -p {url}", repo="other")
        w.hg(f"pull -q {url}", repo="other")
        w.hg(f"push -q -f {url}", repo="other", code=None)
        w.write("cloned/big", w.noise(140000))
        w.commit("splits on the server", repo="cloned")
        w.hg("push -q -f", repo="cloned")
        w.append("cloned/big", "more")
        w.commit("and then", repo="cloned")
        w.hg(f"push -q -f {url}", repo="cloned")
        w.hg(f"pull -q {url}", repo="streamed")
        w.hg("verify", repo="streamed")
    look(w)
    with w.serving("repo", "--config", "server.uncompressed=no") as url:
        w.hg(f"clone -q --stream {url} refused", repo=None, code=None)


@scenario(writes=False)
def web_pages(w: World) -> None:
    """hgweb: many threads, one process, a repository that changes meanwhile."""
    w.init()
    history(w)
    pages = """
        / log?style=raw graph?style=raw file/tip?style=raw rev/3?style=raw
        raw-rev/3 raw-file/0/a.txt annotate/tip/moved.txt?style=raw diff/2/a.txt
        filelog/tip/a.txt?style=raw shortlog manifest branches tags?style=json
        archive/tip.tar?style=raw comparison/2/a.txt rev/99 json-log json-file/0/
        log/tip/?rev=more&style=raw ?cmd=heads ?cmd=branchmap raw-file/1/a.txt
    """.split()
    config = ("--config", "web.allow-archive=zip", "--config", "web.cache=no")
    with w.serving("repo", *config) as url:
        port = int(url.rsplit(":", 1)[1].rstrip("/"))
        for page in pages:
            fetch(w, port, page)
        w.append("repo/a.txt", "while serving\n")
        w.commit("while serving")
        fetch(w, port, "raw-file/tip/a.txt")
        fetch(w, port, "raw-rev/tip")
        w.hg("strip -q -r tip --no-backup")
        fetch(w, port, "raw-rev/tip")
        fetch(w, port, "log?style=raw")


def fetch(w: World, port: int, page: str) -> None:
    """Fetch one page of hgweb and record it."""
    from support.running import Result

    connection = http.client.HTTPConnection("localhost", port, timeout=30)
    try:
        connection.request("GET", "/" + page.lstrip("/"))
        answer = connection.getresponse()
        w.record("GET " + page, Result(answer.status, answer.read(), b""), 0 or None)
    finally:
        connection.close()


@scenario()
def clones_and_shares(w: World) -> None:
    two(w)
    # A clone on one file system shares its files until one side writes.
    w.hg("clone -q repo linked", repo=None)
    w.append("linked/a.txt", "breaks the links\n")
    w.write("linked/big", w.noise(140000))
    w.commit("breaks the links", repo="linked")
    w.hg("verify")
    w.hg("clone -q linked linked-too", repo=None)
    w.append("linked/big", "more\n")
    w.commit("breaks more links", repo="linked")
    w.append("linked-too/a.txt", "x\n")
    w.commit("here as well", repo="linked-too")
    w.hg("strip -q -r tip --no-backup", repo="linked-too")
    look(w, "linked-too")
    w.hg("clone -q -U -r 2 repo partial", repo=None)
    w.hg("pull -q", repo="partial")
    look(w, "partial")
    w.hg("clone -q --uncompressed repo uncompressed", repo=None)
    look(w, "uncompressed")
    w.hg("share -q repo shared", repo=None)
    w.append("shared/.hg/hgrc", "[extensions]\nshare =\n")
    w.append("shared/moved.txt", "through the share\n")
    w.commit("through the share", repo="shared")
    w.hg("log -G -T '{rev} {desc}\\n'")
    w.hg("commit -q --amend -m 'amended through the share'", repo="shared")
    look(w)
    w.hg("unshare", repo="shared")
    w.append("shared/moved.txt", "on its own\n")
    w.commit("on its own", repo="shared")
    look(w, "shared")


@scenario(rc="[ui]\nmerge = internal:other\n", refuses=("static-http",))
def static_http(w: World) -> None:
    """A repository behind a plain web server is Mercurial's own affair."""
    import functools
    import http.server
    import threading

    w.init()
    history(w)

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_ignored: object) -> None:
            pass

    served = functools.partial(Quiet, directory=str(w.root))
    with http.server.ThreadingHTTPServer(("localhost", 0), served) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            port = server.server_address[1]
            w.hide(f":{port}", ":$PORT")
            url = f"static-http://localhost:{port}/repo"
            w.hg(f"clone -q {url} cloned", repo=None)
            w.hg(f"identify {url} --debug", repo=None)
        finally:
            server.shutdown()
            thread.join()
    look(w, "cloned")
