# Runs hg commands in forks of a process that has Mercurial loaded already.
# SPDX-License-Identifier: GPL-2.0-or-later
"""A process start-up saver for tests that run a thousand hg commands.

Goals: one command costs a fork, not an interpreter start and the import of
Mercurial; and still every command has a process of its own, with its own
working directory, environment, standard streams, limits, exit code, `atexit`.

Protocol: one JSON object a line on standard input (`args`, `cwd`, `env`,
`stdin`, `stdout`, `stderr`: file names; `memory`: bytes or null; `humble`: whether
root's power over file permissions is given up), answered by two lines on standard
output, the child's process id when it runs and `{"status": code}` when it ended.

With `memory`, `humble` and `stays` as JSON for its argument, commands are run by this
very process, one after another, and all of them within these limits: for stock
Mercurial alone, which keeps no repository between them. That saves another half, the
copies of the memory that a fork writes to. Extensions stay loaded, too: where one was
that is not in the list `stays`, the answer says `spent`, and there has to be another
process for the next command.

With `--listen` and the name of a socket, commands come from `warmhg.py`, each with its
streams, and run at the same time: for what starts hg by itself.

Warnings: run with the Python of the Mercurial under test; POSIX only.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import json
import marshal
import os
import select
import signal
import socket
import sys
import threading
import traceback
import types
from importlib.machinery import SourceFileLoader
from typing import Any

# What nearly every command imports, so that the forks share it. Which of them
# exist depends on the Mercurial; a missing one costs time, nothing else.
PRELOADED = """
ancestor bookmarks branching.rev_cache branchmap bundle2 bundlecaches bundlerepo
cacheutil cext.base85 cext.bdiff cext.mpatch cext.osutil cext.parsers changegroup
changelog cmd_impls.bundle cmd_impls.clone cmd_impls.incoming cmd_impls.outgoing cmdutil
color commands commit config configuration.rcutil context copies crecord dagop
debugcommands diffutil dirstate dirstateutils.timestamp discovery dispatch encoding
exchange exchanges.bundle_cache extensions exthelper fancyopts filelog filemerge fileset
formatter graphmod hg hook httppeer localrepo lock logcmdutil main_script.cmd_finder
main_script.options main_script.paths manifest match mdiff merge merge_utils.diff
merge_utils.update mergestate mergeutil metadata namespaces node obsolete patch pathutil
phases profiling progress pushkey pvec rcutil registrar repair repo.creation
repo.vfs_options repoview revlog revlogutils.concurrency_checker revlogutils.config
revlogutils.debug revlogutils.deltas revlogutils.flagutil revlogutils.nodemap
revlogutils.randomaccessfile revlogutils.rewrite revlogutils.sidedata revset revsetlang
rewriteutil scmutil setdiscovery similar simplemerge smartset sparse sshpeer sslutil
statprof store streamclone strip subrepo tags templatefilters templatefuncs templatekw
templater testing transaction txnutil ui unionrepo upgrade upgrade_utils.actions
upgrade_utils.engine url util utils.compression utils.dag_util utils.dateutil
utils.docket utils.storageutil utils.stringutil verify vfs wireprotov1peer
wireprotov1server worker
""".split()


def preload() -> None:
    """Import Mercurial the way its own script would end up with it.

    Modules that are not named wait for their first use, as they do there: fastrevlog
    tells from some whether a process is a server.
    """
    import hgdemandimport

    hgdemandimport.enable()
    names = ["mercurial." + name for name in PRELOADED]
    names += ["hgext." + name for name in ("rebase", "share", "strip", "uncommit")]
    names += ["calendar", "mmap", "pdb"]
    for name in names:
        try:
            _ = importlib.import_module(name).__doc__  # that is the first use
        except ImportError:
            pass


def keep_code(folder: str) -> None:
    """Read the compiled modules below `folder`, for the forks that import them.

    That saves them the finding and reading of 64 files.
    """
    kept: dict[tuple[str, int, int], Any] = {}
    read = SourceFileLoader.get_code

    def key(path: str) -> tuple[str, int, int]:
        status = os.stat(path)
        return path, status.st_mtime_ns, status.st_size

    def get_code(self: SourceFileLoader, fullname: str) -> Any:
        found = kept.get(key(self.path))
        return read(self, fullname) if found is None else found

    for where, _, names in os.walk(folder):
        for name in names:
            if name.endswith(".py"):
                path = os.path.join(where, name)
                kept[key(path)] = read(SourceFileLoader("kept", path), "kept")
    SourceFileLoader.get_code = get_code  # type: ignore[method-assign, assignment]


def load_extension(folder: str) -> None:
    """Load the modules of the extension in `folder`, all but its front door.

    Under the names that they have when a configuration names the folder. Each command
    loads the front door itself, and puts in place what the modules define. They change
    nothing while they are loaded; some look at what Mercurial has, before other
    extensions are loaded, where in a real start it is after. That saves a third of the
    time of a command.
    """
    name = "hgext_" + os.path.basename(folder)
    package = sys.modules[name] = types.ModuleType(name)
    package.__path__ = [folder]
    for where, _, files in os.walk(folder):
        for file in sorted(files):
            inside = os.path.relpath(os.path.join(where, file), folder)
            if not inside.endswith(".py") or file == "__init__.py":
                continue
            full = ".".join([name, *inside[:-3].split(os.sep)])
            _ = importlib.import_module(full).__doc__
    del sys.modules[name]


def restrict(memory: int | None, humble: bool) -> None:
    """Limit this process's address space, in bytes, and root's power over modes."""
    if memory:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    if humble and not os.geteuid():
        import ctypes

        libc = ctypes.CDLL(None, use_errno=True)
        # Without CAP_DAC_OVERRIDE (1) and CAP_DAC_READ_SEARCH (2) root is a user
        # like others; out of the bounding set, they do not come back with exec.
        for capability in (1, 2):
            libc.prctl(24, capability, 0, 0, 0)  # PR_CAPBSET_DROP
        header = (ctypes.c_uint32 * 2)(0x20080522, 0)
        if libc.capset(header, (ctypes.c_uint32 * 6)()):
            raise OSError(ctypes.get_errno(), "capset")


def become(job: dict[str, Any]) -> None:
    """Turn this fork into the hg process that `job` describes."""
    os.chdir(job["cwd"])
    os.environ.clear()
    os.environ.update(job["env"])
    if job.get("streams") != "given":
        redirect(job)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # A process group of its own, so that a time-out takes its children along.
    os.setpgid(0, 0)
    restrict(job.get("memory"), job.get("humble", False))

    from mercurial import pycompat

    sys.argv = ["hg"] + job["args"]
    pycompat.sysargv = [os.fsencode(arg) for arg in sys.argv]


def redirect(job: dict[str, Any]) -> None:
    """Open the standard streams that `job` names."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    for fd, name, mode in (
        (0, job["stdin"], os.O_RDONLY),
        (1, job["stdout"], flags),
        (2, job["stderr"], flags),
    ):
        opened = os.open(name, mode, 0o666)
        os.dup2(opened, fd)
        os.close(opened)


