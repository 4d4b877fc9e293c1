# The rivals of a benchmark: an `hg` to run, the settings it runs with, what it is.
# SPDX-License-Identifier: GPL-2.0-or-later
"""A set-up is an ``hg`` script or program plus configuration.

On a command line it is written ``NAME=/path/to/hg[,section.item=value]...``.
Values may not contain a comma.  The first set-up of a run is the one that the
others are compared with.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import subprocess

HGRC = """\
[ui]
username = benchmark <benchmark@example.org>
interactive = no
[devel]
default-date = 0 0
"""


class SetupError(Exception):
    """A set-up that cannot be used, said in words for the person measuring."""


@dataclasses.dataclass
class Setup:
    """One rival.  ``facts`` is filled by `inspect`."""

    name: str
    hg: str
    config: list[tuple[str, str]]
    facts: dict[str, str] = dataclasses.field(default_factory=dict)

    @property
    def is_fastrevlog(self) -> bool:
        """Whether the extension is asked for, and so must prove that it served."""
        loaded = any(
            key.startswith("extensions.") and key.endswith("fastrevlog")
            for key, value in self.config
            if not value.startswith("!")
        )
        enabled = dict(self.config).get("fastrevlog.enabled", "yes").lower()
        return loaded and enabled not in ("no", "false", "off", "0", "never")

    @property
    def python(self) -> str:
        """The interpreter that runs this ``hg``; only known after `inspect`."""
        return self.facts["pythonexe"]

    def command(self, *args: str) -> list[str]:
        """The argument list of an ``hg`` process of this set-up."""
        line = [self.hg]
        for key, value in self.config:
            line += ["--config", f"{key}={value}"]
        return [*line, *args]

    def described(self) -> dict[str, object]:
        """What of this set-up goes into a result: facts, and no machine's paths."""
        rust = "rust" in self.facts["hgmodulepolicy"]
        return {
            "name": self.name,
            "mercurial": self.facts["hgver"],
            "python": self.facts["pythonver"],
            "modules": self.facts["hgmodulepolicy"],
            "rust": rust,
            "fastrevlog": self.is_fastrevlog,
            "config": [f"{key}={_without_folders(v)}" for key, v in self.config],
        }


def _without_folders(value: str) -> str:
    """Shorten a path to its last two parts: results are published, folders not."""
    if os.path.isabs(value):
        return os.path.join("...", *value.rstrip(os.sep).split(os.sep)[-2:])
    return value


def parse(text: str) -> Setup:
    """Read ``NAME=HG[,section.item=value]...``.

    Raises argparse.ArgumentTypeError, so that it can be an option's ``type``.
    """
    name, equals, rest = text.partition("=")
    hg, *settings = rest.split(",")
    if not name or not equals or not hg:
        raise argparse.ArgumentTypeError(
            f"{text!r}: expected NAME=HG[,section.item=value]..."
        )
    config: list[tuple[str, str]] = []
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals or "." not in key:
            raise argparse.ArgumentTypeError(
                f"{setting!r} (of {name}): expected section.item=value"
            )
        if key.startswith("extensions.") and os.path.exists(value):
            value = os.path.abspath(value)
        config.append((key, value))
    return Setup(name, os.path.abspath(hg) if os.sep in hg else hg, config)


def environment(hgrc: str) -> dict[str, str]:
    """The environment of every measured process.

    Whatever the caller's shell says to Mercurial or Python is dropped.  Not
    least PYTHONDONTWRITEBYTECODE, which would make an extension loaded by path
    be compiled again by each process.
    """
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("HG", "PYTHON"))}
    return {**kept, "HGRCPATH": hgrc, "HGPLAIN": "1", "HGENCODING": "utf-8"}


def write_hgrc(folder: str) -> str:
    """Write the settings shared by all set-ups; answers the file's path."""
    path = os.path.join(folder, "hgrc")
    with open(path, "w", encoding="utf-8") as out:
        out.write(HGRC)
    return path


def script_line(setup: Setup, script: str) -> list[str]:
    """The argument list that runs a script in the set-up's interpreter.

    Isolated (-I): neither the caller's folder nor this project is on sys.path.
    Mercurial is, even where it is not in the interpreter's site-packages.
    """
    path = os.path.dirname(setup.facts["hgmodules"])
    start = f"import sys; sys.path.insert(0, {path!r}); import runpy; "
    start += f"runpy.run_path({os.path.abspath(script)!r}, run_name='__main__')"
    return [setup.python, "-I", "-c", start]


def inspect(setup: Setup, env: dict[str, str]) -> None:
    """Ask ``hg debuginstall`` what this set-up is; fills ``setup.facts``.

    Raises SetupError if this ``hg`` does not run or cannot tell.
    """
    line = setup.command("debuginstall", "-T", "json")
    try:
        done = subprocess.run(line, env=env, capture_output=True, check=False)
        facts = json.loads(done.stdout)[0]
    except (OSError, ValueError, IndexError) as exc:
        raise SetupError(
            f"set-up {setup.name}: {setup.hg} does not answer: {exc}"
        ) from exc
    if done.stderr:
        said = done.stderr.decode("utf-8", "replace").strip()
        raise SetupError(f"set-up {setup.name}: {setup.hg} complains: {said}")
    wanted = ("hgver", "pythonexe", "pythonver", "hgmodulepolicy", "hgmodules")
    setup.facts = {key: str(facts[key]) for key in wanted}


def inspect_all(setups: list[Setup], env: dict[str, str]) -> None:
    """`inspect` every set-up, and see that their names differ."""
    names = [setup.name for setup in setups]
    if len(set(names)) != len(names):
        raise SetupError(f"two set-ups share a name: {' '.join(names)}")
    for setup in setups:
        inspect(setup, env)
