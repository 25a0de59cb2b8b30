from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from tinyslim.data import from_folder
from tinyslim.data.folder import read_image

RNG = np.random.default_rng(0)
COLOUR = RNG.integers(0, 256, (4, 6, 5, 3), np.uint8)
GREY = COLOUR[..., 0]


def save(pixels: np.ndarray, path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def test_folders_are_classes_in_sorted_order(tmp_path):
    save(COLOUR[0], tmp_path / "dog" / "b.png")
    save(COLOUR[1], tmp_path / "dog" / "a.PNG")
    save(COLOUR[2], tmp_path / "cat" / "z.bmp")
    (tmp_path / "dog" / "notes.txt").write_text("no image")
    (tmp_path / "dog" / ".hidden.png").write_text("no image")
    (tmp_path / ".git").mkdir()
    dataset = from_folder(tmp_path)
    assert dataset.classes == ("cat", "dog")
    assert dataset.labels.tolist() == [0, 1, 1]
    np.testing.assert_array_equal(dataset.images, COLOUR[[2, 1, 0]])


def test_grey_images_have_one_channel_until_a_colour_image_joins_them(tmp_path):
    save(GREY[0], tmp_path / "cat" / "1.png")
    save(GREY[1], tmp_path / "dog" / "1.png")
    np.testing.assert_array_equal(from_folder(tmp_path).images, GREY[:2, ..., None])
    save(COLOUR[2], tmp_path / "dog" / "2.png")
    mixed = from_folder(str(tmp_path)).images
    np.testing.assert_array_equal(mixed, np.stack([*np.repeat(GREY[:2, ..., None], 3, axis=-1), COLOUR[2]]))


def test_transparency_is_dropped_and_palettes_become_colours(tmp_path):
    save(np.concatenate([COLOUR[0], GREY[0][..., None]], axis=-1), tmp_path / "clear.png")
    Image.fromarray(COLOUR[1] // 64 * 64).quantize().save(tmp_path / "palette.png")
    np.testing.assert_array_equal(read_image(tmp_path / "clear.png"), COLOUR[0])
    assert read_image(tmp_path / "palette.png").shape == (6, 5, 3)


def test_photographs_are_turned_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held sideways
    Image.fromarray(COLOUR[0]).save(tmp_path / "photo.png", exif=exif)
    np.testing.assert_array_equal(read_image(tmp_path / "photo.png"), np.rot90(COLOUR[0], -1))


def test_sizes_that_differ_are_an_error_that_names_the_file(tmp_path):
    save(COLOUR[0], tmp_path / "cat" / "1.png")
    save(COLOUR[1][:4], tmp_path / "cat" / "2.png")
    with pytest.raises(ValueError, match=r"cat.2\.png is 4×5, those before it are 6×5; bring all to one `size`"):
        from_folder(tmp_path)


@pytest.mark.parametrize(("size", "shape"), [(8, (8, 8)), ((4, 3), (4, 3))])
def test_size_brings_all_images_to_one_shape(tmp_path, size, shape):
    save(COLOUR[0], tmp_path / "cat" / "1.png")
    save(COLOUR[1][:4], tmp_path / "cat" / "2.png")
    assert from_folder(tmp_path, size=size).images.shape == (2, *shape, 3)


def test_size_crops_rather_than_distorts(tmp_path):
    stripes = np.zeros((4, 12), np.uint8)
    stripes[:, 4:8] = 255
    save(stripes, tmp_path / "stripes.png")
    assert (read_image(tmp_path / "stripes.png", size=4) == 255).all()


def test_what_is_no_image_is_named(tmp_path):
    (tmp_path / "cat").mkdir()
    (tmp_path / "cat" / "1.png").write_text("hello")
    with pytest.raises(ValueError, match=r"1\.png can't be read as an image"):
        from_folder(tmp_path)


@pytest.mark.parametrize("suffix", ["png", "bmp", "jpg"])
def test_a_cut_image_is_named(tmp_path, suffix):
    path = tmp_path / f"cut.{suffix}"
    save(RNG.integers(0, 256, (64, 64, 3), np.uint8), path)
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(ValueError, match=rf"cut\.{suffix} can't be read as an image"):
        read_image(path)


def test_pixels_wider_than_a_byte_are_refused(tmp_path):
    save(GREY[0].astype(np.uint16) * 257, tmp_path / "deep.png")
    with pytest.raises(ValueError, match=r"deep\.png has pixels of mode 'I;16'"):
        read_image(tmp_path / "deep.png")


def test_folders_without_classes_or_images_are_named(tmp_path):
    with pytest.raises(ValueError, match=r"nowhere'\) must be a folder"):
        from_folder(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="must hold one folder for each class"):
        from_folder(tmp_path)
    (tmp_path / "cat").mkdir()
    with pytest.raises(ValueError, match=r"cat holds no images \(\*\.bmp"):
        from_folder(tmp_path)


def test_a_size_below_one_pixel_is_refused(tmp_path):
    save(GREY[0], tmp_path / "grey.png")
    with pytest.raises(ValueError, match=r"`size` \(=0\) must be at least 1"):
        read_image(tmp_path / "grey.png", size=0)
