"""Python's garbage collector in a process that makes many objects and few cycles."""

import gc


def collect_rarely() -> None:
    """Let go of what was loaded, and look for cycles in hundreds of thousands of objects instead of every 700.

    A batch of events makes a hundred thousand tuples that live until its commit; looking through them again and again
    was a quarter of a consumer's CPU time. Counted references free nearly everything here.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(300_000, 50, 100)
