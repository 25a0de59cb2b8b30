"""What the site is made of follows the code: the drawing its contract, the reference its public names."""

from __future__ import annotations

import importlib
import inspect
import tomllib
import xml.etree.ElementTree as xml
from pathlib import Path

import house
import pytest
import reference_pages

ROOT = Path(__file__).resolve().parents[2]


def rooms_drawn(svg: str) -> list[str]:
    return [text.text for text in xml.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]


def test_drawing_shows_every_room_of_the_contract():
    layers = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"][0]["layers"]
    rooms = {f"tinyslim.{room}" for room in rooms_drawn(house.drawing()) if room != "kernels"}
    assert rooms == {room.strip() for layer in layers for room in layer.split("|")}


def test_drawing_follows_a_contract_that_changes(tmp_path):
    other = tmp_path / "pyproject.toml"
    other.write_text('[[tool.importlinter.contracts]]\nlayers = ["tinyslim.roof | tinyslim.attic", "tinyslim.hall"]\n')
    assert house.floors(other) == [["roof", "attic"], ["hall"], ["kernels"]]


@pytest.mark.parametrize("room", [room for floor in house.floors() for room in floor])
def test_every_room_says_what_it_is_for(room):
    assert len(house.purpose(room)) > 15


@pytest.mark.parametrize("room", reference_pages.rooms())
def test_reference_names_what_a_room_offers(room):
    module = importlib.import_module(f"tinyslim.{room}")
    offered = getattr(module, "__all__", None) or [
        name for name, value in vars(module).items() if not name.startswith("_") and not inspect.ismodule(value)
    ]
    assert {name for name, _ in reference_pages.public_names(room)} == set(offered)


def test_every_command_has_its_help_in_the_reference():
    pages = dict(reference_pages.pages())
    assert "## compress" in pages["reference/command_line.md"]
    assert 'class = "UniformPruneStrategy"' in pages["reference/recipes.md"]
