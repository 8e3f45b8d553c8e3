"""The double-entry points ledger (积分)."""
