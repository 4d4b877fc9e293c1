# A folder of the store that is a symbolic link out of it: Mercurial refuses.
# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import pathlib
import shutil
from typing import Any, Callable

import pytest

COMMANDS = [
    ("cat", "-r", "1", "a/one", "b/deep/two", "b/deep/three"),
    ("log", "-p", "-r", "all()"),
    ("bundle", "--all", "out.hg"),
    ("update", "1"),
    ("verify", "--config", "fastrevlog.verify-workers=1"),
    ("verify", "--config", "fastrevlog.verify-workers=2"),
]


@pytest.mark.parametrize("split", [False, True], ids=["inline", "split"])
def test_a_store_that_leads_elsewhere_is_not_followed(
    split: bool, tmp_path: pathlib.Path, hg: Any, served: Callable[[], Any]
) -> None:
    repo = tmp_path / "repo"
    hg("init", str(repo), cwd=tmp_path)
    size = 200_000 if split else 10
    for text in ("old", "new"):
        for name in ("a/one", "b/deep/two", "b/deep/three"):
            (repo / name).parent.mkdir(parents=True, exist_ok=True)
            # other lines each time, hard to compress
            lines = (f"{hash((name, text, n))}\n" for n in range(size // 10))
            (repo / name).write_text(text + "".join(lines))
        hg("commit", "-qAm", text, cwd=repo)
    hg("update", "-q", "null", cwd=repo)
    data = repo / ".hg" / "store" / "data"
    assert (data / "b" / "deep" / "two.d").exists() is split
    shutil.move(data / "b" / "deep", tmp_path / "elsewhere")
    (data / "b" / "deep").symlink_to(tmp_path / "elsewhere")
    for command in COMMANDS:
        results = []
        for config in ("extensions.fastrevlog=!", "fastrevlog.enabled=yes"):
            served()
            done = hg(*command, "--config", config, cwd=repo, code=None)
            results.append((done.returncode, done.stdout, done.stderr))
            hg("update", "-qC", "null", cwd=repo)
            (repo / "out.hg").unlink(missing_ok=True)
        assert results[0] == results[1], command
        assert b"traverses symbolic link" in results[1][1] + results[1][2]
        assert served().served["changelog"], command
