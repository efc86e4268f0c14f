"""Told once, then counted at growing distances."""

import logging

import pytest

from zerogate.link.trouble import MAX_CAUSES, Trouble


def note(trouble: Trouble, words: str, now: float, *, is_sure: bool = True) -> None:
    trouble.note(words, now, f"no link: {words}", logging.WARNING, is_sure=is_sure)


def test_once_and_then_counted(caplog: pytest.LogCaptureFixture) -> None:
    trouble = Trouble("tcp://a:1")
    for second in range(24 * 3600):
        note(trouble, "refused", float(second))
    first, *counts = caplog.messages
    assert first == "no link: refused"
    assert counts[0] == "no link to the router at tcp://a:1 for 1 min, after 61 tries: refused"
    minutes = [int(text.split(" for ")[1].split()[0]) for text in counts]
    assert minutes[:7] == [1, 3, 7, 15, 31, 63, 123]
    assert len(counts) < 32
    assert "refused" in repr(trouble)


def test_another_cause_is_news_and_the_same_again_is_none(caplog: pytest.LogCaptureFixture) -> None:
    trouble = Trouble("tcp://a:1")
    for n, words in enumerate(["a", "a", "b", "a", "b"]):
        note(trouble, words, n / 10)
        assert trouble.words == words
    assert caplog.messages == ["no link: a", "no link: b"]


def test_a_peer_with_something_new_to_say_each_time_is_not_told_each_time(caplog: pytest.LogCaptureFixture) -> None:
    trouble = Trouble("tcp://a:1")
    for n in range(1000):
        note(trouble, f"cause {n}", n / 100)
    assert len(caplog.messages) == MAX_CAUSES


def test_what_is_over_is_news_when_it_comes_again(caplog: pytest.LogCaptureFixture) -> None:
    trouble = Trouble("tcp://a:1")
    note(trouble, "a", 0.0)
    trouble.end()
    assert not trouble.words
    note(trouble, "a", 1.0)
    assert caplog.messages == ["no link: a"] * 2


def test_what_is_not_sure_is_kept_and_not_told(caplog: pytest.LogCaptureFixture) -> None:
    trouble = Trouble("tcp://a:1")
    note(trouble, "a", 0.0, is_sure=False)
    assert trouble.words == "a"
    assert not caplog.messages
    note(trouble, "a", 1.0)
    assert caplog.messages == ["no link: a"]
