"""The size that quantisation promises, of the network that the literature measures it on."""

import numpy as np

import tinyslim
from tinyslim import models, no_grad, quant


def test_int8_mobilenet_v1_takes_at_most_440_hundredths_of_a_megabyte():
    """Sizes don't depend on the image, and weights that were never trained take as much room as others."""
    net, example = models.mobilenet_v1(num_classes=1000), np.zeros((1, 32, 32, 3), np.float32)
    net.preprocessing = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    prepared = quant.prepare(net, example)
    with no_grad():
        prepared.train()(tinyslim.Tensor(np.random.default_rng(0).normal(size=(2, 32, 32, 3)).astype(np.float32)))
    small, large = tinyslim.freeze(prepared.eval(), example), tinyslim.freeze(net.eval(), example)
    assert small.nbytes <= 4_400_000
    assert large.nbytes <= 16_950_000
    assert small.nbytes <= (1 - 0.74) * large.nbytes
