# The latest tag of a changeset, as templates and archives name it.
# SPDX-License-Identifier: GPL-2.0-or-later
"""``{latesttag}`` and its like, and the information that ``hg archive`` adds.

Mercurial goes down from the changeset to the next tags, or to the first changesets of
all, with a context for each that it comes by, twice: a second for 40,000.  It notes for
each what it found, for other changesets of the same template.  Here those notes are
made first, with no more than the parents of each revision; then Mercurial's function
answers from them.
"""

from __future__ import annotations

from typing import Any

from mercurial import context as contextmod
from mercurial import error
from mercurial.node import nullrev
from mercurial.utils import stringutil

from .. import fallback, process, unchanged
from ..compat.detect import arguments_of
from ..outer import parents

# what Mercurial notes of a revision: date and distance of the latest tag, its names
Note = tuple[float, int, list[bytes]]

_NOTES = b'latesttags'  # the name in the cache of a template, with "-" and a pattern
_TAGGED = b'fastrevlog-tagged'
_OF_CONTEXT: unchanged.Rows = (
    (contextmod.changectx, ('tags', '_parents', 'date', 'rev')),
    (contextmod.basectx, ('parents',)),
)
_OF_REPOSITORY = ('__getitem__', 'nodetags', 'tagtype')
_HOMES = ('mercurial.localrepo', 'mercurial.repoview')
EXPECTED = (error.Error, ValueError, IndexError, *fallback.STORAGE_ERRORS)


def make_latest_tags(place: Any) -> Any:
    """Around ``get_latest_tags``, or ``getlatesttags`` of 7.0 and 7.1."""
    orig = place.stock
    if arguments_of(orig) != 'context mapping pattern':
        return None

    def get_latest_tags(context: Any, mapping: Any, pattern: Any = None) -> Any:
        try:
            _note_before(context, mapping, pattern)
        except EXPECTED:
            pass  # Mercurial finds the words
        except Exception as exc:
            process.internal_error(exc)
        return orig(context, mapping, pattern)

    return get_latest_tags


def _note_before(context: Any, mapping: Any, pattern: Any) -> None:
    """Note what Mercurial's function would find out of all that it would look at."""
    ctx = context.resource(mapping, b'ctx')
    if not isinstance(ctx, contextmod.changectx):
        return  # the working directory's
    repo = context.resource(mapping, b'repo')
    cache = context.resource(mapping, b'cache')
    name = _NOTES if pattern is None else b'%s-%s' % (_NOTES, pattern)
    notes: dict[int, Note] | None = cache.get(name)
    changelog = repo.changelog
    rev = ctx.rev()
    if notes is not None and (
        rev in notes or all(p in notes for p in changelog.parentrevs(rev))
    ):
        return  # one step, or none
    if not (
        parents.is_plain(changelog)
        and unchanged.everywhere_of(repo, _HOMES, _OF_REPOSITORY)
        and unchanged.rows_are_of_mercurial(_OF_CONTEXT)
    ):
        return
    key = _TAGGED + name
    tagged: dict[int, list[bytes]] | None = cache.get(key)
    if tagged is None:
        tagged = cache[key] = _tagged(repo, pattern)
    if notes is None:
        notes = {nullrev: (0, 0, [b'null'])}
        cache[name] = notes
    _note(repo, _between(changelog, rev, tagged, notes), tagged, notes)


def _tagged(repo: Any, pattern: bytes | None) -> dict[int, list[bytes]]:
    """Revisions and the names of their tags, as far as these are asked for."""
    matches = None
    if pattern is not None:
        matches = stringutil.stringmatcher(pattern)[2]
    found: dict[int, list[bytes]] = {}
    get_rev = repo.unfiltered().changelog.index.get_rev
    for tag, node in repo._tagscache.tags.items():
        kind = repo.tagtype(tag)
        if kind and kind != b'local' and (matches is None or matches(tag)):
            rev = get_rev(node)
            if rev is not None:
                found.setdefault(rev, []).append(tag)
    for tags in found.values():
        tags.sort()
    return found


def _between(
    changelog: Any,
    rev: int,
    tagged: dict[int, list[bytes]],
    notes: dict[int, Note],
) -> list[int]:
    """``rev`` and its ancestors without a note, down to those with tags; ascending."""
    parentrevs = changelog.parentrevs
    seen: set[int] = set()
    todo = [rev]
    while todo:
        rev = todo.pop()
        if rev in seen or rev in notes:
            continue
        seen.add(rev)
        if rev not in tagged:
            first, second = parentrevs(rev)
            todo.append(first)
            if second != nullrev:
                todo.append(second)
    return sorted(seen)


def _note(
    repo: Any,
    revs: list[int],
    tagged: dict[int, list[bytes]],
    notes: dict[int, Note],
) -> None:
    """Note what there is to know of ``revs``, whose ancestors come before them."""
    parentrevs = repo.changelog.parentrevs
    for rev in revs:
        tags = tagged.get(rev)
        if tags is not None:
            notes[rev] = repo[rev].date()[0], 0, list(tags)
            continue
        first, second = parentrevs(rev)
        nearest = notes[first]
        if second != nullrev:
            other = notes[second]
            if nearest[2] == other[2]:
                # the later date, and then the longer way
                nearest = max(nearest, other)
            else:
                nearest = _fewer_changes(repo, rev, nearest, other)
        date, distance, names = nearest
        notes[rev] = date, distance + 1, names


def _fewer_changes(repo: Any, rev: int, first: Note, second: Note) -> Note:
    """That of the two since whose tag there are fewer changes, or the later one."""

    def order(note: Note) -> tuple[int, float]:
        return -len(repo.revs(b'only(%d, %s)', rev, note[2][0])), note[0]

    return max(first, second, key=order)
