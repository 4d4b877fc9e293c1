# Making a changegroup: bundles, pushes, pulls, clones.
# SPDX-License-Identifier: GPL-2.0-or-later
"""``changegroup.cgpacker.generate`` without an object for each revision.

Mercurial makes an object for each revision, turns it into three or four small pieces
of bytes, and, for a bundle, parses the whole once more to find its end.  Here the
groups are written by :mod:`..engine.deltagroup`, in pieces that are large.

The short way is for changegroups of version 1 to 3 that hold all of a history or a
part of it, of plain revlogs in a store of one's own.  Left to Mercurial are narrow
and shallow clones, trees of manifests, sidedata, statistics, and every packer, revlog
or function that an extension had a hand in.  What is unusual in one revlog only
(flags, an index that contradicts itself, a delta base that cannot be used) leaves
that one group to Mercurial.

Goal: the same bytes.  The pieces are larger, so an error in the middle shows after
fewer bytes than Mercurial would have written by then.
"""

from __future__ import annotations

import binascii
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from mercurial import changegroup, scmutil
from mercurial.i18n import _
from mercurial.node import hex

from .. import process, unchanged
from ..compat import outgoing
from ..engine import compression, deltagroup
from . import ahead, filegroups, sources

_CHANGEGROUP = 'mercurial.changegroup'
# of the packer, and of its module
LEFT_OUT = (
    'generate',
    '_generatechangelog',
    'generatemanifests',
    'generatefiles',
    '_prunemanifests',
)
LEFT_OUT_OF_MODULE = (
    'deltagroup',
    '_revisiondeltatochunks',
    'chunkheader',
    'closechunk',
    '_fileheader',
)
# tasks of a manifest at the most, and manifests of a task at the least
_MANIFEST_TASKS = 500
_MANIFESTS = 64
_MODES = {
    b'': deltagroup.STORED,
    b'p1': deltagroup.PARENT,
    b'full': deltagroup.FULL,
    b'prev': deltagroup.PREVIOUS,
}


def make_generate(place: Any) -> Any:
    """For ``cgpacker.generate``."""
    orig = place.stock

    def generate(
        self: Any,
        commonrevs: Any,
        clnodes: Any,
        fastpathlinkrev: bool,
        source: bytes,
        changelog: bool = True,
    ) -> Iterator[bytes]:
        plain = False
        try:
            plain = changelog and _is_plain(self)
        except Exception as exc:
            process.internal_error(exc)
        if plain:
            process.counters.emitted['changegroup'] += 1
            return _Sender(self, commonrevs, clnodes, fastpathlinkrev, source).stream()
        stream: Iterator[bytes] = orig(
            self, commonrevs, clnodes, fastpathlinkrev, source, changelog
        )
        return stream

    return generate


def _is_plain(packer: Any) -> bool:
    """Whether ``packer`` is Mercurial's own, and is asked for nothing special."""
    if packer.version not in deltagroup.LAYOUTS:
        return False
    repo = packer._repo
    ui = repo.ui
    if (
        packer._ellipses
        or packer._isshallow
        or packer._manifestsend not in (b'', deltagroup.CLOSE)
        or getattr(packer, '_filelog_hasmeta', False)
        or getattr(packer, '_accepted_compression', ())
        or getattr(packer, '_send_full_text', False)
        or not packer._matcher.always()
        or type(packer._oldmatcher).__name__ != 'nevermatcher'
        or scmutil.istreemanifest(repo)
        or ui.configbool(b'debug', b'bundling-stats')
        or ui.configbool(b'progress', b'debug')
        or getattr(ui._fmsgerr, 'structured', False)
        or _delta_mode(ui) is None
    ):
        return False
    functions = [getattr(changegroup, name, None) for name in LEFT_OUT_OF_MODULE]
    return (
        unchanged.is_of(_CHANGEGROUP, packer._builddeltaheader, *functions)
        and unchanged.object_is_of(packer, (_CHANGEGROUP,), LEFT_OUT)
        and sources.is_plain_repo(repo)
    )


def _delta_mode(ui: Any) -> str | None:
    """Which deltas are sent; None: Mercurial has something to say of the setting."""
    asked = ui.config(b'devel', b'bundle.delta')
    return _MODES.get(asked) if asked in outgoing.DELTA_MODES else None


