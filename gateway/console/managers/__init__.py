"""Managers: their clients and what is due, their plan, log and visits, hand-overs, the team board, and the allocation of a branch."""
