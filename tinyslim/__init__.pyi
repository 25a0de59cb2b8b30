from . import (
    autograd as autograd,
    compress as compress,
    data as data,
    deploy as deploy,
    distill as distill,
    functional as functional,
    graph as graph,
    kernels as kernels,
    lower as lower,
    models as models,
    nn as nn,
    optim as optim,
    prune as prune,
    quant as quant,
    report as report,
    train as train,
)
from .autograd import Tensor as Tensor, gradcheck as gradcheck, no_grad as no_grad
from .compress import Compressor as Compressor
from .lower import freeze as freeze

__version__: str
