"""The form of annex 4 (客户分类汇总表) [4.3]: its columns, amounts and words, one whoever fills it in."""

from decimal import ROUND_HALF_UP, Decimal

from contracts.suitability import HELD

COLUMNS = (
    "客户姓名 name",
    "姓名首字母 initial",
    "资金账号 fund account",
    "营业部 branch",
    "资产(万元) assets",
    "本年净佣金(万元) commission of the year",
    "操作习惯 habit",
    "客户价值 value",
    "投资决策风格 decision style",
    "投资偏好 preference",
    "风险承受能力 risk",
    "拜访次数 visits",
    "联系电话 phone",
    "备注 note",
)
RISK = {"VERY_LOW": "极低", "LOW": "低", "MEDIUM": "一般", "HIGH": "高"}
"""Annex 4 says 一般 for the middle level and has a 极高 that no score reaches [K6]."""
TEN_THOUSAND = Decimal(10_000)


def risk_word(level: str) -> str:
    """A level of either scheme in the words of the form: one of the other scheme as what it is worth [Q6], whoever fills it in."""
    known = HELD.get(level, level)
    return RISK.get(known, known)


def in_ten_thousands(amount: Decimal) -> Decimal:
    """CNY in 万元, four decimals half up."""
    return (amount / TEN_THOUSAND).quantize(Decimal("0.0001"), ROUND_HALF_UP)
