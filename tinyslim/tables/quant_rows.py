"""The table of quantisation: the same short training with each kind of rounding, measured on the int8 Program."""

from __future__ import annotations

from .benchmarks import Benchmark
from .rows import Row
from .working import compress

#: The network is trained already: small steps.
LR = 0.0005
ACTIVATIONS = {
    "abs_max": "each batch's own range",
    "moving_average_abs_max": "ranges that follow the batches slowly",
    "range_abs_max": "the largest range of a window",
}
WEIGHTS = {"channel_wise_abs_max": "a step for each filter", "abs_max": "one step for a whole weight"}


def config(benchmark: Benchmark, seed: int, strategies: dict) -> dict:
    """The short training that all rows of this table share."""
    settings = {"epochs": benchmark.epochs["quant"], "lr": LR, "schedule": "cosine", "seed": seed}
    return {"compressor": settings | dict(benchmark.compressor), "strategies": strategies}


def aware_row(name: str, description: str, **fields) -> Row:
    """A row of quantisation-aware training."""

    def plan(benchmark: Benchmark, seed: int) -> dict:
        return config(benchmark, seed, {"quant": {"class": "QuantizationStrategy"} | fields})

    return Row(name, description, plan, compress)


CONTROL = Row(
    "control",
    "float32: the same training without rounding",
    lambda benchmark, seed: config(benchmark, seed, {}),
    compress,
)

QUANT = (
    CONTROL,
    *(
        aware_row(
            f"qat_{activation.removesuffix('_abs_max') if activation != 'abs_max' else activation}_{short}",
            f"trained with rounding: {said}, {steps}",
            activation_quantize_type=activation,
            weight_quantize_type=weight,
        )
        for activation, said in ACTIVATIONS.items()
        for (weight, steps), short in zip(WEIGHTS.items(), ("channel", "tensor"), strict=True)
    ),
)
