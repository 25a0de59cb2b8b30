"""More rows of quantisation: ranges from some images without any training, and steps that are learned.

Calibration takes seconds, so there is a row for each way: a rule for the ranges of activations, a step for each filter
or one for a whole weight, and the network as it is or with its channels' ranges evened out first (Nagel et al. 2019).
"""

from __future__ import annotations

import time

from tinyslim import quant
from tinyslim.compress.measure import measure

from .benchmarks import Benchmark
from .quant_rows import WEIGHTS, aware_row
from .rows import Outcome, Row, Scene

#: Images that ranges are taken from, another draw for each seed.
IMAGES = 512
BATCH = 64

METHODS = {
    "abs_max": "the whole range",
    "percentile": "all but the outermost values",
    "mse": "the range of the least squared error",
    "kl": "the range that keeps the distribution (Migacz 2017)",
}


def calibrate(scene: Scene) -> Outcome:
    """Quantise the baseline as the plan says, without training."""
    plan, started = scene.plan, time.perf_counter()
    example = scene.train_set.normalized(slice(0, 1), scene.model.preprocessing)
    drawn = scene.train_set.subset(min(plan["images"], len(scene.train_set)), plan["seed"])
    batches = [
        drawn.normalized(slice(start, start + BATCH), scene.model.preprocessing)
        for start in range(0, len(drawn), BATCH)
    ]
    model = quant.equalize(scene.model, example) if plan["equalize"] else scene.model
    calibrated = quant.calibrate(
        model, batches, method=plan["method"], weight_quantize_type=plan["weight_quantize_type"]
    )
    seconds = time.perf_counter() - started
    metrics = measure(scene.model, calibrated, example, scene.test_set).metrics
    return Outcome(metrics, [], seconds, plan)


def _row(method: str, weight: str, short: str, equalize: bool) -> Row:
    def plan(benchmark: Benchmark, seed: int) -> dict:
        return {
            "method": method,
            "weight_quantize_type": weight,
            "equalize": equalize,
            "images": IMAGES,
            "seed": seed,
        }

    name = f"ptq_{method}_{short}{'_equalized' if equalize else ''}"
    evened = ", channels evened out first" if equalize else ""
    return Row(name, f"not trained: {METHODS[method]}, {WEIGHTS[weight]}{evened}", plan, calibrate)


CALIBRATION = tuple(
    _row(method, weight, short, equalize)
    for method in METHODS
    for weight, short in zip(WEIGHTS, ("channel", "tensor"), strict=True)
    for equalize in (False, True)
)

LEARNED_STEPS = tuple(
    aware_row(
        f"lsq_{bits}",
        f"trained with rounding to {bits} bits, the steps learned (Esser et al. 2020)",
        weight_quantize_type="channel_wise_lsq",
        activation_quantize_type="lsq",
        weight_bits=bits,
        activation_bits=bits,
    )
    for bits in (8, 4)
)
