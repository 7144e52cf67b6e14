"""The two kernels of every neuron with one or two states: tiles of time steps forward, and backward by replaying them.

What differs between neurons are three or four small functions, which the kernels take as constants:

    STEP(p, q, x, u, t, k, MODE, SURROGATE) → p', q', s, a, b    states, spike (0 or 1), and what ADJOINT wants to know
    FADE(p, q, k) → p', q'                                       the linear part of STEP, in p and q
    ADJOINT(P, Q, late, g, a, b, k, MODE) → P', Q', late', dx    the same step backwards, linear in P, Q, late and g
    SUMS(P', Q', p, q, x, k) → …                                 what it adds to the gradients of the constants per neuron

u is a uniform, or the second input. k are the constants, as blocks or scalars. P and Q are the gradients that come from
the step after, `late` is what else the step before wants of it; with a second input, late' is its gradient.
"""

import triton
import triton.language as tl

from spikebench.backends.triton._philox import uniforms
from spikebench.backends.triton._tile import load, reverse, rows, send, series, store, turn, within, word


@triton.jit
def _chunk(T, L):
    """A program's chunk, the number of chunks, and the chunk's first step and end."""
    chunk = tl.program_id(1).to(tl.int64)
    return chunk, tl.num_programs(1).to(tl.int64), chunk * L, tl.minimum(chunk * L + L, T)


@triton.jit
def _constants(per_neuron, m, inside, N, k0, k1, k2, k3, k4, OWN: tl.constexpr, COMPUTE: tl.constexpr):
    """Five constants: all the same for every series, or three or four per neuron from [OWN, N] before the last two."""
    first, second, third = tl.full([], k0, COMPUTE), tl.full([], k1, COMPUTE), tl.full([], k2, COMPUTE)
    fourth, fifth = tl.full([], k3, COMPUTE), tl.full([], k4, COMPUTE)
    if per_neuron is not None:
        n = m % N
        first = tl.load(per_neuron + n, mask=inside, other=0).to(COMPUTE)
        second = tl.load(per_neuron + N + n, mask=inside, other=0).to(COMPUTE)
        third = tl.load(per_neuron + 2 * N + n, mask=inside, other=0).to(COMPUTE)
        if OWN == 4:
            further = tl.load(per_neuron + 3 * N + n, mask=inside, other=0).to(COMPUTE)
            return (first, second, third, further, fourth, fifth)
        else:
            return (first, second, third, fourth, fifth)
    else:
        return (first, second, third, fourth, fifth)


@triton.jit
def _pair(base, row, count, m, width, there, BLOCK: tl.constexpr, COMPUTE: tl.constexpr):
    """States p and q [BLOCK] from row `row` of base [2, count, M]; zero where base is None."""
    p, q = tl.zeros([BLOCK], COMPUTE), tl.zeros([BLOCK], COMPUTE)
    if base is not None:
        p = tl.load(base + row * width + m, mask=there, other=0).to(COMPUTE)
        q = tl.load(base + (count + row) * width + m, mask=there, other=0).to(COMPUTE)
    return p, q


@triton.jit
def _beside(second, at, there, width, R: tl.constexpr):
    """A tile of the second input; nothing where there is none."""
    if second is None:
        return ()
    else:
        return load(second, at, there, width, R)


