from __future__ import annotations

import io

import pytest
from rich.console import Console
from tinyslim.kernels import jit

from tinyslim.bench.assembly_kernels import assembly
from tinyslim.bench.assembly_loops import Instruction, Loop, hottest, innermost_loops

X86 = """
\t.text
kernel:
\tpushq\t%rbp
\txorl\t%eax, %eax
.LBB0_1:
\tvmovups\t(%rsi), %zmm4
\tvaddps\t%zmm4, %zmm5, %zmm5
\tjne\t.LBB0_1
\t.p2align\t4
.LBB0_2:
\tmovq\t%r8, %rdx
.LBB0_3:
\tvmovups\t-64(%rdx), %zmm18   # a comment
\tvbroadcastss\t(%rcx,%rax,4), %zmm20
\tvfmadd231ps\t%zmm18, %zmm20, %zmm3
\tvfmadd231ps\t(%rdi), %zmm20, %zmm2
\tincq\t%rax
\tcmpq\t%rax, %r11
\tjne\t.LBB0_3
\taddq\t%rbx, %rcx
\tcmpq\t200(%rsp), %r14
\tjne\t.LBB0_2
\tje\t.LBB0_9
\tretq
.LBB0_9:
"""
SPILLED = X86.replace("\tincq\t%rax", "\tvmovups\t%zmm3, 128(%rsp)\n\tmovq\t64(%rsp), %rdx\n\tincq\t%rax")

ARM = """
.LBB0_2:
\tldp\tq1, q2, [x9], #32
\tldr\tq3, [sp, #16]
\tfmla\tv0.4s, v1.4s, v3.4s
\tadd\tx8, x8, #1
\tsubs\tx10, x10, #1
\tb.ne\t.LBB0_2
"""


def hot_loop(text: str) -> Loop:
    return hottest(innermost_loops(text))


def test_the_innermost_loop_with_the_most_arithmetic_is_found():
    assert [len(loop.instructions) for loop in innermost_loops(X86)] == [3, 7]
    loop = hot_loop(X86)
    assert loop.function == "kernel"
    assert loop.instructions[0].text == "vmovups -64(%rdx), %zmm18"
    assert loop.instructions[-1].name == "jne"


def test_what_the_instructions_do_is_counted():
    loop = hot_loop(X86)
    counts = {
        what: loop.count(what) for what in ("multiply_adds", "arithmetic", "loads", "stores", "spills", "fetches")
    }
    assert counts == {"multiply_adds": 2, "arithmetic": 2, "loads": 3, "stores": 0, "spills": 0, "fetches": 0}
    assert loop.share == pytest.approx(2 / 7)
    assert "2 of 7 instructions do arithmetic (29%), with 1.50 loads" in loop.verdict
    assert "what is summed stays in registers" in loop.verdict


def test_a_planted_spill_is_seen():
    loop = hot_loop(SPILLED)
    assert loop.count("spills") == loop.count("stores") == loop.count("fetches") == 1
    assert "1 move vectors to or from the stack" in loop.verdict
    assert "1 fetch an address or a count from the stack" in loop.verdict


def test_a_loop_without_vectors_is_called_so():
    assert "made no vectors" in hot_loop(".LBB0_1:\n\taddsd\t%xmm1, %xmm0\n\tjne\t.LBB0_1\n").verdict


def test_other_processors_are_read_too():
    loop = hot_loop(ARM)
    assert [loop.count(what) for what in ("arithmetic", "loads", "spills")] == [1, 2, 1]


@pytest.mark.parametrize(
    ("text", "arithmetic"),
    [
        ("vpdpbusd %zmm20, %zmm21, %zmm18", True),
        ("vpmaddwd (%rsi), %ymm1, %ymm2", True),
        ("vpaddd %zmm1, %zmm2, %zmm3", True),
        ("vmulps %zmm1, %zmm2, %zmm3", True),
        ("vpmovsxbd (%rsi), %zmm3", False),
        ("vbroadcastss (%rcx), %zmm20", False),
        ("addq $64, %rsi", False),
    ],
)
def test_vector_arithmetic_is_told_from_moves(text, arithmetic):
    assert Instruction(text).arithmetic == arithmetic


def test_a_text_without_a_loop_has_none():
    assert hot_loop("f:\n\tretq\n") is None


@pytest.mark.skipif(not jit.COMPILED, reason="nothing is compiled")
def test_the_hot_loop_of_the_integer_product_is_made_of_dot_products():
    found = assembly("gemm_int8")
    names = [instruction.name for instruction in found.loop.instructions]
    if jit.ISA == "avx512":
        assert names.count("vpdpbusd") == found.loop.count("arithmetic") > 8
    assert found.loop.count("spills") == 0
    printed = io.StringIO()
    found.print(Console(file=printed, width=300))
    assert found.loop.verdict in printed.getvalue()


def test_multiply_adds_count_more_than_other_arithmetic():
    more = X86.replace("\tvaddps\t%zmm4, %zmm5, %zmm5\n", "\tvaddps\t%zmm4, %zmm5, %zmm5\n" * 9)
    assert hot_loop(more).instructions == hot_loop(X86).instructions


@pytest.mark.skipif(not jit.COMPILED, reason="nothing is compiled")
def test_a_function_that_is_not_in_the_machine_code_is_refused_with_those_that_are():
    with pytest.raises(
        ValueError, match=r"`within` \(='nowhere'\) is in .*; there are .*tinyslim\.kernels\.product_int8"
    ):
        assembly("gemm_int8", within="nowhere")


def test_a_kernel_that_is_not_there_is_refused():
    with pytest.raises(ValueError, match="no kernel is named 'gemv'"):
        assembly("gemv")
