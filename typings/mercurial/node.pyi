# Stub: nodes.
# SPDX-License-Identifier: GPL-2.0-or-later
def bin(s: bytes) -> bytes: ...
def hex(data: bytes) -> bytes: ...

nullid: bytes
nullrev: int
wdirrev: int

class sha1nodeconstants:
    nodelen: int
    nullid: bytes
