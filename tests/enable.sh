# For .t files: `. "$TESTDIR/enable.sh"` switches fastrevlog on, and `served` proves it.
# SPDX-License-Identifier: GPL-2.0-or-later
cat >> "$HGRCPATH" <<END
[extensions]
fastrevlog = $TESTDIR/../hgext3rd/fastrevlog
[fastrevlog]
report = $TESTTMP/report.jsonl
END

# What was served since the last call: kinds, and reasons of refusals. Numbers are
# left out, as they are Mercurial's choice (how often it opens a revlog).
served() {
    "$PYTHON" "$TESTDIR/served.py" "$TESTTMP/report.jsonl"
    rm -f "$TESTTMP/report.jsonl"
}
