Help says what it does, what it refuses, and every setting with its default

  $ . "$TESTDIR/enable.sh"
  $ hg help -e fastrevlog | head -n 2
  fastrevlog extension - reading history made faster, for plain installations of
  Mercurial
  $ hg help -e fastrevlog > help
  $ for setting in enabled cache-memory check workers over-rust report; do
  >   grep -A 12 "^\"$setting\"" help | grep -m 1 -o 'default: [^)]*'
  > done
  default: yes
  default: by
  default: "fast"
  default: 0
  default: no
  default: none
  $ grep -e 'hg debug::' -e 'hg perf::' -e 'enabled=no' help
    hg debug::fastrevlog
    hg perf::fastrevlog
    hg COMMAND --config fastrevlog.enabled=no
  7.2). "hg debug::fastrevlog" names the reason.
  $ tail -n 5 help
  
   perf::fastrevlog
                 measure what fastrevlog does for this repository
  
  (use 'hg help -v fastrevlog' to show built-in aliases and global options)

Every setting that is registered is in the help, and the other way round

  $ cat > names.py <<NEXT
  > from mercurial import extensions
  > def reposetup(ui, repo):
  >     table = extensions.find(b'fastrevlog').configtable[b'fastrevlog']
  >     for name in sorted(table):
  >         ui.write(b'%s\n' % name)
  > NEXT
  $ hg init repo
  $ hg -R repo root --config extensions.names=names.py | grep -v / > registered
  $ sed -n 's/^"\([a-z-]*\)"$/\1/p' help | sort > documented
  $ diff registered documented
  $ cat registered
  cache-memory
  check
  enabled
  over-rust
  report
  verify-check
  workers
  workers-for-clients

The commands

  $ hg help debug::fastrevlog
  hg debug::fastrevlog [-a] [-l NUM] [-T TEMPLATE]
  
  is fastrevlog on here, for what, and if not why
  
  Opens the changelog, the manifest and the history of every file of tip, and
  tells how many of them fastrevlog serves, and why it leaves others to
  Mercurial. Then shows the settings in force, the caches, and the versions of
  all that is involved: what a report of a problem needs, in one paste. Where
  something is off, the last line says what to do next.
  
  Returns 0 if fastrevlog is on, 1 if it is off.
  
  options:
  
   -a --all               look at the whole store, not only at tip's files
   -l --limit NUM         look at no more than this many file logs
   -T --template TEMPLATE display with template
  
  (some details hidden, use --verbose to show complete help)
  $ hg help perf::fastrevlog
  hg perf::fastrevlog [-s NUM] [-T TEMPLATE]
  
  measure what fastrevlog does for this repository
  
  Reads history with Mercurial's own code and with fastrevlog by turns, always
  with empty caches, and shows the median times, how many times as fast
  fastrevlog is, and by how much runs of the same work differed (spread: the
  slowest less the fastest, of the median). Nothing is changed, and what both
  read is compared. On a terminal the ratios are drawn as bars.
  
  The last column says how much of fastrevlog's time was unavoidable: what
  decompression, patching and SHA-1 alone take for these texts, on data in
  memory, in the best order. Only in ascending order could 100% be reached.
  
  The rows are texts of the changelog, of the manifest and of the file with most
  revisions, in random order and in walks through the newest ones; and the file
  logs of the files at tip, opened, and opened and read. Whole commands do more
  than read, so they gain less.
  
  Returns 0 on success, 1 if anything read was not the same.
  
  options:
  
   -s --seconds NUM       about how long to measure (default: 30)
   -T --template TEMPLATE display with template
  
  (some details hidden, use --verbose to show complete help)
