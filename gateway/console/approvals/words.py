"""The words of approvals."""

CHINESE = {
    "Approvals": "审批",
    "Waiting for you": "待我审批",
    "Asked by you": "我提请的",
    "Asked by": "提请人",
    "Runs out": "截止",
    "What": "事项",
    "Before": "变更前",
    "After": "变更后",
    "Nothing waits.": "没有待审批事项。",
    "approve": "同意",
    "refuse": "不同意",
    "withdraw": "撤回",
}
