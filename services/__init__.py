"""The five services. They meet only in `contracts`."""
