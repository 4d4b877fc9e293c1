A revlog that grows leaves its inline form, and comes back when that is undone

  $ . "$TESTDIR/enable.sh"
  $ cat >> "$HGRCPATH" <<END
  > [format]
  > revlog-compression = none
  > END
  $ hg init repo
  $ cd repo
  $ "$PYTHON" -c "print('x' * 100000)" > big
  $ hg commit -q -A -m inline
  $ f -s .hg/store/data/big.*
  .hg/store/data/big.i: size=100066

A transaction that splits it and then fails leaves the inline form

  $ "$PYTHON" -c "print('y' * 100000)" > big
  $ hg commit -m split --config hooks.pretxnclose=false
  transaction abort!
  rollback completed
  abort: pretxnclose hook exited with status 1
  [40]
  $ f -s .hg/store/data/big.*
  .hg/store/data/big.i: size=100066
  $ hg verify -q
  $ hg cat -r tip big | f -s
  size=100001

One that succeeds leaves an index and a data file

  $ hg commit -m split
  $ f -s .hg/store/data/big.*
  .hg/store/data/big.d: size=200004
  .hg/store/data/big.i: size=128
  $ hg verify -q
  $ hg cat -r 0 big | cut -c 1-3
  xxx
  $ hg cat -r 1 big | cut -c 1-3
  yyy

A rollback of it

  $ hg rollback -q --config ui.rollback=yes
  $ f -s .hg/store/data/big.*
  .hg/store/data/big.i: size=100066
  $ hg verify -q

The process that splits is killed, and hg recover puts things right

  $ hg commit -m split --config 'hooks.pretxnclose=kill -9 $PPID; sleep 1'
  *Killed* (glob) (?)
  [137]
  $ hg recover
  rolling back interrupted transaction
  (verify step skipped, run `hg verify` to check your repository content)
  $ f -s .hg/store/data/big.*
  .hg/store/data/big.i: size=100066
  $ hg verify -q
  $ hg commit -m 'split, at last'
  $ f -s .hg/store/data/big.*
  .hg/store/data/big.d: size=200004
  .hg/store/data/big.i: size=128
  $ hg cat -r tip big --config fastrevlog.enabled=no | cut -c 1-3
  yyy

  $ served
  served: changelog, filelog, manifest
