"""Why each rule of the trigger table asks for a callback [B21], in one sentence: for summaries and explanations."""

from chassis.errors import Text

RULE_TEXTS = {
    "new": Text("the account was opened: training within a month", "新开户：一个月内完成培训回访"),
    "never_traded": Text("open for more than 90 days without any trade", "开户逾 90 天从未交易"),
    "dormant": Text("no trade for 180 days", "180 天无交易"),
    "abnormal": Text("unusual trading or fund flow", "交易或资金异动"),
    "core": Text("a core client, cared for once a quarter", "核心客户：每季度关怀一次"),
    "tier_greeting": Text("the tier has risen", "客户级别提升"),
    "suitability_expiring": Text("the risk assessment ends within 30 days", "风险测评 30 天内到期"),
    "satisfaction": Text("a complaint was answered", "投诉已答复"),
    "permission": Text("a permission risky for this client was asked for", "申请对其风险较高的权限"),
    "risky_purchase": Text("the client insisted on a product of more risk", "客户坚持购买较高风险产品"),
    "manager_left": Text("the manager has left", "客户经理离职"),
    "surveillance": Text("surveillance gave an alert", "监控预警"),
    "suspected_laundering": Text("a matter for compliance", "合规事项"),
    "missed_call": Text("a call was not answered", "来电未接"),
    "booking": Text("an opening was booked", "预约开户"),
    "enquiry": Text("an enquiry came by e-mail", "邮件咨询"),
    "retention": Text("closing the account was asked for", "申请销户"),
    "grumble": Text("the client has grumbled and may leave", "客户有抱怨，可能流失"),
    "contact_data": Text("the number or address is wrong", "联系方式有误"),
    "sample": Text("drawn for the year's coverage", "年度覆盖率抽样"),
}


def rule_text(rule: str) -> Text:
    """The sentence of a rule; one that only a published table knows is named."""
    return RULE_TEXTS.get(rule) or Text(f"rule {rule}", f"规则 {rule}")
