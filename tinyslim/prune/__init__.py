"""Filter pruning: which channels go together, which matter least, and a smaller network without them."""

from .checking import PruningMismatchError
from .criteria import CRITERIA, Filters, channel_scores
from .cutting import cut
from .grouping import Group, Member
from .planning import Plan, plan_uniform, uniform
from .recalibration import recalibrate_batch_norm
from .rules import RULES
from .structure import Structure, groups, read_structure, uncut

__all__ = [
    "CRITERIA",
    "RULES",
    "Filters",
    "Group",
    "Member",
    "Plan",
    "PruningMismatchError",
    "Structure",
    "channel_scores",
    "cut",
    "groups",
    "plan_uniform",
    "read_structure",
    "recalibrate_batch_norm",
    "uncut",
    "uniform",
]
