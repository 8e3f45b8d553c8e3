"""Chinese words for what validation says about a field."""

import re

# Patterns of pydantic's and msgspec's sentences; numbers and names in them are kept. What is not listed stays English:
# a sentence in the wrong language still says more than none.
_SENTENCES = [
    (r"Field required", "缺少该字段"),
    (r"Extra inputs are not permitted", "不允许的字段"),
    (r"Input should be a valid string", "应为字符串"),
    (r"Input should be a valid integer.*", "应为整数"),
    (r"Input should be a valid (?:number|decimal).*", "应为数字"),
    (r"Input should be a valid boolean.*", "应为布尔值"),
    (r"Input should be a valid date.*", "应为日期（YYYY-MM-DD）"),
    (r"Input should be a valid (?:datetime|time).*", "应为带时区的时间（RFC 3339）"),
    (r"Input should be a valid (?:list|tuple|array)", "应为数组"),
    (r"Input should be a valid (?:dictionary|object).*", "应为对象"),
    (r"Input should be (.+)", r"应为 \1"),
    (r"String should have at least (\d+) characters?", r"至少 \1 个字符"),
    (r"String should have at most (\d+) characters?", r"至多 \1 个字符"),
    (r"String should match pattern (.+)", r"应符合格式 \1"),
    (r"Input should be greater than or equal to (\S+)", r"应不小于 \1"),
    (r"Input should be less than or equal to (\S+)", r"应不大于 \1"),
    (r"Input should be greater than (\S+)", r"应大于 \1"),
    (r"Input should be less than (\S+)", r"应小于 \1"),
    (r"(?:List|Value) should have at least (\d+) items?.*", r"至少 \1 项"),
    (r"(?:List|Value) should have at most (\d+) items?.*", r"至多 \1 项"),
    (r"Object missing required field `(.+)`", r"缺少字段 \1"),
    (r"Expected `(.+)`, got `(.+)`", r"应为 \1，实为 \2"),
    (r"Expected `(.+)`", r"应为 \1"),
    (r"Invalid enum value (.+)", r"不允许的取值 \1"),
    (r"'(.+)' is negative", r"'\1' 为负数"),
    (r"'(.*)' is not a decimal number", r"'\1' 不是十进制数"),
    (r"expected a decimal string, got (.+)", r"应为十进制数字符串，实为 \1"),
    (r"'(.+)' is outside the allowed range of (.+)", r"'\1' 超出允许范围 \2"),
    (r"(\S+) lies outside (\S+) to (\S+)", r"\1 不在 \2 至 \3 之间"),
    (r"(\S+) has no UTC offset", r"\1 缺少时区偏移"),
    (r"this text is not a cursor of this list", "不是本列表的游标"),
]
_COMPILED = sorted(
    ((re.compile(pattern), words) for pattern, words in _SENTENCES), key=lambda pair: pair[0].pattern == "Input should be (.+)"
)  # fmt: skip


def in_chinese(sentence: str) -> str:
    """The sentence in Chinese where we know it."""
    for pattern, words in _COMPILED:
        if found := pattern.fullmatch(sentence):
            return found.expand(words)
    return sentence
