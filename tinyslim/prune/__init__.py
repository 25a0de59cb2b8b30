"""Filter pruning: which channels go together, which matter least, and a smaller network without them."""

from .checking import PruningMismatchError
from .criteria import CRITERIA, Filters, channel_scores
from .cutting import cut
from .evaluation import Evaluate, SubsetTop1, score_and_loss, trial
from .grouping import Group, Member
from .measuring import sensitivity
from .planning import Plan, choose_groups, plan_by_level, plan_ratios
from .recalibration import recalibrate_batch_norm
from .rules import RULES
from .search_log import Trial
from .searching import Search, plan_search, search
from .sensitive_pruning import plan_sensitive, sensitive
from .sensitivities import GroupSensitivity, Measurement, Sensitivity, Suggestions
from .stepping import Curve
from .structure import Structure, groups, read_structure, uncut
from .uniform_pruning import plan_uniform, uniform

__all__ = [
    "CRITERIA",
    "RULES",
    "Curve",
    "Evaluate",
    "Filters",
    "Group",
    "GroupSensitivity",
    "Measurement",
    "Member",
    "Plan",
    "PruningMismatchError",
    "Search",
    "Sensitivity",
    "Structure",
    "SubsetTop1",
    "Suggestions",
    "Trial",
    "channel_scores",
    "choose_groups",
    "cut",
    "groups",
    "plan_by_level",
    "plan_ratios",
    "plan_search",
    "plan_sensitive",
    "plan_uniform",
    "read_structure",
    "recalibrate_batch_norm",
    "score_and_loss",
    "search",
    "sensitive",
    "sensitivity",
    "trial",
    "uncut",
    "uniform",
]
