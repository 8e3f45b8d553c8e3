"""Messaging (消息): every message once, lawful, on time, with a receipt, and its reply heard [MS1 to MS19]."""
