# The name that git would give a file's content, computed for every diff.
# SPDX-License-Identifier: GPL-2.0-or-later
"""``hg diff`` and ``hg log -p`` compute two git blob names for every changed file,
whether they are shown or not, with the collision-detecting SHA-1.  They are for
display: no content is trusted because of them, so ``hashlib`` does.
"""

from __future__ import annotations

from typing import Any

from ..compat.detect import arguments_of
from ..engine import hashing


def git_blob_name(text: bytes | None) -> bytes:
    """The 40 hexadecimal digits of git's name for a blob with this content."""
    text = text or b''
    digest = hashing.sha1(b'blob %d\0' % len(text))
    digest.update(text)
    return digest.hexdigest().encode('ascii')


def make_gitindex(place: Any) -> Any:
    """For ``patch._gitindex``; None where it is not as we know it."""
    return git_blob_name if arguments_of(place.stock) == 'text' else None
