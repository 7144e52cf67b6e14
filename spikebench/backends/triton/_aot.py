"""Compiling the kernels that a run would launch, for a GPU that need not be there."""

import re
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
import triton
from torch import Tensor, nn
from triton._C.libtriton import ir
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from triton.compiler.compiler import make_backend

from spikebench.backends.triton import _launch


@dataclass(frozen=True)
class Binary:
    """A kernel compiled for one GPU: registers per thread, bytes spilled per thread, bytes of shared memory per block.

    `copies`: widths in bytes of the asynchronous copies that a pipelined loop reads with. `loads`: reads of a turn of its
    loop before the turn's first write, and all reads of a turn: they are equal where nothing that is written is waited for.
    """

    name: str
    capability: int
    launch: _launch.Launch
    registers: int
    spills: int
    shared: int
    copies: tuple[int, ...]
    loads: tuple[int, int]


def launches(
    run: Callable[..., Tensor], neuron: nn.Module, size: tuple[int, int, int], dtype: torch.dtype, **how: Any
) -> list[_launch.Launch]:
    """What a forward and backward pass on x [T, B, N] launches, then what an inference pass launches."""
    x = torch.empty(size, dtype=dtype, device="meta", requires_grad=True)
    on_meta = neuron.to(device="meta", dtype=dtype)
    with _launch.recording() as found:
        s = run(on_meta, x, **how)
        s.backward(torch.empty_like(s))
        with torch.no_grad():
            run(on_meta, x, **how)
    return found


def specialised(launch: _launch.Launch) -> ASTSource:
    """A launch's kernel with the types and hints that triton gives its arguments."""
    kernel, signature, constants, hints = launch.kernel, {}, {}, {}
    for place, parameter in enumerate(kernel.params):
        value = launch.arguments[parameter.name]
        kind = _kind(parameter, value)
        signature[parameter.name] = kind
        if kind == "constexpr":
            constants[parameter.name] = value
        elif kind.startswith("*"):
            hints[(place,)] = [["tt.divisibility", 16]]
        elif kind[0] == "i" and not parameter.do_not_specialize and isinstance(value, int) and value % 16 == 0:
            hints[(place,)] = [["tt.divisibility", 16]]
    return ASTSource(fn=kernel, signature=signature, constexprs=constants, attrs=hints)


def compiled(launch: _launch.Launch, capability: int) -> Binary:
    """One launch's kernel for a CUDA compute capability (90: Hopper, 80: A100)."""
    target, options = GPUTarget("cuda", capability, 32), {"num_warps": launch.warps}
    made = triton.compile(specialised(launch), target=target, options=options)
    registers, spills = _resources(made.asm["cubin"])
    copies = {
        int(width, 0) for width in re.findall(r"cp\.async\.c[ag]\.shared\.global[^;]*?, (0x\w+|\d+)", made.asm["ptx"])
    }
    shared = made.metadata.shared
    return Binary(
        named(launch), capability, launch, registers, spills, shared, tuple(sorted(copies)), loads(made.asm["ptx"])
    )


def named(launch: _launch.Launch) -> str:
    """Module and name of a kernel, "lif.forward_kernel"; of one that many neurons share, the module of its STEP."""
    function = cast(Any, launch.arguments.get("STEP", launch.kernel)).fn
    return f"{function.__module__.rpartition('.')[2]}.{launch.kernel.__name__}"


def loads(ptx: str) -> tuple[int, int]:
    """Reads from global memory before the first write, and all, in the turn of the loop that reads most."""
    found = (0, 0)
    for label in re.finditer(r"^(\$L__BB\w+):", ptx, re.MULTILINE):
        body, back, _ = ptx[label.end() :].partition(f"bra \t{label[1]};")
        first = body.partition("st.global")[0]
        if back and "ret;" not in body:
            count = first.count("ld.global"), body.count("ld.global")
            found = max(found, count, key=lambda pair: pair[1])
    return found


def lowered(launch: _launch.Launch, capability: int) -> str:
    """One launch's kernel in triton's own language of instructions, before anything is optimised; fast."""
    target, context = GPUTarget("cuda", capability, 32), ir.context()
    backend = make_backend(target)
    ir.load_dialects(context)
    backend.load_dialects(context)
    options = backend.parse_options({"num_warps": launch.warps})
    functions, modules = backend.get_codegen_implementation(options), backend.get_module_map()
    return str(specialised(launch).make_ir(target, options, functions, modules, context))


def _kind(parameter: Any, value: Any) -> str:
    """The type that triton gives an argument."""
    if parameter.is_constexpr or value is None:
        return "constexpr"
    if isinstance(value, Tensor):
        names = {"float32": "fp32", "float64": "fp64", "bfloat16": "bf16", "float16": "fp16"}
        names |= {"uint8": "u8", "int16": "i16", "int32": "i32"}
        return "*" + names[str(value.dtype).removeprefix("torch.")]
    if parameter.annotation_type:
        return parameter.annotation_type
    if value == 1 and not parameter.do_not_specialize:
        return "constexpr"
    return "i32" if -(2**31) <= value < 2**31 else "i64"


def _resources(cubin: bytes) -> tuple[int, int]:
    """Registers and stack bytes (where spills live) per thread, as the disassembler that triton brings reads them."""
    tool = triton.knobs.nvidia.cuobjdump.path
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "kernel.cubin"
        path.write_bytes(cubin)
        text = subprocess.run([tool, "--dump-resource-usage", path], capture_output=True, text=True, check=True).stdout
    found = re.search(r"REG:(\d+) STACK:(\d+)", text)
    if found is None:
        raise RuntimeError(f"no resource usage in the answer of {tool}: {text}")
    return int(found[1]), int(found[2])
