"""Month-end and yearly packs: figures of one frozen cut-off, as spreadsheets, print pages and a sealed bundle [C15, C21]."""
