# Results of a conformance run in words.
# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from typing import Any

from .verdict import WORST_FIRST


def line(entry: dict[str, Any]) -> str:
    """Return one line about the result of a test file."""
    worst = [v for v in WORST_FIRST if v in entry["verdicts"].values()]
    passed = any(result == "success" for result in entry["results"].values())
    word = worst[0].upper() if worst else "ok" if passed else "skipped"
    counts = entry["counts"]
    served, refused = sum(counts["served"].values()), sum(counts["refused"].values())
    return (
        f"{entry['file']}: {word} ({entry['seconds']:.1f} s,"
        f" served {served}, refused {refused})"
    )


def describe(total: dict[str, Any]) -> str:
    """Return the summary in words."""
    tests, counts = total["tests"], total["counts"]
    run = total["files"] - len(total["not run"])
    rows = [
        "",
        (
            f"Mercurial {total['mercurial']}: {run} of {total['files']} files run,"
            f" {sum(tests.values())} tests:"
            f" {tests.get('success', 0)} passed, {tests.get('skip', 0)} skipped,"
            f" {tests.get('failure', 0) + tests.get('error', 0)} failed"
        ),
    ]
    for verdict, names in total["verdicts"].items():
        rows.append(f"  {verdict}: {len(names)}")
        rows += [f"    {name}" for name in names]
    served, refused = counts["served"], counts["refused"]
    rows.append(
        f"revlogs served: {sum(served.values())}"
        f" ({', '.join(f'{kind} {n}' for kind, n in served.items()) or 'none'})"
        f" by {counts['processes']} processes, in"
        f" {total['files in which revlogs were served']} files;"
        f" {counts['texts']} texts restored, {counts['entries']} entries written"
    )
    rows.append(f"revlogs refused: {sum(refused.values())}")
    rows += [f"    {n} {reason}" for reason, n in refused.items()]
    errors = counts.get("internal_errors", {})
    rows += [f"INTERNAL ERROR, {n} times: {what}" for what, n in errors.items()]
    if counts["garbled"]:
        rows.append(f"report lines that could not be read: {counts['garbled']}")
    if len(total["code"]) > 1:
        told = ", ".join(f"{code} ({n} files)" for code, n in total["code"].items())
        rows.append(f"of more than one state of fastrevlog: {told}")
    return "\n".join(rows)
