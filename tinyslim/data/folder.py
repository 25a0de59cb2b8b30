"""One's own images: a folder with one folder a class."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tinyslim.data.dataset import Dataset

SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".pgm", ".tif", ".tiff", ".webp")
_GREY_MODES = ("1", "L", "LA")
_COLOUR_MODES = ("RGB", "RGBA", "P", "CMYK", "YCbCr")


def from_folder(path: str | Path, size: int | tuple[int, int] | None = None) -> Dataset:
    """The images below a folder, FOLDER/CLASS/*.png, *.jpg and so on; classes and files in sorted order.

    Parameters
    ----------
    path : folder
    size : int or (height, width), optional
        Scale and crop all images to this size. Without it they must have one size already.

    Returns
    -------
    Dataset
        Of grey images (c=1) if all are grey, else of RGB (c=3). Transparency is dropped.

    Raises
    ------
    ValueError
        If there are no classes, a class has no images, a file is no image, or the sizes differ.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from PIL import Image
    >>> from tinyslim import data
    >>> photos = pathlib.Path(tempfile.mkdtemp())
    >>> for kind in ("cat", "dog"):
    ...     folder = photos / kind
    ...     folder.mkdir()
    ...     Image.new("L", (40, 30)).save(folder / "1.png")
    >>> data.from_folder(photos, size=16)
    Dataset(2 images of 16×16×1, 2 classes)
    """
    folder = Path(path).expanduser()
    if not folder.is_dir():
        raise ValueError(f"`path` (={str(path)!r}) must be a folder")
    class_folders = sorted(entry for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    if not class_folders:
        raise ValueError(f"{folder} must hold one folder for each class, with images in it")
    images, labels = [], []
    for label, class_folder in enumerate(class_folders):
        for file in _image_files(class_folder):
            image = read_image(file, size)
            if images and image.shape[:2] != images[0].shape[:2]:
                (h, w), (first_h, first_w) = image.shape[:2], images[0].shape[:2]
                raise ValueError(f"{file} is {h}×{w}, those before it are {first_h}×{first_w}; bring all to one `size`")
            images.append(image)
            labels.append(label)
    return Dataset(_stack(images), labels, [class_folder.name for class_folder in class_folders])


def read_image(path: str | Path, size: int | tuple[int, int] | None = None) -> np.ndarray:
    """One image file as uint8, (h, w, 1) if it is grey, else (h, w, 3); turned upright as its EXIF data says.

    With `size`, an int or (height, width), the largest centred part of that shape is scaled to it.
    """
    from PIL import Image, ImageOps

    try:
        with Image.open(path) as opened:
            image = ImageOps.exif_transpose(opened)
            if image.mode not in _GREY_MODES + _COLOUR_MODES:
                raise ValueError(f"{path} has pixels of mode {image.mode!r}; they must be bytes, grey or colour")
            image = image.convert("L" if image.mode in _GREY_MODES else "RGB")
    except OSError as error:
        raise ValueError(f"{path} can't be read as an image ({error})") from error
    if size is not None:
        height, width = np.broadcast_to(size, 2).tolist()
        if min(height, width) < 1:
            raise ValueError(f"`size` (={size}) must be at least 1")
        image = ImageOps.fit(image, (width, height))
    return np.array(image).reshape(image.height, image.width, -1)


def _image_files(folder: Path) -> list[Path]:
    files = sorted(
        file for file in folder.iterdir() if file.suffix.lower() in SUFFIXES and not file.name.startswith(".")
    )
    if not files:
        raise ValueError(f"{folder} holds no images ({', '.join('*' + suffix for suffix in SUFFIXES)})")
    return files


def _stack(images: list[np.ndarray]) -> np.ndarray:
    channels = max(image.shape[-1] for image in images)
    return np.stack([np.broadcast_to(image, (*image.shape[:2], channels)) for image in images])
