"""Reading assembly: the innermost loop in which a kernel spends its time, and what its instructions do.

A loop is a jump back to a label. It is innermost if no other loop lies between the two. The hot one is taken to be
that with the most multiply-adds on vectors, and among equals with the most vector arithmetic. Read are x86 in AT&T's
notation, in which the target is the last operand, and AArch64: what Numba's `inspect_asm` returns.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

#: Vector arithmetic: multiply-adds, products, sums, extremes; of x86, then of AArch64.
_ARITHMETIC = re.compile(
    r"v(fn?m(add|sub)|pdp|pmadd|add|sub|mul|div|max|min|sqrt|padd|psub|pmul|pmax|pmin|pabs)\w*[^x]$"
    r"|(f?ml[as]|f?(add|sub|mul|max|min|div)|[su]dot|[su]m(lal|lsl|ull)2?|[su]?addl?[pv]?)$"
)
_MULTIPLY_ADD = re.compile(r"v?(fn?m(add|sub)|pdp|pmadd)|f?ml[as]|[su]dot|[su]m(lal|lsl)")
_JUMP = re.compile(r"(j\w+|b(\.\w+)?|cbn?z|tbn?z)$")
_LABEL = re.compile(r"(\.?L\w+):")
_FUNCTION = re.compile(r"[A-Za-z_][\w.$]*:")
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
    def multiply_adds(self) -> bool:
        """Whether it multiplies vectors and adds the products to others."""
        return self.arithmetic and bool(_MULTIPLY_ADD.match(self.name))

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
class Loop:
    """An innermost loop.

    Attributes
    ----------
    function : str
        The compiled function that it stands in, as a dotted name.
    instructions : tuple of Instruction
    """

    function: str
    instructions: tuple[Instruction, ...]

    def count(self, what: str) -> int:
        """How many of its instructions are "multiply_adds", "arithmetic", "loads", "stores", "spills" or "fetches"."""
        return sum(getattr(instruction, what) for instruction in self.instructions)

    @property
    def heat(self) -> tuple[int, int]:
        """What the hot loop has most of."""
        return self.count("multiply_adds"), self.count("arithmetic")

    @property
    def share(self) -> float:
        """Of the instructions, those that do arithmetic."""
        return self.count("arithmetic") / max(len(self.instructions), 1)

    @property
    def summary(self) -> str:
        """How much of it is arithmetic, in a sentence."""
        arithmetic = self.count("arithmetic")
        if not arithmetic:
            return "No vector arithmetic: the compiler made no vectors of this loop."
        each = (f"{self.count(what) / arithmetic:.2f} {what}" for what in ("loads", "stores"))
        return (
            f"{arithmetic} of {len(self.instructions)} instructions do arithmetic ({self.share:.0%}), "
            f"with {' and '.join(each)} for each."
        )

    @property
    def verdict(self) -> str:
        """What to think of it, in a few sentences."""
        sentences = [self.summary]
        spills, fetches = self.count("spills"), self.count("fetches")
        if spills:
            sentences.append(f"{spills} move vectors to or from the stack: they do not all fit the registers.")
        elif self.count("stores"):
            sentences.append("No vector is spilled, but each turn stores results: they travel through memory.")
        else:
            sentences.append("No vector is spilled or stored: what is summed stays in registers.")
        if fetches:
            sentences.append(f"{fetches} fetch an address or a count from the stack: too few registers for those.")
        return " ".join(sentences)


def innermost_loops(text: str) -> list[Loop]:
    """The innermost loops of an assembly text, in its order."""
    instructions: list[Instruction] = []
    labels: dict[str, int] = {}
    loops: list[tuple[int, int, str]] = []
    function = ""
    for line in text.splitlines():
        if label := _LABEL.match(line):
            labels[label[1]] = len(instructions)
        elif _FUNCTION.match(line):
            function = dotted(line.partition(":")[0])
        elif instruction := _instruction(line):
            instructions.append(instruction)
            target = instruction.operands.rpartition(",")[2].strip()
            if _JUMP.match(instruction.name) and target in labels:
                loops.append((labels[target], len(instructions), function))
    inner = [loop for loop in loops if not any(_inside(other, loop) for other in loops)]
    return [Loop(function, tuple(instructions[first:last])) for first, last, function in inner]


def _instruction(line: str) -> Instruction | None:
    """What a line of assembly does, without its comment; None for directives and empty lines."""
    text = " ".join(re.split(r"[#;]|//", line)[0].split())
    return Instruction(text) if text and line[0] in "\t " and not text.startswith(".") else None


def _inside(inner: tuple, outer: tuple) -> bool:
    return inner[:2] != outer[:2] and outer[0] <= inner[0] and inner[1] <= outer[1]


def dotted(symbol: str) -> str:
    """The name that Numba mangled.

    Examples
    --------
    >>> dotted("_ZN8tinyslim7kernels6panels8multiplyB2v1B114c8tJTC")
    'tinyslim.kernels.panels.multiply'
    """
    rest, names = symbol.partition("_ZN")[2], []
    while match := re.match(r"\d+", rest):
        start, length = match.end(), int(match[0])
        names.append(rest[start : start + length])
        rest = rest[start + length :]
    return ".".join(names) or symbol


def hottest(loops: list[Loop]) -> Loop | None:
    """The hot one of some loops; None if there is none at all."""
    return max(loops, key=lambda loop: loop.heat, default=None)
