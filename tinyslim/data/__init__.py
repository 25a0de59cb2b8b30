"""Images and labels: known data sets, one's own, and the loader that feeds them to training in batches."""

from tinyslim.data.augmentation import pad_crop_flip
from tinyslim.data.catalogue import load, names
from tinyslim.data.dataset import Dataset
from tinyslim.data.folder import from_folder
from tinyslim.data.loader import Loader

__all__ = ["Dataset", "Loader", "from_folder", "load", "names", "pad_crop_flip"]
