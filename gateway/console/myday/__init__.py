"""My day: everything that waits for the visitor, by its clock."""
