An ordinary repository is served, reading and writing

  $ . "$TESTDIR/enable.sh"
  $ hg init repo
  $ cd repo
  $ echo one > a
  $ hg add a
  $ hg commit -m first
  $ served
  served: changelog, filelog, manifest

  $ echo two >> a
  $ hg commit -m second
  $ hg log -p -T '{rev} {desc}\n'
  1 second
  diff -r * -r * a (glob)
  --- a/a	Thu Jan 01 00:00:00 1970 +0000
  +++ b/a	Thu Jan 01 00:00:00 1970 +0000
  @@ -1,1 +1,2 @@
   one
  +two
  
  0 first
  diff -r 000000000000 -r * a (glob)
  --- /dev/null	Thu Jan 01 00:00:00 1970 +0000
  +++ b/a	Thu Jan 01 00:00:00 1970 +0000
  @@ -0,0 +1,1 @@
  +one
  
  $ hg verify -q
  $ served
  served: changelog, filelog, manifest

Switched off for one command, it serves nothing

  $ hg cat a --config fastrevlog.enabled=no
  one
  two
  $ served
  served: nothing
