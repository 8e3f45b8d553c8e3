"""Classification (客户分类): class, tier, and why."""
