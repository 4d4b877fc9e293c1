hg verify with worker processes: Mercurial's words, in Mercurial's order

  $ . "$TESTDIR/enable.sh"
  $ processes() {
  >   wc -l < "$TESTTMP/report.jsonl" | sed 's/^ *//;s/$/ process(es)/'
  >   served
  > }

  $ hg init repo
  $ cd repo
  $ mkdir dir
  $ for i in 1 2 3 4 5 6 7 8 9; do echo $i > dir/f$i; done
  $ "$PYTHON" -c 'for i in range(90000): print(i * i % 99991)' > large
  $ hg commit -q -A -m first -d '0 0'
  $ for i in 1 3 5 7 9; do echo again >> dir/f$i; done
  $ echo end >> large
  $ hg copy dir/f1 copied
  $ hg commit -m second -d '1 0'
  $ rm -f "$TESTTMP/report.jsonl"

A small repository is not worth the processes

  $ hg verify
  checking changesets
  checking manifests
  crosschecking files in changesets and manifests
  checking files
  checking dirstate
  checked 2 changesets with 17 changes to 11 files
  $ processes
  1 process(es)
  served: changelog, filelog, manifest

Unless they are asked for

  $ cat >> "$HGRCPATH" <<NEXT
  > [fastrevlog]
  > workers = 3
  > NEXT
  $ hg verify
  checking changesets
  checking manifests
  crosschecking files in changesets and manifests
  checking files
  checking dirstate
  checked 2 changesets with 17 changes to 11 files
  $ processes
  4 process(es)
  served: changelog, filelog, manifest

  $ hg verify -q
  $ hg verify -v
  repository uses revlog format 1
  checking changesets
  checking manifests
  crosschecking files in changesets and manifests
  checking files
  checking dirstate
  checked 2 changesets with 17 changes to 11 files
  $ hg verify --debug --full --config progress.debug=yes | tail -n 13
  checking: copied 0/11 files (0.00%)
  checking: dir/f1 1/11 files (9.09%)
  checking: dir/f2 2/11 files (18.18%)
  checking: dir/f3 3/11 files (27.27%)
  checking: dir/f4 4/11 files (36.36%)
  checking: dir/f5 5/11 files (45.45%)
  checking: dir/f6 6/11 files (54.55%)
  checking: dir/f7 7/11 files (63.64%)
  checking: dir/f8 8/11 files (72.73%)
  checking: dir/f9 9/11 files (81.82%)
  checking: large 10/11 files (90.91%)
  checking dirstate
  checked 2 changesets with 17 changes to 11 files

Mercurial's setting for worker processes is respected, and so is the off switch

  $ rm -f "$TESTTMP/report.jsonl"
  $ hg verify -q --config worker.enabled=no
  $ processes
  1 process(es)
  served: changelog, filelog, manifest
  $ hg verify -q --config fastrevlog.enabled=no
  $ processes
  1 process(es)
  served: nothing

  $ hg verify --config fastrevlog.workers=-2
  config error: fastrevlog.workers is -2, expected 0 or more
  [30]

Damage of several kinds

  $ "$PYTHON" - <<NEXT
  > def damage(name, offset, data):
  >     with open('.hg/store/data/' + name, 'r+b') as f:
  >         f.seek(offset)
  >         f.write(data)
  > damage('large.d', 5000, b'\0' * 50)
  > damage('dir/f2.i', 32, b'1' * 20)
  > damage('dir/f4.i', 20, b'\0\0\0\1')
  > NEXT
  $ hg verify --config fastrevlog.enabled=no > ../expected 2>&1
  [1]
  $ rm -f "$TESTTMP/report.jsonl"
  $ hg verify > ../got 2>&1
  [1]
  $ cmp ../expected ../got
  $ processes
  4 process(es)
  served: changelog, filelog, manifest
  $ cat ../got
  checking changesets
  checking manifests
  crosschecking files in changesets and manifests
  checking files
   dir/f2@0: unpacking 313131313131: integrity check failed on dir/f2:0
   dir/f2@0: 313131313131 not in manifests
   dir/f2@0: manifest refers to unknown revision 5d9299349fc0
   dir/f4@?: rev 0 points to unexpected changeset 1
   (expected 0)
   large@0: unpacking *: * (glob)
   large@1: unpacking *: * (glob)
  not checking dirstate because of previous errors
  checked 2 changesets with 17 changes to 11 files
  1 warnings encountered!
  6 integrity errors encountered!
  (first damaged changeset appears to be 0)

A worker is lost: what it had to do is done again

  $ cat > ../fate.py <<NEXT
  > import os, signal
  > from mercurial import extensions
  > parent = os.getpid()
  > def extsetup(ui):
  >     import importlib
  >     package = extensions.find(b'fastrevlog').__name__
  >     filelogs = importlib.import_module(package + '.operations.verify.filelogs')
  >     def check(orig, self, path):
  >         if path == b'dir/f6' and os.getpid() != parent:
  >             os.kill(os.getpid(), signal.SIGKILL)
  >         return orig(self, path)
  >     extensions.wrapfunction(filelogs.FilelogChecker, 'check', check)
  > NEXT
  $ hg verify --config extensions.fate=../fate.py > ../got 2>&1
  [1]
  $ diff ../expected ../got | sed -n 's/^[<>] //p'
  warning: lost a worker process (killed by signal 9), checking its files again
  $ cd ..
