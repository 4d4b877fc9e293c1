# Manifest and changelog that receive a group of revisions.
# SPDX-License-Identifier: GPL-2.0-or-later
"""``revlog.addgroup`` without the general machinery, where a revision is common.

A revision is common if it has no flags, its parents and the base of its delta are
there, and that delta is stored as it is (:mod:`..engine.deltas`), or, in a changelog,
the text that it makes.  For every other, and for the first, Mercurial's function is
called with that revision alone, within the same write context.  Callbacks are called
in the same order, with the same state.

File logs come in another way: :mod:`.adding`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mercurial.revlogutils import deltas as hgdeltas
from mercurial.revlogutils import nodemap

from .. import fallback, process, unchanged
from ..compat import incoming as incomingmod
from ..engine import additions, format, hashing
from ..engine import appends as appendsmod
from . import adding

_KINDS = (format.KIND_CHANGELOG, format.KIND_MANIFEST)
_FLAGS = format.FLAGS_MASK
# for which something is done here in another way
LEFT_OUT = (
    'addgroup _addrevision _writing _writeentry _enforceinlinesize size rawsize '
    'rev iscensored _peek_iscensored compress _chaininfo issnapshot snapshotdepth '
    '_get_data_offset'
)
_HOMES = ('mercurial.revlog', 'mercurial.changelog')
_counters = process.counters


def make_addgroup(place: Any) -> Any:
    """Wrap ``revlog.addgroup``."""
    orig = place.stock

    def addgroup(
        self: Any,
        deltas: Any,
        linkmapper: Any,
        transaction: Any,
        alwayscache: bool = False,
        addrevisioncb: Any = None,
        duplicaterevisioncb: Any = None,
        debug_info: Any = None,
        delta_base_reuse_policy: Any = None,
    ) -> bool:
        arguments = {
            'alwayscache': alwayscache,
            'addrevisioncb': addrevisioncb,
            'duplicaterevisioncb': duplicaterevisioncb,
            'debug_info': debug_info,
            'delta_base_reuse_policy': delta_base_reuse_policy,
        }
        if (
            self.target[0] not in _KINDS
            or debug_info is not None
            or self._adding_group
            or not incomingmod.policy_is_default(delta_base_reuse_policy)
            or not _is_plain(self)
        ):
            return bool(orig(self, deltas, linkmapper, transaction, **arguments))
        kind = _Group if self._storedeltachains else _WholeTexts
        group = kind(self, orig, linkmapper, transaction, arguments)
        with self._writing(transaction):
            return group.add(deltas)

    return addgroup


def _is_plain(rl: Any) -> bool:
    return (
        incomingmod.are_objects()
        and (adding.adds_plainly(rl) if rl._storedeltachains else adding.is_common(rl))
        and not rl.feature_config.censorable
        and not unchanged.has_own(rl, LEFT_OUT.split())
        and unchanged.parts_are_of(type(rl), LEFT_OUT, _HOMES)
        and all(
            unchanged.parts_are_of(owner, names)
            for owner, names in adding.LEFT_OUT_OF_SEARCH
        )
    )


class _Group:
    """A group on its way into the revlog ``rl``."""

    def __init__(
        self,
        rl: Any,
        orig: Any,
        linkmapper: Any,
        transaction: Any,
        arguments: dict[str, Any],
    ) -> None:
        self.rl = rl
        self.orig = orig
        self.linkmapper = linkmapper
        self.transaction = transaction
        self.arguments = arguments
        self.forbidden = adding.forbidden_nodes(rl.nodeconstants)
        self.known_plain = False
        self.has_added = False

    def add(self, deltas: Iterable[Any]) -> bool:
        """Add all; was there any?"""
        rl = self.rl
        empty = True
        appends = None
        put_aside = getattr(deltas, 'put_aside', None)
        # those that we read ourselves
        self.known_plain = put_aside is not None
        for incoming in deltas:
            empty = False
            if appends is None or not self.add_common(appends, incoming):
                self.add_by_mercurial(incoming)
                if not rl._inline:
                    if put_aside is not None:
                        if put_aside(
                            rl, self.linkmapper, self.transaction, self.arguments
                        ):
                            break
                        put_aside = None
                    # a split gives the revlog other handles
                    appends = appends or self.open_appends()
                    appends.refresh()
        return not empty

    least_base = 0

    @staticmethod
    def appends_class() -> Any:
        # asked for late: this module is loaded by commands that only read
        return appendsmod.Appends

    def open_appends(self) -> Any:
        rl = self.rl
        return self.appends_class()(
            rl._inner,
            rl._format_flags | rl._format_version,
            adding.limits_of(rl.delta_config),
            False,
            frozenset(),
            _not_searched,
        )

    def add_by_mercurial(self, incoming: Any) -> None:
        self.orig(
            self.rl,
            iter((incoming,)),
            self.linkmapper,
            self.transaction,
            **self.arguments,
        )

    def revs_of(self, cindex: Any, incoming: Any) -> tuple[int, int, int] | None:
        """The revs of base and parents; None: the revision is not common."""
        get_rev = cindex.get_rev
        base = get_rev(incoming.delta_base)
        p1, p2 = get_rev(incoming.p1), get_rev(incoming.p2)
        if (
            base is None
            or base < self.least_base
            or p1 is None
            or p2 is None
            or incoming.flags
            or not (self.known_plain or self.is_plain(incoming))
            or get_rev(incoming.node) is not None
            or incoming.node in self.forbidden
        ):
            return None
        entry = cindex[base]
        if entry[0] & _FLAGS or entry[2] < 0:
            return None
        return base, p1, p2

    @staticmethod
    def is_plain(incoming: Any) -> bool:
        """Is it a delta, and no more?"""
        return not (
            incoming.delta is None
            or incoming.raw_text is not None
            or incoming.sidedata
            or incomingmod.is_encoded(incoming)
        )

    def text_of(self, appends: appendsmod.Appends, base: int, delta: bytes) -> Any:
        """The text that ``delta`` makes; None: it is not common, or damaged."""
        try:
            return appends.text_of(base, delta)
        except additions.Uncommon:
            return None
        except fallback.STORAGE_ERRORS:
            return None  # Mercurial says it, if it finds so, too

    def add_common(self, appends: Any, incoming: Any) -> bool:
        """Add one revision; False, with nothing done: it is not common."""
        rl = self.rl
        revs = self.revs_of(appends.cindex, incoming)
        if revs is None:
            return False
        node = incoming.node
        delta = incoming.delta
        text = None
        if self.arguments['alwayscache']:
            text = self.text_of(appends, revs[0], delta)
            if text is None:
                return False
        rl._adding_group = True
        try:
            link = self.linkmapper(incoming.link_node)
            if appends.append_delta(node, link, revs, delta):
                _counters.entries += 1
            else:
                self.search(incoming, link, revs[0], text)
                appends.refresh()
            self.added(len(appends.cindex) - 1, text)
        finally:
            rl._adding_group = False
        return True

    def added(self, rev: int, text: bytes | None) -> None:
        """What has to follow when ``rev`` was added; ``text`` is to be remembered."""
        rl = self.rl
        if not self.has_added:
            self.has_added = True
            nodemap.setup_persistent_nodemap(self.transaction, rl)
        if text is not None:
            rl._inner.keep_text(rev, text, False)
        callback = self.arguments['addrevisioncb']
        if callback:
            callback(rl, rev)

    def search(self, incoming: Any, link: int, base: int, text: bytes | None) -> None:
        """Mercurial searches for a good delta, and appends the revision."""
        rl = self.rl
        rl._addrevision(
            incoming.node,
            None,
            self.transaction,
            link,
            incoming.p1,
            incoming.p2,
            0,
            incomingmod.cached_delta(base, incoming.delta, None),
            alwayscache=self.arguments['alwayscache'],
            deltacomputer=self.computer,
            sidedata=incoming.sidedata,
        )

    @property
    def computer(self) -> Any:
        computer = self.__dict__.get('_computer')
        if computer is None:
            computer = self.__dict__['_computer'] = hgdeltas.deltacomputer(self.rl)
        return computer


class _WholeTexts(_Group):
    """A group on its way into a revlog that stores every text whole."""

    # whoever sends a changelog has whole texts
    least_base = -1

    @staticmethod
    def appends_class() -> Any:
        return appendsmod.WholeTexts

    def add_common(self, appends: Any, incoming: Any) -> bool:
        revs = self.revs_of(appends.cindex, incoming)
        if revs is None:
            return False
        base, p1, p2 = revs
        text = self.text_of(appends, base, incoming.delta)
        if not text:
            return False
        rl = self.rl
        rl._adding_group = True
        try:
            node = incoming.node
            link = self.linkmapper(incoming.link_node)
            rev = appends.append_text(node, link, p1, p2, text)
            _counters.entries += 1
            if self.arguments['alwayscache']:
                # whoever is called back reads it: checked now, it is put there once
                inner = rl._inner
                policy = inner.storage.hash_policy
                right = hashing.node_matches(
                    text, node, incoming.p1, incoming.p2, policy
                )
                held = (node, text, right)
                restorer = inner.restorer
                restorer.share.put(restorer.text_cache, rev, held, len(text))
            self.added(rev, None)
        finally:
            rl._adding_group = False
        return True


def _not_searched(*args: Any) -> None:
    """Of a revision that is appended in an open context, the caller takes care."""
