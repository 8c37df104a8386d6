"""Any choice of flags, in any of the spellings, is their sum."""

from functools import reduce
from operator import or_

from hypothesis import given
from hypothesis import strategies as st

from psfalign.images.dq_flags import ALL_FLAGS, FLAGS, parse_bad_bits

words = st.sampled_from(sorted(FLAGS)).flatmap(
    lambda name: st.sampled_from([name, name.lower(), f" {name} ", str(FLAGS[name])])
)
separators = st.sampled_from([",", "+", "|", " , "])


@given(st.lists(words, min_size=1, max_size=8), st.data())
def test_words_add_up(chosen: list[str], data: st.DataObject) -> None:
    text = chosen[0]
    for word in chosen[1:]:
        text += data.draw(separators) + word
    named = (FLAGS.get(word.strip().upper()) or int(word) for word in chosen)
    bits = reduce(or_, named)
    assert parse_bad_bits(text) == bits
    assert parse_bad_bits(f"~({text})") == ALL_FLAGS - bits


@given(st.integers(0, ALL_FLAGS))
def test_any_sum_of_bits_is_itself(bits: int) -> None:
    assert parse_bad_bits(bits) == parse_bad_bits(str(bits)) == bits
