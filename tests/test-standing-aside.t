Under a Mercurial that it does not know, fastrevlog stands aside

  $ cat > strange.py <<NEXT
  > # Make this Mercurial one that fastrevlog does not know. The name of the way
  > # in which it is strange comes from the environment.
  > import os, sys
  > from mercurial import revlog, util
  > from mercurial.revlogutils import flagutil
  > way = os.environ.get('STRANGE')
  > outer, inner = revlog.revlog, revlog._InnerRevlog
  > if way == 'renamed':
  >     load = outer._load_inner
  >     def load_inner(self, index, chunk_cache, extra=None):
  >         return load(self, index, chunk_cache)
  >     outer._load_inner = load_inner
  > elif way == 'other arguments':
  >     outer._new_name = outer._loadindex
  >     def _loadindex(self, *args, **kwargs):
  >         return self._new_name(*args, **kwargs)
  >     outer._loadindex = _loadindex
  > elif way == 'more':
  >     inner.something_new = lambda self: None
  > elif way == 'no parsers':
  >     from mercurial import scmutil
  >     del scmutil.parsers
  > elif way == 'other verifier':
  >     from mercurial import verify
  >     verify.verifier._checkchangelog = verify.verifier._verifychangelog
  >     del verify.verifier._verifychangelog
  >     verify.verifier.verify.__code__ = verify.verifier.verify.__code__.replace(
  >         co_names=tuple(
  >             '_checkchangelog' if name == '_verifychangelog' else name
  >             for name in verify.verifier.verify.__code__.co_names
  >         )
  >     )
  > elif way and way.startswith('broken'):
  >     for package in ('hgext_fastrevlog', 'hgext3rd.fastrevlog'):
  >         sys.modules['%s.%s' % (package, way.split()[1])] = None
  > elif way and way.startswith('version'):
  >     util.version = lambda: way.split()[1].encode()
  > NEXT
  $ cat >> "$HGRCPATH" <<NEXT
  > [extensions]
  > strange = $TESTTMP/strange.py
  > NEXT
  $ . "$TESTDIR/enable.sh"

  $ hg init repo
  $ cd repo
  $ for i in 0 1 2 3; do
  >   seq $i 40 > a; hg commit -q -A -m "$i"
  > done
  $ hg log -p > ../expected
  $ served
  served: changelog, filelog, manifest
  $ try() {
  >   STRANGE="$*" hg log -p > ../got && cmp ../expected ../got
  >   served
  >   STRANGE="$*" hg log -r tip -T '{desc}\n' --debug | grep -v '^3'
  >   STRANGE="$*" hg verify -q
  >   STRANGE="$*" hg debug::fastrevlog | head -n 1
  >   rm -f "$TESTTMP/report.jsonl"
  > }

Functions with other arguments, or an inner revlog that can do more

  $ try renamed
  served: nothing
  fastrevlog: stands aside: unknown Mercurial: revlog._load_inner
  fastrevlog * is off, because it stands aside: unknown Mercurial: revlog._load_inner (glob)
  $ try other arguments
  served: nothing
  fastrevlog: stands aside: unknown Mercurial: revlog._loadindex
  fastrevlog * is off, because it stands aside: unknown Mercurial: revlog._loadindex (glob)
  $ try more
  served: nothing
  fastrevlog: stands aside: unknown Mercurial: _InnerRevlog.something_new
  fastrevlog * is off, because it stands aside: unknown Mercurial: _InnerRevlog.something_new (glob)

Something that we replace is missing: the rest is served

  $ try no parsers
  served: changelog, filelog, manifest
  fastrevlog * is on for this repository (glob)

Modules of ours that cannot be imported, because of what they import

  $ try broken install
  served: nothing
  fastrevlog: stands aside: ModuleNotFoundError: import of *.install halted; None in sys.modules (glob)
  fastrevlog * is off, because it stands aside: ModuleNotFoundError: import of *.install halted; None in sys.modules (glob)
  $ try broken eligibility
  served: nothing
  fastrevlog: stands aside: ModuleNotFoundError: import of *.eligibility halted; None in sys.modules (glob)
  fastrevlog * is off, because it stands aside: ModuleNotFoundError: import of *.eligibility halted; None in sys.modules (glob)
  $ try broken engine.inner
  served: nothing
  fastrevlog: stands aside: ModuleNotFoundError: import of *.engine.inner halted; None in sys.modules (glob)
  fastrevlog * is off, because it stands aside: ModuleNotFoundError: import of *.engine.inner halted; None in sys.modules (glob)
  $ try broken debug.commands
  served: nothing
  fastrevlog: stands aside: ModuleNotFoundError: import of *.debug.commands halted; None in sys.modules (glob)
  hg: unknown command 'debug::fastrevlog'
  (did you mean one of *) (glob)

A verifier that is put together in another way, and parts of ours that are not there
when they are needed: the rest is served

  $ try other verifier
  served: changelog, filelog, manifest
  fastrevlog * is on for this repository (glob)
  $ try broken operations.verify.wrap
  served: changelog, filelog, manifest
  fastrevlog * is on for this repository (glob)
  $ try broken workers.pool
  served: changelog, filelog, manifest
  fastrevlog * is on for this repository (glob)

It is looked at, not asked for its version

  $ try version 9.9
  served: changelog, filelog, manifest
  fastrevlog * is on for this repository (glob)
  $ try version 6.9
  (third party extension fastrevlog requires version 7.0 or newer of Mercurial (current: 6.9); disabling)
  served: nothing
  (third party extension fastrevlog requires version 7.0 or newer of Mercurial (current: 6.9); disabling)
  (third party extension fastrevlog requires version 7.0 or newer of Mercurial (current: 6.9); disabling)
  (third party extension fastrevlog requires version 7.0 or newer of Mercurial (current: 6.9); disabling)
  hg: unknown command 'debug::fastrevlog'
  (did you mean one of *) (glob)
