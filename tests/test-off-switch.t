Switching fastrevlog off and on, and taking it away, at any time

  $ . "$TESTDIR/enable.sh"
  $ cat >> "$HGRCPATH" <<END
  > [extensions]
  > strip =
  > END
  $ off() {
  >   hg "$@" --config fastrevlog.enabled=no
  > }
  $ gone() {
  >   hg "$@" --config 'extensions.fastrevlog=!'
  > }

  $ hg init repo
  $ cd repo
  $ echo one > a
  $ hg commit -q -A -m one
  $ served
  served: changelog, filelog, manifest

Off for one command

  $ echo two >> a
  $ off commit -m two
  $ served
  served: nothing

On again, with what the other has written

  $ echo three >> a
  $ hg commit -m three
  $ hg cat -r 1 a
  one
  two
  $ served
  served: changelog, filelog, manifest

Not loaded at all: what fastrevlog has written is an ordinary repository

  $ gone verify
  checking changesets
  checking manifests
  crosschecking files in changesets and manifests
  checking files
  checking dirstate
  checked 3 changesets with 3 changes to 1 files
  $ gone log -T '{rev} {desc}\n'
  2 three
  1 two
  0 one
  $ gone strip -q -r 2 --no-backup
  $ hg log -T '{rev} {desc}\n'
  1 two
  0 one
  $ cat .hg/requires .hg/store/requires | grep -i fast
  [1]
  $ served
  served: changelog

Off in the repository's own configuration

  $ cat >> .hg/hgrc <<END
  > [fastrevlog]
  > enabled = no
  > END
  $ hg verify -q
  $ hg cat a
  one
  two
  $ served
  served: nothing

and on again from the command line

  $ hg cat a --config fastrevlog.enabled=yes
  one
  two
  $ served
  served: changelog, filelog, manifest

A repository that is off and one that is on, in one process

  $ cd ..
  $ hg init on
  $ hg -R on pull -q repo
  $ hg -R on verify -q
  $ hg -R repo verify -q
  $ served
  served: changelog, filelog, manifest
  refused: setting: fastrevlog.enabled