def run_and_exit() -> None:
    """Run the command in `sys.argv`, and end as an interpreter does, but sooner.

    What is left out is freeing the memory shared with the parent: touching all of
    it costs more than the command.
    """
    from mercurial import dispatch

    status = 1
    try:
        dispatch.run()
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 1
    except BaseException:
        traceback.print_exc()
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    gc.collect()  # what only finalizers clean up
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def run_here(job: dict[str, Any]) -> int:
    """Run the command that `job` describes in this process; its exit code."""
    from mercurial import dispatch

    try:
        from mercurial.main_script import request  # since 7.2
    except ImportError:
        from mercurial.dispatch import request

    os.chdir(job["cwd"])
    os.environ.clear()
    os.environ.update(job["env"])
    redirect(job)
    try:
        status = dispatch.dispatch(request([os.fsencode(arg) for arg in job["args"]]))
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 1
    except KeyboardInterrupt:
        status = -1
    except BaseException:
        traceback.print_exc()
        status = 1
    gc.collect()  # what the end of a process cleans up
    sys.stdout.flush()
    sys.stderr.flush()
    return int(status) & 255


def listen(name: str) -> None:
    """Serve `warmhg.py` for as long as standard input is open."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(name)
    listener.listen(99)
    waking, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    signal.set_wakeup_fd(wake)
    running: dict[int, socket.socket] = {}
    while True:
        ready = select.select([0, listener.fileno(), waking], [], [])[0]
        if 0 in ready:
            return
        if waking in ready:
            os.read(waking, 4096)
            for pid in list(running):
                ended, waited = os.waitpid(pid, os.WNOHANG)
                if ended:
                    with running.pop(pid) as client, contextlib.suppress(OSError):
                        client.sendall(b"%d" % os.waitstatus_to_exitcode(waited))
        if listener.fileno() in ready:
            client, _ = listener.accept()
            data, fds, _, _ = socket.recv_fds(client, 1 << 20, 3)
            while len(data) < 4 or len(data) < 4 + int.from_bytes(data[:4], "big"):
                data += client.recv(1 << 20)
            pid = os.fork()
            if not pid:
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                for one in (listener, client, *running.values()):
                    one.close()
                for number, fd in enumerate(fds):
                    os.dup2(fd, number)
                    os.close(fd)
                job = marshal.loads(data[4:])
                os.umask(job["umask"])
                become({**job, "streams": "given"})
                run_and_exit()
            for fd in fds:
                os.close(fd)
            running[pid] = client


def main() -> None:
    if sys.argv[1] == "--listen":
        PRELOADED.remove("verify")  # .t files look at what waits for it
        preload()
        keep_code(sys.argv[3])
        gc.collect()
        gc.freeze()
        listen(sys.argv[2])
        return
    stays = sys.argv[1].startswith("{")
    preload()
    if stays:
        from mercurial import dispatch, extensions

        dispatch.initstdio()
        limits = json.loads(sys.argv[1])
        expected = set(map(os.fsencode, limits["stays"]))
        restrict(limits["memory"], limits["humble"])
    else:
        keep_code(sys.argv[1])
        load_extension(sys.argv[1])
    gc.collect()
    gc.freeze()
    # The protocol's own streams move out of the way of the children's.
    requests = os.fdopen(os.dup(0), "r", encoding="utf-8")
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(2, 1)
    for line in iter(requests.readline, ""):
        job = json.loads(line)
        if stays:
            answers.write(json.dumps({"pid": os.getpid()}) + "\n")
            answers.flush()
            status = run_here(job)
            spent = not extensions._extensions.keys() <= expected
            answer = {"status": status, "spent": spent}
            answers.write(json.dumps(answer) + "\n")
            answers.flush()
            continue
        pid = os.fork()
        if not pid:
            os.close(requests.fileno())
            os.close(answers.fileno())
            become(job)
            run_and_exit()
        answers.write(json.dumps({"pid": pid}) + "\n")
        answers.flush()
        _, waited = os.waitpid(pid, 0)
        if os.WIFSIGNALED(waited):
            status = -os.WTERMSIG(waited)
        else:
            status = os.WEXITSTATUS(waited)
        answers.write(json.dumps({"status": status}) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
