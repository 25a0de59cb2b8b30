"""Compression: strategies that prune, quantise and distil, in one list, driven by one `Compressor`."""

from . import recipes
from .checking import ConfigError
from .cliff_record import Cliff, CliffPoint
from .compressor import Compressor
from .config import Config, read_config
from .context import Context
from .distillation import DistillationStrategy
from .finish import Result
from .pruning_cliff import Mending, Row, cliff, first_channels
from .quantization import QuantizationStrategy
from .settings import CompressorSettings
from .strategy import STRATEGIES, Strategy, register
from .uniform_prune import UniformPruneStrategy

__all__ = [
    "STRATEGIES",
    "Cliff",
    "CliffPoint",
    "Compressor",
    "CompressorSettings",
    "Config",
    "ConfigError",
    "Context",
    "DistillationStrategy",
    "Mending",
    "QuantizationStrategy",
    "Result",
    "Row",
    "Strategy",
    "UniformPruneStrategy",
    "cliff",
    "first_channels",
    "read_config",
    "recipes",
    "register",
]
