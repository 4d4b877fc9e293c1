# A changegroup that was just made need not be parsed to find its end.
# SPDX-License-Identifier: GPL-2.0-or-later
"""``getchunks`` of an unpacker that ``changegroup.makechangegroup`` made.

``hg bundle`` makes a changegroup as an unpacker of its own stream, and takes the
chunks from that: every delta is cut out of the stream and checked for its length,
only to know where the changegroup ends.  That of a stream which was made for this
purpose ends where the stream ends.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mercurial import changegroup, util

from .. import unchanged

_CHANGEGROUP = 'mercurial.changegroup'
# an attribute of the unpacker: the stream that holds nothing but its changegroup
_WHOLE = '_fastrevlog_whole_stream'
# of the unpacker, of its module and of its stream
LEFT_OUT = ('getchunks', 'read')
LEFT_OUT_OF_MODULE = ('getchunk', 'chunkheader')
LEFT_OUT_OF_STREAM = ('__init__', '__iter__', 'read')


def make_makechangegroup(place: Any) -> Any:
    """For ``changegroup.makechangegroup``."""
    orig = place.stock

    def makechangegroup(*args: Any, **kwargs: Any) -> Any:
        unpacker = orig(*args, **kwargs)
        attributes = getattr(unpacker, '__dict__', {})
        stream = attributes.get('_stream')
        if type(stream) is util.chunkbuffer:
            attributes[_WHOLE] = stream
        return unpacker

    return makechangegroup


def make_getchunks(place: Any) -> Any:
    """For ``cg1unpacker.getchunks``."""
    orig = place.stock

    def getchunks(self: Any) -> Iterator[bytes]:
        stream = self.__dict__.get(_WHOLE)
        if stream is not None and _is_untouched(self, stream):
            yield from stream
        else:
            yield from orig(self)

    return getchunks


def _is_untouched(unpacker: Any, stream: Any) -> bool:
    """Whether nothing was read so far, and reading has no effect but that."""
    return (
        unpacker._stream is stream
        and unpacker.callback is None
        and stream.tell() == 0
        and unchanged.object_is_of(unpacker, (_CHANGEGROUP,), LEFT_OUT)
        and unchanged.parts_are_of(changegroup, ' '.join(LEFT_OUT_OF_MODULE))
        and unchanged.object_is_of(stream, ('mercurial.util',), LEFT_OUT_OF_STREAM)
    )
