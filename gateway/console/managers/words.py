"""The words of managers and of boards."""

_ACTS = {
    "ask_allocation": ("Try an allocation", "试算分配"), "approve_run": ("Put it in force", "批准生效"),
    "refuse_run": ("Refuse it", "否决"), "roll_back": ("Take it back as a whole", "整体回退"),
    "plan_activity": ("Plan", "登记计划"), "plan_week": ("Plan this week", "本周计划"), "plan_next_week": ("Plan the next week", "下周计划"),
    "plan_day": ("Plan this day", "当日计划"), "plan_next_day": ("Plan the next day", "次日计划"), "note_day": ("What was learnt", "登记心得"),
    "ask_for_manager": ("Ask for another manager", "申请更换客户经理"), "grant": ("Give them another manager", "同意更换"),
    "refuse": ("Leave it as it is", "不予更换"),
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
    "run is asked": "计算中",
    "run is solved": "待批准",
    "run is applied": "已生效",
    "run is refused": "已否决",
    "run is rolled_back": "已回退",
    "scope all": "全部客户",
    "scope pool": "公共池",
    "line is kept": "不变",
    "line is pinned": "固定",
    "line is moved": "调整",
    "line is package": "随客户包",
    "line is no_room": "无容量",
    "visit is planned": "待约访",
    "visit is refused": "约访被拒绝",
    "visit is appointed": "已约访",
    "visit is prepared": "准备完成",
    "visit is recorded": "已登记",
    "visit is cancelled": "已取消",
    "hand-over to_offer": "待移交",
    "hand-over to_contact": "待首次联系",
    "hand-over contacted": "已联系",
    "wish through client": "客户本人提出",
    "wish through counter": "柜台录入",
}
_STEPS = {
    "visit step plan": ("planned", "计划"), "visit step appoint": ("appointment made", "约访"),
    "visit step refuse": ("the client would rather not", "约访被拒绝"), "visit step prepare": ("prepared", "准备完成"),
    "visit step record": ("recorded", "登记拜访"), "visit step cancel": ("cancelled", "取消"),
}  # fmt: skip
_GRADES = {
    "excellent": "优", "good": "良", "pass": "合格", "poor": "差", "calm": "平静", "annoyed": "不满", "angry": "愤怒",
    "no_time": "没有时间", "no_need": "无此需要", "by_phone": "电话沟通即可", "on_site": "营业部面谈",
    "event": "活动", "counter": "柜台", "visits": "拜访", "visited": "已拜访", "entered": "人工登记",
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
    "Plan and log": "计划与日志", "Hand-overs": "客户移交", "Team board": "团队看板", "overdue by their interval": "超出联系间隔",
    "Order": "排序", "overdue ÷ interval": "逾期÷间隔", "what is due": "待办期限", "Over the interval": "超出间隔（倍）", "Last contact": "最近联系",
    "Score": "活动量得分", "Plan": "计划", "Done": "完成", "Still to do": "差额", "Plan of the next": "下期计划", "Nothing is planned.": "未登记计划。",
    "Visits without appointment or preparation count nothing:": "未约访或未准备的拜访不计分：", "Entered by hand alone:": "仅人工登记：",
    "The week": "本周", "The month": "本月", "Log of the day": "当日工作日志", "No contact on this day.": "当日无联系记录。",
    "New clients": "新客户", "What was learnt": "心得", "A visit begins on the client's page, under Team.": "拜访在客户页“服务团队”中发起。",
    "Visit": "拜访", "counts": "计分", "counts nothing": "不计分", "Why the client would not": "拒绝原因", "Preparation": "拜访准备",
    "Record": "拜访记录", "Clients who changed hands": "移交客户", "Wishes for another manager": "更换客户经理申请",
    "would like": "希望由", "beside a complaint: decided at once": "伴随投诉：立即处理", "Hand-over pack": "移交资料",
    "Open now": "未了事项", "What is known": "已知信息", "kept by": "见", "personal: read under Information": "个人信息：见“客户信息”页",
    "Months of trading": "各月交易", "The team this week": "本周团队", "Overdue by interval": "超出间隔", "Beyond the longest": "超出最长间隔",
    "Say which branch.": "请填写营业部。", "Below the minimum two months running": "连续两月低于最低联系率",
    "Clients lost this month": "本月流失客户", "Entries that came late or hold words nobody should say": "补录或含禁用语的记录",
    **{code: chinese for code, (_, chinese) in (_ACTS | _STEPS).items()},
    **_CODES,
    **_GRADES,
}  # fmt: skip
ENGLISH = {
    **{code: english for code, (english, _) in (_ACTS | _STEPS).items()},
    **{
        code: (code.split(" is ", 1)[1] if " is " in code else code.rsplit(" ", 1)[1]).replace("_", " ")
        for code in _CODES
    },
}
