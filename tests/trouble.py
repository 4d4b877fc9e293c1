# An extension that breaks one function of fastrevlog, to see what becomes of it.
# SPDX-License-Identifier: GPL-2.0-or-later
"""``$TROUBLE`` is ``MODULE FUNCTION RAISE [WORD]``.

FUNCTION of MODULE (below the package, ``Class.method`` for a method) raises RAISE
(the name of a built-in exception, or ``RevlogError``), for every call, or for those
on an object whose file name holds WORD.
"""

from __future__ import annotations

import builtins
import importlib
import os
from typing import Any

from mercurial import error, extensions


def uisetup(ui: Any) -> None:
    if 'TROUBLE' not in os.environ:
        return
    module, path, exception, *words = os.environ['TROUBLE'].split()
    package = extensions.find(b'fastrevlog').__name__
    holder: Any = importlib.import_module(package + '.' + module)
    *classes, function = path.split('.')
    for name in classes:
        holder = getattr(holder, name)
    sound = getattr(holder, function)
    kind = getattr(builtins, exception, None) or getattr(error, exception)

    def broken(*args: Any, **kwargs: Any) -> Any:
        this = args[0] if args else None
        files = getattr(this, 'files', this)
        name = getattr(files, 'name', b'')
        if not words or words[0].encode() in name:
            text = 'oh\nno'
            raise kind(text.encode() if exception == 'RevlogError' else text)
        return sound(*args, **kwargs)

    setattr(holder, function, broken)
