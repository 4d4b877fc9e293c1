Files are written into the working directory as Mercurial writes them

  $ . "$TESTDIR/enable.sh"
  $ cat >> $HGRCPATH << EOF
  > [ui]
  > timeout = 1
  > [worker]
  > enabled = no
  > [extensions]
  > who = $TESTTMP/who.py
  > EOF

Who writes the files? Asked for one command below, and for a clone

  $ cat > $TESTTMP/who.py << EOF
  > import os, sys
  > def uisetup(ui):
  >     def who():
  >         for name in ('mercurial.merge', 'mercurial.merge_utils.update'):
  >             function = getattr(sys.modules.get(name), 'batchget', None)
  >             if function is not None:
  >                 ui.write(b'%s\n' % function.__module__.encode())
  >     if os.environ.get('WHO'):
  >         ui.atexit(who)
  > EOF
  $ hg init repo
  $ cd repo
  $ mkdir -p d/e
  $ echo plain > d/plain
  $ echo '#!/bin/sh' > d/e/script
  $ chmod +x d/e/script
  $ printf '' > empty
  $ printf '\001\nlooks like metadata\n' > odd
  $ hg commit -qAm first
  $ hg mv d/plain d/moved
  $ hg commit -m moved
  $ hg update -q null
  $ ls
  $ umask 027
  $ WHO=1 hg update -q tip
  *fastrevlog.operations.update (glob)
  $ served
  served: changelog, filelog, manifest
  $ ls -l d/e/script d/moved empty odd | cut -c1-10
  -rwxr-x---
  -rw-r-----
  -rw-r-----
  -rw-r-----
  $ cat d/moved d/e/script
  plain
  #!/bin/sh
  $ hg status
  $ wc -c < odd | tr -d ' '
  22

What is in the way is seen, and kept

  $ hg update -q null
  $ echo mine > odd
  $ hg update tip
  odd: untracked file differs
  abort: untracked files in working directory differ from files in requested revision
  [20]
  $ cat odd
  mine
  $ hg update -q -C tip
  $ hg status

A folder that is a symlink is not written through

  $ hg update -q null
  $ mkdir ../outside
  $ ln -s ../outside d
  $ hg update tip
  abort: path 'd/e/script' traverses symbolic link 'd'
  [255]
  $ ls ../outside
  $ rm d
  $ hg update -q -C tip
  $ hg status

Nor is a folder that is another repository

  $ hg update -q null
  $ hg init d
  $ hg update tip
  abort: path 'd/e/script' is inside nested repo 'd'
  [255]
  $ rm -r d
  $ hg update -q -C tip

A folder that gives way to a symlink, and back, in one history

  $ hg rm -q d/moved d/e/script
  $ ln -s ../outside d
  $ hg add d
  $ hg commit -m 'd is a link'
  $ hg update -q 1
  $ test -L d
  [1]
  $ ls d
  e
  moved
  $ hg update -q tip
  $ test -L d
  $ ls ../outside
  $ hg update -q null
  $ hg update -q tip
  $ test -L d
  $ hg verify -q

A manifest with a symlink and a file below it does not write through the symlink,
and says what it says without fastrevlog

  $ hg init ../hell
  $ cd ../hell
  $ ln -s ../outside a
  $ echo x > x
  $ hg commit -qAm 'symlink a'
  $ hg rm a
  $ mkdir a
  $ touch a/b
  $ hg commit -qAm 'file a/b' a/b
  $ hg manifest -r 1
  a
  a/b
  x
  $ rm -rf a
  $ hg update -qC null
  $ hg update 1
  abort: path 'a/b' traverses symbolic link 'a'
  [255]
  $ ls ../outside
  $ cd ../repo

A revision that is censored, and one whose text is damaged, are for Mercurial to
tell about, whoever reads the others

  $ hg init ../odd
  $ cd ../odd
  $ for name in a b c; do echo $name > $name; done
  $ hg commit -qAm first
  $ echo secret > b
  $ hg commit -m second
  $ echo public > b
  $ hg commit -m third
  $ hg --config extensions.censor= censor -q -r 1 b
  $ hg update -q null
  $ hg update -q 1
  abort: censored node: d2f2d9449f81
  (set censor.policy to ignore errors)
  [255]
  $ hg update -q -C null
  $ hg update -q 1 --config censor.policy=ignore
  $ wc -c < b | tr -d ' '
  0
  $ hg update -q -C null
  $ cp .hg/store/data/c.i c.i.kept
  $ "$PYTHON" - << EOF
  > with open('.hg/store/data/c.i', 'r+b') as f:
  >     f.seek(-2, 2)
  >     f.write(b'X')
  > EOF
  $ hg update -q tip
  abort: integrity check failed on c:0
  [50]
  $ cp c.i.kept .hg/store/data/c.i
  $ hg update -q -C null
  $ rm c.i.kept
  $ hg update -q tip
  $ cat a b c
  a
  public
  c
  $ served
  served: changelog, filelog, manifest
  $ cd ../repo

The same by workers

  $ hg update -q null
  $ hg update -q 1 --config worker.enabled=yes --config worker.numcpus=3 \
  >   --config worker.backgroundclose=no
  $ hg status
  $ cat d/moved
  plain
  $ WHO=1 hg clone -q . ../cloned
  *fastrevlog.operations.update (glob)
  $ hg -R ../cloned status
  $ served
  served: changelog, filelog, manifest
