# engine/format.py: the numbers are Mercurial's, and stand in no other module.
# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import pathlib
import re

import pytest
from mercurial import changegroup, mdiff, node, policy, revlog, util
from mercurial.revlogutils import constants
from mercurial.utils import storageutil

from hgext3rd.fastrevlog.engine import compression, format
from hgext3rd.fastrevlog.operations import changegroups
from support import enginelab

parsers = policy.importmod("parsers")
PACKAGE = pathlib.Path(format.__file__).parent.parent


def test_names_and_numbers_are_those_of_mercurial() -> None:
    assert node.nullrev == format.NULL_REV
    assert node.sha1nodeconstants.nullid == format.NULL_NODE
    assert len(format.NULL_NODE) == format.NODE_SIZE == 20
    assert (format.VERSION_1, format.INLINE, format.GENERAL_DELTA) == (
        revlog.REVLOGV1,
        revlog.FLAG_INLINE_DATA,
        revlog.FLAG_GENERALDELTA,
    )
    assert constants.KIND_CHANGELOG == format.KIND_CHANGELOG
    assert constants.KIND_MANIFESTLOG == format.KIND_MANIFEST
    assert constants.KIND_FILELOG == format.KIND_FILELOG
    known = format.INLINE | format.GENERAL_DELTA | format.FILELOG_META
    known |= getattr(constants, "FLAG_DELTA_INFO", 0)
    assert constants.SUPPORTED_FLAGS[format.VERSION_1] == known
    assert format.VERSION_MASK & known == 0


def test_the_places_of_an_entry() -> None:
    assert format.ENTRY.format == constants.INDEX_ENTRY_V1.format
    assert 1 << format.ENTRY_SHIFT == format.ENTRY_SIZE == 64
    packed = format.ENTRY.pack(5 << format.OFFSET_SHIFT, 1, 2, 3, 4, 50, 60, b"n" * 20)
    parents = format.PARENTS.unpack_from(packed, format.PARENTS_OFFSET)
    assert parents == (50, 60)
    assert packed[format.PARENTS_OFFSET + format.PARENTS.size :][:20] == b"n" * 20


def test_the_c_index_reads_and_writes_such_entries() -> None:
    flags = constants.REVIDX_ELLIPSIS
    facts = [((7 << format.OFFSET_SHIFT) | flags, 1, 2, 0, 3, 0, -1, b"n" * 20)]
    first = (0, 7, 2, 0, 3, -1, -1, b"m" * 20)
    header = format.VERSION_1 | format.GENERAL_DELTA
    word = format.HEADER.pack(header)
    data = word + format.ENTRY.pack(*first)[format.HEADER_SIZE :]
    data += format.ENTRY.pack(*facts[0])
    extra = [False] if enginelab.HAS_DELTA_INFO else []
    index, _chunks = parsers.parse_index2(data, False, True, *extra)
    assert index.entry_size == format.ENTRY_SIZE
    assert index[1] == (*facts[0], *format.SUFFIX)
    assert index[1][0] & format.FLAGS_MASK == flags
    assert index.pack_header(header) == word
    assert index[format.NULL_REV][:8] == format.NULL_ENTRY
    index.append((*facts[0], *format.SUFFIX))
    assert index.entry_binary(2) == format.ENTRY.pack(*facts[0])


def test_flags_that_alter_a_text() -> None:
    for flag in constants.REVIDX_FLAGS_ORDER:
        neutral = flag & getattr(constants, "REVIDX_NEUTRAL_FLAGS", 0)
        assert bool(flag & format.ALTERING_FLAGS) == (not neutral)


def test_the_first_byte_of_a_chunk() -> None:
    text = b"the same words " * 50
    for engine, first in ((b"zlib", format.ZLIB), (b"zstd", format.ZSTD)):
        if engine in util.compengines and util.compengines[engine].available():
            compressor = util.compengines[engine].revlogcompressor()
            assert compressor.compress(text)[0] == first
            assert util.compengines[engine].revlogheader() == bytes([first])
    plain = util.compengines[b"none"].revlogcompressor()
    assert compression.compress(plain, b"a") == (format.STORED_MARK, b"a")
    assert compression.compress(plain, b"\0a") == (b"", b"\0a")
    assert bytes([format.PLAIN]) == b"\0"


def test_deltas_and_metadata() -> None:
    delta = mdiff.trivialdiffheader(5)
    assert delta == format.HUNK.pack(0, 0, 5)
    assert mdiff.replacediffheader(3, 5) == format.HUNK.pack(0, 3, 5)
    assert storageutil.packmeta({b"copy": b"a"}, b"").startswith(format.META_MARK)


def test_changegroups() -> None:
    assert changegroup.closechunk() == format.CHUNK_LENGTH.pack(0)
    assert changegroup.chunkheader(5) == format.CHUNK_LENGTH.pack(9)
    for version in (b"01", b"02", b"03"):
        unpacker = changegroup._packermap[version][1]
        assert changegroups.header_size(version) == unpacker.deltaheadersize


# what would be one of these numbers once more, as it is usually written
AGAIN = {
    "an entry": r"['\"]>Qi{6}20s",
    "its size": r"\bENTRY_SIZE *= *64\b|<< 6\b|\b64 \* \(?rev",
    "where the flags end": r"(>>|<<) 16\b",
    "the flags": r"\b0x[fF]{4}\b",
    "the null node": r"b'\\0' \* 20|\bbytes\(20\)",
    "a hunk": r"['\"]>lll['\"]",
    "a kind of revlog": r"\b100[123]\b",
    "a chunk stored as it is": r"(return|==|in) \(?b'u'",
}


@pytest.mark.parametrize("what", AGAIN)
def test_no_other_module_has_numbers_of_the_format(what: str) -> None:
    found = [
        f"{path.relative_to(PACKAGE)}: {line.strip()}"
        for path in sorted(PACKAGE.rglob("*.py"))
        if path.name != "format.py"
        for line in path.read_text().splitlines()
        if re.search(AGAIN[what], line.partition("  #")[0])
    ]
    assert not found
