"""The words of what is live."""

CHINESE = {
    "badge callbacks": "项回访逾期",
    "badge complaints": "件投诉待受理",
    "badge approvals": "项待审批",
}
ENGLISH = {
    "badge callbacks": "callbacks overdue",
    "badge complaints": "complaints to be taken in hand",
    "badge approvals": "approvals waiting",
}
