"""The network as a graph: one tracer, whose users count, cut, quantise and lower."""

from .counting import Summary, summary
from .module import GraphModule, copy_nodes, place, run_node, to_module
from .node import Constant, Graph, Neighbour, Node, Parameter
from .places import tappable
from .rules import register
from .serial import from_json, to_json
from .tapping import taps
from .tracing import evaluating, trace

__all__ = [
    "Constant",
    "Graph",
    "GraphModule",
    "Neighbour",
    "Node",
    "Parameter",
    "Summary",
    "copy_nodes",
    "evaluating",
    "from_json",
    "place",
    "register",
    "run_node",
    "summary",
    "tappable",
    "taps",
    "to_json",
    "to_module",
    "trace",
]
