# Mercurial's own test suite, run with fastrevlog enabled.
# SPDX-License-Identifier: GPL-2.0-or-later
"""Run Mercurial's test suite with fastrevlog, and compare with a baseline.

    python -m conformance --hg-version 7.2.4 --subset storage

Each test file runs once with fastrevlog enabled. Where something in it fails,
it runs again under an extension of the same name that does nothing (some
tests print the list of extensions), and only what fails *because of*
fastrevlog counts. ``fastrevlog.report`` tells how many revlogs were served
and which were refused, and why: a run in which none was served has failed.
"""
