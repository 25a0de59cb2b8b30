"""Writes golden.json: for each op of an int8 Program inputs, constants and the bytes that must come out.

    python tests/deploy/make_golden.py

The edge cases bear results that were worked out by hand; the script stops if the specification in plain Python gives
others. The rest is random, and its results are those of the specification. What the file holds is what implementations
are held against, so it changes only when the specification does.
"""

from __future__ import annotations

import json
import random
from pathlib import Path

from tinyslim.deploy import plain_integers

PATH = Path(__file__).with_name("golden.json")
HALF = {"multiplier": 2**30, "shift": 31}
TOP = 2**31 - 1


def by_hand() -> list[dict]:
    """Cases whose results can be checked in one's head."""
    one = [[[1]]]

    def pointwise(name, weight, bias, multiplier, shift, zero_point, expected, **rest):
        arrays = {"weight": [[[weight]]], "bias": bias, "multiplier": multiplier, "shift": shift}
        attributes = {"input_zero_point": 0, "zero_point": zero_point, **rest}
        return case(name, "conv2d", [one], arrays, attributes, [[expected]])

    def fractions(name, fraction, bias, multiplier, shift, expected):
        arrays = {"weight": [[[[0] * len(bias)]]], "bias": bias, "multiplier": multiplier, "shift": shift}
        return case(name, "conv2d", [one], arrays | {"fraction": fraction}, {"zero_point": 100}, [[expected]])

    def plus(name, a, b, expected, m1=2**30, m2=2**30, shift=31, za=0, zb=0, z=0, low=0, high=255):
        attributes = {"m1": m1, "m2": m2, "shift": shift, "zero_point_a": za, "zero_point_b": zb, "zero_point": z}
        return case(name, "add", [[[a]], [[b]]], {}, attributes | {"low": low, "high": high}, [[expected]])

    eight = [1, -1, 3, -3, 5, -5, 2, -2]
    ends = [TOP, -TOP - 1, 2**30, -(2**30), 2**31 // 2 - 1]
    return [
        pointwise("ties go up, also below zero", eight, [0] * 8, [2**30] * 8, [31] * 8, 128,
                  [129, 128, 130, 127, 131, 126, 129, 127]),
        pointwise("bytes end at 0 and 255", [127, -128, 127, -128], [0] * 4, [TOP, TOP, 2**30, 2**30], [30] * 4, 10,
                  [255, 0, 137, 0]),
        pointwise("shift 1: any sum but 0 leaves the bytes", [0, 1, -1], [0] * 3, [2**30, TOP, TOP], [1] * 3, 77,
                  [77, 255, 0]),
        pointwise("shift 62: all of int32 is two steps wide", [0] * 5, ends, [TOP, TOP, TOP, TOP, 2**30], [62] * 5, 7,
                  [8, 6, 7, 7, 7]),
        pointwise("shift 62: a quarter of a step is none", [0] * 2, [TOP, -TOP - 1], [2**30] * 2, [62] * 2, 0, [0, 0]),
        pointwise("zero point and bounds of a ReLU6", [9, -9, 100], [0] * 3, [2**30] * 3, [30] * 3, 128,
                  [137, 128, 200], low=128, high=200),
        fractions("fractions of a step decide what is nearest", [127, 0, -1, -128], [0, 1, 1, 1], [2**30] * 4, [31] * 4,
                  [100, 101, 100, 100]),
        fractions("fractions of steps that are large", [1, -1, 127, -128, 1], [0, 0, 0, 1, -1], [2**30] * 5, [22] * 5,
                  [101, 99, 227, 228, 0]),
        fractions("where a product has 62 bits a fraction counts to the last", [-128, 127], [2**30, -(2**30)],
                  [2**30] * 2, [61] * 2, [100, 100]),
        case("one pixel under a whole border", "conv2d", [[[[200]]]],
             {"weight": [[[[5]], [[7]], [[9]]]] * 3, "bias": [0], "multiplier": [2**30], "shift": [31]},
             {"padding": [1, 1, 1, 1], "input_zero_point": 190, "zero_point": 0}, [[[35]]]),
        case("a depthwise window of padding alone gives its bias", "depthwise_conv2d", [[[[255, 0]]]],
             {"weight": [[[127, -127]]], "bias": [30, -3], "multiplier": [2**30] * 2, "shift": [30, 31]},
             {"stride": 2, "padding": [2, 0, 2, 0], "input_zero_point": 128, "zero_point": 3},
             [[[33, 2], [33, 2]], [[33, 2], [255, 255]]]),
        case("linear", "linear", [[0, 128, 255]],
             {"weight": [[1, -1], [2, 3], [4, -4]], "bias": [0, 1], "multiplier": [2**30] * 2, "shift": [31, 32]},
             {"input_zero_point": 128, "zero_point": 5}, [195, 0]),
        case("logits", "logits", [[0, 128, 255]],
             {"weight": [[1, -1], [2, 3], [4, -4]], "bias": [0, 1], "scale": [0.5, -0.25]},
             {"input_zero_point": 128}, [190.0, 94.75]),
        case("logits: a sum of 25 bits becomes an even float32", "logits", [[1]],
             {"weight": [[1, -1, 2]], "bias": [2**24, -(2**24), 2**24 + 1], "scale": [1.0, 1.0, 1.0]},
             {}, [16777216.0, -16777216.0, 16777220.0]),
        plus("add: a tie goes up", [1, 3, 5], [0, 0, 0], [1, 2, 3]),
        plus("add: a tie below zero goes up", [0, 0, 1], [0, 1, 0], [127, 128, 128], za=1, zb=1, z=128),
        plus("add: one rounding, not two", [1, 3], [1, 3], [1, 3]),
        plus("add: bytes end at both bounds", [255, 0, 255], [255, 0, 0], [250, 0, 250], TOP, TOP, 30, z=3, za=1,
             zb=1, high=250),
        plus("add: shift 1", [0, 1, 0], [0, 0, 1], [9, 255, 9], TOP, 0, 1, z=9),
        plus("add: shift 62", [255, 0], [255, 0], [44, 44], TOP, TOP, 62, z=44),
        case("quantize: ties go to the even byte", "quantize", [[[[0.25, 0.75, 1.25, -0.25, -0.75, 0.5]]]], {},
             {"scale": 0.5, "zero_point": 100}, [[[100, 102, 102, 100, 98, 101]]]),
        case("quantize: what no byte holds", "quantize", [[[[1e30, -1e30, "inf", "-inf", "nan", 155.5, -100.5]]]], {},
             {"scale": 1.0, "zero_point": 100}, [[[255, 0, 255, 0, 0, 255, 0]]]),
        case("dequantize", "dequantize", [[0, 7, 255]], {}, {"scale": 0.25, "zero_point": 7}, [-1.75, 0.0, 62.0]),
        case("clip", "clip", [[[[0, 3, 4, 250, 251, 255]]]], {}, {"low": 4, "high": 250},
             [[[4, 4, 4, 250, 250, 250]]]),
        case("concat of odd widths", "concat", [[[[1, 2, 3]]], [[[4]]], [[[5, 6]]]], {}, {}, [[[1, 2, 3, 4, 5, 6]]]),
        case("flatten", "flatten", [[[[1, 2]], [[3, 4]]]], {}, {}, [1, 2, 3, 4]),
        case("max pooling: padding never wins", "max_pool2d", [[[[0], [9]], [[5], [0]]]], {},
             {"size": 3, "stride": 2, "padding": [1, 1, 1, 1]}, [[[9]]]),
        case("mean: a tie goes up, on either side of zero", "avg_pool2d", [[[[2, 0], [0, 0], [1, 3], [0, 0]]] * 2], {},
             {"size": 2, "stride": 2, "multiplier": 2**30, "shift": 32, "input_zero_point": 1, "zero_point": 50},
             [[[50, 49], [50, 51]]]),
        case("mean: padding counts as real zeros", "avg_pool2d", [[[[255]]]], {},
             {"size": 3, "stride": 1, "padding": [1, 1, 1, 1], "multiplier": 1908874354, "shift": 34,
              "input_zero_point": 120, "zero_point": 1}, [[[16]]]),
        case("mean of a single pixel", "global_avg_pool2d", [[[[0, 128, 255]]]], {},
             {**HALF, "input_zero_point": 128, "zero_point": 128}, [64, 128, 192]),
    ]  # fmt: skip


def by_chance(chance: random.Random) -> list[dict]:
    """Random images, odd widths, uneven borders, every zero point."""

    def array(shape, low=0, high=255):
        if not shape:
            return chance.randint(low, high)
        return [array(shape[1:], low, high) for _ in range(shape[0])]

    def rescaling(depth, channels):
        step = 90 / (73 * 40 * depth**0.5)
        shift = 30 + next(s for s in range(64) if step * 2**s >= 1)
        top = int(step * 2**shift)
        return {
            "bias": array([channels], -int(60 / step), int(60 / step)),
            "fraction": array([channels], -128, 127),
            "multiplier": [min(TOP, chance.randint(top, 2 * top)) for _ in range(channels)],
            "shift": [shift] * channels,
        }

    def grids(zero_point):
        return {"input_zero_point": zero_point, "zero_point": 255 - zero_point, "low": 2, "high": 251}

    cases = []
    for zero_point, (height, width, cin, cout), size, stride, padding in [
        (0, (5, 4, 3, 5), 3, 1, [1, 1, 1, 1]), (128, (5, 6, 5, 17), 3, 2, [1, 0, 0, 2]),
        (255, (1, 1, 33, 7), 1, 1, [0, 0, 0, 0]), (201, (4, 3, 1, 3), 2, 3, [0, 1, 1, 0]),
    ]:  # fmt: skip
        arrays = {"weight": array([size, size, cin, cout], -128, 127), **rescaling(size * size * cin, cout)}
        attributes = {"stride": stride, "padding": padding, **grids(zero_point)}
        cases.append(case(f"conv2d {cin} to {cout}", "conv2d", [array([height, width, cin])], arrays, attributes))
    for zero_point, channels, size, stride, padding in [
        (0, 5, 3, 1, [1, 1, 1, 1]), (128, 19, 3, 2, [0, 1, 0, 1]), (77, 1, 5, 1, [2, 2, 2, 2]),
    ]:  # fmt: skip
        arrays = {"weight": array([size, size, channels], -128, 127), **rescaling(size * size, channels)}
        attributes = {"stride": stride, "padding": padding, **grids(zero_point)}
        name = f"depthwise {size} × {size}, {channels} channels"
        cases.append(case(name, "depthwise_conv2d", [array([5, 4, channels])], arrays, attributes))
    for inputs, outputs in [(37, 11), (1, 1)]:
        arrays = {"weight": array([inputs, outputs], -128, 127), **rescaling(inputs, outputs)}
        cases.append(case(f"linear {inputs} to {outputs}", "linear", [array([inputs])], arrays, grids(99)))
    attributes = {"m1": 1932735283, "m2": 601295421, "shift": 31, "zero_point_a": 3, "zero_point_b": 128,
                  "zero_point": 100, "low": 5, "high": 240}  # fmt: skip
    cases.append(case("add", "add", [array([3, 3, 7]), array([3, 3, 7])], {}, attributes))
    for op, attributes in [
        ("max_pool2d", {"size": 3, "stride": 2, "padding": [1, 0, 1, 2]}),
        ("avg_pool2d", {"size": 2, "stride": 1, "padding": [0, 1, 0, 1], "multiplier": 1181116006, "shift": 32,
                        "input_zero_point": 130, "zero_point": 90}),
        ("global_avg_pool2d", {"multiplier": 1789569707, "shift": 35, "input_zero_point": 0, "zero_point": 4}),
    ]:  # fmt: skip
        cases.append(case(op, op, [array([5, 4, 9])], {}, attributes))
    return cases


def case(name, op, inputs, arrays, attributes, expected=None) -> dict:
    """One case; `expected`, where it is given, is held against the specification."""
    if "multiplier" in arrays:
        arrays = {"fraction": [0] * len(arrays["bias"])} | arrays
    numbers = [plain_integers.each(value, float) if op == "quantize" else value for value in inputs]
    found = plain_integers.OPS[op](*numbers, **arrays, **attributes)
    if expected not in (None, found):
        raise SystemExit(f"{name}: by hand {expected}, by the specification {found}")
    return {"name": name, "op": op, "inputs": inputs, "arrays": arrays, "attributes": attributes, "expected": found}


def contents() -> str:
    """What the file holds, a case a line."""
    cases = by_hand() + by_chance(random.Random(6))
    return "[\n" + ",\n".join(json.dumps(one, separators=(",", ":")) for one in cases) + "\n]\n"


if __name__ == "__main__":
    PATH.write_text(contents(), encoding="utf-8")
