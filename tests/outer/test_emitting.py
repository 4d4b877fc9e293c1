# Changegroups are the same bytes as Mercurial's.
# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import pathlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from mercurial import changegroup, extensions, hg, obsolete, phases, revlog, util

from hgext3rd.fastrevlog import process, settings, stores
from hgext3rd.fastrevlog.outer import ahead, sources
from support import enginelab, sending

emitted = process.counters.emitted

FORMATS = {
    "default": {},
    "zlib": {"format__revlog_compression": "zlib"},
    "no general delta": {
        "format__usegeneraldelta": "no",
        "format__sparse_revlog": "no",
    },
    "short chains": {"format__maxchainlen": "2"},
}


@pytest.fixture(autouse=True)
def fresh_counts() -> Iterator[None]:
    emitted.clear()
    yield
    assert not process.counters.internal_errors


def opened(path: pathlib.Path, ui: Any) -> Any:
    repo = hg.repository(ui, bytes(path))
    stores.attach(repo.unfiltered(), settings.of(ui))
    return repo


def cases(repo: Any, count: int, seed: int = 1) -> list[Any]:
    supported = changegroup.supportedoutgoingversions(repo)
    ranges = list(sending.some_ranges(repo, seed, count))
    # the second revision of all comes first: its parent is revision 0
    ranges.append((repo.heads(), [repo[0].node()]))
    return [
        (version, heads, common)
        for version in sending.VERSIONS
        if version in supported
        for heads, common in ranges
    ]


def compare(
    path: pathlib.Path,
    count: int = 3,
    view: bytes | None = None,
    source: bytes = b"bundle",
    **config: str,
) -> None:
    """Send parts of a history with Mercurial's code and with ours."""

    def answers(ui: Any, open_: Callable[[Any], Any]) -> list[bytes]:
        repo = open_(ui)
        if view is not None:
            repo = repo.filtered(view)
        made = []
        for version, heads, common in cases(repo, count):
            made.append(sending.sent(repo, version, heads, common, source))
            if source == b"bundle":
                made.append(sending.bundled(repo, version, heads, common))
        return made

    stock = answers(
        sending.plain_ui(**config), lambda ui: hg.repository(ui, bytes(path))
    )
    assert max(map(len, stock)) > 20_000
    with enginelab.installed(**config) as ui:
        ours = answers(ui, lambda ui: opened(path, ui))
    assert [len(data) for data in ours] == [len(data) for data in stock]
    assert ours == stock


@pytest.mark.parametrize("name", FORMATS)
def test_same_bytes(tmp_path: pathlib.Path, name: str) -> None:
    sending.make_history(tmp_path / "repo", 5, 40, **FORMATS[name])
    compare(tmp_path / "repo")
    assert emitted["changegroup"] == 3 * 5 * 2  # versions 1 to 3
    assert not emitted["filelog by Mercurial"]
    assert not emitted["changelog by Mercurial"]


@pytest.mark.parametrize("mode", ["p1", "full", "prev"])
def test_modes_of_choosing_a_base(tmp_path: pathlib.Path, mode: str) -> None:
    if mode == "prev" and not hasattr(revlog.revlog, "snapshotdepth"):
        pytest.skip("not known")
    sending.make_history(tmp_path / "repo", 6, 20)
    compare(tmp_path / "repo", 1, devel__bundle_delta=mode)
    assert emitted["changegroup"]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(12))
def test_same_bytes_of_many(tmp_path: pathlib.Path, seed: int) -> None:
    config = list(FORMATS.values())[seed % len(FORMATS)]
    sending.make_history(tmp_path / "repo", 100 + seed, 150, **config)
    compare(tmp_path / "repo", 30)
    assert emitted["changegroup"]


