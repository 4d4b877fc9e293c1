# Displayers, of which workers show changesets with copies.
# SPDX-License-Identifier: GPL-2.0-or-later
"""What a displayer keeps from one changeset to the next, and lists of changesets.

A list (`-T json`, `-T cbor`) is written an item late: the formatter that a displayer
fills writes an item when the next one begins, because only then it is complete.  A
worker hands over what the formatter would write; the parent's formatter holds that as
its present item, and writes it in its turn.
"""

from __future__ import annotations

from typing import Any

from mercurial import formatter, logcmdutil, templatefuncs

from . import plain

# Where file matchers come from that answer the same whenever they are asked
_CONSTANT_MATCHERS = (
    'makewalker.<locals>.filematcher',
    'getlinerangerevs.<locals>.filematcher',
    'changesetdiffer._makefilematcher',
    'overridelog.<locals>.overridemakefilematcher.<locals>.<lambda>',  # largefiles
)
# and one that knows about a changeset once the changeset was looked for
_GROWING_MATCHER = '_fileancestors.<locals>.filematcher'

# methods of a displayer, and of a differ, that workers call; what an extension made of
# them may keep something from one changeset to the next
IN_WORKERS = (
    *('show', '_show', '_showpatch', '_showobsfate', '_exthook'),
    *('flush', 'close'),
)
IN_WORKERS_OF_DIFFER = ('showdiff', 'getdiffstats', '_makehunksfilter')
# of a formatter: what makes an item, and writes it
IN_WORKERS_OF_LISTS = (
    *('startitem', 'context', 'data', 'datahint', '_showitem'),
    *('formatdate', 'formatdict', 'formatlist'),
)
_LISTS = (formatter.jsonformatter, formatter.cborformatter)


def is_growing(matcher: Any) -> bool:
    """Does ``matcher`` of files know of a changeset only when it was looked for?"""
    return _origin(matcher) == _GROWING_MATCHER


def is_constant(matcher: Any) -> bool:
    """Does ``matcher`` of files answer the same whenever it is asked?"""
    return plain.is_known(matcher) and _origin(matcher) in _CONSTANT_MATCHERS


def _origin(function: Any) -> str:
    return getattr(function, '__qualname__', '')


def refusal(displayer: Any, show_here: Any) -> str | None:
    """Why changesets are shown by one process; None: they need not be.

    ``show_here`` is the displayer's own method ``show``.
    """
    cls = type(displayer)
    if cls not in (
        logcmdutil.changesetprinter,
        logcmdutil.changesettemplater,
        logcmdutil.changesetformatter,
    ):
        return 'displayer: of a kind of its own'
    for name in IN_WORKERS:
        if name in displayer.__dict__ or not plain.is_known(getattr(cls, name)):
            return 'displayer: an extension changed %s' % name
    return (
        _differ_refusal(displayer._differ)
        or (cls is logcmdutil.changesettemplater and _template_refusal(displayer))
        or (cls is logcmdutil.changesetformatter and _list_refusal(displayer))
        or None
    )


def _differ_refusal(differ: Any) -> str | None:
    if type(differ) is not logcmdutil.changesetdiffer:
        return 'displayer: a differ of a kind of its own'
    if not all(plain.is_known(getattr(differ, name)) for name in IN_WORKERS_OF_DIFFER):
        return 'displayer: an extension changed the differ'
    matcher = differ._makefilematcher
    if not is_constant(matcher) and not (
        plain.is_known(matcher) and is_growing(matcher)
    ):
        return 'files: chosen by an extension'
    return None


def _template_refusal(displayer: Any) -> str | None:
    """Whether a template keeps something from one changeset to the next."""
    parts = displayer._parts
    if parts[b'footer']:
        return 'template: has a footer'
    if parts[b'header'] and parts[b'separator'] and not displayer.buffered:
        return 'template: has a header and a separator, and is not buffered'
    t = displayer.t
    for part in (displayer._tref, b'header', b'separator'):
        if part != displayer._tref and not parts[part]:
            continue
        keywords, functions = t.symbolsused(parts[part])
        used = [t.defaults.get(name) for name in keywords]
        used += [t._filters.get(name) for name in functions]
        used += [templatefuncs.funcs.get(name) for name in functions]
        if not all(plain.is_known(f) for f in used if callable(f)):
            return "template: an extension's keyword or function"
    return None


# Lists


def _list_refusal(displayer: Any) -> str | None:
    fm = displayer._fm
    if type(fm) not in _LISTS or fm._out is not displayer.ui:
        return 'template: a list of a kind of its own'
    for name in IN_WORKERS_OF_LISTS:
        own = name in fm.__dict__ and not isinstance(fm.__dict__[name], _ShowItem)
        if own or not plain.is_known(getattr(type(fm), name)):
            return 'template: an extension changed the list'
    return None


class _Item(dict):  # type: ignore[type-arg]
    """The present item of a formatter, and what is to be written for it."""

    text = b''


class _ShowItem:
    """In place of a formatter's method that writes its present item."""

    def __init__(self, fm: Any) -> None:
        self._fm = fm
        self._orig = fm._showitem

    def __call__(self) -> None:
        fm = self._fm
        if type(fm._item) is _Item:
            fm._out.write(fm._item.text)
        else:
            self._orig()


def add_item(fm: Any, text: bytes) -> bytes:
    """Let ``text`` be the next item of ``fm``; what was written for the one before."""
    if '_showitem' not in fm.__dict__:
        fm._showitem = _ShowItem(fm)
    fm._ui.pushbuffer(labeled=True)
    fm.startitem()
    written: bytes = fm._ui.popbuffer()
    fm._item = _Item()
    fm._item.text = text
    return written


def begin_item(fm: Any) -> None:
    """In a worker: the item that begins is neither the first nor after another."""
    fm._item = None
    if hasattr(fm, '_first'):
        fm._first = False
