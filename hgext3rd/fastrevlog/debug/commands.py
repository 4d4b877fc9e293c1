# The commands: is it on and for what, and how much faster is it here.
# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from typing import Any

from mercurial import cmdutil, error, exthelper, logcmdutil, registrar, util
from mercurial.i18n import _

from .. import metadata, process
from . import advice, perf
from . import status as surveymod

eh = exthelper.exthelper()

_KIND_WORDS = {
    'changelog': _(b'changelog'),
    'manifest': _(b'manifests'),
    'filelog': _(b'file logs'),
}


@eh.command(
    b'debug::fastrevlog',
    [
        (b'a', b'all', None, _(b"look at the whole store, not only at tip's files")),
        (
            b'l',
            b'limit',
            b'',
            _(b'look at no more than this many file logs'),
            _(b'NUM'),
        ),
    ]
    + cmdutil.formatteropts,
    _(b'[-a] [-l NUM] [-T TEMPLATE]'),
    optionalrepo=True,
    intents={registrar.INTENT_READONLY},
)
def debugfastrevlog(ui: Any, repo: Any, **opts: Any) -> int:
    """is fastrevlog on here, for what, and if not why

    Opens the changelog, the manifest and the history of every file of tip, and
    tells how many of them fastrevlog serves, and why it leaves others to
    Mercurial. Then shows the settings in force, the caches, and the versions of
    all that is involved: what a report of a problem needs, in one paste. Where
    something is off, the last line says what to do next.

    Returns 0 if fastrevlog is on, 1 if it is off.
    """
    options = _by_bytes(opts)
    limit = logcmdutil.getlimit(options)
    why_off = surveymod.why_off(ui, repo)
    found = surveymod.Survey()
    if why_off is None:
        with ui.makeprogress(_(b'opening'), unit=_(b'file logs')) as progress:
            whole = bool(options[b'all'])
            found = surveymod.survey(repo, whole, limit, progress.update)
        if not found.any_served:
            reasons = dict.fromkeys(reason for _kind, reason in found.refused)
            why_off = b'; '.join(
                reason.encode('utf-8', 'replace') for reason in reasons
            )
    with ui.formatter(b'debug-fastrevlog', options) as fm:
        fm.startitem()
        _show_verdict(fm, repo, why_off)
        _show_kinds(fm, found)
        _show_settings(fm, ui)
        _show_process(fm)
        fm.plain(_(b'versions:\n'))
        for name, value in surveymod.surroundings(ui):
            label = name.replace(b'-', b'_')
            fm.write(label, b'  %s%%s\n' % _padded(name), value)
        if repo is not None:
            _show_repository(fm, repo)
        trouble = bool(process.counters.internal_errors)
        todo = advice.next_step(ui, repo, found, trouble)
        fm.condwrite(todo, b'next', _(b'next: %s\n'), todo)
    return 0 if why_off is None else 1


def _by_bytes(opts: dict[str, Any]) -> dict[bytes, Any]:
    """The options of a command, as Mercurial's own functions take them."""
    return {name.encode(): value for name, value in opts.items()}


def _padded(name: bytes) -> bytes:
    return name.ljust(20)


def _show_verdict(fm: Any, repo: Any, why_off: bytes | None) -> None:
    fm.data(version=metadata.__version__, on=why_off is None, reason=why_off)
    fm.plain(_(b'fastrevlog %s is ') % metadata.__version__)
    if why_off is None:
        fm.plain(_(b'on for this repository\n'))
    elif repo is None:
        fm.plain(_(b'loaded, but off, because %s\n') % why_off)
    else:
        fm.plain(_(b'off, because %s\n') % why_off)


