# Scenarios: one history in every format that a repository may have.
# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from collections.abc import Callable

from . import EVERY_KIND, scenario
from .everyday import look, play_history, prepared
from .world import World

NOTHING: frozenset[str] = frozenset()


def work(w: World) -> None:
    """Enough work to pass every door of the store: add, read, cut, exchange.

    Exit codes are compared but not prescribed: some of these formats are so
    experimental that stock itself fails over parts of this.
    """
    w.init()
    w.hg(f"unbundle -q -u {prepared(w.runner)[0].parent / 'history.hg'}")
    work_on(w)


def work_and_history(w: World) -> None:
    """The same, on a history that was committed and not received."""
    w.init()
    play_history(w)
    work_on(w)


def work_on(w: World) -> None:
    body = w.lines(300)
    for number in range(5):
        w.write("repo/chain", body + f"{number}\n" * (number + 1))
        w.write(f"repo/dir/f{number}", w.lines(5))
        w.commit(f"chain {number}")
    w.write("repo/large", w.noise(140000))
    w.commit("splits")
    w.append("repo/large", w.noise(100))
    w.commit("after the split")
    look(w, code=None)
    w.hg("debugindex chain")
    w.hg("debugrevlog -m", code=None)
    w.hg("debugdeltachain chain", code=None)
    w.hg(f"bundle -q --all ../all.hg -t '{bundle_type(w)}'", code=None)
    w.hg("strip -q -r 'tip~4' --no-backup", code=None)
    w.hg("unbundle -q ../all.hg", code=None)
    look(w, code=None)
    w.hg("clone -q --pull repo pulled", repo=None, code=None)
    w.hg("clone -q --stream repo streamed", repo=None, code=None)
    if _exists(w, "streamed"):
        w.hg("verify", repo="streamed", code=None)
    if _exists(w, "pulled"):
        w.append("pulled/chain", "pushed\n")
        w.commit("pushed", repo="pulled")
        w.hg("push -q ../repo", repo="pulled", code=None)
    w.hg("update -q -C tip", code=None)
    w.append("repo/chain", "rolled back\n")
    w.commit("rolled back")
    w.hg("rollback -q --config ui.rollback=yes")
    look(w, code=None)


def short_work(w: World) -> None:
    """The same in a third of the time, for settings rather than formats."""
    w.init()
    w.hg("debugbuilddag -n -o '+20:fork+15*fork+10/fork'", code=None)
    w.hg("update -q -C tip")
    w.write("repo/large", w.noise(70000) + w.lines(2000).encode())
    w.write("repo/small", w.lines(30))
    w.commit("inline still")
    w.append("repo/large", w.noise(70000))
    w.append("repo/small", "more\n")
    w.commit("splits")
    look(w)
    w.hg("debugrevlog large")
    w.hg("bundle -q --all ../all.hg")
    w.hg("strip -q -r 'tip~3' --no-backup")
    w.hg("unbundle -q ../all.hg")
    w.hg("clone -q --pull repo pulled", repo=None)
    look(w, "pulled")


def bundle_type(w: World) -> str:
    """The kind of bundle that the repository can be put in."""
    tree = "treemanifest" in w.hg("debugrequires").out.decode().split()
    return "none-v2;cg.version=03" if tree else "zstd-v2"


def _exists(w: World, repo: str) -> bool:
    return (w.path(repo) / ".hg").exists()


def register(
    name: str,
    rc: str,
    since: tuple[int, ...] = (7, 0),
    refuses: tuple[str, ...] = (),
    kinds: frozenset[str] = EVERY_KIND,
    play: Callable[[World], None] = work,
) -> None:
    """Register a scenario for one configuration."""
    known = scenario(rc, kinds, bool(kinds), refuses, since, name)
    known(play)


def variant(name: str, rc: str, since: tuple[int, ...] = (7, 0)) -> None:
    """Register a short scenario."""
    register(name, rc, since, play=short_work)


def _format(setting: str, more: str = "") -> str:
    return f"[format]\n{setting}\n{more}"


