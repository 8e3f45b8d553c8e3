"""Made-up names and numbers: nobody's. Numbers lie in ranges that no operator and no authority gives out."""

from datetime import date
from random import Random

SURNAMES = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高罗郑梁谢宋唐许韩冯邓曹彭曾肖田董潘袁蔡蒋余于杜叶程苏魏吕丁沈任姚卢傅钟单仇解查"
TWO = ("欧阳", "司徒", "上官", "诸葛", "尉迟")
GIVEN = "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英华玉兰建国文博子涵雨轩思远嘉怡浩然若曦"
WITH_DOT = ("阿不都·热西提", "古丽·买买提", "迪丽·艾合买提", "巴特尔·青格勒")
WORKPLACES = ("远山小学", "青石印刷厂", "第三设计院", "河口果品店", "星桥软件公司", "白塔医院")
STREETS = ("青石路", "白塔街", "星桥大道", "河口巷", "远山路")
_FACTORS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)


def name_of(draw: Random) -> str:
    """Mostly a surname and one or two characters; now and then two characters, one alone, or a dot."""
    chance = draw.random()
    if chance < 0.01:
        return draw.choice(WITH_DOT)
    surname = draw.choice(TWO) if chance < 0.04 else draw.choice(SURNAMES)
    return surname + "".join(draw.choice(GIVEN) for _ in range(1 if draw.random() < 0.3 else 2))


def mobile(number: int) -> str:
    """A number that begins as no mobile number does: nobody is rung up."""
    return f"120{number:08}"


def id_number(born: date, number: int, *, female: bool) -> str:
    """An identity number of no region, with its birth date and its check digit."""
    body = f"000000{born:%Y%m%d}{(number % 498) * 2 + (0 if female else 1):03}"
    return body + "10X98765432"[sum(int(d) * f for d, f in zip(body, _FACTORS, strict=True)) % 11]


def address(draw: Random) -> str:
    """A house in streets of no town."""
    return f"示例市{draw.choice(STREETS)}{draw.randrange(1, 200)}号{draw.randrange(1, 30)}室"
