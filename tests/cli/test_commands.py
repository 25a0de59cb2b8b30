"""Each command does what its help says, and ends a mistake in one line and exit code 2."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

import tinyslim
from tinyslim import data, deploy, models, nn, train
from tinyslim.cli import main
from tinyslim.cli.command_line import COMMANDS
from tinyslim.cli.predict_images import photo

RECIPE = """
[compressor]
epochs = 2
batch_size = 8

[strategies.quant]
class = "QuantizationStrategy"
"""


@pytest.fixture(scope="session")
def program_file(model_file, photos, tmp_path_factory):
    train_set = data.from_folder(photos / "train")
    program = tinyslim.freeze(train.load(model_file), train_set.normalized(slice(0, 1)), train_set.classes)
    path = tmp_path_factory.mktemp("program") / "program.npz"
    program.save(path)
    return path


def failing(words, capsys) -> str:
    """The one line that a wrong command ends in."""
    assert main([str(word) for word in words]) == 2
    printed = capsys.readouterr()
    assert printed.err.startswith("tinyslim: ") and printed.err.count("\n") == 1
    return printed.err


@pytest.mark.parametrize("command", [module.__name__.rpartition(".")[2] for module in COMMANDS])
def test_the_help_of_each_command_shows_an_example(command, capsys):
    name = {
        "compress_model": "compress", "list_recipes": "recipes", "predict_images": "predict",
        "evaluate_file": "evaluate", "summarize": "summary", "train_model": "train", "measure_cliff": "cliff",
        "measure_sensitivity": "sensitivity", "reproduce_table": "reproduce", "bench_engine": "bench",
        "follow_course": "course",
        "report_quantization": "quant-report", "quantize_model": "quantize", "show_info": "info",
    }[command]  # fmt: skip
    with pytest.raises(SystemExit) as end:
        main([name, "--help"])
    assert end.value.code == 0
    assert f"\n  tinyslim {name}" in capsys.readouterr().out


def test_help_waits_for_no_compiler_and_no_numpy():
    code = "import sys; from tinyslim.cli import main\ntry: main(['--help'])\nexcept SystemExit: print([*sys.modules])"
    listed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "'tinyslim.cli.train_model'" in listed
    assert not any(f"'{heavy}'" in listed for heavy in ("numpy", "numba", "pydantic", "rich", "matplotlib"))


def test_the_package_runs_as_the_command(tmp_path):
    words = [sys.executable, "-m", "tinyslim", "predict", "none.npz", "none.png"]
    ended = subprocess.run(words, capture_output=True, text=True, cwd=tmp_path)
    assert ended.returncode == 2
    assert ended.stderr.count("\n") == 1 and "none.npz" in ended.stderr


def test_recipes_lists_each_recipe_with_what_it_achieved_and_prints_one(capsys):
    assert main(["recipes"]) == 0
    lines = capsys.readouterr().out.splitlines()
    listed = {line.split()[0] for line in lines[::2]}
    assert listed >= {
        *("quant", "quant_abs_max", "quant_range_abs_max", "uniform_prune", "sensitive_prune", "auto_prune"),
        *("distill", "distill_quant", "prune_quant", "prune_distill_quant"),
    }
    assert all("top-1" in line or "not measured" in line for line in lines[1::2])
    assert main(["recipes", "quant"]) == 0
    assert 'class = "QuantizationStrategy"' in capsys.readouterr().out


def test_an_unknown_recipe_names_the_nearest(capsys):
    assert "did you mean quant?" in failing(["compress", "quantt"], capsys)
    assert "did you mean 'quant'?" in failing(["recipes", "quantt"], capsys)


def test_every_wrong_key_has_a_line_of_its_own(capsys):
    words = ["compress", "quant", "--set", "compressor.epoch=3", "--set", "strategies.quant.weight_bit=4"]
    assert main(words) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert "compressor.epoch (=3) is unknown; did you mean epochs?" in lines[0]
    assert "strategies.quant.weight_bit (=4) is unknown; did you mean weight_bits?" in lines[1]


def test_compress_takes_a_file_a_model_a_folder_of_photographs_and_changes(model_file, photos, tmp_path, capsys):
    recipe = tmp_path / "mine.toml"
    recipe.write_text(RECIPE)
    out = tmp_path / "out"
    words = ["compress", recipe, "--model", model_file, "--data", photos, "--out", out, "--seed", 3]
    assert main([*map(str, words), "--set", "compressor.epochs=1"]) == 0
    assert "mine: 1 epochs of 24 images" in capsys.readouterr().out
    used = json.loads((out / "config.json").read_text())["compressor"]
    assert (used["epochs"], used["seed"]) == (1, 3)
    assert deploy.load(out / "program.npz").classes == ("bright", "dark")
    assert json.loads((out / "metrics.json").read_text())["after"]["top1"] > 0.9


def test_strategies_of_ones_own_come_from_a_file(model_file, photos, tmp_path, capsys):
    (tmp_path / "own.py").write_text(
        "from __future__ import annotations\n"
        "from tinyslim.compress import Strategy, register\n"
        "@register\n"
        "class Shout(Strategy):\n"
        "    word: str = 'hey'\n"
        "    def on_epoch_end(self, context):\n"
        "        context.say(self.word)\n"
    )
    recipe = tmp_path / "mine.toml"
    recipe.write_text(RECIPE + '\n[strategies.shout]\nclass = "Shout"\nword = "hello from mine"\n')
    words = ["compress", recipe, "--model", model_file, "--data", photos, "--out", tmp_path / "out"]
    assert "class (='Shout') is unknown" in failing(words, capsys)
    assert main([*map(str, words), "--strategies", str(tmp_path / "own.py")]) == 0
    assert capsys.readouterr().out.splitlines().count("hello from mine") == 2


def test_ctrl_c_ends_in_one_line_and_resume_goes_on(model_file, photos, tmp_path, capsys, monkeypatch):
    from tinyslim.compress import QuantizationStrategy

    recipe = tmp_path / "mine.toml"
    recipe.write_text(RECIPE)
    words = [*map(str, ["compress", recipe, "--model", model_file, "--data", photos, "--out", tmp_path / "out"])]

    def stop(self, context):
        if context.epoch == 1:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(QuantizationStrategy, "on_batch_end", stop)
        assert main(words) == 130
    expected = f"the same command with --resume (resume=True) goes on after epoch 1, in {tmp_path / 'out'}"
    assert capsys.readouterr().err == f"tinyslim: stopped; {expected}\n"
    assert main([*words, "--resume"]) == 0
    assert "resuming after epoch 1" in capsys.readouterr().out


def test_predict_names_the_classes_of_photographs(program_file, photos, capsys):
    files = [photos / "test" / name / "00.png" for name in ("dark", "bright")]
    assert main(["predict", str(program_file), *map(str, files)]) == 0
    dark, bright = capsys.readouterr().out.splitlines()
    assert dark.startswith(f"{files[0]}: dark ") and bright.startswith(f"{files[1]}: bright ")
    shares = [float(part.rpartition(" ")[2].rstrip("%")) for part in dark.split(", ")]
    assert len(shares) == 2 and sum(shares) == pytest.approx(100, abs=0.2)


def test_a_photograph_of_any_size_and_colour_is_brought_to_the_programs_input(tmp_path):
    pixels = np.full((30, 50, 3), (255, 0, 0), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "red.png")
    grey = photo(str(tmp_path / "red.png"), (8, 8, 1))
    assert grey.shape == (8, 8, 1) and grey.dtype == np.uint8 and np.unique(grey).tolist() == [76]
    Image.fromarray(pixels[..., 0]).save(tmp_path / "white.png")
    assert np.array_equal(photo(str(tmp_path / "white.png"), (8, 8, 3)), np.full((8, 8, 3), 255, np.uint8))


def test_predict_refuses_what_is_no_image_or_no_program(program_file, model_file, photos, tmp_path, capsys):
    (tmp_path / "text.png").write_text("no image")
    assert "text.png can't be read as an image" in failing(["predict", program_file, tmp_path / "text.png"], capsys)
    assert "model.npz" in failing(["predict", model_file, photos / "test" / "dark" / "00.png"], capsys)


def test_evaluate_tells_the_same_of_a_model_and_its_float32_program(program_file, model_file, photos, capsys):
    told = []
    for file in (model_file, program_file):
        assert main(["evaluate", str(file), "--data", str(photos)]) == 0
        told.append(capsys.readouterr().out.partition(": ")[2].partition(", loss")[0])
    assert told[0] == told[1]
    assert told[0].startswith("top-1 ")


@pytest.fixture(scope="session")
def onnx_file(model_file, photos, tmp_path_factory):
    """The trained network as a tool elsewhere would have it."""
    pytest.importorskip("onnx")
    path = tmp_path_factory.mktemp("elsewhere") / "net.onnx"
    example = data.from_folder(photos / "train").normalized(slice(0, 1))
    deploy.export_onnx(tinyslim.freeze(train.load(model_file), example), path)
    return path


def test_a_network_from_elsewhere_is_taken_wherever_a_model_is(onnx_file, model_file, photos, tmp_path, capsys):
    told = []
    for file in (model_file, onnx_file):
        assert main(["evaluate", str(file), "--data", str(photos)]) == 0
        told.append(capsys.readouterr().out.partition(": ")[2])
    assert told[0] == told[1]
    assert main(["summary", str(onnx_file)]) == 0
    assert "FLOPs an image" in capsys.readouterr().out
    (tmp_path / "tiny.toml").write_text(RECIPE)
    words = ["compress", tmp_path / "tiny.toml", "--model", onnx_file, "--data", photos, "--out", tmp_path / "run"]
    assert main([str(word) for word in words]) == 0
    assert deploy.load(tmp_path / "run" / "program.npz").kind == "int8"
    assert "these operators" not in failing(["summary", tmp_path / "none.onnx"], capsys)


def test_evaluate_refuses_a_file_that_is_neither(tmp_path, photos, capsys):
    np.savez(tmp_path / "x.npz", a=np.zeros(2))
    assert "is neither a model nor a Program" in failing(["evaluate", tmp_path / "x.npz"], capsys)
    assert "there is no file" in failing(["evaluate", tmp_path / "y.npz"], capsys)


def test_summary_counts_a_network_a_model_and_a_program(program_file, model_file, capsys):
    assert main(["summary", "mobilenet_v1", "--set", "width=0.25", "--set", "num_classes=10"]) == 0
    assert "blocks.12.pointwise.conv" in capsys.readouterr().out
    assert main(["summary", str(model_file)]) == 0
    assert "FLOPs an image" in capsys.readouterr().out
    assert main(["summary", str(program_file)]) == 0
    assert "conv2d" in capsys.readouterr().out


def test_summary_refuses_unknown_networks_and_settings(capsys):
    assert "did you mean 'mobilenet_v1'?" in failing(["summary", "mobilenet_v11"], capsys)
    assert "has no setting 'widht'; did you mean 'width'?" in failing(
        ["summary", "mobilenet_v1", "--set", "widht=1"], capsys
    )


def test_train_leaves_a_model_and_how_it_was_made(photos, tmp_path, capsys, monkeypatch):
    def tiny(num_classes, in_channels, seed=0, width=1):
        channels, rng = 2 * width, np.random.default_rng(seed)
        conv = nn.Conv2d(in_channels, channels, 3, seed=rng)
        return nn.Sequential(conv, nn.ReLU(), nn.GlobalAvgPool2d(), nn.Linear(channels, num_classes, seed=rng))

    monkeypatch.setattr(models, "resnet20", tiny)
    words = ["train", "resnet20", "--set", "width=2", "--data", photos, "--epochs", 1, "--batch-size", 8]
    words += ["--out", tmp_path]
    assert main([*map(str, words)]) == 0
    facts = json.loads((tmp_path / "training.json").read_text())
    assert facts["command"].startswith(
        f"tinyslim train resnet20 --data {photos} --set width=2 --epochs 1 --batch-size 8"
    )
    assert facts["network"] == {"num_classes": 2, "in_channels": 1, "seed": 0, "width": 2}
    assert len(facts["curve"]) == 1 and 0 <= facts["accuracy"]["top1"] <= 1
    model = train.load(tmp_path / "model.npz")
    assert train.evaluate(model, data.from_folder(photos / "test")) == facts["accuracy"]
    capsys.readouterr()
    assert "holds a trained model" in failing(words, capsys)


def test_a_traceback_is_there_for_who_asks(capsys):
    with pytest.raises(ValueError, match="no network is called"):
        main(["summary", "nonet", "--traceback"])


@pytest.mark.parametrize("text", ["width", "=3"])
def test_set_wants_a_key_and_a_value(text, capsys):
    with pytest.raises(SystemExit) as end:
        main(["summary", "resnet20", "--set", text])
    assert end.value.code == 2
    assert "is not of the form key=value" in capsys.readouterr().err