def _show_kinds(fm: Any, found: surveymod.Survey) -> None:
    if any(found.opened.values()):
        fm.plain(_(b'revlogs served, of those that were opened:\n'))
    with fm.nested(b'kinds') as nested:
        for kind, opened in found.opened.items():
            if not opened:
                continue
            nested.startitem()
            nested.data(kind=kind.encode())
            nested.plain(b'  %s' % _padded(_KIND_WORDS[kind]))
            nested.write(b'served opened', _(b'%d of %d\n'), found.served[kind], opened)
    if found.refused:
        fm.plain(_(b'left to Mercurial:\n'))
    with fm.nested(b'refused') as nested:
        for (kind, reason), number in sorted(found.refused.items()):
            nested.startitem()
            nested.data(kind=kind.encode())
            nested.plain(b'  %s' % _padded(_KIND_WORDS[kind]))
            words = reason.encode('utf-8', 'replace')
            nested.write(b'revlogs reason', b'%d: %s\n', number, words)


def _show_settings(fm: Any, ui: Any) -> None:
    fm.plain(_(b'settings:\n'))
    with fm.nested(b'settings') as nested:
        for setting in surveymod.settings(ui):
            nested.startitem()
            nested.data(**setting._asdict())
            nested.plain(
                b'  %s%s' % (_padded(setting.name), setting.value or _(b'none'))
            )
            if setting.source:
                nested.plain(b'  (%s)' % setting.source)
            nested.plain(b'\n')


def _show_process(fm: Any) -> None:
    """What this process has done so far, and what its caches hold."""
    from ..engine import caches

    budget = caches.budget
    counters = process.counters
    budget.settle()
    fm.data(
        cache_limit=budget.limit,
        cache_used=budget.used,
        cache_evicted=budget.evicted,
        text_hits=budget.text_hits,
        texts=counters.texts,
        chunk_hits=budget.chunk_hits,
        chunks=budget.chunk_reads,
        entries=counters.entries,
    )
    fm.plain(
        _(
            b'caches of this process:\n'
            b'  %s of %s used, %d entries evicted\n'
            b'  texts: %d from a cache, %d restored\n'
            b'  chunks: %d from a cache, %d read\n'
        )
        % (
            util.bytecount(budget.used),
            util.bytecount(budget.limit),
            budget.evicted,
            budget.text_hits,
            counters.texts,
            budget.chunk_hits,
            budget.chunk_reads,
        )
    )
    if counters.internal_errors:
        fm.plain(_(b'internal errors (please report them):\n'))
    with fm.nested(b'internal_errors') as nested:
        for what, times in counters.internal_errors.items():
            nested.startitem()
            words = what.encode('utf-8', 'replace')
            nested.write(b'times what', _(b'  %d times: %s\n'), times, words)


def _show_repository(fm: Any, repo: Any) -> None:
    fm.plain(_(b'repository:\n'))
    changesets = len(repo.unfiltered().changelog)
    fm.write(b'changesets', b'  %s%%d\n' % _padded(b'changesets'), changesets)
    requirements = fm.formatlist(sorted(repo.requirements), b'requirement')
    fm.write(b'requirements', b'  %s%%s\n' % _padded(b'requirements'), requirements)
    reason = surveymod.history_in_one_process(repo).encode('utf-8', 'replace')
    told = _(b'in one process (%s)') % reason if reason else _(b'by workers')
    fm.plain(b'  %s%s\n' % (_padded(b'history'), told))
    fm.data(history_in_one_process=reason)
    _show_node_maps(fm, surveymod.node_maps(repo))


def _show_node_maps(fm: Any, maps: list[surveymod.NodeMap]) -> None:
    if maps:
        fm.plain(_(b'node maps on disk:\n'))
    with fm.nested(b'nodemaps') as nested:
        for found in maps:
            nested.startitem()
            nested.data(**found._asdict())
            words = _(b'in use') if found.why_not is None else found.why_not
            nested.plain(
                _(b'  %s%s; %d revisions, %d behind\n')
                % (_padded(found.kind), words, found.revisions, found.behind)
            )


_WORK_WORDS = {
    'random': _(b'%s, random'),
    'ascending': _(b'%s, ascending'),
    'descending': _(b'%s, descending'),
    'open': _(b'%s, open'),
    'read': _(b'%s, read tip'),
}
_HEADINGS = (
    _(b'read'),
    _(b'number'),
    _(b'stock'),
    _(b'fastrevlog'),
    _(b'ratio'),
    _(b'spread'),
    _(b'limit'),
)


