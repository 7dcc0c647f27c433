"""What was used last is kept, and no more than there is room for."""

from hypothesis import given
from hypothesis import strategies as st

from disentone.serve.recent import Recent


def test_what_was_not_used_for_longest_goes_first():
    gone = []
    kept = Recent(3, gone.append)
    for key in "abc":
        kept.put(key, key.upper(), 1)
    assert kept.get("a") == "A"
    kept.put("d", "D", 1)
    assert gone == ["B"]
    assert [kept.get(key) for key in "abcd"] == ["A", None, "C", "D"]


def test_what_is_replaced_is_forgotten_and_its_room_is_free():
    gone = []
    kept = Recent(10, gone.append)
    kept.put("a", 1, 8)
    kept.put("a", 2, 4)
    kept.put("b", 3, 6)
    assert gone == [1]
    assert (kept.get("a"), kept.get("b"), kept.size) == (2, 3, 10)


def test_what_alone_is_too_large_is_kept_until_the_next():
    kept = Recent(1)
    kept.put("large", 1, 5)
    assert kept.get("large") == 1
    kept.put("small", 2, 1)
    assert (kept.get("large"), kept.get("small")) == (None, 2)


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 9)), max_size=40))
def test_the_size_is_the_sum_of_what_is_kept(steps):
    kept, sizes = Recent(12), {}
    for key, size in steps:
        kept.put(key, size, size)
        sizes[key] = size
    there = {key: size for key, size in sizes.items() if kept.get(key) is not None}
    assert kept.size == sum(there.values())
    assert len(kept) == len(there)
    assert kept.size <= 12 or len(kept) == 1
