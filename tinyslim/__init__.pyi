from . import (
    autograd as autograd,
)
from . import (
    compress as compress,
)
from . import (
    course as course,
)
from . import (
    data as data,
)
from . import (
    deploy as deploy,
)
from . import (
    distill as distill,
)
from . import (
    functional as functional,
)
from . import (
    graph as graph,
)
from . import (
    kernels as kernels,
)
from . import (
    lower as lower,
)
from . import (
    models as models,
)
from . import (
    nn as nn,
)
from . import (
    optim as optim,
)
from . import (
    prune as prune,
)
from . import (
    quant as quant,
)
from . import (
    report as report,
)
from . import (
    train as train,
)
from .autograd import Tensor as Tensor
from .autograd import gradcheck as gradcheck
from .autograd import no_grad as no_grad
from .compress import Compressor as Compressor
from .lower import freeze as freeze

__version__: str
