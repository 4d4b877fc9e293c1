# Stub: odds and ends.
# SPDX-License-Identifier: GPL-2.0-or-later
from typing import Any

bytecount: Any
chunkbuffer: Any
compengines: Any
lrucachedict: Any

checkosfilename: Any

def checknlink(testfile: bytes) -> bool: ...
def copyfile(
    src: bytes,
    dest: bytes,
    hardlink: bool | None = False,
    copystat: bool = False,
    checkambig: bool = False,
    nb_bytes: int | None = None,
) -> None: ...
def timer() -> float: ...
def version() -> bytes: ...
