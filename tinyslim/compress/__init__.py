"""Compression: strategies that prune, quantise and distil, in one list, driven by one `Compressor`."""

from . import recipes
from .checking import ConfigError
from .compressor import Compressor
from .config import Config, read_config
from .context import Context
from .distillation import DistillationStrategy
from .finish import Result
from .quantization import QuantizationStrategy
from .settings import CompressorSettings
from .strategy import STRATEGIES, Strategy, register
from .uniform_prune import UniformPruneStrategy

__all__ = [
    "STRATEGIES",
    "Compressor",
    "CompressorSettings",
    "Config",
    "ConfigError",
    "Context",
    "DistillationStrategy",
    "QuantizationStrategy",
    "Result",
    "Strategy",
    "UniformPruneStrategy",
    "read_config",
    "recipes",
    "register",
]
