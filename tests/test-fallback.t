Trouble inside fastrevlog while reading costs the user time, and nothing else

  $ . "$TESTDIR/enable.sh"
  $ cat >> "$HGRCPATH" <<NEXT
  > [extensions]
  > trouble = $TESTDIR/trouble.py
  > strip =
  > NEXT
  $ internal_errors() {
  >   grep -q '"internal_errors"' "$TESTTMP/report.jsonl" && echo 'there were internal errors'
  >   served
  > }

  $ hg init repo
  $ cd repo
  $ for i in 0 1 2 3 4 5 6; do
  >   seq $i 400 > a; seq 1 5 > b; echo $i >> b
  >   hg commit -q -A -m "$i" -d "$i 0"
  > done
  $ hg log -p --git --config fastrevlog.enabled=no > ../expected
  $ served
  served: changelog, filelog, manifest

One file log cannot be restored: Mercurial reads it, and the user is told once

  $ export TROUBLE='engine.texts Restorer.raw_text TypeError data/a'
  $ hg log -p --git > ../got
  warning: fastrevlog failed to read data/a.i (TypeError: oh no); Mercurial's own code reads it instead
  (what you get is right; please report this with the output of 'hg debug::fastrevlog': *) (glob)
  $ cmp ../expected ../got
  $ internal_errors
  there were internal errors
  served: changelog, filelog, manifest
  $ hg log -p --git > ../got --traceback 2>&1
  $ grep '^[A-Z][A-Za-z]*Error' ../got
  TypeError: oh

Switched off, nobody notices

  $ hg log -p --git --config fastrevlog.enabled=no > ../got
  $ cmp ../expected ../got

Nothing at all can be restored. Writing needs to read what was just written.

  $ cd ..
  $ cp -R repo other
  $ work() {
  >   cd $1
  >   seq 2 401 > a; hg commit -m more -d '7 0'
  >   seq 3 402 > a; hg commit --amend -m amended -d '8 0'
  >   hg update -q -C 3; echo x >> b; hg commit -q -m branched -d '9 0'
  >   hg merge -q --tool :other; hg commit -m merged -d '10 0'
  >   hg bundle -q --all ../$1.hg; hg init ../from-$1
  >   hg unbundle -q -R ../from-$1 ../$1.hg
  >   hg verify -q
  >   hg strip -q -r . --no-backup
  >   hg log -p --git
  >   cd ..
  > }
  $ export TROUBLE='engine.texts Restorer.chunks KeyError'
  $ (work repo 2> told | sed 's/repo/REPO/' > got)
  $ grep '^warning' told | sort -u
  warning: fastrevlog failed to read 00manifest.i (KeyError: 'oh\nno'); Mercurial's own code reads it instead
  warning: fastrevlog failed to read data/a.i (KeyError: 'oh\nno'); Mercurial's own code reads it instead
  warning: fastrevlog failed to read data/b.i (KeyError: 'oh\nno'); Mercurial's own code reads it instead
  $ internal_errors
  there were internal errors
  served: changelog, filelog, manifest
  $ unset TROUBLE
  $ (work other | sed 's/other/REPO/' > expected)
  $ cmp expected got
  $ diff -r other/.hg/store repo/.hg/store
  $ diff -r from-other/.hg/store from-repo/.hg/store

Revlogs cannot even be opened

  $ cd repo
  $ hg log -p --git > ../expected
  $ export TROUBLE='eligibility revlog_refusal ZeroDivisionError'
  $ served
  served: changelog, filelog, manifest
  $ hg log -p --git > ../got
  warning: fastrevlog failed to read 00changelog.i (ZeroDivisionError: oh no); Mercurial's own code reads it instead
  (what you get is right; please report this with the output of 'hg debug::fastrevlog': *) (glob)
  $ cmp ../expected ../got
  $ internal_errors
  there were internal errors
  served: nothing
  refused: internal error
  $ export TROUBLE='outer.templates Template.open AttributeError'
  $ hg log -p --git > ../got
  warning: fastrevlog failed to read data/?.i (AttributeError: oh no); Mercurial's own code reads it instead (glob)
  (what you get is right; please report this with the output of 'hg debug::fastrevlog': *) (glob)
  $ cmp ../expected ../got
  $ internal_errors
  there were internal errors
  served: changelog, filelog, manifest

A damaged repository, of which Mercurial is asked first, a full memory and an impatient
user are no trouble of ours

  $ export TROUBLE='engine.texts Restorer.raw_text RevlogError data/a'
  $ hg cat a | tail -n 1
  400
  $ export TROUBLE='engine.texts Restorer.raw_text MemoryError data/a'
  $ hg cat a
  abort: out of memory
  [255]
  $ export TROUBLE='engine.texts Restorer.raw_text KeyboardInterrupt data/a'
  $ hg cat a
  interrupted!
  [255]
  $ internal_errors
  served: changelog, filelog, manifest
  refused: damage: read by Mercurial

Damage is an error, also where Mercurial's own code trips over it

  $ unset TROUBLE
  $ cd ../other
  $ "$PYTHON" - <<NEXT
  > # the first parent of the file's second revision: far out of range
  > with open('.hg/store/data/b.i', 'r+b') as f:
  >     first = int.from_bytes(f.read(64)[8:12], 'big')
  >     f.seek(64 + first + 24)
  >     f.write(b'\0\0\xff\0')
  > NEXT
  $ hg cat -r 1 b --config fastrevlog.enabled=no 2>&1 | tail -n 1
  IndexError: revlog index out of range
  $ hg cat -r 1 b > ../got 2>&1
  [50]
  $ tail -n 1 ../got
  abort: index of data/b.i is corrupted at revision 1: a parent is out of range
  $ grep 'fastrevlog failed' ../got
  [1]
