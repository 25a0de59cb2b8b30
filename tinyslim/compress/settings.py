"""The table `[compressor]` of a config: how training goes on while strategies change the model."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from tinyslim import optim
from tinyslim.data.augmentation import AUGMENTATIONS
from tinyslim.nn import Module

#: Fields are what they are declared as, never what they could be turned into; unknown ones are refused.
STRICT = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class CompressorSettings(BaseModel):
    """The table `[compressor]`."""

    model_config = STRICT

    epochs: int = Field(ge=1)
    batch_size: int = Field(64, ge=1)
    #: The schedule's largest learning rate; a strategy with an `lr` of its own begins a new schedule.
    lr: float = Field(0.01, gt=0)
    schedule: Literal[optim.SCHEDULES] = "cosine"
    momentum: float = Field(0.9, ge=0, lt=1)
    nesterov: bool = True
    weight_decay: float = Field(5e-4, ge=0)
    augment: Literal["none", *AUGMENTATIONS] = "none"
    label_smoothing: float = Field(0.0, ge=0, lt=1)
    #: Order of the images, augmentation: the same seed gives the same bits.
    seed: int = Field(0, ge=0)
    #: The model is tested after every so many epochs; 0: at the end only.
    eval_epoch: int = Field(1, ge=0)
    #: Python files that register strategies of one's own; paths are relative to the config's folder.
    plugins: list[str] = []

    def optimizer(self, model: Module) -> optim.SGD:
        """SGD over the parameters of `model`, its buffers empty."""
        nesterov = self.nesterov and self.momentum > 0
        return optim.SGD(model.parameters(), self.lr, self.momentum, nesterov, self.weight_decay)