@triton.jit
def _wanted(us, seed, t, m, width, site, call, DRAWS: tl.constexpr, R: tl.constexpr, COMPUTE: tl.constexpr):
    """What stands beside x at steps t … t + R − 1: uniforms (both are multiples of four), the second input, or 0."""
    found = ()
    if DRAWS:
        for four in tl.static_range(R // 4):
            found += uniforms(seed, (t // 4 + four) * width + m, site, call)
    else:
        for r in tl.static_range(R):
            if len(us) > 0:
                found += (us[r],)
            else:
                found += (tl.zeros([m.shape[0]], COMPUTE),)
    return found


@triton.jit
def _ends(ends, chunk, m, width, inside, p, q, p_p, q_p, p_q, q_q):
    """A chunk's map into ends [6, chunks, M]: states from zero, and the answers to p = 1 and to q = 1 before it."""
    size = tl.num_programs(1).to(tl.int64) * width
    at = ends + chunk * width + m
    tl.store(at, p, mask=inside)
    tl.store(at + size, q, mask=inside)
    tl.store(at + 2 * size, p_p, mask=inside)
    tl.store(at + 3 * size, q_p, mask=inside)
    tl.store(at + 4 * size, p_q, mask=inside)
    tl.store(at + 5 * size, q_q, mask=inside)


@triton.jit
def cascade(i, v, x, k):
    """A step of two filters one behind the other, with constants syn, mem, rest."""
    i = k[0] * i + x
    return i, k[1] * v + k[2] * i


@triton.jit
def cascaded(V, X, e, k):
    """Backwards: dL/dv and dL/dx, from dL/ds through v alone."""
    V = e + k[1] * V
    return V, k[2] * V + k[0] * X


@triton.jit
def rotated(R, Q, r, i, x, k):
    """What a rotation adds to the gradients of its cos, sin and gain: dL of both parts after it, and both parts before it."""
    return R * r + Q * i, Q * r - R * i, R * x


@triton.jit(do_not_specialize=["T", "L", "seed", "call", "site"])
def forward_kernel(
    x,  # [T, M]
    second,  # [T, M], or None: there is one input
    s,  # [T, M], or None: only the ends are wanted, or bits
    words,  # [⌈T/32⌉, M] the spikes as bits, or None; a chunk has whole words
    kept,  # [2, tiles, M] the states before every tile, or None: do not keep
    state,  # [2, chunks, M] the states that enter every chunk, or None: zero
    ends,  # [6, chunks, M], or None
    per_neuron,  # [OWN, N] constants, or None
    seed: "i64",
    call: "i64",
    site: "i64",
    T: "i64",
    L: "i64",
    M,
    N,
    k0: "fp64",
    k1: "fp64",
    k2: "fp64",
    k3: "fp64",
    k4: "fp64",
    STEP: tl.constexpr,
    FADE: tl.constexpr,
    MODE: tl.constexpr,
    SURROGATE: tl.constexpr,
    DRAWS: tl.constexpr,
    OWN: tl.constexpr,
    COMPUTE: tl.constexpr,
    BLOCK: tl.constexpr,
    R: tl.constexpr,
    STAGES: tl.constexpr,
):
    m, inside, width = series(M, BLOCK)
    chunk, chunks, first, end = _chunk(T, L)
    k = _constants(per_neuron, m, inside, N, k0, k1, k2, k3, k4, OWN, COMPUTE)
    p, q = _pair(state, chunk, chunks, m, width, inside, BLOCK, COMPUTE)
    if ends is not None:
        p_p, q_p = tl.full([BLOCK], 1, COMPUTE), tl.zeros([BLOCK], COMPUTE)
        p_q, q_q = tl.zeros([BLOCK], COMPUTE), tl.full([BLOCK], 1, COMPUTE)
    sent = tl.zeros([BLOCK], tl.int32)
    there = rows(first, first, end, inside, R)
    next_x = load(x, first * width + m, there, width, R)
    next_u = _beside(second, first * width + m, there, width, R)
    for t in tl.range(first, end, R, num_stages=STAGES):
        at, there, then = t * width + m, rows(t, first, end, inside, R), rows(t + R, first, end, inside, R)
        xs, next_x = turn(next_x, x, at, there, at + R * width, then, width, R, STAGES)
        us = ()
        if second is not None:
            us, next_u = turn(next_u, second, at, there, at + R * width, then, width, R, STAGES)
        us = _wanted(us, seed, t, m, width, site, call, DRAWS, R, COMPUTE)
        if kept is not None:
            tl.store(kept + t // R * width + m, p, mask=inside)
            tl.store(kept + ((T + R - 1) // R + t // R) * width + m, q, mask=inside)
        fired = ()
        for r in tl.static_range(R):
            p, q, s_t, _, _ = STEP(p, q, xs[r].to(COMPUTE), us[r].to(COMPUTE), t + r, k, MODE, SURROGATE)
            fired += (s_t,)
            if ends is not None:
                p_p, q_p = FADE(p_p, q_p, k)
                p_q, q_q = FADE(p_q, q_q, k)
        if s is not None:
            store(s, at, there, width, fired, R)
        if words is not None:
            sent = send(words, sent, within(word(fired, R), t, end, R), t, end, m, width, inside, R)
    if ends is not None:
        _ends(ends, chunk, m, width, inside, p, q, p_p, q_p, p_q, q_q)


@triton.jit(do_not_specialize=["T", "L", "seed", "call", "site"])
def backward_kernel(
    g,  # [T, M]
    x,  # [T, M]
    second,  # [T, M], or None: there is one input
    kept,  # [2, tiles, M] the states before every tile
    dx,  # [T, M], or None: only the ends are wanted
    by_second,  # [T, M], or None
    state,  # [2, chunks, M] P and Q that enter every chunk, or None: zero
    ends,  # [6, chunks, M], or None
    sums,  # [OWN, chunks, M] gradients of the constants per neuron, or None
    per_neuron,  # [OWN, N] constants, or None
    seed: "i64",
    call: "i64",
    site: "i64",
    T: "i64",
    L: "i64",
    M,
    N,
    k0: "fp64",
    k1: "fp64",
    k2: "fp64",
    k3: "fp64",
    k4: "fp64",
    STEP: tl.constexpr,
    ADJOINT: tl.constexpr,
    SUMS: tl.constexpr,
    LATE: tl.constexpr,
    MODE: tl.constexpr,
    SURROGATE: tl.constexpr,
    DRAWS: tl.constexpr,
    OWN: tl.constexpr,
    COMPUTE: tl.constexpr,
    BLOCK: tl.constexpr,
    R: tl.constexpr,
    STAGES: tl.constexpr,
):
    m, inside, width = series(M, BLOCK)
    chunk, chunks, first, end = _chunk(T, L)
    tiles = (T + R - 1) // R
    k = _constants(per_neuron, m, inside, N, k0, k1, k2, k3, k4, OWN, COMPUTE)
    P, Q = _pair(state, chunk, chunks, m, width, inside, BLOCK, COMPUTE)
    none = tl.zeros([BLOCK], COMPUTE)
    late = none
    if LATE:  # the step after the chunk
        after = inside & (end < T)
        p, q = _pair(kept, end // R, tiles, m, width, after, BLOCK, COMPUTE)
        x_t = tl.load(x + end * width + m, mask=after, other=0).to(COMPUTE)
        g_t = tl.load(g + end * width + m, mask=after, other=0).to(COMPUTE)
        _, _, _, a, b = STEP(p, q, x_t, none, end, k, MODE, SURROGATE)
        _, _, late, _ = ADJOINT(none, none, none, g_t, a, b, k, MODE)
    if ends is not None:
        p_p, q_p = tl.full([BLOCK], 1, COMPUTE), none
        p_q, q_q = none, tl.full([BLOCK], 1, COMPUTE)
    if sums is not None:
        total_0 = tl.zeros([BLOCK], tl.float64)
        total_1 = tl.zeros([BLOCK], tl.float64)
        total_2 = tl.zeros([BLOCK], tl.float64)
        if OWN == 4:
            total_3 = tl.zeros([BLOCK], tl.float64)
    count = (end - first + R - 1) // R
    t = first + (count - 1) * R
    at, there = t * width + m, rows(t, first, end, inside, R)
    next_x, next_g = load(x, at, there, width, R), load(g, at, there, width, R)
    next_u = _beside(second, at, there, width, R)
    next_p, next_q = _pair(kept, t // R, tiles, m, width, inside, BLOCK, COMPUTE)
    for back in tl.range(0, count, num_stages=STAGES):
        t = first + (count - 1 - back) * R
        at, there, then = t * width + m, rows(t, first, end, inside, R), rows(t - R, first, end, inside, R)
        xs, next_x = turn(next_x, x, at, there, at - R * width, then, width, R, STAGES)
        gs, next_g = turn(next_g, g, at, there, at - R * width, then, width, R, STAGES)
        us = ()
        if second is not None:
            us, next_u = turn(next_u, second, at, there, at - R * width, then, width, R, STAGES)
        us = _wanted(us, seed, t, m, width, site, call, DRAWS, R, COMPUTE)
        p, q = next_p, next_q
        next_p, next_q = _pair(kept, t // R - 1, tiles, m, width, then > 0, BLOCK, COMPUTE)
        ps, qs, slopes, links = (), (), (), ()
        for r in tl.static_range(R):
            ps += (p,)
            qs += (q,)
            p, q, _, a, b = STEP(p, q, xs[r].to(COMPUTE), us[r].to(COMPUTE), t + r, k, MODE, SURROGATE)
            slopes += (a,)
            links += (b,)
        out, beside = (), ()
        part_0, part_1, part_2, part_3 = none, none, none, none
        for n in tl.static_range(R):
            a, b = slopes[R - 1 - n], links[R - 1 - n]
            P, Q, late, dx_t = ADJOINT(P, Q, late, gs[R - 1 - n].to(COMPUTE), a, b, k, MODE)
            out += (dx_t,)
            beside += (late,)
            if ends is not None:
                p_p, q_p, _, _ = ADJOINT(p_p, q_p, none, none, a, b, k, MODE)
                p_q, q_q, _, _ = ADJOINT(p_q, q_q, none, none, a, b, k, MODE)
            if sums is not None:
                x_t = xs[R - 1 - n].to(COMPUTE)
                by = SUMS(P, Q, ps[R - 1 - n], qs[R - 1 - n], x_t, k)
                part_0, part_1, part_2 = part_0 + by[0], part_1 + by[1], part_2 + by[2]
                if OWN == 4:
                    part_3 += by[3]
        if sums is not None:
            total_0 += part_0.to(tl.float64)
            total_1 += part_1.to(tl.float64)
            total_2 += part_2.to(tl.float64)
            if OWN == 4:
                total_3 += part_3.to(tl.float64)
        if dx is not None:
            store(dx, at, there, width, reverse(out, R), R)
        if by_second is not None:
            store(by_second, at, there, width, reverse(beside, R), R)
    if ends is not None:
        _ends(ends, chunk, m, width, inside, P, Q, p_p, q_p, p_q, q_q)
    if sums is not None:
        at = sums + chunk * width + m
        tl.store(at, total_0, mask=inside)
        tl.store(at + chunks * width, total_1, mask=inside)
        tl.store(at + 2 * chunks * width, total_2, mask=inside)
        if OWN == 4:
            tl.store(at + 3 * chunks * width, total_3, mask=inside)
