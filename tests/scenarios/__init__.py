# The registry of differential scenarios.
# SPDX-License-Identifier: GPL-2.0-or-later
"""Scenarios: scripted work that stock and fastrevlog must do alike.

A scenario is a function that takes a `world.World`. Registering it says what
fastrevlog has to have served while it was played: without that proof a scenario
compares stock with itself.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Callable

if TYPE_CHECKING:
    from .world import World

EVERY_KIND = frozenset(["changelog", "manifest", "filelog"])
MODULES = (
    "everyday",
    "rewriting",
    "formats",
    "exchange",
    "pending",
    "splitting",
    "repairing",
    "longlived",
    "extras",
)


@dataclass(frozen=True)
class Scenario:
    """What to play, with which configuration, and what proves the service."""

    name: str
    play: Callable[[World], None]
    rc: str
    kinds: frozenset[str]  # revlog kinds that must have been served
    writes: bool  # whether revisions must have been appended by fastrevlog
    # Words that refusals contain, each of which must be seen; with a question mark
    # at the end: may be seen, on some versions of Mercurial.
    refuses: tuple[str, ...]
    since: tuple[int, ...]  # the first Mercurial that can play it


REGISTRY: dict[str, Scenario] = {}


def scenario(
    rc: str = "",
    kinds: frozenset[str] = EVERY_KIND,
    writes: bool = True,
    refuses: tuple[str, ...] = (),
    since: tuple[int, ...] = (7, 0),
    name: str = "",
) -> Callable[[Callable[[World], None]], Callable[[World], None]]:
    """Register a scenario; see `Scenario` for the arguments."""

    def register(play: Callable[[World], None]) -> Callable[[World], None]:
        known = name or play.__name__
        if known in REGISTRY:
            raise ValueError("two scenarios are called " + known)
        REGISTRY[known] = Scenario(known, play, rc, kinds, writes, refuses, since)
        return play

    return register


def load() -> dict[str, Scenario]:
    """All scenarios by name."""
    for module in MODULES:
        importlib.import_module("." + module, __name__)
    return REGISTRY
