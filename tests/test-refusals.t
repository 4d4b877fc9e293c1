#require serve

What fastrevlog does not serve is left to Mercurial, and says why

  $ . "$TESTDIR/enable.sh"
  $ cat >> "$HGRCPATH" <<END
  > [extensions]
  > strip =
  > END
  $ history() {
  >   for i in 1 2 3; do
  >     echo $i >> $1/a
  >     hg -R $1 commit -q -A -m "r$i" $1/a
  >   done
  >   hg -R $1 verify -q
  >   hg -R $1 log -T '{rev} {desc}\n' -p > $1.log
  > }

An ordinary one, to compare with

  $ hg init plain
  $ history plain
  $ served
  served: changelog, filelog, manifest

Revlogs of version 0

  $ hg init v0 --config format.use-share-safe=no
  $ grep -v 'revlogv1\|generaldelta\|sparserevlog\|delta-info' v0/.hg/requires > kept
  $ cp kept v0/.hg/requires
  $ history v0 2> /dev/null
  $ served
  served: nothing
  refused: format: revlog v0

A repository on a plain web server

  $ "$PYTHON" "$RUNTESTDIR/dumbhttp.py" -p $HGPORT --pid dumb.pid 2> /dev/null
  $ cat dumb.pid >> $DAEMON_PIDS
  $ hg clone -q static-http://localhost:$HGPORT/plain static
  $ hg -R static log -T '{rev} {desc}\n' -p > static.log
  $ served
  served: changelog, filelog, manifest
  refused: vfs: asks for no native access (static-http)

A bundle on top of a repository

  $ hg -R plain bundle -q --base 0 -r tip more.hg
  $ hg clone -q -r 0 plain half
  $ served
  served: changelog, filelog, manifest
  $ hg -R bundle:half+more.hg log -T '{rev} {desc}\n' -p > bundle.log
  $ served
  served: filelog, manifest
  refused: class: mercurial.bundlerepo.bundlemanifest
  refused: class: mercurial.bundlerepo.bundlerevlog

Two repositories seen as one

  $ hg -R union:half+plain log -T '{rev} {desc}\n' -p > union.log
  $ served
  served: changelog, filelog, manifest
  refused: class: mercurial.unionrepo.unionchangelog
  refused: class: mercurial.unionrepo.unionmanifest
  refused: class: mercurial.unionrepo.unionrevlog

What they say is what the ordinary repository says

  $ for each in v0 static bundle union; do
  >   cmp plain.log $each.log
  > done
