# The persistent node map of an open revlog: reading, refreshing, writing.
# SPDX-License-Identifier: GPL-2.0-or-later
"""Where Mercurial deals with a revlog's node map, ours takes part.

A revlog of a repository with the requirement ``persistent-nodemap`` gets a proxied
index that looks up nodes in the map on disk (:mod:`..engine.nodemap.proxy`).  Mercurial
writes maps itself, in ``mercurial.revlogutils.nodemap``, from the data that the index
gives it; that stays so, with its rules for transactions, hooks and old files.

Mercurial hands the data of a map to an index that has ``update_nodemap_data``, and
reads all of them for that.  Our index has no such method; it is told here:

- when the revlog is opened;
- after ``revlog.clearcaches``, which forgets the map and reads it anew;
- after ``nodemap.persist_nodemap``, which has written it.
"""

from __future__ import annotations

from typing import Any

from mercurial.revlogutils import nodemap

from ..engine.nodemap import docket as docketmod
from ..engine.nodemap import proxy as proxymod

NO_DOCKET = 'no map on disk'
INLINE = 'the revlog is inline'


def serve(rl: Any, inner: Any) -> None:
    """Give the revlog ``rl``, being opened, an index that uses its node map."""
    index = proxymod.MappedIndexProxy.bound(inner.cindex)
    index.share = inner.storage.share
    inner.index = index
    read(rl, inner, index)


def read(rl: Any, inner: Any, index: proxymod.MappedIndexProxy) -> None:
    """Read the docket, and use the map if it fits the index."""
    rl._nodemap_docket = None
    if rl._inline:
        index.detach(INLINE)
        return
    storage = inner.storage
    try:
        try:
            data = storage.read_whole(rl._nodemap_file)
        except FileNotFoundError:
            index.detach(NO_DOCKET)
            return
        docket = docketmod.parse(data)
        index.attach(docket, storage.reader(_data_file(rl, docket)))
    except (docketmod.Misfit, OSError) as exc:
        _unusable(index, exc)
        return
    theirs = nodemap.NodeMapDocket(docket.uid)
    theirs.tip_rev = docket.tip_rev
    theirs.tip_node = docket.tip_node
    theirs.data_length = docket.data_length
    theirs.data_unused = docket.data_unused
    rl._nodemap_docket = theirs


def _data_file(rl: Any, docket: docketmod.Docket) -> bytes:
    return b'%s-%s.nd' % (rl.radix, docket.uid)


def _unusable(index: proxymod.MappedIndexProxy, exc: Exception) -> None:
    if isinstance(exc, docketmod.Misfit):
        reason = exc.reason
    elif isinstance(exc, FileNotFoundError):
        reason = 'data: missing'
    else:
        reason = 'map: %s' % type(exc).__name__
    proxymod.count(reason)
    index.detach(reason)


def _index_of(rl: Any) -> proxymod.MappedIndexProxy | None:
    index = rl.index
    return index if isinstance(index, proxymod.MappedIndexProxy) else None


def make_clearcaches(place: Any) -> Any:
    """For ``revlog.clearcaches``."""
    orig = place.stock

    def clearcaches(self: Any, *args: Any, **kwargs: Any) -> None:
        orig(self, *args, **kwargs)
        index = _index_of(self)
        if index is not None and self._nodemap_file is not None:
            read(self, self._inner, index)

    return clearcaches


def make_persist(place: Any) -> Any:
    """For ``nodemap.persist_nodemap``."""
    orig = place.stock

    def persist_nodemap(tr: Any, rl: Any, *args: Any, **kwargs: Any) -> None:
        orig(tr, rl, *args, **kwargs)
        index = _index_of(rl)
        written = rl._nodemap_docket
        if index is None or written is None:
            return
        docket = docketmod.Docket(
            written.uid,
            written.tip_rev,
            written.tip_node,
            written.data_length,
            written.data_unused,
        )
        try:
            storage = rl._inner.storage
            index.attach(docket, storage.reader(_data_file(rl, docket)))
        except (docketmod.Misfit, OSError) as exc:
            _unusable(index, exc)
            rl._nodemap_docket = None

    return persist_nodemap
