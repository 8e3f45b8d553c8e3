"""The words of compliance."""

CHINESE = {
    "Compliance": "合规监督",
    "Findings of callbacks": "回访发现",
    "Findings of suitability": "适当性发现",
    "Calls to review": "待质检回访",
    "Assessments to review": "待复核测评",
    "Escalations": "升级记录",
    "review_call": "质检",
    "judge": "复核",
}
ENGLISH = {"review_call": "Review", "judge": "Decide"}
