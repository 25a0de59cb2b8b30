"""Reading assembly: the innermost loop in which a kernel spends its time, and what its instructions do.

A loop is a jump back to a label. It is innermost if no other loop lies between the two. The hot one is taken to be
that with the most vector arithmetic. Read are x86 in AT&T's notation, in which the target is the last operand, and
AArch64: what Numba's `inspect_asm` returns.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

#: Vector arithmetic: multiply-adds, products, sums, extremes; of x86, then of AArch64.
_ARITHMETIC = re.compile(
    r"v(fn?m(add|sub)|pdp|pmadd|add|sub|mul|div|max|min|sqrt|padd|psub|pmul|pmax|pmin|pabs)\w*[^x]$"
    r"|(f?ml[as]|f?(add|sub|mul|max|min|div)|[su]dot|[su]m(lal|lsl|ull)2?|[su]?addl?[pv]?)$"
)
_JUMP = re.compile(r"(j\w+|b(\.\w+)?|cbn?z|tbn?z)$")
_LABEL = re.compile(r"(\.?L\w+):")
_VECTOR = re.compile(r"%[xyz]mm\d+|\bv\d+\.\d+[bhsd]\b|\bq\d+\b")
_STACK = re.compile(r"\(%[re]sp\b|\[sp\b")


@dataclass(frozen=True)
class Instruction:
    """A line of assembly.

    Attributes
    ----------
    text : str
        Such as ``vfmadd231ps (%rdx,%rax), %zmm18, %zmm3``.
    """

    text: str

    @property
    def name(self) -> str:
        """What stands before the operands."""
        return self.text.split(maxsplit=1)[0]

    @property
    def operands(self) -> str:
        """What stands behind the name."""
        return self.text.partition(" ")[2].strip()

    @property
    def arithmetic(self) -> bool:
        """Whether it computes on vectors."""
        return bool(_ARITHMETIC.match(self.name) and _VECTOR.search(self.operands))

    @property
    def stores(self) -> bool:
        """Whether it writes to memory."""
        if self._arm:
            return self.name.startswith("st")
        return self.operands.endswith(")") and "mov" in self.name

    @property
    def loads(self) -> bool:
        """Whether it reads memory."""
        if self._arm:
            return self.name.startswith("ld")
        return "(" in self.operands and not self.stores and not self.name.startswith(("lea", "prefetch", "nop"))

    @property
    def spills(self) -> bool:
        """Whether it moves a vector to or from the stack: there were too few registers."""
        return self._on_stack and bool(_VECTOR.search(self.operands))

    @property
    def fetches(self) -> bool:
        """Whether it needs an address or a count that is kept on the stack: too few registers for those."""
        return self._on_stack and not _VECTOR.search(self.operands)

    @property
    def _on_stack(self) -> bool:
        return (self.loads or self.stores) and bool(_STACK.search(self.operands))

    @property
    def _arm(self) -> bool:
        return "%" not in self.operands


@dataclass(frozen=True)
class HotLoop:
    """The innermost loop with the most vector arithmetic.

    Attributes
    ----------
    function : str
        The compiled function that it was found in.
    instructions : tuple of Instruction
    """

    function: str
    instructions: tuple[Instruction, ...]

    def count(self, what: str) -> int:
        """How many of its instructions are "arithmetic", "loads", "stores", "spills" or "fetches"."""
        return sum(getattr(instruction, what) for instruction in self.instructions)

    @cached_property
    def share(self) -> float:
        """Of the instructions, those that do arithmetic."""
        return self.count("arithmetic") / max(len(self.instructions), 1)

    @property
    def verdict(self) -> str:
        """What to think of it, in a few sentences."""
        total, arithmetic, spills = len(self.instructions), self.count("arithmetic"), self.count("spills")
        if not arithmetic:
            return "No vector arithmetic: the compiler made no vectors of this loop."
        loads, stores, fetches = self.count("loads"), self.count("stores"), self.count("fetches")
        sentences = [
            f"{arithmetic} of {total} instructions do arithmetic ({self.share:.0%}), "
            f"with {loads / arithmetic:.2f} loads and {stores / arithmetic:.2f} stores for each."
        ]
        if spills:
            sentences.append(f"{spills} move vectors to or from the stack: the sums do not fit the registers.")
        elif stores:
            sentences.append("No vector is spilled, but each turn stores results: the sums travel through memory.")
        else:
            sentences.append("No vector is spilled or stored: the sums stay in registers.")
        if fetches:
            sentences.append(f"{fetches} fetch an address or a count from the stack: too few registers for those.")
        return " ".join(sentences)


def innermost_loops(text: str) -> list[tuple[Instruction, ...]]:
    """The bodies of the innermost loops of an assembly text, in its order."""
    instructions: list[Instruction] = []
    labels: dict[str, int] = {}
    loops: list[tuple[int, int]] = []
    for line in text.splitlines():
        label = _LABEL.match(line)
        if label:
            labels[label[1]] = len(instructions)
            continue
        line = re.split(r"[#;]|//", line)[0].strip() if line[:1] in "\t " else ""
        if not line or line.startswith("."):
            continue
        instructions.append(Instruction(" ".join(line.split())))
        target = instructions[-1].operands.rpartition(",")[2].strip()
        if _JUMP.match(instructions[-1].name) and target in labels:
            loops.append((labels[target], len(instructions)))
    inner = [loop for loop in loops if not any(_inside(other, loop) for other in loops)]
    return [tuple(instructions[first:last]) for first, last in inner]


def _inside(inner: tuple[int, int], outer: tuple[int, int]) -> bool:
    return inner != outer and outer[0] <= inner[0] and inner[1] <= outer[1]


def hot_loop(text: str, function: str = "") -> HotLoop | None:
    """The hot loop of an assembly text; None if there is no loop at all."""
    loops = innermost_loops(text)
    if not loops:
        return None
    best = max(loops, key=lambda loop: sum(instruction.arithmetic for instruction in loop))
    return HotLoop(function, best)
