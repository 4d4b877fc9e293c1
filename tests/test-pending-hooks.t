Hooks see the transaction that is open, and others do not

  $ . "$TESTDIR/enable.sh"
  $ hg init repo
  $ cd repo
  $ echo zero > a
  $ hg commit -q -A -m zero

A hook that runs hg sees the changeset that is about to be committed

  $ cat >> .hg/hgrc <<END
  > [hooks]
  > pretxnclose = sh $TESTTMP/look.sh
  > END
  $ cat > "$TESTTMP/look.sh" <<END
  > echo "inside:"
  > hg log -T '  {rev} {desc}\n'
  > hg cat -r tip a | sed 's/^/  a: /'
  > echo "outside:"
  > env -u HG_PENDING hg log -T '  {rev} {desc}\n'
  > END

  $ echo one >> a
  $ hg commit -m one
  inside:
    1 one
    0 zero
    a: zero
    a: one
  outside:
    0 zero
  $ hg log -T '{rev} {desc}\n'
  1 one
  0 zero

The hook may refuse, after it has looked

  $ echo two >> a
  $ hg commit -m two --config hooks.pretxnclose.veto=false
  inside:
    2 two
    1 one
    0 zero
    a: zero
    a: one
    a: two
  outside:
    1 one
    0 zero
  transaction abort!
  rollback completed
  abort: pretxnclose.veto hook exited with status 1
  [40]
  $ hg log -T '{rev} {desc}\n'
  1 one
  0 zero
  $ hg verify -q

The same for changesets that come by pull, into a repository that was empty

  $ cd ..
  $ hg init other
  $ cat >> other/.hg/hgrc <<END
  > [hooks]
  > pretxnchangegroup = sh $TESTTMP/look.sh
  > END
  $ hg -R other pull -q repo
  inside:
    1 one
    0 zero
    a: zero
    a: one
  outside:
  $ hg -R other verify -q
  $ served
  served: changelog, filelog, manifest
