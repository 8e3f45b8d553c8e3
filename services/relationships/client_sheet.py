"""The sheet of annex 3 (客户服务档案表): what is known of one client as of a day, in the order of the form [CI13]. Pure.

Related persons (相关人物) are on the form and never leave the platform: their line says so [CI11].
"""

from collections.abc import Mapping

from services.relationships.information import Sheet

TITLE = "客户服务档案表"
COLUMNS = ("项目 item", "内容 value", "日期 as of")
ITEMS = (
    ("客户编号 client number", "CI-P02"), ("姓名 name", "CI-P01"), ("性别 sex", "CI-P03"), ("资金账号 fund account", "CI-A01"),
    ("股票市值 stock market value", "CI-A13"), ("生日 birth date", "CI-P04"), ("职业地位 occupation", "CI-P17"),
    ("佣金率 commission rate", "CI-A11"), ("客户总资产 total assets", "CI-A12"), ("身份证号 id number", "CI-P05"),
    ("客户基本分类 class", "CI-C01"), ("综合理财情况 wealth elsewhere", "CI-P21"),
    ("系统外价值（估计） held away, an estimate", "CI-A26"), ("家庭地址 home address", "CI-P12"), ("单位地址 work address", "CI-P15"),
    ("住宅电话 home phone", "CI-P11"), ("住宅邮编 post code", "CI-P13"), ("公司电话 work phone", "CI-P16"),
    ("手机号码 mobile", "CI-P08"), ("电子邮箱 e-mail", "CI-P10"), ("客户价值分类 value", "CI-C09"),
    ("操作习惯分类 habit", "CI-C08"), ("投资决策风格分类 decision style", "CI-C10"), ("投资偏好分类 preferences", "CI-C11"),
    ("最佳面谈地点 best place to meet", "CI-P31"), ("年收入 yearly income", "CI-P19"), ("目标回报率 target return", "CI-P25"),
    ("累计拜访次数 visits so far", "CI-S02"), ("个人爱好 hobbies", "CI-P28"),
    ("人生中重要的财务规划 major financial plans", "CI-P26"), ("备注：曾经的投资经历 past investments", "CI-P24"),
)  # fmt: skip
PRINTED = frozenset(code for _, code in ITEMS)
NEVER = ("相关人物信息 related persons", "不导出 not given out", "")
SAID = {"unknown": "未知 unknown", "refused": "客户拒绝提供 refused"}


def lines(sheet: Sheet, known: Mapping[str, str | None]) -> list[tuple[str, str, str]]:
    """The lines of the form; `known` are the personal values as the reader may see them."""
    found = {line.indicator.code: line for line in sheet.lines}
    rows = []
    for title, code in ITEMS:
        line = found.get(code)
        if line is None:
            rows.append((title, "", ""))
            continue
        said = SAID.get(line.known.state) if line.known is not None else None
        day = line.known.day.isoformat() if line.known is not None else ""
        rows.append((title, said or known.get(code) or line.shown or "", day))
    return [*rows, NEVER]