def test_hidden_and_secret_changesets(tmp_path: pathlib.Path) -> None:
    config: dict[str, Any] = {"experimental__evolution": "all"}
    repo = sending.make_history(tmp_path / "repo", 7, 40, **config)
    with repo.lock(), repo.transaction(b"hide") as tr:
        heads = [repo[node] for node in repo.changelog.heads()]
        phases.retractboundary(repo, tr, phases.secret, [heads[0].node()])
        phases.retractboundary(repo, tr, phases.draft, [repo[10].node()])
        obsolete.createmarkers(repo, [(heads[-1], ())])
    hidden = hg.repository(sending.plain_ui(**config), bytes(tmp_path / "repo"))
    assert len(hidden.filtered(b"served").changelog.filteredrevs)
    compare(tmp_path / "repo", view=b"served", source=b"serve", **config)
    assert emitted["changegroup"]


def test_flags(tmp_path: pathlib.Path) -> None:
    """Groups with a censored revision are Mercurial's, the others are not."""
    repo = sending.make_history(tmp_path / "repo", 8, 30)
    name = max(repo[b"tip"].manifest(), key=lambda name: len(repo.file(name)))
    log = repo.file(name)
    with repo.lock(), repo.transaction(b"censor") as tr:
        log.censorrevision(tr, [log.node(len(log) // 2)], b"gone")
    compare(tmp_path / "repo", 2)
    assert emitted["filelog by Mercurial"] >= 1
    assert emitted["changegroup"]


def test_within_a_transaction(tmp_path: pathlib.Path) -> None:
    """File logs are opened as Mercurial does, who knows where they are."""
    sending.make_history(tmp_path / "repo", 9, 40)
    path = tmp_path / "repo"
    repo = hg.repository(sending.plain_ui(), bytes(path))
    everything = (b"02", list(repo.changelog.heads()), [repo.nullid])
    stock = sending.bundled(repo, *everything)
    with enginelab.installed() as ui:
        repo = opened(path, ui)
        with repo.lock(), repo.transaction(b"test"):
            assert sending.bundled(repo, *everything) == stock
    assert emitted["changegroup"] == 1


def test_by_workers(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ahead, "_workers", lambda *args: 2)
    sending.make_history(tmp_path / "repo", 10, 50)
    compare(tmp_path / "repo", 1)
    assert emitted["by workers"]


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("what", ["missing", "cut", "flipped", "empty"])
def test_damage_is_mercurials_to_report(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, what: str, workers: int
) -> None:
    monkeypatch.setattr(ahead, "_workers", lambda *args: workers)
    repo = sending.make_history(tmp_path / "repo", 11, 20)
    name = max(repo[b"tip"].manifest(), key=lambda name: len(repo.file(name)))
    path = pathlib.Path(repo.sjoin(b"data/" + name + b".i").decode())
    data = path.read_bytes()
    if what == "missing":
        path.unlink()
    elif what == "empty":
        path.write_bytes(b"")
    elif what == "cut":
        path.write_bytes(data[:-5])
    else:
        # the last byte of the first chunk
        end = 64 + int.from_bytes(data[8:12], "big") - 1
        path.write_bytes(data[:end] + bytes([data[end] ^ 1]) + data[end + 1 :])

    def outcome(repo: Any) -> Any:
        heads = list(repo.changelog.heads())
        try:
            return sending.bundled(repo, b"02", heads, [repo.nullid])
        except Exception as exc:
            return type(exc), getattr(exc, "message", None) or str(exc)

    stock = outcome(hg.repository(sending.plain_ui(), bytes(tmp_path / "repo")))
    with enginelab.installed() as ui:
        ours = outcome(opened(tmp_path / "repo", ui))
    assert ours[0] is stock[0]
    if what != "flipped":  # the words of a decompressor are its own
        assert ours == stock


def test_verbose_notes_and_progress(tmp_path: pathlib.Path) -> None:
    """What a verbose user is told of sizes is the same."""
    sending.make_history(tmp_path / "repo", 12, 30)

    def told(ui: Any, repo: Any) -> bytes:
        repo.ui.setconfig(b"ui", b"verbose", b"yes")
        repo.ui.setconfig(b"ui", b"quiet", b"no")
        repo.ui.fixconfig(section=b"ui")
        repo.ui.pushbuffer()
        sending.bundled(repo, b"02", list(repo.changelog.heads()), [repo.nullid])
        text: bytes = repo.ui.popbuffer()
        return text

    ui = sending.plain_ui()
    stock = told(ui, hg.repository(ui, bytes(tmp_path / "repo")))
    with enginelab.installed() as ui:
        ours = told(ui, opened(tmp_path / "repo", ui))
    assert b"(manifests)" in stock
    assert ours == stock
    assert emitted["changegroup"] == 1


def test_the_hook_runs_at_the_end(tmp_path: pathlib.Path) -> None:
    sending.make_history(tmp_path / "repo", 13, 10)
    calls = []
    with enginelab.installed() as ui:
        repo = opened(tmp_path / "repo", ui)
        repo.ui.setconfig(
            b"hooks", b"outgoing", lambda *args, **kw: calls.append(kw["source"])
        )
        sending.bundled(repo, b"02", list(repo.changelog.heads()), [repo.nullid])
    assert calls == [b"bundle"]


WRAPPED = [
    (changegroup, "deltagroup"),
    (changegroup, "_revisiondeltatochunks"),
    (changegroup.cgpacker, "generatefiles"),
    (changegroup.cgpacker, "_prunemanifests"),
    (revlog.revlog, "emitrevisions"),
    (revlog.revlog, "revdiff"),
    (revlog.revlog, "deltaparent"),
]


@pytest.mark.parametrize("early", [False, True])
@pytest.mark.parametrize(
    "holder, name", WRAPPED, ids=lambda x: getattr(x, "__name__", x)
)
def test_what_others_wrapped_is_called(
    tmp_path: pathlib.Path, holder: Any, name: str, early: bool
) -> None:
    sending.make_history(tmp_path / "repo", 14, 10)
    calls = []

    def wrapper(orig: Any, *args: Any, **kwargs: Any) -> Any:
        calls.append(name)
        return orig(*args, **kwargs)

    def run(ui: Any) -> None:
        repo = opened(tmp_path / "repo", ui)
        heads = list(repo.changelog.heads())
        sending.bundled(repo, b"02", heads, [repo.nullid])

    if early:
        with (
            extensions.wrappedfunction(holder, name, wrapper),
            enginelab.installed() as ui,
        ):
            run(ui)
    else:
        with (
            enginelab.installed() as ui,
            extensions.wrappedfunction(holder, name, wrapper),
        ):
            run(ui)
    assert calls
    assert not emitted["changegroup"]


def test_a_subclass_of_the_packer(tmp_path: pathlib.Path) -> None:
    sending.make_history(tmp_path / "repo", 15, 10)
    calls = []
    with enginelab.installed() as ui:
        repo = opened(tmp_path / "repo", ui)
        packer = changegroup.getbundler(b"02", repo)

        class Other(type(packer)):  # type: ignore[misc]
            def generatefiles(self, *args: Any, **kwargs: Any) -> Any:
                calls.append(1)
                return super().generatefiles(*args, **kwargs)

        packer.__class__ = Other
        nodes = [repo.changelog.node(rev) for rev in repo.changelog]
        b"".join(packer.generate(set(), nodes, True, b"bundle"))
    assert calls
    assert not emitted["changegroup"]


def test_a_stream_that_was_read_from_is_parsed(tmp_path: pathlib.Path) -> None:
    """Only an unpacker that is whole may be passed on without a look."""
    from mercurial import discovery

    sending.make_history(tmp_path / "repo", 16, 10)
    with enginelab.installed() as ui:
        repo = opened(tmp_path / "repo", ui)
        outgoing = discovery.outgoing(repo, [repo.nullid], repo.changelog.heads())
        cg = changegroup.makechangegroup(repo, outgoing, b"02", b"bundle")
        whole = b"".join(cg.getchunks())
        cg = changegroup.makechangegroup(repo, outgoing, b"02", b"bundle")
        cg.callback = lambda: seen.append(1)
        seen: list[int] = []
        assert b"".join(cg.getchunks()) == whole
        # a stream that goes on after its changegroup
        follow = util.chunkbuffer(iter([whole, b"more"]))
        cg = changegroup.getunbundler(b"02", follow, None)
        assert b"".join(cg.getchunks()) == whole


def test_neutral_flags() -> None:
    assert not sources.neutral_flags() & ~getattr(revlog, "REVIDX_DELTA_INFO_FLAGS", 0)
