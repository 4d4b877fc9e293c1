# Runs inside a set-up's interpreter: does the micro rows there, on request.
# SPDX-License-Identifier: GPL-2.0-or-later
"""One process per set-up, run by path (``python -I worker.py``).

Requests come as lines of JSON on standard input, answers go as lines of JSON to
standard output.  The first line is the order: ``repo``, ``config``, ``seed``,
``sizes`` and, once known, ``plan``.  Then each line names an operation:

``plan``     which files there are and which filelog is the longest
``digest``   do a row untimed; answer a digest of all it read and who served it
``time``     do a row and answer the seconds it took
``profile``  do a row under cProfile and answer the table
``command``  run a whole hg command under cProfile, and answer the table

Every ``digest`` and ``time`` opens the repository anew, so caches start cold.
"""

from __future__ import annotations

import contextlib
import cProfile
import dataclasses
import gc
import hashlib
import importlib
import io
import json
import os
import pstats
import random
import sys
import time
from collections.abc import Iterable
from typing import Any, Callable

DEFAULT_SIZES = {
    "changelog": 3000,
    "manifest-random": 300,
    "manifest": 1000,
    "filelog": 2000,
    "files": 100000,
    "lookups": 20000,
    "shortest": 200,
    "index": 200000,
    "chains": 2000,
}


@dataclasses.dataclass
class Job:
    """A row made ready: ``call`` is timed on each item of ``items``.

    ``loop`` replaces the plain loop where a function call per item would drown
    what is measured.  ``revlog`` is the one to ask for proof of service; None
    when the row opens revlogs of its own.
    """

    items: list[Any]
    call: Callable[[Any], Any]
    revlog: Any | None = None
    loop: Callable[[list[Any]], None] | None = None


def mercurial(name: str) -> Any:
    """A module of the Mercurial that runs us."""
    return importlib.import_module(f"mercurial.{name}")


