# Kill processes of a parallel unbundle at random moments, and see what is left.
# SPDX-License-Identifier: GPL-2.0-or-later
"""``python -m tests.slow.kills --hg HG --bundle FILE --times 100``

Each time: `hg unbundle` into a copy of a repository with a part of the history, by
several workers.  After a random while the parent, a worker, or all of them are
killed (SIGKILL, SIGTERM or SIGINT).  Then, by stock: `hg recover` where that is
asked for, `hg verify`, and the store has to be what it was, or, where the command
came to its end, what stock makes of it.  Then the same unbundle has to succeed, with
the store that stock makes.  One line for each kind of outcome is printed at the end.
"""

from __future__ import annotations

import argparse
import collections
import hashlib
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent.parent.parent
EXTENSION = HERE / "hgext3rd" / "fastrevlog"
SIGNALS = (signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
# of the transaction, left behind by it or by the recovery
_LEFT = ("undo", "journal", "lock")


def store(repo: pathlib.Path) -> dict[str, str]:
    """Name and hash of each file of the store that has content."""
    found = {}
    root = repo / ".hg" / "store"
    for path in root.rglob("*"):
        name = str(path.relative_to(root))
        if path.is_symlink() or not path.is_file():
            continue
        if path.name.startswith(_LEFT) or name.startswith("data-s/"):
            continue
        data = path.read_bytes()
        if name == "fncache":
            data = b"\n".join(sorted(data.split(b"\n")))
        if data:
            found[name] = hashlib.sha1(data).hexdigest()
    return found


def workers_of(pid: int) -> list[int]:
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as fp:
            return [int(word) for word in fp.read().split()]
    except OSError:
        return []


class Kills:
    def __init__(self, args: argparse.Namespace) -> None:
        self.hg = args.hg
        self.bundle = args.bundle
        self.work = pathlib.Path(args.work)
        self.workers = args.workers
        self.rng = random.Random(args.seed)
        self.env = {
            **{k: v for k, v in os.environ.items() if not k.startswith("HG")},
            "HGRCPATH": "",
            "HGPLAIN": "1",
            "PYTHONHASHSEED": "0",
        }
        self.seen: collections.Counter[str] = collections.Counter()

    def stock(
        self, *args: str, check: bool = True
    ) -> subprocess.CompletedProcess[bytes]:
        done = subprocess.run(
            [self.hg, *args], env=self.env, capture_output=True, check=False
        )
        if check and done.returncode:
            sys.exit(f"stock hg {args}: {done.stdout!r} {done.stderr!r}")
        return done

    def ours(self, repo: pathlib.Path) -> list[str]:
        config = (
            f"extensions.fastrevlog={EXTENSION}",
            f"fastrevlog.workers={self.workers}",
        )
        words = [word for item in config for word in ("--config", item)]
        return [self.hg, "-R", str(repo), *words, "unbundle", "-q", self.bundle]

    def prepare(self, part: str) -> None:
        self.work.mkdir(parents=True, exist_ok=True)
        self.base, self.whole = self.work / "base", self.work / "whole"
        for repo in (self.base, self.whole):
            if repo.exists():
                shutil.rmtree(repo)
            self.stock("init", str(repo))
        if part:
            self.stock("-R", str(self.base), "unbundle", "-q", part)
            self.stock("-R", str(self.whole), "unbundle", "-q", part)
        self.stock("-R", str(self.whole), "unbundle", "-q", self.bundle)
        self.before, self.after = store(self.base), store(self.whole)
        repo = self.work / "timed"
        shutil.copytree(self.base, repo, symlinks=True)
        start = time.monotonic()
        subprocess.run(self.ours(repo), env=self.env, check=True)
        self.long = time.monotonic() - start
        assert store(repo) == self.after
        shutil.rmtree(repo)

    def once(self) -> None:
        rng = self.rng
        repo = self.work / "killed"
        shutil.copytree(self.base, repo, symlinks=True)
        process = subprocess.Popen(
            self.ours(repo),
            env=self.env,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            # what runs in the background of a shell ignores it, and so would this
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        time.sleep(rng.uniform(0.05, self.long * 1.05))
        children = workers_of(process.pid)
        whom = rng.choice(["parent", "worker", "workers", "all"])
        if not children:
            whom = "parent"
        what = rng.choice(SIGNALS)
        targets = {
            "parent": [process.pid],
            "worker": children[:1],
            "workers": children,
            "all": [*children, process.pid],
        }[whom]
        for pid in targets:
            try:
                os.kill(pid, what)
            except ProcessLookupError:
                pass
        code = process.wait()
        stage = "while workers ran" if children else "without workers"
        what_name = signal.Signals(what).name
        self.check(repo, code)
        outcome = "came to its end" if code == 0 else "aborted or died"
        self.seen[f"{what_name} to {whom} {stage}: {outcome}"] += 1
        shutil.rmtree(repo)

    def check(self, repo: pathlib.Path, code: int) -> None:
        if (repo / ".hg/store/journal").exists():
            self.stock("-R", str(repo), "recover", "-q")
            self.seen["(recovered)"] += 1
        verified = self.stock("-R", str(repo), "verify", "-q", check=False)
        assert verified.returncode == 0, verified
        left = store(repo)
        if code == 0:
            assert left == self.after, differences(left, self.after)
        elif left != self.after:  # killed after it was done
            assert left == self.before, differences(left, self.before)
        subprocess.run(self.ours(repo), env=self.env, check=True, capture_output=True)
        assert store(repo) == self.after


def differences(got: dict[str, str], wanted: dict[str, str]) -> list[str]:
    return [n for n in sorted({*got, *wanted}) if got.get(n) != wanted.get(n)][:10]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hg", required=True)
    parser.add_argument("--bundle", required=True, help="what is unbundled")
    parser.add_argument("--part", default="", help="a bundle that is there already")
    parser.add_argument("--work", required=True, help="a folder for the repositories")
    parser.add_argument("--times", type=int, default=100)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    kills = Kills(args)
    kills.prepare(args.part)
    for number in range(args.times):
        kills.once()
        if number % 20 == 19:
            print(f"{number + 1} of {args.times}", flush=True)
    for line, count in sorted(kills.seen.items()):
        print(f"{count:5d}  {line}")


if __name__ == "__main__":
    main()
