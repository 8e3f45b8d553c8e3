"""The words of compliance."""

CHINESE = {
    "Audit": "审计查询",
    "Who did and read what, about whom. The search itself leaves a row.": "谁对谁做了什么、查阅了什么。本查询亦留痕。",
    "Who looked": "查阅记录",
    "Who looked at this client, and who did what": "谁查阅了该客户、做了什么",
    "read": "查阅",
    "Compliance": "合规监督",
    "Findings of callbacks": "回访发现",
    "Findings of suitability": "适当性发现",
    "Calls to review": "待质检回访",
    "Assessments to review": "待复核测评",
    "Professional investors to decide": "待审批专业投资者认定",
    "Escalations": "升级记录",
    "review_call": "质检",
    "judge": "复核",
}
ENGLISH = {"review_call": "Review", "judge": "Decide"}
