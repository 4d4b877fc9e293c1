# `hg cat` of many files shows what Mercurial shows, and so is what fails.
# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import pathlib
from typing import Any, Callable

import pytest

STOCK = "extensions.fastrevlog=!"
OURS = "fastrevlog.enabled=yes"
FILES = 30


@pytest.fixture
def repo(tmp_path: pathlib.Path, hg: Any) -> pathlib.Path:
    """Files in folders, renamed, binary, empty, a link, and a subrepository."""
    repo = tmp_path / "repo"
    hg("init", str(repo), cwd=tmp_path)
    hg("init", str(repo / "sub"), cwd=tmp_path)
    (repo / "sub" / "inner").write_text("inner\n")
    hg("commit", "-qAm", "inner", cwd=repo / "sub")
    (repo / ".hgsub").write_text("sub = sub\n")
    for text in ("old", "new"):
        for number in range(FILES):
            path = repo / f"d{number % 4}" / "deep" / f"f{number}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(f"{text} {number}\r\n\1\n".encode() * number)
        if text == "old":
            (repo / "link").symlink_to("d0")
            (repo / "before").write_text("renamed")
        else:
            hg("rename", "before", "after", cwd=repo)
        hg("commit", "-qAm", text, cwd=repo)
    return repo


ALL = "glob:**"
EOL = ("--config", "extensions.eol=", "--config", "eol.native=CRLF")
# arguments, and whether files are read without their objects
CASES: list[tuple[tuple[str, ...], bool]] = [
    (("-r", "1", ALL), True),
    (("-r", "0", "."), True),
    (("-r", "1", "d1"), True),
    (("-r", "1", ALL, "-X", "d3"), True),
    (("-r", "1", ALL, "--decode", *EOL), True),
    (("-r", "1", ALL, "--decode", "--config", "decode.**=tr e E"), True),
    (("-r", "1", *(f"d{n % 4}/deep/f{n}" for n in range(FILES))), True),
    (("-r", "1", "d1/deep/f25"), False),
    (("-r", "1", "no-such-file", "d1/deep/f25"), False),
    (("-r", "1", "no-such-folder"), False),
    (("-r", "1", ALL, "-T", "json"), False),
    (("-r", "1", ALL, "-T", "{path} {rawdata|json}\n"), False),
    (("-r", "wdir()", "d1"), False),
    (("-r", "null", ALL), False),
    (("-r", "1", "d1", "--config", "extensions.lfs="), False),
    (("-r", "1", ALL, "--config", "extensions.keyword="), False),
    (("-r", "1", ALL, "--config", "extensions.largefiles="), False),
]


@pytest.mark.parametrize("damaged", [False, True], ids=["sound", "damaged"])
def test_cat(
    damaged: bool, repo: pathlib.Path, hg: Any, served: Callable[[], Any]
) -> None:
    if damaged:
        path = repo / ".hg" / "store" / "data" / "d1" / "deep" / "f25.i"
        content = bytearray(path.read_bytes())
        content[-1] ^= 1
        path.write_bytes(content)
    for args, many in CASES if not damaged else CASES[:3]:
        done = []
        for config in (STOCK, OURS):
            served()
            done.append(hg("cat", *args, "--config", config, cwd=repo, code=None))
        stock, ours = ((one.returncode, one.stdout, one.stderr) for one in done)
        assert ours == stock, args
        counts = served()
        assert not counts.internal_errors, args
        assert not many or counts.served["filelog"] >= 5, args
    if damaged:
        assert stock[0]


def test_files_to_be_written(
    repo: pathlib.Path, tmp_path: pathlib.Path, hg: Any
) -> None:
    found = []
    for config in (STOCK, OURS):
        out = tmp_path / config.partition("=")[2].strip("!").join(("out", ""))
        args = ("-r", "1", ALL, "-o", f"{out}/%p", "--config", config)
        hg("cat", *args, cwd=repo)
        files = sorted(path for path in out.rglob("*") if path.is_file())
        found.append([(str(p.relative_to(out)), p.read_bytes()) for p in files])
    assert len(found[0]) > FILES
    assert found[0] == found[1]


EXTENSION = """\
from mercurial import cmdutil, context, extensions
def data(orig, self):
    return orig(self).upper()
def update(orig, fm, ctx, matcher, path, decode):
    orig(fm, ctx, matcher, path, decode)
    fm.data(size=ctx[path].size(), node=ctx[path].hex())
def uisetup(ui):
    if ui.config(b'loud', b'data', b'') == b'True':
        extensions.wrapfunction(context.filectx, 'data', data)
    else:
        extensions.wrapfunction(cmdutil, '_updatecatformatter', update)
"""


@pytest.mark.parametrize("what", ["data", "formatter"])
def test_extensions_are_heard(
    what: str, repo: pathlib.Path, tmp_path: pathlib.Path, hg: Any, hgrc: pathlib.Path
) -> None:
    extension = tmp_path / "loud.py"
    extension.write_text(EXTENSION)
    with hgrc.open("a") as more:
        more.write(f"[extensions]\nloud = {extension}\n")
    args = ("-r", "1", ALL, "--config", f"loud.data={what == 'data'}")
    expected = hg("cat", *args, "--config", STOCK, cwd=repo)
    done = hg("cat", *args, "--config", OURS, cwd=repo)
    assert (done.stdout, done.stderr) == (expected.stdout, expected.stderr)
    assert ("NEW 29" if what == "data" else "new 29") in str(done.stdout)