class _Sender:
    """One changegroup on its way out."""

    def __init__(
        self, packer: Any, commonrevs: Any, clnodes: Any, fast: bool, source: bytes
    ) -> None:
        self.packer = packer
        self.repo = packer._repo
        self.commonrevs = commonrevs
        self.clnodes = clnodes
        # an unfiltered part of all heads: link revisions tell what is sent
        self.fast = fast
        self.source = source
        self.layout = deltagroup.LAYOUTS[packer.version]
        mode = _delta_mode(self.repo.ui)
        assert mode is not None
        self.mode = deltagroup.PREVIOUS if packer._forcedeltaparentprev else mode
        self.clrevorder: dict[bytes, int] = {}
        self.manifests: dict[bytes, bytes] = {}
        self.changedfiles: set[bytes] = set()
        self.fnodes: dict[bytes, dict[bytes, bytes]] = {}

    def stream(self) -> Iterator[bytes]:
        """The changegroup, in pieces."""
        packer = self.packer
        repo = self.repo
        packer._verbosenote(_(b'uncompressed size of bundle content:\n'))
        if b'revlog-compression-zstd' in repo.requirements:
            compression.zstd()
        yield from self._counted(self._changelog(), _(b'%8.i (changelog)\n'))
        manifests = self._manifest_group()
        if manifests is None:
            groups = self._manifests_by_mercurial()
            yield from self._counted(groups, _(b'%8.i (manifests)\n'))
            yield packer._manifestsend
        cl = repo.changelog
        clrevs = {cl.rev(node): node for node in self.clnodes}
        files = filegroups.FileGroups(self, clrevs)
        tasks = files.tasks(single=repo.ui.verbose and not repo.ui.debugflag)
        if manifests is not None:
            tasks = manifests.tasks() + tasks
        with ahead.stream(self, tasks) as made_ahead:
            number = 0
            if manifests is not None:
                number = len(manifests.tasks())
                group = self._manifests(manifests, made_ahead, number)
                yield from self._counted(group, _(b'%8.i (manifests)\n'))
                yield packer._manifestsend
            yield from files.stream(tasks[number:], made_ahead, number)
        yield deltagroup.CLOSE
        if self.clnodes:
            repo.hook(b'outgoing', node=hex(self.clnodes[0]), source=self.source)

    def _counted(self, pieces: Iterable[bytes], note: bytes) -> Iterator[bytes]:
        """``pieces``, and a note of their size for a verbose user."""
        size = 0
        for piece in pieces:
            size += len(piece)
            yield piece
        self.packer._verbosenote(note % size)

    # the changelog

    def _changelog(self) -> Iterator[bytes]:
        cl = self.repo.changelog
        out = deltagroup.Pieces()
        if self.clnodes:
            rev = cl.rev
            revs = sorted([rev(node) for node in self.clnodes])
            mode = self.mode
            if mode != deltagroup.PREVIOUS and not cl._storedeltachains:
                mode = deltagroup.FULL
            source = sources.source_of(cl)
            bases = None
            if source is not None and sources.is_plain_changelog(cl):
                bases = deltagroup.plan(source, revs, mode, sources.neutral_flags())
            if source is None or bases is None:
                yield from self._changelog_by_mercurial()
                return
            if max(bases) < 0 and mode != deltagroup.PREVIOUS:
                seen, link = self._note_changeset, _itself
            else:
                seen, link = None, self._look_up_changeset
            progress = self._progress(_(b'changesets'), _(b'chunks'), len(revs))
            nodes = (link(source.entries[rev][7]) for rev in revs)
            made = sources.make_delta(cl, mode)
            for piece in deltagroup.pieces(
                source, revs, bases, nodes, self.layout, made, mode, out, seen
            ):
                progress(len(self.clrevorder))
                yield piece
            progress(None)
        out.add(deltagroup.CLOSE)
        yield out.take()

    def _note_changeset(self, node: bytes, text: bytes) -> None:
        """Remember the manifest and the files of a changeset, as ``lookupcl`` does."""
        try:
            end = text.index(b'\n')
            manifest = binascii.unhexlify(text[:end])
            end = text.index(b'\n', text.index(b'\n', end + 1) + 1)
            if text[end + 1 : end + 2] != b'\n':
                files = text[end + 1 : text.index(b'\n\n', end + 1)]
                self.changedfiles.update(files.split(b'\n'))
        except ValueError:
            # empty or odd: for Mercurial to say
            self._look_up_changeset(node)
            return
        self.clrevorder[node] = len(self.clrevorder)
        self.manifests.setdefault(manifest, node)

    def _look_up_changeset(self, node: bytes) -> bytes:
        changeset = self.repo.changelog.changelogrevision(node)
        self.clrevorder[node] = len(self.clrevorder)
        self.manifests.setdefault(changeset.manifest, node)
        self.changedfiles.update(changeset.files)
        return node

    def _changelog_by_mercurial(self) -> Iterator[bytes]:
        process.counters.emitted['changelog by Mercurial'] += 1
        state, deltas = self.packer._generatechangelog(
            self.repo.changelog, self.clnodes, generate=True
        )
        yield from self.by_mercurial(deltas)
        yield deltagroup.CLOSE
        self.clrevorder = state[b'clrevorder']
        self.manifests = state[b'manifests']
        self.changedfiles = state[b'changedfiles']

    # manifests

    def _manifest_group(self) -> ManifestGroup | None:
        """What is to be sent of the manifest; None: for Mercurial to send."""
        storage = self.repo.manifestlog.getstorage(b'')
        rl = storage.get_revlog()
        source = sources.source_of(rl)
        if source is None or not self.fast or not self.manifests:
            return None
        if not (sources.is_plain_manifest(storage) and sources.is_plain_revlog(rl)):
            return None
        revs = sorted([rl.rev(node) for node in self.manifests])
        bases = deltagroup.plan(source, revs, self.mode, sources.neutral_flags())
        if bases is None:
            return None
        return ManifestGroup(self, rl, source, revs, bases)

    def _manifests(
        self, group: ManifestGroup, made_ahead: Any, count: int
    ) -> Iterator[bytes]:
        progress = self._progress(_(b'manifests'), _(b'chunks'), len(group.revs))
        for number, (_part, _start, stop) in zip(range(count), group.tasks()):
            yield from made_ahead.pieces(number)
            progress(stop)
        progress(None)
        yield deltagroup.CLOSE

    def _manifests_by_mercurial(self) -> Iterator[bytes]:
        groups = self.packer.generatemanifests(
            self.commonrevs,
            self.clrevorder,
            self.fast,
            self.manifests,
            self.fnodes,
            self.source,
            {},
        )
        for _tree, deltas in groups:
            yield from self.by_mercurial(deltas)
            yield deltagroup.CLOSE

    # what both need

    def by_mercurial(self, deltas: Iterable[Any]) -> Iterator[bytes]:
        """The chunks of Mercurial's own revision objects."""
        packer = self.packer
        header = packer._builddeltaheader
        out = deltagroup.Pieces()
        for delta in deltas:
            for chunk in changegroup._revisiondeltatochunks(self.repo, delta, header):
                out.add(chunk)
            if out.size >= deltagroup.PIECE:
                yield out.take()
        if out.size:
            yield out.take()

    def _progress(
        self, topic: bytes, unit: bytes, total: int
    ) -> Callable[[int | None], None]:
        """A function to tell how far we are; None: done."""
        progress = self.repo.ui.makeprogress(topic, unit=unit, total=total)

        def tell(position: int | None) -> None:
            if position is None:
                progress.complete()
            else:
                progress.update(position)

        return tell


class ManifestGroup:
    """The manifest's group, cut into tasks."""

    def __init__(
        self,
        sender: _Sender,
        rl: Any,
        source: deltagroup.Source,
        revs: list[int],
        bases: list[int],
    ) -> None:
        self._sender = sender
        self._source = source
        self.revs = revs
        self._bases = bases
        self._made = sources.make_delta(rl, sender.mode)

    def tasks(self) -> list[Any]:
        return ahead.cut(self, len(self.revs), _MANIFEST_TASKS, _MANIFESTS)

    def pieces(self, start: int, stop: int) -> Iterator[bytes]:
        """The chunks of ``revs[start:stop]``."""
        sender = self._sender
        entries = self._source.entries
        revs = self.revs[start:stop]
        out = deltagroup.Pieces()
        yield from deltagroup.pieces(
            self._source,
            revs,
            self._bases[start:stop],
            [sender.manifests[entries[rev][7]] for rev in revs],
            sender.layout,
            self._made,
            sender.mode,
            out,
        )
        if out.size:
            yield out.take()


def _itself(node: bytes) -> bytes:
    return node
