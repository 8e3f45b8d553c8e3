"""The words of what is live."""

CHINESE = {
    "Also open with": "同时打开：",
    "Saved views": "已存视图",
    "team": "团队",
    "Remove": "删除",
    "Save this view": "保存当前视图",
    "for the team": "团队共享",
    "Save": "保存",
    "Put off": "稍后提醒",
    "put off until": "推迟至",
    "Put off for now": "已推迟",
    "badge callbacks": "项回访逾期",
    "badge complaints": "件投诉待受理",
    "badge approvals": "项待审批",
}
ENGLISH = {
    "badge callbacks": "callbacks overdue",
    "badge complaints": "complaints to be taken in hand",
    "badge approvals": "approvals waiting",
}
