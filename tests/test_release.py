# support/release.py: what it makes of a version and a changelog.
# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import pathlib

import pytest

from support import release

PROJECT = pathlib.Path(__file__).resolve().parent.parent
TOP = "# Changelog\n\n## [Unreleased]\n\n"


def test_the_changelog_of_today() -> None:
    changelog = (PROJECT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert release.check_changelog(release.version_in_metadata(), changelog)


@pytest.mark.parametrize(
    ("changelog", "said"),
    [
        (TOP + "- more\n", "yet to come"),
        (TOP + "- more\n\n## [0.9.0] - 2026-01-31\n\n- first\n", "yet to come"),
        (TOP + "## [1.0.0] - 2026-01-31\n\n- first\n", "is released"),
    ],
)
def test_agreement(changelog: str, said: str) -> None:
    assert said in release.check_changelog("1.0.0", changelog)


@pytest.mark.parametrize(
    "changelog",
    [
        "# Changelog\n",
        "# Changelog\n\n## [1.0.0] - 2026-01-31\n\n- first\n",
        TOP,
        TOP + "- more\n\n## [1.0.0] - 2026-01-31\n\n- first\n",
        TOP + "## [1.0.0]\n\n- no day\n",
        TOP + "## [1.1.0] - 2026-02-28\n\n- second\n\n## [1.0.0] - 2026-01-31\n",
    ],
)
def test_disagreement(changelog: str) -> None:
    with pytest.raises(release.NotGoodError):
        release.check_changelog("1.0.0", changelog)
