"""What the gateway keeps: which timeline this home lives on, and how far a replay has come."""

from sqlalchemy import BigInteger, CheckConstraint, Column, Date, SmallInteger, Table, Text

from chassis.tables import new_metadata

metadata = new_metadata()

home = Table(
    "home",
    metadata,
    Column("one", SmallInteger, primary_key=True, server_default="1"),
    Column("timeline", Text, nullable=False, comment="real or simulated: decided by the first business fact, and kept"),
    Column("data_set", Text, comment="of a simulated home: what is replayed, for people"),
    Column("fingerprint", Text, comment="of a simulated home: the data set and how many customers of it"),
    Column("published_through", Date, comment="of a simulated home: the last day closed by the replay"),
    Column("position", BigInteger, nullable=False, server_default="0", comment="facts of the data set published"),
    CheckConstraint("one = 1", name="one"),
    CheckConstraint("timeline IN ('real', 'simulated')", name="timeline"),
)