ZSTD = "revlog-compression = zstd"
register("format_default", "", play=work_and_history)
register("format_zlib", _format("revlog-compression = zlib"))
variant(
    "format_zlib_0",
    _format("revlog-compression = zlib", "[storage]\nrevlog.zlib.level = 0\n"),
)
variant(
    "format_zlib_9",
    _format("revlog-compression = zlib", "[storage]\nrevlog.zlib.level = 9\n"),
)
variant("format_zstd_1", _format(ZSTD, "[storage]\nrevlog.zstd.level = 1\n"))
variant("format_zstd_19", _format(ZSTD, "[storage]\nrevlog.zstd.level = 19\n"))
register("format_none", _format("revlog-compression = none"))
register("format_no_generaldelta", _format("usegeneraldelta = no\nsparse-revlog = no"))
register("format_no_sparse", _format("sparse-revlog = no"))
# Path encodings that fastrevlog leaves alone; versions name the reason differently.
REFUSED = ("path encoding?", "no fncache?", "vfs?")
register("format_no_dotencode", _format("dotencode = no"), (7, 0), REFUSED, NOTHING)
register("format_no_fncache", _format("usefncache = no"), (7, 0), REFUSED, NOTHING)
register("format_no_store", _format("usestore = no"), (7, 0), REFUSED, NOTHING)
variant("format_short_chains", _format("maxchainlen = 3"))
register(
    "format_nodemap",
    "[format]\nuse-persistent-nodemap = yes\n"
    "[storage]\nrevlog.persistent-nodemap.slow-path = allow\n",
)
register(
    "format_nodemap_reference",
    "[format]\nuse-persistent-nodemap = yes\n"
    "[storage]\nrevlog.persistent-nodemap.slow-path = allow\n"
    "[devel]\npersistent-nodemap = yes\n",
)
register(
    "format_treemanifest",
    "[experimental]\ntreemanifest = yes\n",
    play=work_and_history,
)
variant(
    "format_phases",
    _format(
        "use-internal-phase = yes\nexp-archived-phase = yes\nbookmarks-in-store=yes"
    ),
)
variant(
    "format_mmap",
    "[storage]\nrevlog.mmap.index = yes\nrevlog.mmap.index:size-threshold = 100\n",
)
variant(
    "format_delta_options",
    "[storage]\nrevlog.optimize-delta-parent-choice = no\n"
    "revlog.reuse-external-delta = no\nrevlog.delta-parent-search."
    "candidate-group-chunk-size = 1\n",
)
variant(
    "format_sparse_read",
    "[experimental]\nsparse-read = yes\nsparse-read.density-threshold = 0.9\n"
    "sparse-read.min-gap-size = 64\n",
)
variant("format_full_deltas", "[devel]\nbundle.delta = full\n")
variant("format_prev_deltas", "[devel]\nbundle.delta = prev\n")
variant(
    "format_delta_folding",
    "[storage]\ndelta-fold-estimate = always\nrevlog.validate-delta-base = yes\n",
    since=(7, 1),
)
register(
    "format_compressed_exchange",
    "[experimental]\nchangegroup5 = yes\n[format]\nuse-delta-info-flags = yes\n"
    "[storage]\nrevlog.exchange-compressed-delta = yes\n",
    since=(7, 2),
)
# Settings of fastrevlog, which stock does not know.
variant("format_no_cache", "[fastrevlog]\ncache-memory = 0\n")
variant("format_small_cache", "[fastrevlog]\ncache-memory = 3000\n")
variant(
    "format_every_check",
    "[fastrevlog]\ncheck = collision-detection\nworkers = 1\n",
)
variant("format_memory_low", "[usage]\nresources.memory = low\n")
variant("format_memory_high", "[usage]\nresources.memory = high\n")
register(
    "format_delta_info_71",
    _format("exp-use-delta-info-flags = yes\nexp-use-hasmeta-flag = yes"),
    since=(7, 1),
)
register("format_delta_info", _format("use-delta-info-flags = yes"), since=(7, 2))
register(
    "format_fileindex",
    _format(
        "use-fileindex-v1 = yes",
        "[storage]\nfileindex.slow-path = allow\n",
    ),
    since=(7, 2),
)
register(
    "format_plain_encoding",
    _format(
        "exp-use-very-fragile-and-unsafe-plain-store-encoding = yes\ndotencode = no",
        "[storage]\nfileindex.slow-path = allow\n",
    ),
    since=(7, 1),
)
register(
    "format_revlog_2",
    "[experimental]\nrevlogv2 = enable-unstable-format-and-corrupt-my-data\n"
    "[storage]\nfileindex.slow-path = allow\n",
    refuses=("revlog version 0xdead",),
    kinds=NOTHING,
    play=work_and_history,
)
register(
    "format_changelog_2",
    _format("exp-use-changelog-v2 = enable-unstable-format-and-corrupt-my-data"),
    refuses=("revlog version 0xd34d",),
    kinds=frozenset(["manifest", "filelog"]),
    play=work_and_history,
)
register(
    "format_copies_sidedata",
    _format("exp-use-copies-side-data-changeset = yes"),
    refuses=("revlog version 0xd34d",),
    kinds=frozenset(["manifest", "filelog"]),
    play=work_and_history,
)


@scenario(kinds=NOTHING, writes=False, refuses=("revlog v0",))
def format_revlog_0(w: World) -> None:
    """The first format there was: readable and writable still."""
    w.init(config="--config format.use-share-safe=no")
    requires = w.path("repo/.hg/requires")
    kept = [
        line
        for line in requires.read_text().splitlines()
        if line not in ("revlogv1", "generaldelta", "sparserevlog", "delta-info-revlog")
    ]
    requires.write_text("".join(line + "\n" for line in kept))
    play_history(w)
    w.hg("debugrevlog -m", code=None)
    look(w)
    w.hg("strip -q -r tip --no-backup")
    look(w)


@scenario(
    rc="[experimental]\ntreemanifest = yes\n",
    # versions name the same reason differently
    refuses=("class: mercurial.bundlerepo", "vfs: readonlyvfs?", "no fncache?"),
)
def treemanifest_exchange(w: World) -> None:
    w.init()
    play_history(w)
    for number in range(6):
        w.write(f"repo/one/two/f{number}", w.lines(4))
        w.write(f"repo/one/g{number}", w.lines(4))
        w.commit(f"tree {number}")
    w.hg("files -r 2 one", code=None)
    w.hg("manifest --debug -r tip")
    w.hg("debugindex --dir one/")
    w.hg("debugindex --dir one/two/")
    w.hg("debugdata --dir one/ 2")
    w.hg("clone -q --pull repo pulled", repo=None)
    w.hg("log -p -r : one", repo="pulled")
    w.hg("verify", repo="pulled")
    w.hg("strip -q -r 8")
    w.hg("verify")
    w.hg("pull -q ../pulled")
    w.hg("clone -q --stream repo streamed", repo=None, code=None)
    w.hg(f"bundle -q --all ../tree.hg -t '{bundle_type(w)}'")
    w.hg("-R ../tree.hg log -p -r tip")
    w.hg("debugrebuildfncache")
    look(w)
