# outer/opening.py and outer/templates.py: file logs are as Mercurial opens them.
# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import pathlib
import random
import struct
from collections.abc import Iterator
from typing import Any, Callable

import pytest
from mercurial import error, revlog, util
from mercurial.revlogutils import flagutil

from hgext3rd.fastrevlog import process
from hgext3rd.fastrevlog.outer import templates
from support import enginelab
from support.enginelab import KIND_FILELOG

counters = process.counters


@pytest.fixture
def store(tmp_path: pathlib.Path) -> Any:
    """A store with file logs: two inline, one split, one without general delta."""
    (tmp_path / "store").mkdir()
    made = enginelab.store_opener(tmp_path)
    for at, name in enumerate((b"a", b"B/b", b"split", b"old")):
        rl = filelog(made, name, may_inline=name != b"split")
        if name == b"old":
            rl._format_flags &= ~(1 << 17)
        tr = enginelab.Transaction(made)
        enginelab.write(rl, tr, enginelab.history(at, 12))
    return made


@pytest.fixture
def served() -> Iterator[Any]:
    with enginelab.installed() as ui:
        yield ui


@pytest.fixture
def by_template(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The names of the file logs that were opened from a template."""
    names: list[bytes] = []
    original = templates.Template.open

    def counted(self: Any, rl: Any, target: Any, radix: bytes, data: bytes) -> None:
        original(self, rl, target, radix, data)
        names.append(target[1])

    monkeypatch.setattr(templates.Template, "open", counted)
    return names


def filelog(store: Any, name: bytes, **kw: Any) -> Any:
    if enginelab._WRITABLE:
        kw.setdefault("writable", True)
    kw.setdefault("censorable", True)
    kw.setdefault("canonical_parent_order", False)
    return revlog.revlog(store, (KIND_FILELOG, name), b"data/" + name, **kw)


def plain(value: Any) -> Any:
    """An attribute's value in a form that can be compared."""
    if isinstance(value, util.lrucachedict):
        return ("lrucachedict", value.capacity, list(value))
    if hasattr(value, "cindex") and hasattr(value, "entry_size"):
        return list(value)
    if hasattr(value, "is_fastrevlog"):
        settled = {k: plain(v) for k, v in vars(value).items() if k != "cindex"}
        return type(value), settled
    if hasattr(value, "reading_handle"):
        names = (value.name, value.index_file, value.data_file, value.inline)
        return (*names, value.window, value.storage.opener)
    if hasattr(value, "text_cache"):
        return value.options, value.text_cache, value.chunk_cache, plain(value.files)
    if hasattr(value, "opener") and hasattr(value, "direct"):
        return value.opener, value.direct
    return value


def attributes(rl: Any) -> dict[str, Any]:
    for lazy in ("_chainbasecache", "_chaininfocache"):
        getattr(rl, lazy)
    return {name: plain(value) for name, value in vars(rl).items()}


@pytest.mark.parametrize("name", [b"B/b", b"split", b"old", b"a"])
def test_the_attributes_are_those_that_mercurial_sets(
    store: Any, served: Any, by_template: list[bytes], name: bytes
) -> None:
    theirs = filelog(store, name)
    expected = attributes(theirs)
    assert not by_template
    for other in (b"a", b"B/b", b"split", b"old"):
        filelog(store, other)
    del by_template[:]
    before = counters.served["filelog"]
    rl = filelog(store, name)
    assert by_template == [name]
    assert counters.served["filelog"] == before + 1
    got = attributes(rl)
    assert got.keys() == expected.keys()
    for attribute, value in expected.items():
        assert got[attribute] == value, attribute
        assert type(vars(rl)[attribute]) is type(vars(theirs)[attribute])
    assert rl.display_id == name


def test_no_two_file_logs_share_what_may_change(
    store: Any, served: Any, by_template: list[bytes]
) -> None:
    first, one, other = (filelog(store, name) for name in (b"a", b"a", b"B/b"))
    assert len(by_template) == 2
    for rl in (first, other):
        for name, value in vars(one).items():
            if isinstance(value, (dict, list, set)) or name.endswith("_config"):
                assert value is not vars(rl)[name], name
        levels = one.feature_config.compression_engine_options
        assert levels is not rl.feature_config.compression_engine_options
        assert one._chainbasecache is not rl._chainbasecache
        assert one._inner is not rl._inner


def test_the_texts_are_mercurials_and_can_be_added_to(
    store: Any, served: Any, by_template: list[bytes]
) -> None:
    for name in (b"a", b"a", b"B/b", b"split", b"split"):
        rl = filelog(store, name)
        tr = enginelab.Transaction(store)
        enginelab.write(rl, tr, [(b"new text of %d\n" % len(rl), len(rl) - 1, -1)])
        expected = enginelab.stock(store, b"data/" + name)
        assert enginelab.texts(filelog(store, name)) == enginelab.texts(expected)
    assert len(by_template) > 5


def test_a_file_log_that_the_transaction_splits_is_found_where_it_is(
    store: Any, served: Any, by_template: list[bytes]
) -> None:
    def reopened(name: bytes) -> Any:
        return filelog(store, name, try_split=True)

    for name in (b"B/b", b"B/b", b"a"):
        reopened(name)
    assert by_template == [b"B/b", b"a"]
    tr = enginelab.Transaction(store)
    rl = reopened(b"a")
    noise = random.Random(1).randbytes(200_000)
    enginelab.write(rl, tr, [(noise, len(rl) - 1, -1)])
    rl._enforceinlinesize(tr)
    del by_template[:]
    again = reopened(b"a")
    assert not by_template
    assert (again._indexfile, again._inline) == (b"data-s/a.i", False)
    assert again.rawdata(len(rl) - 1) == noise
    # nor is such a one taken as the pattern of others
    assert reopened(b"B/b")._indexfile == b"data/B/b.i"
    tr.close()
    assert reopened(b"a").rawdata(len(rl) - 1) == noise


def test_other_arguments_have_their_own_template(
    store: Any, served: Any, by_template: list[bytes]
) -> None:
    filelog(store, b"a")
    rl = filelog(store, b"B/b", censorable=False)
    assert not by_template
    assert not rl.feature_config.censorable
    assert filelog(store, b"a").feature_config.censorable
    assert not filelog(store, b"a", censorable=False).feature_config.censorable
    assert len(by_template) == 2


def test_arguments_that_cannot_be_a_key(
    store: Any, served: Any, by_template: list[bytes]
) -> None:
    """Censoring opens a file log with the configuration of another."""
    one = filelog(store, b"a")
    for _again in range(2):
        rl = filelog(store, b"B/b", data_config=one.data_config)
        assert rl.revision(3) == filelog(store, b"B/b").revision(3)
    assert by_template == [b"B/b"] * 2


def test_an_attribute_that_we_do_not_know_means_no_template(
    store: Any,
    served: Any,
    by_template: list[bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    original = revlog.revlog._init_opts

    def _init_opts(self: Any) -> Any:
        self.of_an_extension = ["something"]
        return original(self)

    monkeypatch.setattr(revlog.revlog, "_init_opts", _init_opts)
    for _again in range(3):
        assert filelog(store, b"a").of_an_extension == ["something"]
    assert not by_template


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "missing": lambda data: b"",
    "cut off in the header": lambda data: data[:3],
    "cut off in an entry": lambda data: data[:-1],
    "a byte too many": lambda data: data + b"x",
    "only a header": lambda data: data[:4],
    "another version": lambda data: b"\0\0\0\x63" + data[4:],
    "unknown flags": lambda data: b"\x80\0\0\1" + data[4:],
    "zeros": lambda data: b"\0" * len(data),
}


@pytest.mark.parametrize("name", [b"a", b"split"])
@pytest.mark.parametrize("how", DAMAGE)
def test_a_damaged_index_is_for_mercurial_to_report(
    store: Any, by_template: list[bytes], how: str, name: bytes
) -> None:
    def outcome() -> Any:
        try:
            rl = filelog(store, name)
        except error.RevlogError as exc:
            return bytes(exc)
        except struct.error:
            # Mercurial does not expect so short a file; we say what it is
            return b"index %s is corrupted" % name
        return rl._format_version, rl._inline, len(rl), rl._initempty

    path = b"data/" + name + b".i"
    damaged = DAMAGE[how](store.read(path))
    good = store.read(path)
    store.write(path, damaged)
    if how == "missing":
        store.unlink(path)
    expected = outcome()
    store.write(path, good)
    with enginelab.installed():
        filelog(store, name)
        filelog(store, name)
        assert by_template == [name]
        store.write(path, damaged)
        if how == "missing":
            store.unlink(path)
        assert outcome() == expected
        assert len(by_template) == 1


def test_options_that_are_replaced_are_seen(
    store: Any, served: Any, by_template: list[bytes]
) -> None:
    """As Mercurial does after a streaming clone or an upgrade."""
    filelog(store, b"a")
    options = dict(store.options)
    options[b"delta-config"] = options[b"delta-config"].copy()
    options[b"delta-config"].max_chain_len = 7
    store.options = options
    for _again in range(2):
        assert filelog(store, b"a").delta_config.max_chain_len == 7
    assert by_template == [b"a"]


@pytest.mark.xfail(
    strict=True,
    reason="a template does not notice options that are changed in place; Mercurial"
    " itself replaces them",
)
def test_options_that_are_changed_are_not_copied_from_before(
    store: Any, served: Any
) -> None:
    filelog(store, b"a")
    store.options[b"delta-config"].max_chain_len = 7
    assert filelog(store, b"a").delta_config.max_chain_len == 7


def test_flag_processors_that_come_later_are_seen(
    store: Any, served: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    filelog(store, b"a")
    flag = 1 << 13
    known = dict(flagutil.flagprocessors)
    assert filelog(store, b"a")._flagprocessors == known
    processor = (None, None, None)
    monkeypatch.setitem(flagutil.flagprocessors, flag, processor)
    for _again in range(2):
        rl = filelog(store, b"a")
        assert rl._flagprocessors == {**known, flag: processor}
        # each has its own
        rl._flagprocessors.clear()


def test_what_depends_on_the_file_is_not_shared(store: Any, served: Any) -> None:
    """A template from a file log that was used before it was taken."""
    rl = filelog(store, b"a")
    assert rl.display_id == b"a"
    assert "display_id" in vars(rl), "it remembers nothing: this test is in vain"
    template = templates.template_of(rl, revlog.parsers.parse_index2)
    assert template is not None
    other = object.__new__(revlog.revlog)
    data = store.read(b"data/B/b.i")
    template.open(other, (KIND_FILELOG, b"B/b"), b"data/B/b", data)
    assert other.display_id == b"B/b"
