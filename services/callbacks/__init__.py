"""Callbacks (回访): the right call, by the right person, in time, with proof."""
