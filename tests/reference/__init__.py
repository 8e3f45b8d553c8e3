"""A slow, obvious second implementation of the rules, to check the platform's exports against.

It is written from the rule texts alone and shares no line with the services: pure standard library, no
database, one client at a time, one day at a time. `python -m tests.reference NAME FOLDER [--as-of DATE]`
prints an export. Every module says in its docstring where the texts left a choice and what was chosen.
"""
