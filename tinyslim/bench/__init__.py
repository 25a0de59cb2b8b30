"""How fast the engine is, with its peers beside it: in one process, by turns, with the same number of threads.

The names below are imported when they are first used (PEP 562): peers bring their own threads, and are loaded before
the kernels so that they keep their own way of waiting.
"""

from importlib import import_module

#: Which module each public name comes from.
_PUBLIC = {
    "Comparison": "comparison",
    "KernelError": "trial",
    "Timing": "timing",
    "by_turns": "timing",
    "cases": "trial",
    "check_kernel": "trial",
    "compare_kernel": "kernel_tables",
    "compare_kernels": "kernel_tables",
    "compare_models": "inference",
    "compare_own_kernel": "kernel_tables",
    "compare_pruned": "pruned",
    "compare_training": "training",
    "load_kernel": "trial",
    "machine_facts": "machine",
    "same_memory": "timing",
    "train_step": "training",
}

__all__ = [*_PUBLIC]


def __getattr__(name: str):
    if name not in _PUBLIC:
        raise AttributeError(f"module 'tinyslim.bench' has no attribute {name!r}; it has {', '.join(_PUBLIC)}")
    value = getattr(import_module(f"tinyslim.bench.{_PUBLIC[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_PUBLIC})
