"""Every reason as a sentence a client can read, in both languages."""

from collections.abc import Mapping

from chassis.errors import Text
from services.suitability.rules import DecisionOutcome, Reason

OUTCOMES: Mapping[DecisionOutcome, Text] = {
    DecisionOutcome.PASS: Text("You may go on.", "可以继续办理。"),
    DecisionOutcome.CONFIRM: Text(
        "You may go on once you have read the warning and confirmed it.", "请阅读风险警示并确认后再继续办理。"
    ),
    DecisionOutcome.BLOCK: Text("This cannot be done.", "无法办理。"),
}

REASONS: Mapping[Reason, Text] = {
    Reason.SUITABLE: Text(
        "The product's risk is within your risk tolerance.", "该产品的风险等级与您的风险承受能力相匹配。"
    ),
    Reason.SELLING: Text("Selling is always free.", "卖出或赎回不受适当性限制。"),
    Reason.PROFESSIONAL: Text(
        "You are recorded as a professional investor; the rules for ordinary investors do not apply.",
        "您已登记为专业投资者,不适用普通投资者的匹配要求。",
    ),
    Reason.CONFIRMED: Text(
        "You were warned about this product and confirmed; that confirmation still holds.",
        "您已阅读该产品的风险警示并确认,确认仍在有效期内。",
    ),
    Reason.ABOVE_LEVEL: Text(
        "The product's risk is above your risk tolerance.", "该产品的风险等级高于您的风险承受能力。"
    ),
    Reason.ACCOUNT_CLOSED: Text("The account is closed.", "账户已销户。"),
    Reason.UNKNOWN_PRODUCT: Text("The product is not in our library.", "该产品不在产品库中。"),
    Reason.OFF_SHELF: Text("The product is not on sale at present.", "该产品目前未上架。"),
    Reason.UNKNOWN_CLASS: Text(
        "The product has no risk class yet, so nobody may buy it.", "该产品尚未划分风险等级,不得购买。"
    ),
    Reason.PERMISSION_MISSING: Text(
        "You do not hold the trading permission that this product needs.", "您尚未开通该产品所需的交易权限。"
    ),
    Reason.NO_ASSESSMENT: Text("Your risk tolerance has not been assessed.", "您尚未进行风险承受能力评估。"),
    Reason.EXPIRED: Text(
        "Your risk assessment has expired; please answer the questionnaire again.",
        "您的风险承受能力评估已过期,请重新填写调查表。",
    ),
    Reason.REASSESSMENT_OVERDUE: Text(
        "You told us of a change in your life; please answer the questionnaire again.",
        "您告知的个人情况已发生变化,请重新填写调查表。",
    ),
    Reason.RISE_UNDER_REVIEW: Text(
        "Your level rose shortly before this purchase; a member of staff looks at it first.",
        "您的风险等级在购买前短时间内上升,需由工作人员先行复核。",
    ),
    Reason.LOWEST_LEVEL: Text(
        "Clients of the lowest level are never sold anything above it.",
        "不得向风险承受能力最低类别的客户销售高于其等级的产品。",
    ),
    Reason.CARE_ELDERLY: Text(
        "The product's risk is high; for clients of your age a member of staff looks at it first.",
        "该产品风险较高;对您这一年龄段的客户,需由工作人员先行复核。",
    ),
    Reason.CARE_AGE_UNKNOWN: Text(
        "The product's risk is high and we do not know your age; a member of staff looks at it first.",
        "该产品风险较高,且我们尚不知您的年龄,需由工作人员先行复核。",
    ),
    Reason.CARE_VULNERABLE: Text(
        "The product's risk is high; with what you told us of your situation a member of staff looks at it first.",
        "该产品风险较高;根据您告知的个人情况,需由工作人员先行复核。",
    ),
    Reason.NO_CAMPAIGN: Text(
        "We do not offer you products of high risk by campaigns.", "不通过营销活动向您推介高风险产品。"
    ),
    Reason.NOT_RECOMMENDED: Text(
        "We may not recommend a product above your level.", "不得主动向您推介高于您风险承受能力的产品。"
    ),
}