@eh.command(
    b'perf::fastrevlog',
    [
        (b's', b'seconds', 30, _(b'about how long to measure'), _(b'NUM')),
    ]
    + cmdutil.formatteropts,
    _(b'[-s NUM] [-T TEMPLATE]'),
    helpcategory=registrar.command.CATEGORY_MAINTENANCE,
    intents={registrar.INTENT_READONLY},
)
def perffastrevlog(ui: Any, repo: Any, **opts: Any) -> int:
    """measure what fastrevlog does for this repository

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
    """
    options = _by_bytes(opts)
    seconds = options[b'seconds']
    if seconds <= 0:
        raise error.InputError(_(b'--seconds must be more than 0'))
    if not len(repo.unfiltered()):
        raise error.Abort(_(b'there is nothing to measure: no changesets'))
    aside = surveymod.why_aside()
    if aside is not None:
        raise error.Abort(_(b'fastrevlog is off, because %s') % aside)
    results = []
    with ui.makeprogress(_(b'measuring'), unit=_(b'seconds'), total=seconds) as bar:

        def step(so_far: float, work: perf.Work) -> None:
            bar.update(min(int(so_far), seconds), item=_work_words(work))

        for result in perf.measure(repo, seconds, step):
            if result.refusal is not None:
                raise error.Abort(
                    _(b'fastrevlog does not serve this: %s: %s')
                    % (_work_words(result.work), result.refusal.encode()),
                    hint=_(b"see 'hg debug::fastrevlog'"),
                )
            results.append(result)
    with ui.formatter(b'perf-fastrevlog', options) as fm:
        _show_results(fm, ui, results)
    if not all(result.identical for result in results):
        ui.warn(_(b'what was read is not the same: please report this\n'))
        return 1
    return 0


def _work_words(work: perf.Work) -> bytes:
    kind = _(b'files at tip') if work.kind == 'files' else _KIND_WORDS[work.kind]
    return _WORK_WORDS[work.way] % kind


def _bar(ui: Any, ratio: float, largest: float) -> bytes:
    """What follows a row on a terminal: the ratio as a bar, the largest one whole."""
    room = ui.termwidth() - _ROW_WIDTH - 2
    if not ui.formatted() or room < 3:
        return b''
    return b'  ' + b'#' * max(1, round(ratio / largest * room))


_ROW_WIDTH = 73


def _show_results(fm: Any, ui: Any, results: list[perf.Result]) -> None:
    fm.plain(b'%-23s %6s %10s %10s %6s %6s %6s\n' % _HEADINGS)
    largest = max(result.ratio for result in results)
    for result in results:
        fm.startitem()
        fm.data(
            kind=result.work.kind.encode(),
            way=result.work.way.encode(),
            items=result.items,
            rounds=len(result.stock),
            stock=result.stock_median,
            fastrevlog=result.fast_median,
            ratio=result.ratio,
            spread=result.spread,
            limit=result.limit_median,
            waited=1 - result.used / result.passed,
            identical=result.identical,
        )
        share = b''
        if result.limit_median is not None:
            share = b'%.0f%%' % (result.limit_median / result.fast_median * 100)
        fm.plain(
            b'%-23s %6d %7.1f ms %7.1f ms %5.1fx %5.0f%% %6s%s%s\n'
            % (
                _work_words(result.work),
                result.items,
                result.stock_median * 1000,
                result.fast_median * 1000,
                result.ratio,
                result.spread * 100,
                share,
                _bar(ui, result.ratio, largest),
                b'' if result.identical else _(b'  NOT THE SAME'),
            )
        )
    spreads = sorted(result.spread for result in results)
    waited = 1 - sum(r.used for r in results) / sum(r.passed for r in results)
    fm.plain(
        _(
            b'times are of the processor; others had it for %.0f%% of the time\n'
            b'noise: runs of the same work differed by up to %.0f%% (median of the'
            b' rows) and %.0f%% (worst)\n'
        )
        % (waited * 100, spreads[len(spreads) // 2] * 100, spreads[-1] * 100)
    )
