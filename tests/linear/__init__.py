"""The sweep for patterns and loops whose time grows faster than the text that strangers send.

`python -m tests.linear` prints every pair of a reader and a text that does; `tests/test_linear_time.py` is the law.
"""
