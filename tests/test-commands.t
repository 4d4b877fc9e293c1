What the user can ask: debug::fastrevlog and perf::fastrevlog

  $ . "$TESTDIR/enable.sh"
  $ hg init repo
  $ cd repo
  $ mkdir d
  $ for i in 0 1 2 3; do
  >   seq $i 40 > a; echo $i >> d/b; echo $i > c$i
  >   hg commit -q -A -m "$i" -d "$i 0"
  > done
  $ hg remove -q c0; hg commit -m 'one less'

Is it on, and for what?

  $ hg debug::fastrevlog
  fastrevlog * is on for this repository (glob)
  revlogs served, of those that were opened:
    changelog           1 of 1
    manifests           1 of 1
    file logs           5 of 5
  settings:
    enabled             yes
    cache-memory        67108864  (by usage.resources.memory)
    check               fast
    verify-check        collision-detection
    workers             0
    workers-for-clients no
    over-rust           no
    report              $TESTTMP/report.jsonl  (*:*) (glob)
  caches of this process:
    * of 64.0 MB used, * entries evicted (glob)
    texts: * from a cache, * restored (glob)
    chunks: * from a cache, * read (glob)
  versions:
    mercurial           7.* (glob)
    mercurial-api       7.* (glob)
    mercurial-modules   * (glob)
    mercurial-rust      no
    extensions          fastrevlog
    python              CPython 3.* (glob)
    zstd                * (glob)
    zstandard-package   * (glob)
    zlib                * (glob)
    sha1                * (glob)
    platform            * (glob)
    cores               * of * (glob)
    workers             * (glob)
    encoding            ascii
  repository:
    changesets          5
    requirements        *revlogv1* (glob)
    history             * (glob)
  $ hg debug::fastrevlog --all | grep 'file logs'
    file logs           6 of 6
  $ hg debug::fastrevlog --limit 2 | grep 'file logs'
    file logs           2 of 2
  $ hg debug::fastrevlog --limit x
  abort: limit must be a positive integer
  [10]
  $ served
  served: changelog, filelog, manifest

Templates and JSON

  $ hg debug::fastrevlog -T '{if(on, "on")}: {kinds % "{kind} {served}/{opened}, "}{refused % "{reason}"}\n'
  on: changelog 1/1, manifest 1/1, filelog 5/5, 
  $ hg debug::fastrevlog -T '{settings % "{name}={value} "}\n'
  enabled=yes cache-memory=67108864 check=fast verify-check=collision-detection workers=0 workers-for-clients=no over-rust=no report=$TESTTMP/report.jsonl 
  $ hg debug::fastrevlog -T json > ../status.json
  $ cat > ../show.py <<NEXT
  > import json, sys
  > for item in json.load(sys.stdin):
  >     for name in sys.argv[1:] or sorted(item):
  >         print(name, json.dumps(item[name]) if sys.argv[1:] else '')
  > NEXT
  $ "$PYTHON" ../show.py version on reason kinds refused changesets texts < ../status.json
  version "*" (glob)
  on true
  reason null
  kinds [{"kind": "changelog", "opened": 1, "served": 1}, {"kind": "manifest", "opened": 1, "served": 1}, {"kind": "filelog", "opened": 5, "served": 5}]
  refused []
  changesets 5
  texts 1
  $ "$PYTHON" ../show.py cache_limit requirements < ../status.json
  cache_limit 67108864
  requirements ["dotencode", *] (glob)
  $ "$PYTHON" ../show.py < ../status.json | tr -d '\n'; echo
  cache_evicted cache_limit cache_used changesets chunk_hits chunks cores encoding entries extensions history_in_one_process internal_errors kinds mercurial mercurial_api mercurial_modules mercurial_rust next nodemaps on platform python reason refused requirements settings sha1 text_hits texts version workers zlib zstandard_package zstd 

Settings show in what is shown

  $ hg debug::fastrevlog --config fastrevlog.cache-memory='1 MB' --config fastrevlog.check=collision-detection | grep -A 7 settings:
  settings:
    enabled             yes
    cache-memory        1048576  (--config)
    check               collision-detection  (--config)
    verify-check        collision-detection
    workers             0
    workers-for-clients no
    over-rust           no
  $ hg debug::fastrevlog --config usage.resources.memory=low | grep cache-memory
    cache-memory        16777216  (by usage.resources.memory)

Off, by a setting

  $ hg debug::fastrevlog --config fastrevlog.enabled=no | grep -A 2 '^fastrevlog'
  fastrevlog * is off, because the setting fastrevlog.enabled is no (--config) (glob)
  settings:
    enabled             no  (--config)
  $ hg debug::fastrevlog --config fastrevlog.enabled=no | tail -n 1
  next: to switch it on: remove fastrevlog.enabled=no, or set it to yes
  $ hg debug::fastrevlog --config fastrevlog.enabled=no > ignored
  [1]
  $ hg debug::fastrevlog --config fastrevlog.enabled=no -T '{if(on, "on", "off")}: {reason}\n'
  off: the setting fastrevlog.enabled is no (--config)
  [1]

