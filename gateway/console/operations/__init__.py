"""Operations: services, dead letters, conflicts, deadlines."""
