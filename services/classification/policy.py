"""The tables of classification: the shipped versions stand in `policy.toml`, what a body may say in the types named."""

from chassis.policy import PolicyBook, PolicyTable
from services.classification.group_policies import parse_groups, parse_lifecycle, parse_value
from services.classification.policies import POLICY_FILE, parse_classes, parse_tiers
from services.classification.supplementary_rules import parse


class Policies(PolicyBook):
    """The tables of classification; a branch may have an override of the class table [a.3].

    The recalibrated threshold of a year may still be published in its first ten days, for 1 January [a.6].
    """

    classes = PolicyTable(POLICY_FILE, parse_classes, branches=True, new_year_days=10)
    tiers = PolicyTable(POLICY_FILE, parse_tiers)
    groups = PolicyTable(POLICY_FILE, parse_groups)
    value = PolicyTable(POLICY_FILE, parse_value)
    lifecycle = PolicyTable(POLICY_FILE, parse_lifecycle)
    supplementary = PolicyTable(POLICY_FILE, parse)
