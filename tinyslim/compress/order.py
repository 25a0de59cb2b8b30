"""Orders of strategies that can't work."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .strategy import Strategy


def order_problems(strategies: Sequence[Strategy], epochs: int) -> list[str]:
    """What is wrong with the epochs of `strategies`, a line each; nothing if they can work.

    Each needs epochs that exist. Nothing may replace a model that trains with rounding: its grids, and the weights that
    got used to them, would be lost. Two that cut the model over the same epochs would each reckon with what the other
    leaves. Losses add up: strategies that distil may share epochs with each other and with all others.
    """
    return [
        *_ranges(strategies, epochs),
        *_after_quantization(strategies, epochs),
        *_shared(strategies, epochs),
        *_restarts(strategies),
    ]


def _ranges(strategies: Sequence[Strategy], epochs: int) -> Iterator[str]:
    for strategy in strategies:
        key = f"strategies.{strategy.name}"
        last = f"the last epoch is {epochs - 1}: compressor.epochs is {epochs} and they count from 0"
        if strategy.start_epoch >= epochs:
            yield f"{key}.start_epoch (={strategy.start_epoch}) lies past the end; {last}"
        if strategy.end_epoch is not None and strategy.end_epoch > epochs:
            yield f"{key}.end_epoch (={strategy.end_epoch}) lies past the end; compressor.epochs is {epochs}"
        elif strategy.end_epoch is not None and strategy.end_epoch < strategy.start_epoch + (not strategy.instant):
            yield f"{key}.end_epoch (={strategy.end_epoch}) must be above its start_epoch (={strategy.start_epoch})"
        elif strategy.start_epoch < epochs <= max(strategy.replacing(epochs), default=0):
            yield f"{key} changes the model in epoch {max(strategy.replacing(epochs))}; {last}"


def _after_quantization(strategies: Sequence[Strategy], epochs: int) -> Iterator[str]:
    """A strategy acts in its epoch and, within it, at its place in the list."""
    quantizing = [(s.start_epoch, place) for place, s in enumerate(strategies) if s.quantizes]
    if not quantizing:
        return
    begin, first = min(quantizing)
    for place, strategy in enumerate(strategies):
        late = [epoch for epoch in strategy.replacing(epochs) if (epoch, place) > (begin, first)]
        if late:
            what, other = "quantises" if strategy.quantizes else "changes the model", strategies[first].name
            yield (
                f"strategies.{strategy.name} {what} in epoch {late[0]}, after strategies.{other} began to quantise it "
                f"in epoch {begin}: quantisation comes once, and last"
            )


def _shared(strategies: Sequence[Strategy], epochs: int) -> Iterator[str]:
    """A strategy that replaces the model owns the epochs from the first in which it does so to the last."""
    spans: list[tuple[str, int, int]] = []
    for strategy in strategies:
        own = strategy.replacing(epochs)
        if not own or strategy.quantizes:
            continue
        for name, first, last in spans:
            if own[0] <= last and first <= own[-1]:
                yield (
                    f"strategies.{strategy.name} changes the model in {_told(own[0], own[-1])}, and so does "
                    f"strategies.{name} in {_told(first, last)}: one must have ended before the other begins"
                )
        spans.append((strategy.name, own[0], own[-1]))


def _told(first: int, last: int) -> str:
    return f"epoch {first}" if first == last else f"epochs {first} to {last}"


def _restarts(strategies: Sequence[Strategy]) -> Iterator[str]:
    seen: dict[int, str] = {}
    for strategy in strategies:
        if strategy.lr is None:
            continue
        if strategy.start_epoch in seen:
            other = seen[strategy.start_epoch]
            yield f"strategies.{strategy.name}.lr: strategies.{other}.lr begins a schedule in the same epoch"
        seen[strategy.start_epoch] = strategy.name
