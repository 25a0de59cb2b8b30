"""Compression: strategies that prune, quantise and distil, in one list, driven by one `Compressor`."""

from . import recipes
from .achievements import achieved, record
from .auto_prune import AutoPruneStrategy
from .checking import ConfigError
from .cliff_record import Cliff, CliffPoint
from .compressor import Compressor
from .config import Config, read_config
from .context import Context
from .distillation import DistillationStrategy
from .finish import Result
from .hooks import HOOKS
from .plugins import load_plugin
from .pruning_cliff import Mending, Row, cliff, first_channels
from .quantization import QuantizationStrategy
from .read_only import ReadOnlyContext
from .sensitive_prune import SensitivePruneStrategy
from .settings import CompressorSettings
from .strategy import STRATEGIES, Strategy, register
from .uniform_prune import UniformPruneStrategy

__all__ = [
    "HOOKS",
    "STRATEGIES",
    "AutoPruneStrategy",
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
    "ReadOnlyContext",
    "Result",
    "Row",
    "SensitivePruneStrategy",
    "Strategy",
    "UniformPruneStrategy",
    "achieved",
    "cliff",
    "first_channels",
    "load_plugin",
    "read_config",
    "recipes",
    "record",
    "register",
]
