"""A strategy of one's own in one page: what comes out is a running average of the models that training went through.

    tinyslim compress examples/my_strategy.toml

A step of training overshoots a little, now this way, now that; the average of many steps lies between them and is often
better than any of them (Polyak and Juditsky 1992; Tarvainen and Valpola 2017, equation 1).
"""

from __future__ import annotations

from pydantic import Field

from tinyslim.compress import Context, Strategy, register


@register  # from here on a config may name it: class = "AverageWeightsStrategy"
class AverageWeightsStrategy(Strategy):
    """After each step from `start_epoch` on: average ← decay · average + (1 − decay) · weights.

    Let it start when the model keeps its shape: after the last cut, with or after quantisation.

    Attributes
    ----------
    decay : float
        About 1 / (1 − decay) steps are remembered.
    """

    # A field is a key of the strategy's table in the config: its type and range are checked before any work starts.
    # `name`, `start_epoch`, `end_epoch` and `lr` are there already.
    decay: float = Field(0.99, gt=0, lt=1)

    def describe(self, context: Context) -> str:
        return f"average the weights over the last {1 / (1 - self.decay):.0f} steps or so"

    def on_batch_end(self, context: Context) -> None:
        if context.epoch not in self.epochs(context.settings.epochs):
            return
        # What lies in the state is in every checkpoint: a run that is killed goes on with the same average.
        average = context.state[self.name]
        for name, weights in context.model.state_dict().items():
            before = average.get(name, weights)
            average[name] = self.decay * before + (1 - self.decay) * weights

    def on_compression_end(self, context: Context) -> None:
        # Nothing trains any more; what is frozen and measured now is the average.
        context.model.load_state_dict(context.state[self.name])
