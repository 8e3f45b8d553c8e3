"""Personal data cut out of free text.

Patterns are matched on a folded copy (full-width forms, other scripts' digits and Chinese numerals read as plain ones,
invisible characters left out), and what they find is replaced in the text as it was written: nothing else changes.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

Span = tuple[int, int]


class Folded(NamedTuple):
    """A text as patterns read it; `places` says where each of its characters stands in the text, and where that ends."""

    text: str
    places: Sequence[int]


def fold(text: str) -> Folded:
    """One plain character for each written one; a sign that stands for several (⑩) stays as it is."""
    if text.isascii():
        return Folded(text, range(len(text) + 1))
    kept: list[str] = []
    places: list[int] = []
    for place, character in enumerate(text):
        if plain := _plain(character):
            kept.append(plain)
            places.append(place)
    return Folded("".join(kept), [*places, len(text)])


@lru_cache(maxsize=10_000)
def _plain(character: str) -> str:
    if character.isascii():
        return character
    if unicodedata.category(character) == "Cf":
        return ""
    plain = unicodedata.normalize("NFKC", character)
    return plain if len(plain) == 1 else character


def mask_text(text: str) -> str:
    """The text with identity documents, cards, accounts, phones, e-mails, chat names, addresses and introduced names
    replaced by their kind in brackets."""
    return _mask_short(text) if len(text) <= SHORT else _mask(text)


SHORT = 64
"""Categories, products and the like come again and again."""


@lru_cache(maxsize=20_000)
def _mask_short(text: str) -> str:
    return _mask(text)


def _mask(text: str) -> str:
    folded = fold(text)
    plain = folded.text
    found: list[tuple[int, int, str]] = []
    for label, spans in _FINDERS:
        here = list(spans(plain))
        found += [(start, end, label) for start, end in here]
        for start, end in here:  # what one pattern has found is no longer there for the next
            plain = plain[:start] + "\0" * (end - start) + plain[end:]
    pieces: list[str] = []
    at = 0
    for start, end, label in sorted(found):
        first, last = folded.places[start], folded.places[end - 1] + 1
        pieces += [text[at:first], label]
        at = last
    return "".join([*pieces, text[at:]])


Finder = Callable[[str], Iterable[Span]]


def _of(pattern: str, *, having: str | None = None, flags: int = 0) -> Finder:
    """What a pattern finds: its group `it` where it names one; looked for only where `having` occurs."""
    compiled = re.compile(pattern, flags)
    group: int | str = "it" if "it" in compiled.groupindex else 0
    needed = re.compile(having, flags) if having else None

    def find(text: str) -> Iterator[Span]:
        if needed is None or needed.search(text):
            for match in compiled.finditer(text):
                yield match.span(group)

    return find


_IS = r"\s*(?:号码|号|码|number|no\.?|id)?\s*(?:就?是|为|叫)?\s*[:#]?\s*"
_APART = r"[ .\-·_]"
_NO_DIGIT_BEFORE, _NO_DIGIT_AFTER = r"(?<![0-9A-Za-z])(?<!\d[.,])", r"(?![0-9A-Za-z])(?![.,]\d)"

# An identity number: region, birth date, serial; written together or in these groups.
_REGION = r"(?:1[1-5]|2[1-3]|3[1-7]|4[1-6]|5[0-4]|6[1-5]|71|8[1-3])\d{4}"
_DAY = r"(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])"
_ID_18 = rf"{_NO_DIGIT_BEFORE}{_REGION}{_APART}?(?:18|19|20)\d{{2}}{_APART}?{_DAY}{_APART}?\d{{3}}[\dXx](?![0-9A-Za-z])"
_ID_15 = rf"{_NO_DIGIT_BEFORE}{_REGION}\d{{2}}{_DAY}\d{{3}}(?![0-9A-Za-z])"
_ID_SAID = rf"(?:身份证件?|证件){_IS}(?P<it>[1-9][0-9 ]{{13,20}}[0-9Xx])(?![0-9A-Za-z])"
_PASSPORT = r"(?<![0-9A-Za-z])(?P<it>[Ee]\d{8}|[Ee][A-HJ-NP-Za-hj-np-z]\d{7}|[Gg]\d{8}|[HMhm]\d{10}|[A-Za-z]{1,2}\d{6}\([0-9Aa]\))(?![0-9A-Za-z])"
_PASSPORT_SAID = (
    rf"(?:护照|通行证|台胞证|回乡证|居留证|居住证|军官证|passports?){_IS}(?:is )?"
    r"(?P<it>[A-Za-z\u4e00-\u9fff]{0,3}\d{6,12})(?![0-9A-Za-z])"
)
_EMAIL = r"(?<![A-Za-z0-9._%+-])[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})+"
_CHAT = (
    r"(?:微信|薇信|威信|wechat|weixin|wx|vx|v信|qq|whatsapp|telegram)"
    r"(?:(?:号码?|id|账号)?\s*(?:就?是|为|叫|[:=])\s*|(?:号码?|id|账号)\s*|\s*(?=[A-Za-z]*[A-Za-z_-]*\d|\d{5}))"
    r"(?P<it>[A-Za-z][A-Za-z0-9_-]{4,29}|\d{5,12})(?![0-9A-Za-z元块万%])"
)

# A mobile number, in the groups people write it in, by one sign or by many.
_MOBILE = (
    rf"(?<![0-9A-Za-z])(?<!\d[.,])(?:(?:\+|00)?86{_APART}{{0,2}})?(?:"
    rf"1[3-9]\d(?P<a>{_APART}{{0,3}})\d{{4}}(?P=a)\d{{4}}"
    rf"|1[3-9]\d{_APART}{{1,3}}\d{{4}}{_APART}{{0,3}}\d{{4}}|1[3-9]\d\d{{4}}{_APART}{{1,3}}\d{{4}}"
    rf"|1[3-9]\d{_APART}\d{{3}}{_APART}\d{{5}}|1[3-9]\d{{2}}{_APART}\d{{3}}{_APART}\d{{4}}"
    rf"|1[3-9]\d{_APART}\d{{2}}{_APART}\d{{2}}{_APART}\d{{2}}{_APART}\d{{2}}"
    rf"|1(?P<b>{_APART})[3-9](?:(?P=b)\d){{9}})(?!\d)(?!\.\d)"
)
# A fixed line: with its area code, or a bare number that is said to be one, with or without extension.
_AREA = r"0(?:10|2[0-57-9]|[3-9]\d{2})"
_EXTENSION = r"(?:\s*(?:转|ext\.?|-)\s*\d{1,5})?"
_LANDLINE = (
    rf"(?<![0-9A-Za-z])(?<!\d[.,\-])(?:(?:\+|00)86{_APART}?\(?0?(?:10|2\d|[3-9]\d{{2}})\)?|\(\s*{_AREA}\s*\)|{_AREA}){_APART}{{0,3}}"
    rf"(?:[2-9]\d{{2,3}}{_APART}{{1,2}}\d{{4}}|[2-9]\d{{6,7}}){_EXTENSION}(?!\d)(?!\.\d)"
)
_CALL = r"(?:电话|座机|固话|家里|单位|办公室|宅电|致电|回电|拨打|打到|来电|联系|tel\.?|phone)"
_LANDLINE_SAID = rf"{_CALL}{_IS}(?P<it>[2-9]\d{{2,3}}{_APART}?\d{{4}}{_EXTENSION})(?![0-9A-Za-z元块])(?!\.\d)"
_FOREIGN = r"(?<![0-9A-Za-z])\+(?!86)[1-9]\d{0,2}[ .\-]?\(?\d{1,4}\)?(?:[ .\-]?\d{2,4}){2,4}(?!\d)"
_AMERICAN = r"(?<![0-9A-Za-z])(?![48]00)(?:\(\d{3}\)\s?|\d{3}[.\-])\d{3}[.\-]\d{4}(?![0-9A-Za-z])(?!\.\d)"
_NUMERALS = str.maketrans("〇零一二三四五六七八九幺○两", "00123456789102")

# Numbers that name an order, a contract or a product look like cards, and are nobody's.
_CARD = rf"{_NO_DIGIT_BEFORE}(?:\d{{16,19}}|[3-69]\d{{3}}(?P<c>[ \-])\d{{4}}(?P=c)\d{{4}}(?P=c)\d{{4}}(?:(?P=c)\d{{1,3}})?){_NO_DIGIT_AFTER}"
_NO_CARD = re.compile(
    r"(?:订单|委托|合同|成交|流水|编|单|序列|批次|工单|回执|发票|申请)(?:编号|序号|单号|号码|号)?\s*(?:是|为)?\s*[:#]?\s*$"
)
_ACCOUNT = (
    r"(?:账号|账户|帐号|帐户|卡号|客户号|股东号|股东代码|股东卡|资金号|席位卡|account(?: number| no\.?)?)"
    r"(?:号码|号|码)?\s*(?:是|为|is)?\s*[:#]?\s*(?P<it>[A-Za-z]?\d{6,})(?![0-9A-Za-z])(?!\.\d)"
)

_COUNT = "[0-9一二三四五六七八九十百甲乙丙]"
_DOOR = r"(?:号楼|号院|号|弄|栋|幢|座|单元)"
_ADDRESS = re.compile(
    r"(?:(?:(?![省市州盟区县旗镇乡])[\u4e00-\u9fff]){1,7}[省市州盟区县旗镇乡]){0,5}+"
    rf"[\u4e00-\u9fff]{{1,8}}(?:路|街|大道|巷|弄|胡同|小区|花园|新村|村|苑|里|庄|道){_COUNT}{{1,6}}{_DOOR}(?!窗口|柜台|柜|线)"
    rf"(?:(?:[0-9A-Za-z\-]|{_COUNT}){{1,6}}(?:号楼|号院|号|弄|栋|幢|座|单元|层|楼|室|户))*"
)
# What leads up to an address is no part of it.
_BEFORE_ADDRESS = (
    "住在", "家住", "住址", "住所", "地址", "位于", "搬到", "寄到", "寄往", "送到", "是", "为", "在", "到", "往",
)  # fmt: skip


def _addresses(text: str) -> Iterator[Span]:
    if text.isascii():
        return
    for match in _ADDRESS.finditer(text):
        words = match[0]
        begins = max((words.rfind(lead) + len(lead) for lead in _BEFORE_ADDRESS if lead in words), default=0)
        yield match.start() + begins, match.end()


def _cards(text: str) -> Iterator[Span]:
    for start, end in _of(_CARD)(text):
        if not _NO_CARD.search(text, max(0, start - 12), start):
            yield start, end


def _spoken_mobiles(text: str) -> Iterator[Span]:
    return iter(_of(r"(?<!\d)1[3-9]\d{9}(?!\d)")(text.translate(_NUMERALS)))


_SURNAMES = (
    "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕苏卢蒋蔡贾丁魏薛叶阎余潘杜戴夏"
    "钟汪田任姜范石姚谭廖邹熊金陆郝孔白崔康毛邱秦江史顾侯邵孟龙万段雷钱汤尹黎易常武乔贺赖龚文庞樊兰殷施陶洪翟安颜"
    "倪严牛温芦季俞章鲁葛伍韦申尤毕聂焦向柳邢路岳齐梅莫庄辛管祝左涂谷祁耿牟卜肖詹关苗凌费纪靳盛童欧甄项曲成游阳裴席"
    "卫查屈鲍位覃霍翁隋植甘景薄单包司柏宁柯阮桂闵解强柴华车冉房边吉饶刁瞿戚丘古米池滕晋苑邬臧畅宫来嵺苟全褚廉简娄"
    "盖符奚木穆党燕郎邸冀谈姬屠连郜晏栾郁商蒙计喻揭窦迟宇敖糜鄢冷卓花仇艾蓝都巩稽井练仲乐虞卞封竺冼原官衣楚佟栗匡宗"
    "应台巫鞠僧桑荆谌银扬明沙薄伏岑习胥保和蔺"
)
_COMPOUND = "欧阳|司马|上官|诸葛|东方|皇甫|尉迟|公孙|慕容|令狐|司徒|夏侯|端木|南宫|百里|独孤"
_RARELY_A_SURNAME = "位植解强车都应台保和来全明成原都关管单连查衣木米古花官计简"
_LIKELY = "".join(sorted(set(_SURNAMES) - set(_RARELY_A_SURNAME)))
_GIVEN = r"[\u4e00-\u9fff]"
_ANY_NAME = rf"(?:{_GIVEN}{{2,4}}?|{_GIVEN}{{1,10}}(?:·{_GIVEN}{{1,15}}){{1,3}})"
_SURE_NAME = (
    rf"(?:(?:{_COMPOUND}){_GIVEN}{{1,2}}?|[{_LIKELY}]{_GIVEN}{{1,2}}?|{_GIVEN}{{1,10}}(?:·{_GIVEN}{{1,15}}){{1,3}})"
)
_AFTER_NAME = (
    r"(?=[^\u4e00-\u9fffA-Za-z·:]|$|电话|手机|身份证|证件|联系|住址|住在|地址|先生|女士|小姐|本人|的|来电|来信|反映|要求|要投诉|想|要"
    r"|投诉|在贵|在你|在该|于\d|今年|性别|男|女|表示|称|说)"
)
_LABEL = (
    r"(?:投诉人|举报人|申请人|申诉人|反映人|来电人|来信人|咨询人|联系人|委托人|代理人|经办客户|当事人|收件人|收款人|持卡人|开户人|"
    r"客户姓名|客户名称|客户名|户名|姓名|名字|真名|署名|签名|落款|本人姓名|我姓名|先生姓名|女士姓名|投诉者|客户)"
)
_NOT_NAMES = (
    "金卡|高级|高管|高端|高龄|白金|白领|黄金|安全|平安|常客|常年|周[一二三四五六日末年]|何时|何人|何种|何地|马上|万万|万一|"
    "江苏|江西|安徽|宁波|温州|石家|金融|金牌|贵宾|于[今昨明前上本当]|任何|任意|文员|易方|华夏|华泰|国泰|石油|康复|常务|"
    "方便|方才|向[贵你客总营监]|成都|成年|程序|严格|严重|盛大|龙头|项目|齐全|顾客|高位|高价|高风|高净|郑州|苏州|杭州|"
    "雷同|路过|路人|莫名|苗头|关系|关于|陆续|余额|白天|白白|施压|许多|许久|曾经|曾在|曾为|毕竟|武断|武汉|游客|阳光|房主|"
    "丁级|古董|全体|季度|季末|章程|左右|常常|包括|管理|单位|单独|单身|时候|经常|老客|新客|司机|沙发|童年|项下|"
    "性别|资金|填表|年龄|电话|手机|账号|日期|编号|匿名|未知|不详|无名|保密|本人|同上|暂无|未提供|没有|客户|先生|女士|投诉|自己|他人|不便|不愿|拒绝"
)
_NOT_LAST = "人员户者部行店家类民商们组队处科级市省县区客师生股"


def _names(pattern: str, not_last: str = "") -> Finder:
    find = _of(pattern)

    def found(text: str) -> Iterator[Span]:
        for start, end in () if text.isascii() else find(text):
            name = text[start:end]
            if not _NOT_A_NAME.match(name) and (name[-1] not in not_last or "·" in name):
                yield start, end

    return found


_NOT_A_NAME = re.compile(_NOT_NAMES)
_LABELLED = rf"(?<![被\u4e00-\u9fff]){_LABEL}\s*[(（]?(?:姓名|签名|签字)?[)）]?\s*(?:[:]|是|为|叫)\s*(?P<it>{_ANY_NAME}){_AFTER_NAME}"
_CALLED = rf"(?:我叫做?|我的名字(?:叫|是)|本人叫|名叫|我名叫|本名)\s*(?P<it>{_ANY_NAME}){_AFTER_NAME}"
_INTRODUCED = rf"(?:我是(?:客户|股民|投资者|贵司客户|贵部客户|你们的?客户)?|本人是?|这里是|我系|我,)\s*(?P<it>{_SURE_NAME}){_AFTER_NAME}"
_SIGNED = rf"(?:此致|敬礼|谢谢)\s*[。!,]?\s*\n\s*(?P<it>{_SURE_NAME})\s*(?=$|\n|\d)"
_ENGLISH = (
    r"(?:[Mm]y (?:full )?name is|[Mm]y name's|(?:[Ff]ull|[Cc]lient|[Cc]ustomer|[Cc]omplainant)(?:'s)? name\s?(?:is|:)|Complainant\s?:)"
    r"\s*(?P<it>[A-Z][a-z'\-]+(?: [A-Z][a-z'\-.]*){0,3})"
)

# Order matters: an identity number contains what looks like a phone number, an e-mail address a chat name.
_FINDERS: tuple[tuple[str, Finder], ...] = (
    ("[邮箱]", _of(_EMAIL, having="@")),
    ("[证件号]", _of(_ID_18, having=r"\d{3}")),
    ("[证件号]", _of(_ID_15, having=r"\d{15}")),
    ("[证件号]", _of(_ID_SAID, having="证")),
    ("[证件号]", _of(_PASSPORT_SAID, having="证|护照|passport", flags=re.IGNORECASE)),
    ("[证件号]", _of(_PASSPORT, having=r"\d{6}")),
    ("[电话]", _of(_MOBILE, having=r"\d")),
    ("[电话]", _spoken_mobiles),
    ("[电话]", _of(_LANDLINE, having=r"\d{3}")),
    ("[电话]", _of(_LANDLINE_SAID, having=r"\d{3}", flags=re.IGNORECASE)),
    ("[电话]", _of(_FOREIGN, having=r"\+")),
    ("[电话]", _of(_AMERICAN, having=r"\d{4}")),
    ("[微信]", _of(_CHAT, having="信|wechat|weixin|wx|vx|qq|whatsapp|telegram", flags=re.IGNORECASE)),
    ("[账号]", _cards),
    ("[账号]", _of(_ACCOUNT, having=r"\d{6}", flags=re.IGNORECASE)),
    ("[地址]", _addresses),
    ("[姓名]", _names(_LABELLED)),
    ("[姓名]", _names(_CALLED)),
    ("[姓名]", _names(_INTRODUCED, _NOT_LAST)),
    ("[姓名]", _names(_SIGNED)),
    ("[姓名]", _of(_ENGLISH, having="name|omplainant")),
)