... outside of a repository

  $ cd ..
  $ hg debug::fastrevlog | grep -A 1 '^fastrevlog'
  fastrevlog * is loaded, but off, because there is no repository here (glob)
  settings:
  $ hg debug::fastrevlog -T '{reason}, Mercurial {mercurial_api}\n'
  there is no repository here, Mercurial 7.* (glob)
  [1]

... and for a store that is not served

  $ hg init --config format.usestore=no nostore
  $ hg debug::fastrevlog -R nostore -T '{if(on, "on", "off")}, {reason}: {refused % "{kind} {revlogs}, "}\n'
  off, (path encoding: encode-dir|store: no fncache): changelog 1, manifest 1,  (re)
  [1]
  $ hg debug::fastrevlog -R nostore | tail -n 1
  next: 'hg debugupgraderepo' shows how to bring this repository to a format that is served

Part of it is served: what a bundle adds is not

  $ hg -R repo bundle -q --base 2 -r 4 part.hg
  $ hg clone -q -r 2 repo short
  $ hg -R bundle:short+part.hg debug::fastrevlog | grep -B 12 settings:
  fastrevlog * is on for this repository (glob)
  revlogs served, of those that were opened:
    changelog           0 of 1
    manifests           0 of 1
    file logs           2 of 5
  left to Mercurial:
    changelog           1: class: mercurial.bundlerepo.bundlechangelog
    file logs           3: class: mercurial.bundlerepo.bundlerevlog
    manifests           1: class: mercurial.bundlerepo.bundlemanifest
  settings:
  $ hg -R bundle:short+part.hg debug::fastrevlog | grep next:
  [1]
  $ rm -f "$TESTTMP/report.jsonl"

Tree manifests

  $ hg init --config experimental.treemanifest=yes tree
  $ mkdir -p tree/x/y tree/z
  $ echo 1 > tree/x/y/f; echo 1 > tree/z/g; echo 1 > tree/h
  $ hg -R tree commit -q -A -m trees
  $ hg -R tree debug::fastrevlog -T '{kinds % "{kind} {served}/{opened}, "}\n'
  changelog 1/1, manifest 4/4, filelog 3/3, 
  $ hg -R tree debug::fastrevlog --all -T '{kinds % "{kind} {served}/{opened}, "}\n'
  changelog 1/1, manifest 4/4, filelog 3/3, 

Measuring changes nothing

  $ cd repo
  $ find .hg -type f | sort | xargs ls -l --time-style=full-iso > ../before
  $ hg perf::fastrevlog --seconds 1
  read                    number      stock fastrevlog  ratio spread  limit
  changelog, random            5 * ms * ms *x *% *% (glob)
  changelog, ascending         5 * ms * ms *x *% *% (glob)
  changelog, descending        5 * ms * ms *x *% *% (glob)
  manifests, random            5 * ms * ms *x *% *% (glob)
  manifests, ascending         5 * ms * ms *x *% *% (glob)
  manifests, descending        5 * ms * ms *x *% *% (glob)
  file logs, random            4 * ms * ms *x *% *% (glob)
  file logs, ascending         4 * ms * ms *x *% *% (glob)
  file logs, descending        4 * ms * ms *x *% *% (glob)
  files at tip, open           5 * ms * ms *x *% * (glob)
  files at tip, read tip       5 * ms * ms *x *% *% (glob)
  times are of the processor; others had it for *% of the time (glob)
  noise: runs of the same work differed by up to *% (median of the rows) and *% (worst) (glob)
  $ find .hg -type f | sort | xargs ls -l --time-style=full-iso > ../after
  $ diff ../before ../after
  $ served
  served: changelog, filelog, manifest
  refused: setting: fastrevlog.enabled

  $ hg perf::fastrevlog --seconds 1 -T json | "$PYTHON" ../show.py | sort -u
  fastrevlog 
  identical 
  items 
  kind 
  limit 
  ratio 
  rounds 
  spread 
  stock 
  waited 
  way 
  $ hg perf::fastrevlog --seconds 1 -T '{kind} {way}: {identical}\n' | tail -n 1
  files read: True

On a terminal there are bars

  $ COLUMNS=90 hg perf::fastrevlog --seconds 1 --config ui.formatted=yes | grep -c "  #"
  11

It measures also where fastrevlog is off, to help to decide

  $ hg perf::fastrevlog --seconds 1 --config fastrevlog.enabled=no -T '{identical}\n' | sort -u
  True

What cannot be measured

  $ hg perf::fastrevlog --seconds 0
  abort: --seconds must be more than 0
  [10]
  $ hg init ../empty
  $ hg -R ../empty perf::fastrevlog
  abort: there is nothing to measure: no changesets
  [255]
