"""Each word that stands beside a pair has an explanation."""

from psfalign.fit.result import Status
from psfalign.report.campaign import DOUBTS
from psfalign.report.reasons import REASONS, explain


def test_all_words_are_explained() -> None:
    assert set(REASONS) == {*map(str, Status), *DOUBTS} - {Status.OK}


def test_each_reason_is_given_once_in_one_order() -> None:
    words = ["doubtful, suspicious", "out_of_range", "doubtful", "ok"]
    assert [word for word, _ in explain(words)] == ["out_of_range", "suspicious", "doubtful"]
    assert explain([]) == []