class Bench:
    """The rows, in one Mercurial, on one repository."""

    def __init__(self, order: dict[str, Any]) -> None:
        self.repo_path = os.fsencode(order["repo"])
        self.seed = order["seed"]
        self.sizes = {**DEFAULT_SIZES, **order.get("sizes", {})}
        self.plan: dict[str, Any] = order.get("plan") or {}
        # fills the tables of revsets, templates and commands, from 7.1 on
        assert mercurial("dispatch").run
        self.ui = mercurial("ui").ui.load()
        for key, value in order["config"]:
            section, _, item = key.partition(".")
            args = (os.fsencode(part) for part in (section, item, value))
            self.ui.setconfig(*args, source=b"--config")
        extensions = mercurial("extensions")
        extensions.loadall(self.ui)
        extensions.populateui(self.ui)
        for _, extension in extensions.extensions(self.ui):
            if extension.__name__.endswith("fastrevlog"):
                # counted() reads it; another extension of that name has none
                with contextlib.suppress(ImportError):
                    importlib.import_module(extension.__name__ + ".process")

    def repo(self) -> Any:
        """The repository, opened anew and unfiltered."""
        return mercurial("hg").repository(self.ui.copy(), self.repo_path).unfiltered()

    # -- what there is to read ---------------------------------------------------

    def make_plan(self) -> dict[str, Any]:
        """Name all filelogs of the store and the one with most revisions."""
        repo = self.repo()
        names = sorted(
            entry.target_id
            for entry in repo.store.data_entries()
            if entry.is_revlog and entry.is_filelog
        )
        lengths = {name: len(repo.file(name)) for name in names}
        longest = max(names, key=lambda name: (lengths[name], name))
        tip = repo[b"tip"]
        # For annotate: text, and still there at tip.
        texts = [name for name in names if name in tip and lengths[name] > 1]
        texts.sort(key=lambda name: (-lengths[name], name))
        binary = mercurial("utils.stringutil").binary
        annotate = next((t for t in texts if not binary(tip[t].data())), None)
        # Of those with ten revisions or more, the one in the middle.
        often = [name for name in texts if lengths[name] >= 10] or texts
        often = often[len(often) // 2 :]
        ordinary = next((t for t in often if not binary(tip[t].data())), annotate)
        return {
            "files": [name.decode("latin-1") for name in names],
            "longest": longest.decode("latin-1"),
            "longest_revisions": lengths[longest],
            "annotate": annotate and annotate.decode("latin-1"),
            "annotate_revisions": lengths[annotate] if annotate else 0,
            "ordinary": ordinary and ordinary.decode("latin-1"),
            "changesets": len(repo),
            "filelogs": len(names),
            "revisions": sum(lengths.values()),
            "requirements": sorted(r.decode("latin-1") for r in repo.requirements),
        }

    # -- making rows ready ---------------------------------------------------------

    def sample(self, population: Iterable[Any], size: int) -> list[Any]:
        """A fixed random choice in random order, the same in every set-up."""
        items = list(population)
        random.Random(self.seed).shuffle(items)
        return items[:size]

    def revlog(self, kind: str) -> Any:
        """The changelog, the manifest or the longest filelog of a fresh repo."""
        repo = self.repo()
        if kind == "changelog":
            return repo.changelog
        if kind == "manifest":
            return repo.manifestlog.getstorage(b"")._revlog
        return repo.file(self.plan["longest"].encode("latin-1"))._revlog

    def texts(self, kind: str, order: str) -> Job:
        rl = self.revlog(kind)
        size = self.sizes.get(f"{kind}-{order}", self.sizes[kind])
        if order == "random":
            return Job(self.sample(range(len(rl)), size), rl.rawdata, rl)
        # The newest ones: what is asked for in practice, with the long chains.
        newest = range(max(0, len(rl) - size), len(rl))
        revs = newest if order == "ascending" else reversed(newest)
        return Job(list(revs), rl.rawdata, rl)

    def files(self, what: str) -> Job:
        repo = self.repo()
        names = [name.encode("latin-1") for name in self.plan["files"]]
        names = names[: self.sizes["files"]]

        def read(name: bytes) -> bytes:
            rl = repo.file(name)._revlog
            text: bytes = rl.rawdata(len(rl) - 1)
            return text

        return Job(names, repo.file if what == "open" else read)

    def nodes(self, what: str) -> Job:
        rl = self.revlog("changelog")
        index = rl.index
        rng = random.Random(self.seed)
        known = [index[r][7] for r in range(len(index))]
        # Mercurial's Rust build takes milliseconds for one shortest().
        count = self.sizes["shortest" if what == "shortest" else "lookups"]
        picked = [known[int(rng.random() * len(known))] for _ in range(count)]
        if what == "has_node":  # every other one is not there
            for i in range(1, count, 2):
                picked[i] = hashlib.sha1(picked[i]).digest()
        if what == "partialmatch":
            return Job([n.hex()[:12].encode() for n in picked], index.partialmatch, rl)
        return Job(picked, getattr(index, what), rl)

    def index(self, what: str) -> Job:
        rl = self.revlog("changelog")
        index = rl.index
        count = self.sizes["index"]
        if what == "chain":
            rl = self.revlog("manifest")
            return Job(
                self.sample(range(len(rl)), self.sizes["chains"]), rl._deltachain, rl
            )

        def items(revs: list[int]) -> None:
            for rev in revs:
                index[rev]

        def lengths(revs: list[int]) -> None:
            for _ in revs:
                len(index)

        revs = [n % len(index) for n in range(count)]
        if what == "len":
            return Job(revs, lambda _: len(index), rl, lengths)
        # Versions of Mercurial differ in what follows the node in an entry.
        return Job(revs, lambda rev: index[rev][:8], rl, items)

    # -- questions about history: benchmarks.walks -----------------------------------

    def revset(self, spec: str) -> Job:
        """All revisions of a revset, in its order, through the filtered view."""
        repo = mercurial("hg").repository(self.ui.copy(), self.repo_path)
        len(repo.changelog), repo.dirstate.p1()

        def ask(text: bytes) -> bytes:
            return b" ".join(b"%d" % rev for rev in repo.revs(text))

        return Job([spec.encode()], ask, repo.unfiltered().changelog)

    def page(self, query: str) -> Job:
        """A page of hgweb, by its path and query; the repository opened anew."""
        app = importlib.import_module("mercurial.hgweb").hgweb(self.repo_path, b"repo")
        path, _, text = query.partition("?")

        def get(_: None) -> bytes:
            environ = {
                "REQUEST_METHOD": "GET",
                "SCRIPT_NAME": "",
                "PATH_INFO": f"/{path}",
                "QUERY_STRING": text,
                "SERVER_NAME": "localhost",
                "SERVER_PORT": "80",
                "SERVER_PROTOCOL": "HTTP/1.1",
                "wsgi.url_scheme": "http",
                "wsgi.input": io.BytesIO(),
                "wsgi.errors": sys.stderr,
                "wsgi.multithread": False,
                "wsgi.multiprocess": False,
                "wsgi.run_once": False,
                "wsgi.version": (1, 0),
            }
            said: list[str] = []

            def start(status: str, headers: Any, exc: Any = None) -> Any:
                said.append(status)
                return lambda data: None

            body = b"".join(app(environ, start))
            return said[0].encode() + body

        return Job([None], get, self.repo().changelog)

    def introrevs(self) -> Job:
        """Where 40 file revisions came into history, each asked from tip."""
        repo = self.repo()
        tip = repo[b"tip"]
        names = self.sample(sorted(tip.manifest()), 40)
        return Job(
            names, lambda name: repr(tip[name].introrev()).encode(), repo.changelog
        )

    def ancestry(self, what: str) -> Job:
        """One of the changelog's questions about two revisions, 2,000 times."""
        rl = self.repo().changelog
        rng = random.Random(self.seed)
        pairs = [
            (int(rng.random() * len(rl)), int(rng.random() * len(rl)))
            for _ in range(2000)
        ]
        ask = getattr(rl, what)
        return Job(pairs, lambda pair: ask(*pair), rl)

    def job(self, row: str) -> Job:
        """Make a row of `ROWS` ready on a fresh repository, with cold caches."""
        for name, module in list(sys.modules.items()):
            if name.endswith("fastrevlog.engine.caches"):
                # some outlive the repository; an older fastrevlog has a function
                forget = getattr(module, "drop_all", None) or module.budget.clear
                forget()
        kind, _, rest = row.partition(" ")
        if kind in ("revset", "page"):  # rows of benchmarks.walks name what they ask
            made: Job = getattr(self, kind)(rest)
            return made
        method, *args = ROWS[row][1:]
        made = getattr(self, method)(*args)
        return made

    # -- doing them ------------------------------------------------------------------

    def digest(self, row: str) -> dict[str, Any]:
        job = self.job(row)
        before = counted()
        made = hashlib.sha256()
        files = job.revlog is None
        classes = {inner_class(job.revlog)} if not files else set()
        for item in job.items:
            result = job.call(item)
            if files and not isinstance(result, bytes):
                classes.add(inner_class(result._revlog))
                result = len(result)
            if not isinstance(result, bytes):
                result = repr(result).encode()
            made.update(b"%d:" % len(result) + result)
        after = counted()
        if not classes:  # a row that reads files: ask one of them
            classes.add(inner_class(self.repo().file(job.items[0])._revlog))
        return {
            "digest": made.hexdigest(),
            "items": len(job.items),
            "inner": sorted(name for name, _ in classes),
            "is_fastrevlog": all(ours for _, ours in classes),
            "counted": {key: after[key] - before[key] for key in after},
        }

    def time(self, row: str) -> dict[str, Any]:
        job = self.job(row)
        call, items = job.call, job.items
        before = counted()
        gc.collect()
        cpu, wall = time.process_time(), time.perf_counter()
        if job.loop is not None:
            job.loop(items)
        else:
            for item in items:
                call(item)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        after = counted()
        return {
            "wall": wall,
            "cpu": cpu,
            "counted": {key: after[key] - before[key] for key in after},
        }

    def profile(self, row: str, sort: str, limit: int) -> dict[str, Any]:
        self.digest(row)  # imports and the page cache are not what is asked about
        job = self.job(row)
        profiler = cProfile.Profile()
        profiler.enable()
        if job.loop is not None:
            job.loop(job.items)
        else:
            for item in job.items:
                job.call(item)
        profiler.disable()
        return {"table": table(profiler, sort, limit)}


# Row: what it is, the method that makes it ready, its arguments.
ROWS: dict[str, tuple[str, ...]] = {
    "changelog-random": ("random changelog texts", "texts", "changelog", "random"),
    "changelog-ascending": ("ascending", "texts", "changelog", "ascending"),
    "changelog-descending": ("descending", "texts", "changelog", "descending"),
    "manifest-random": ("random manifest texts", "texts", "manifest", "random"),
    "manifest-ascending": ("ascending", "texts", "manifest", "ascending"),
    "manifest-descending": ("descending", "texts", "manifest", "descending"),
    "filelog-random": (
        "random texts of the longest filelog",
        "texts",
        "filelog",
        "random",
    ),
    "filelog-ascending": ("ascending", "texts", "filelog", "ascending"),
    "filelog-descending": ("descending", "texts", "filelog", "descending"),
    "open-filelogs": ("open every filelog", "files", "open"),
    "read-tips": ("open every filelog, read its newest text", "files", "read"),
    "node-rev": ("index.rev(node) of the changelog", "nodes", "rev"),
    "node-get-rev": ("index.get_rev(node)", "nodes", "get_rev"),
    "node-has": ("index.has_node(node), half unknown", "nodes", "has_node"),
    "node-partial": ("index.partialmatch(12 digits)", "nodes", "partialmatch"),
    "node-shortest": ("index.shortest(node)", "nodes", "shortest"),
    "index-item": ("index[rev] of the changelog", "index", "item"),
    "index-len": ("len(index)", "index", "len"),
    "delta-chain": ("random delta chains of the manifest", "index", "chain"),
    "introrev": ("filectx.introrev() of 40 files of tip", "introrevs"),
    "isancestorrev": ("isancestorrev of 2,000 pairs", "ancestry", "isancestorrev"),
    "common-heads": (
        "_commonancestorsheads of 2,000 pairs",
        "ancestry",
        "_commonancestorsheads",
    ),
}


def described(row: str) -> str:
    """What a row is, in words."""
    return ROWS[row][0] if row in ROWS else row


def inner_class(rl: Any) -> tuple[str, bool]:
    """Who serves a revlog: the class of its inner part, and whether it is ours."""
    inner = rl._inner
    cls = type(inner)
    ours = getattr(inner, "is_fastrevlog", False) is True
    return f"{cls.__module__}.{cls.__qualname__}", ours


def counted() -> dict[str, int]:
    """The extension's counters, summed; empty where there are none.

    An extension loaded by path has a module name of Mercurial's making, so the
    modules are found by how their names end.
    """
    total: dict[str, int] = {}
    for name, module in list(sys.modules.items()):
        counters = getattr(module, "counters", None)
        if name.endswith("fastrevlog.process") and counters is not None:
            for key in ("served", "refused"):
                counts = getattr(counters, key).values()
                total[key] = total.get(key, 0) + sum(counts)
            for key in ("texts", "entries"):
                total[key] = total.get(key, 0) + getattr(counters, key)
    return total


def table(profiler: cProfile.Profile, sort: str, limit: int) -> str:
    """The profile's top functions as text."""
    out = io.StringIO()
    pstats.Stats(profiler, stream=out).sort_stats(sort).print_stats(limit)
    return out.getvalue()


def profile_command(args: list[str], sort: str, limit: int) -> dict[str, Any]:
    """Run ``hg ARGS`` in this process under cProfile, its output thrown away.

    Only this process is seen: what forked workers do is not in the table.
    """
    sink = os.open(os.devnull, os.O_WRONLY)
    kept = [os.dup(1), os.dup(2)]
    profiler = cProfile.Profile()
    dispatch = mercurial("dispatch")
    sys.argv = ["hg", *args]
    code: object = 0
    os.dup2(sink, 1)
    start = time.perf_counter()
    try:
        profiler.runcall(dispatch.run)
    except SystemExit as exc:
        code = exc.code
    finally:
        seconds = time.perf_counter() - start
        os.dup2(kept[0], 1)
    return {"table": table(profiler, sort, limit), "seconds": seconds, "code": code}


def main() -> None:
    # Like the hg script does, so that modules load as late as they do there.
    importlib.import_module("hgdemandimport").enable()
    # Nothing but answers may reach the real standard output.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    order = json.loads(sys.stdin.readline())
    bench: Bench | None = None
    for line in sys.stdin:
        request = json.loads(line)
        operation = request.pop("op")
        if operation == "command":
            reply = profile_command(**request)
        else:
            bench = bench or Bench(order)
            if operation == "plan":
                bench.plan = reply = bench.make_plan()
            else:
                reply = getattr(bench, operation)(**request)
        answers.write(json.dumps(reply) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
