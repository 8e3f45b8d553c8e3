"""What suitability refuses, each with its status and a docstring a caller can read."""

from chassis.errors import Conflict, Forbidden, Invalid, NotFound, Refusal, Text


class UnknownClient(NotFound):
    """No such client is known here, or the caller may not see them."""

    title = Text("No such client", "没有该客户")


class UnknownTemplate(NotFound):
    """There is no template of this code and version."""

    title = Text("No such template", "没有该调查表模板")


class TemplateNotInForce(Conflict):
    """The answers are for a template version that is not published, not yet in force, or replaced by a newer one."""

    title = Text("This template version is not in force", "该调查表版本未生效或已被替换")


class SchemeNotInForce(Conflict):
    """Clients of this kind answer in another scheme at present, named by `scheme`; this one is kept to read."""

    title = Text("This scheme is not in force", "该等级方案当前未启用")


class NotForThisClient(Conflict):
    """The template is for individuals and the client an institution, or the other way round."""

    title = Text("This template is for other clients", "该调查表不适用于此类客户")


class AnswersInvalid(Invalid):
    """Some answers are missing, repeated, unknown or too many; `errors` points at each."""

    title = Text("Some answers are wrong", "部分答案有误")


class AnswersContradict(Invalid):
    """Answers contradict each other or the client's profile and must be corrected."""

    title = Text("Answers contradict each other", "答案相互矛盾")


class EvidenceMissing(Invalid):
    """The channel demands a signature or a recording (双录) and the request carries none."""

    title = Text("A signature or recording is missing", "缺少签名或双录记录")


class UnknownChannel(Invalid):
    """The channel is none that the policy knows."""

    title = Text("Unknown channel", "未知渠道")


class AttemptLimitReached(Conflict):
    """The client has submitted as often as allowed, today or within twelve months [Q5]."""

    title = Text("The number of assessments is used up", "风险测评次数已用完")


class TemplateUnprovable(Invalid):
    """The template cannot be published: its bands are not total and disjoint, or it is incomplete."""

    title = Text("The template cannot be published", "该调查表不能发布")


class ProofIncomplete(Invalid):
    """Something that the article asks of a professional investor is not proven, or not high enough; `errors` says what."""

    title = Text("The proof is not complete", "证明材料不完整")


class WrongState(Conflict):
    """What is asked for does not fit the thing's present state."""

    title = Text("Not possible in its present state", "当前状态不允许")


class NothingToConfirm(Conflict):
    """The decision was not a CONFIRM, or what it rested on has changed: ask for a new decision."""

    title = Text("There is nothing to confirm", "没有可确认的事项")


class AlreadyConfirmed(Conflict):
    """This decision was confirmed before."""

    title = Text("Already confirmed", "已确认")


class ConfirmationLapsed(Conflict):
    """The time to confirm is over: ask for a new decision."""

    title = Text("The time to confirm is over", "确认时限已过")


class OwnChannelNeeded(Forbidden):
    """The client confirms by themselves in this channel; staff enter confirmations at the counter or on the telephone only."""

    title = Text("The client confirms in their own channel", "须由客户本人在其渠道确认")


class CoolingTimeRunning(Conflict):
    """The client must think it over first; `not_before` says how long."""

    title = Text("The cooling time is still running", "冷静期尚未结束")


class ConfirmationLinkUsed(Conflict):
    """The link was used before, has been replaced by a newer one, or its time is over (`expires_at`): ask for another."""

    title = Text("The link is good no more", "该链接已失效")


class WarningNotShown(Conflict):
    """The confirmation names another version of the warning than the one the decision carried."""

    title = Text("Another warning text was shown", "所示警示文本版本不符")


class UnknownProduct(NotFound):
    """There is no such product in the library."""

    title = Text("No such product", "没有该产品")


class UnderLegalHold(Conflict):
    """The client's records are under legal hold: nothing of them may be deleted."""

    title = Text("Under legal hold", "处于法律保全状态")


class AccountOpen(Conflict):
    """The client's account is open: their records are in use."""

    title = Text("The account is open", "账户尚未销户")


class RetentionRunning(Conflict):
    """The records must be kept until `keep_until` (20 years after the last of them)."""

    title = Text("The retention period is running", "保存期限未满")


class TooMuchAtOnce(Refusal):
    """More clients and products than one screening takes."""

    status = 422
    title = Text("Too much for one screening", "一次筛查的数量过大")
