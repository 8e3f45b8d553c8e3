"""What services tell each other: events, shared identifiers, money. Nothing here runs."""
