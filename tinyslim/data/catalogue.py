"""The data sets that are known by name, and `load`."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path

from tinyslim.data.dataset import Dataset
from tinyslim.data.formats import parse_cifar, parse_idx, unpack_cifar, unpack_gzip, unpack_lzma
from tinyslim.data.source import Source

SHIPPED = Path(__file__).parent / "shipped"

_CLOTHES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)

FASHION_MNIST_MINI = Source(
    name="fashion_mnist_mini",
    classes=_CLOTHES,
    files={"fashion_mnist_mini.xz": None},
    unpack=unpack_lzma,
    parse=parse_idx,
    nbytes=15_700_048,
    sha256="2736ba2730476f48b6225f7c91728feb3e38b0ade9eb592ebe0cadd7ad8a2063",
    places=(SHIPPED,),
)

# H. Xiao, K. Rasul, R. Vollgraf, "Fashion-MNIST: a novel image dataset for benchmarking machine learning", 2017
FASHION_MNIST = Source(
    name="fashion_mnist",
    classes=_CLOTHES,
    files={
        "train-images-idx3-ubyte.gz": "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
        "train-labels-idx1-ubyte.gz": "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
        "t10k-images-idx3-ubyte.gz": "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
        "t10k-labels-idx1-ubyte.gz": "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
    },
    unpack=unpack_gzip,
    parse=parse_idx,
    nbytes=54_950_048,
    sha256="14410854cf7a289477dcfc7df3f8ec24741e281cdcc425ede0d9a748ca630214",
    page="http://fashion-mnist.s3-website.eu-central-1.amazonaws.com",
    places=(Path("/usr/share/datasets/fashion-mnist"),),  # Debian's package dataset-fashion-mnist
)

# A. Krizhevsky, "Learning multiple layers of features from tiny images", 2009
CIFAR10 = Source(
    name="cifar10",
    classes=("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
    files={"cifar-10-binary.tar.gz": "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"},
    unpack=unpack_cifar,
    parse=parse_cifar,
    nbytes=60_000 * 3073,
    sha256="013ba16d14ecc4829da62bf2af648ca30f600491ecb3e7f329c827db0dd17522",
    page="https://www.cs.toronto.edu/~kriz",
)

_SOURCES = {source.name: source for source in (FASHION_MNIST_MINI, FASHION_MNIST, CIFAR10)}


def names() -> tuple[str, ...]:
    """The names that `load` knows.

    >>> names()
    ('fashion_mnist_mini', 'fashion_mnist', 'cifar10')
    """
    return tuple(_SOURCES)


def load(name: str, root: str | Path | None = None, download: bool = True) -> tuple[Dataset, Dataset]:
    """A known data set, as its training set and its test set.

    Its files are looked for in `root`, in `~/.cache/tinyslim/NAME`, and where the package or the system keeps them.
    If they lie nowhere they are downloaded from their official page into the first of these folders. Wherever they come
    from, their contents are checked against a known sha256.

    Parameters
    ----------
    name : str
        "fashion_mnist_mini" ships with tinyslim: 10,000 of Fashion-MNIST's training images, 1,000 of each class, and
        all 10,000 test images. "fashion_mnist" is the whole of it (28×28×1, 60,000 + 10,000, a download of 31 MB),
        "cifar10" CIFAR-10 (32×32×3, 50,000 + 10,000, a download of 170 MB).
    root : folder, optional
        Where the files lie or shall be put.
    download : bool
        Whether they may be downloaded.

    Raises
    ------
    ValueError
        If no data set has that name, or the files are not the data set's own.
    OSError
        If the files are nowhere and can't be downloaded.

    Examples
    --------
    >>> load("fashion_mnist_mini")
    (Dataset(10000 images of 28×28×1, 10 classes), Dataset(10000 images of 28×28×1, 10 classes))
    """
    if name not in _SOURCES:
        nearest = get_close_matches(str(name), _SOURCES, n=1, cutoff=0.4)
        hint = f"; did you mean {nearest[0]!r}?" if nearest else ""
        raise ValueError(f"`name` (={name!r}) must be one of {', '.join(_SOURCES)}{hint}")
    return _SOURCES[name].load(root, download)
