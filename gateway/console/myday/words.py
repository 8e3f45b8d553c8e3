"""The words of My day."""

CHINESE = {
    "My day": "我的一天",
    "Hand-over": "客户移交",
    "Wish for another manager": "更换客户经理申请",
    "Next": "下一项",
    "Approvals waiting": "待审批",
    "Due today": "今日到期",
    "Later": "以后到期",
    "To be told": "待告知",
    "Callbacks due by today": "今日前到期的回访",
    "Complaints to be taken in hand": "待受理投诉",
    "Services to look at": "需关注的服务",
    "Operations": "运维",
}
