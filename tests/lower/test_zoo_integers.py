"""Every network of the zoo, small: kernels, NumPy twin and plain Python give the same bytes."""

import numpy as np
import pytest

import tinyslim
import tinyslim.functional as F
from tinyslim import deploy, models, nn, no_grad, quant
from tinyslim.deploy import plain_integers


class Dense(nn.Module):
    """Two blocks of DenseNet (Huang et al. 2017): each layer's channels are joined to those of all before it."""

    def __init__(self):
        rng = np.random.default_rng(8)
        self.stem = nn.Conv2d(3, 5, 3, padding=1, seed=rng)
        self.first, self.norm = nn.Conv2d(5, 3, 3, padding=1, bias=False, seed=rng), nn.BatchNorm2d(3)
        self.left, self.right = nn.Conv2d(3, 7, 1, seed=rng), nn.DepthwiseConv2d(3, 3, padding=1, seed=rng)
        self.last = nn.Linear(10, 4, seed=rng)

    def forward(self, x):
        x = F.relu(self.norm(self.first(F.relu(self.stem(x)))))
        x = F.concat([self.left(x), F.relu(self.right(x))])
        return self.last(F.global_avg_pool2d(F.avg_pool2d(F.relu6(x), 2)))


SMALL = {"num_classes": 4, "in_channels": 3}
NETS = {
    "mobilenet_v1": lambda: models.mobilenet_v1(width=0.125, stem_stride=1, **SMALL),
    "mobilenet_v2": lambda: models.mobilenet_v2(width=0.25, **SMALL),
    "resnet20": lambda: models.resnet20(**SMALL),
    "resnet18": lambda: models.resnet18(width=0.125, **SMALL),
    "resnet50": lambda: models.resnet50(width=0.125, **SMALL),
    "dense": Dense,
}


def frozen(make, rng, size: int) -> deploy.Program:
    """An int8 Program whose ranges and statistics two batches of noise have set."""
    net = make()
    net.preprocessing = ([0.5, 0.4, 0.3], [0.2, 0.3, 0.25])
    example = np.zeros((1, size, size, 3), np.float32)
    prepared = quant.prepare(net, example)
    with no_grad():
        for _ in range(2):
            prepared.train()(tinyslim.Tensor(rng.normal(size=(4, size, size, 3)).astype(np.float32)))
    return tinyslim.freeze(prepared.eval(), example)


@pytest.mark.parametrize("name", NETS)
def test_kernels_and_twin_agree_to_the_last_byte(name, rng):
    program = frozen(NETS[name], rng, 17)
    pictures = rng.integers(0, 256, (3, 17, 17, 3), np.uint8)
    for x in (pictures, rng.normal(size=pictures.shape).astype(np.float32)):
        found = program.run(x)
        assert found.tobytes() == deploy.reference_run(program, x).tobytes()
        assert len(np.unique(found)) > 8


@pytest.mark.parametrize("name", ["mobilenet_v1", "dense"])
def test_plain_python_gives_the_same_bits(name, rng):
    program = frozen(NETS[name], rng, 6)
    picture = rng.integers(0, 256, (6, 6, 3), np.uint8)
    assert np.float32(plain_integers.run(program, picture)).tobytes() == program.run(picture[None]).tobytes()
