"""The words of managers and of boards."""

_ACTS = {
    "ask_allocation": ("Try an allocation", "试算分配"), "approve_run": ("Put it in force", "批准生效"),
    "refuse_run": ("Refuse it", "否决"), "roll_back": ("Take it back as a whole", "整体回退"),
    "add_skill": ("Enter a skill", "登记专长"), "set_capacity": ("Set the room", "设定容量"),
    "handle_drift": ("Handled", "已处理"), "acknowledge": ("Acknowledge", "确认知悉"), "account": ("Enter the outcome", "登记问责结果"),
    "carry_out": ("Carried out", "整改完成"), "review_alarm": ("Enter the review", "登记评审"),
    "complete_action": ("Action done", "措施完成"), "make_pack": ("Make the pack", "生成报送包"), "sign_off": ("Sign it off", "签署"),
    "nil_report": ("Report that there was nothing", "零报告"), "publish_reception_day": ("Publish a reception day", "公布接待日"),
    "register_visit": ("Register a visit", "登记来访"), "add_user": ("Add a user", "新增用户"),
    "disable_user": ("Disable", "停用"), "enable_user": ("Enable", "启用"), "set_password": ("Set a password", "设置密码"),
    "remove_user": ("Remove", "删除"), "disable_key": ("Disable", "停用"), "enable_key": ("Enable", "启用"),
    "remove_key": ("Revoke for good", "永久吊销"), "end_session": ("End it", "结束会话"),
    "revoke_sessions": ("End everything of a person", "结束某人全部会话"),
}  # fmt: skip
_CODES = {
    "run is asked": "计算中", "run is solved": "待批准", "run is applied": "已生效", "run is refused": "已否决", "run is rolled_back": "已回退",
    "scope all": "全部客户", "scope pool": "公共池", "line is kept": "不变", "line is pinned": "固定", "line is moved": "调整",
    "line is package": "随客户包", "line is no_room": "无容量",
}  # fmt: skip
CHINESE = {
    "Managers": "客户经理", "Manager (staff id)": "客户经理（工号）", "Shown": "显示", "with something due": "有待办事项",
    "My clients": "我的客户", "Clients of the manager": "所辖客户", "room for": "容量", "What is due": "待办",
    "Who owns the clients": "客户归属", "Allocations": "客户分配", "Moved": "调整数", "Allocation": "客户分配方案",
    "Completeness at the last month's end": "上月末信息完整度", "Compared with what is": "与现状比较", "By manager": "按客户经理",
    "Before": "调整前", "After": "调整后", "It is being worked out.": "正在计算。", "Line by line": "逐户明细", "Download": "下载",
    "Supervision of complaints": "投诉督导", "Radar": "群诉雷达", "Monthly packs": "月度报送包", "Duties of branches this month": "本月营业部职责",
    "Reception days": "总经理接待日", "Channels of branches": "营业部投诉渠道", "People and keys": "人员与密钥", "Users": "用户",
    "Keys of systems and people": "接口密钥", "Sessions": "会话", "Trades above the level": "超等级交易", "What fits no more": "不再匹配",
    "Deadlines missed by callbacks": "回访逾期告警",
    **{code: chinese for code, (_, chinese) in _ACTS.items()},
    **_CODES,
}  # fmt: skip
ENGLISH = {
    **{code: english for code, (english, _) in _ACTS.items()},
    **{
        code: (code.split(" is ", 1)[1] if " is " in code else code.split(" ", 1)[1]).replace("_", " ")
        for code in _CODES
    },
}
