"""More rows of quantisation: ranges from some images without any training, and steps that are learned.

Calibration takes seconds, so there is a row for each way: a rule for the ranges of activations, a step for each filter
or one for a whole weight, and the network as it is, with its channels' ranges evened out first, with its biases moved
by what rounding shifts on average, or with both (Nagel et al. 2019).
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
    how = {name: plan[name] for name in ("method", "weight_quantize_type", "bias_correction")}
    calibrated = quant.calibrate(model, batches, **how)
    seconds = time.perf_counter() - started
    metrics = measure(scene.model, calibrated, example, scene.test_set).metrics
    return Outcome(metrics, [], seconds, plan)


def _row(method: str, weight: str, short: str, equalize: bool, correct: bool) -> Row:
    def plan(benchmark: Benchmark, seed: int) -> dict:
        return {
            "method": method,
            "weight_quantize_type": weight,
            "equalize": equalize,
            "bias_correction": correct,
            "images": IMAGES,
            "seed": seed,
        }

    name = f"ptq_{method}_{short}" + "_equalized" * equalize + "_corrected" * correct
    more = ", channels evened out first" * equalize + ", biases corrected" * correct
    return Row(name, f"not trained: {METHODS[method]}, {WEIGHTS[weight]}{more}", plan, calibrate)


CALIBRATION = tuple(
    _row(method, weight, short, equalize, correct)
    for method in METHODS
    for weight, short in zip(WEIGHTS, ("channel", "tensor"), strict=True)
    for equalize in (False, True)
    for correct in (False, True)
)

LEARNED_STEPS = tuple(
    aware_row(
        f"lsq_{bits}_{short}",
        f"trained with rounding to {bits} bits, the steps learned (Esser et al. 2020): {steps}",
        weight_quantize_type=weight,
        activation_quantize_type="lsq",
        weight_bits=bits,
        activation_bits=bits,
    )
    for bits in (8, 4)
    for weight, steps, short in (
        ("channel_wise_lsq", "one for each filter", "channel"),
        ("lsq", "one for a whole weight", "tensor"),
    )
)
