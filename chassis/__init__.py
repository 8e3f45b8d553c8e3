"""How any service runs. Knows no business."""
