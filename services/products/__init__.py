"""Products: what a client may have, what it costs and why; subscriptions, entitlements, the club."""
