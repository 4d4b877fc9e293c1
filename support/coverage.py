# Measures which lines and branches of the package a test run goes through.
# SPDX-License-Identifier: GPL-2.0-or-later
"""``python -m support.coverage COMMAND...`` runs a command and prints what was covered.

The package runs in many processes (each hg that the tests start, each fork of one, each
worker), so the interpreter is told to measure wherever it starts, by a ``.pth`` file in
its site-packages, which is there only while this runs: an environment variable would
not get through to hg, which tests start with an environment of their own. Exit code:
the command's.
"""

from __future__ import annotations

import pathlib
import subprocess
import sys
import sysconfig

PROJECT = pathlib.Path(__file__).resolve().parent.parent
DATA = PROJECT / ".coverage-data"
CONFIGURATION = f"""\
[run]
branch = True
parallel = True
sigterm = True
patch = fork, _exit
data_file = {DATA}/coverage
source_dirs = {PROJECT}/hgext3rd/fastrevlog
disable_warnings = no-data-collected, module-not-measured, already-imported
[report]
show_missing = True
skip_empty = True
exclude_also =
    if TYPE_CHECKING:
"""

# one line, as site wants it
HOOK = (
    "import os; os.environ['COVERAGE_PROCESS_START'] = %r;"
    " import coverage; coverage.process_startup()\n"
)


def main(command: list[str]) -> int:
    """Run the command under measurement, print the table; the command's exit code."""
    DATA.mkdir(exist_ok=True)
    for old in DATA.iterdir():
        old.unlink()
    configuration = DATA / "configuration"
    configuration.write_text(CONFIGURATION, encoding="utf-8")
    hook = pathlib.Path(sysconfig.get_path("purelib")) / "fastrevlog-coverage.pth"
    hook.write_text(HOOK % str(configuration), encoding="utf-8")
    try:
        code = subprocess.run(command, cwd=PROJECT, check=False)
    finally:
        hook.unlink()
    tool = [sys.executable, "-m", "coverage"]
    option = f"--rcfile={configuration}"
    subprocess.run([*tool, "combine", "--quiet", option], cwd=PROJECT, check=True)
    subprocess.run([*tool, "report", option], cwd=PROJECT, check=True)
    return code.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
