"""For each exercise a typical wrong answer, and words of the message that shall help whoever gives it."""

#: (lesson, exercise) → (the answer's cell, words of the message)
WRONG = {
    (0, "bytes_after"): (
        "def bytes_after(parameters, share_kept, bits):\n    return parameters * share_kept * bits",
        "eight of them make one byte",
    ),
    (0, "keep"): (
        "def keep(weight, count):\n    return np.sort(np.argsort(weight.sum(axis=(0, 1, 2)))[-count:])",
        "large, though negative",
    ),
    (1, "backward"): (
        "def backward(result):\n    result.grad = 1.0\n    waiting = [result]\n    while waiting:\n"
        "        node = waiting.pop(0)\n"
        "        for parent, slope in zip(node.inputs, node.slopes):\n            parent.grad += node.grad * slope\n"
        "            waiting.append(parent)",
        "Does it wait twice?",
    ),
    (1, "bias_gradient"): ("def bias_gradient(grad):\n    return grad.mean(axis=0)", "every use adds its share"),
    (2, "softplus"): (
        '@operation("x")\ndef softplus(x):\n    return np.logaddexp(0, x), each(lambda grad: 1 / (1 + np.exp(-x)))',
        "multiply by `grad`",
    ),
    (2, "slope"): (
        "def slope(function, x, direction, step=1e-6):\n"
        "    return (function(x + step * direction) - function(x)) / step",
        "to *both* sides",
    ),
    (2, "larger"): (
        '@operation("a", "b")\ndef larger(a, b):\n'
        "    return np.maximum(a, b), each(lambda grad: grad, lambda grad: grad)",
        "both inputs got the whole gradient",
    ),
    (3, "cross_entropy"): (
        "def cross_entropy(logits, label):\n    p = np.exp(logits) / np.exp(logits).sum()\n"
        "    return -np.log(p[label]), p - (np.arange(len(p)) == label)",
        "subtract the largest logit",
    ),
    (3, "step"): (
        "def step(weight, grad, velocity, lr, momentum):\n    return weight - lr * grad, grad",
        "forgot the first",
    ),
    (3, "first_loss"): ("def first_loss(classes):\n    return np.log2(classes)", "natural logarithm"),
    (4, "count"): (
        "def side_of_result(side, size, stride, padding):\n    return (side + padding - size) // stride + 1\n"
        "def operations(side_out, size, cin, cout):\n    return 2 * side_out**2 * size**2 * cin * cout",
        "at *both* ends",
    ),
    (4, "im2col"): (
        "def im2col(x, k):\n    height, width, _ = x.shape\n"
        "    return np.array([x[u:u+k, v:v+k].reshape(-1) for v in range(width-k+1) for u in range(height-k+1)])",
        "*right* of the first",
    ),
    (4, "roof"): (
        "def roof(intensity, peak, bandwidth):\n    return intensity * bandwidth",
        "the ceiling of 400 holds",
    ),
    (5, "depthwise"): (
        "def depthwise(x, weight):\n    k = 3\n    height, width = x.shape[0] - 2, x.shape[1] - 2\n"
        "    return sum(x[u:u+height, v:v+width] * weight[2-u, 2-v] for u in range(3) for v in range(3))",
        "turned by 180°",
    ),
    (5, "share"): (
        "def dense(k, c, d):\n    return k * k * c * d\ndef separable(k, c, d):\n    return k * k * c + k * k * c * d",
        "it has no 9",
    ),
    (5, "width"): (
        "def pointwise_factor(alpha):\n    return alpha\ndef depthwise_factor(alpha):\n    return alpha",
        "both shrink",
    ),
    (6, "batch_norm"): (
        "def batch_norm(x, gamma, beta, eps=1e-5):\n    axes = (0, 1, 2)\n"
        "    return gamma * (x - x.mean(axis=axes)) / (x.var(axis=axes) + eps) + beta",
        "*root* of the variance",
    ),
    (6, "order"): (
        "def order(n, seed, epoch):\n    return np.random.default_rng(seed + epoch).permutation(n)",
        "don't add them",
    ),
    (6, "interval"): (
        "def interval(p, n):\n    margin = np.sqrt(p * (1 - p) / n)\n    return p - margin, p + margin\n"
        "def differ(p, q, n):\n    return abs(p - q) > 0.02",
        "95 % need 1.96",
    ),
    (7, "counts"): (
        "def parameters(k, c, d):\n    return k * k * c * d\n"
        "def flops(k, c, d, side, stride):\n    return 2 * side**2 * parameters(k, c, d)",
        "places of the *result*",
    ),
    (7, "middle"): ("def middle(times):\n    return np.mean(times), np.std(times)", "that is the mean"),
    (7, "speedup"): ("def speedup(kept, arithmetic):\n    return 1 / kept", "nothing gets faster"),
    (8, "stays"): (
        "def stays(weight, ratio):\n    norms = np.abs(weight.sum(axis=(0, 1, 2)))\n"
        "    return np.sort(np.argsort(norms)[int(ratio * len(norms)):])",
        "cancel in a sum",
    ),
    (8, "cut"): (
        'def cut(parts, keep):\n    return {"first": parts["first"][..., keep], "gamma": parts["gamma"][keep],\n'
        '            "beta": parts["beta"][keep], "second": parts["second"]}',
        "`second` has shape (3, 3, 6, 3)",
    ),
    (8, "ratio"): ("def ratio(target):\n    return target", "on *both* sides"),
    (9, "loss"): (
        "def loss(whole, cut):\n    n = len(whole)\n"
        "    return whole.mean() - cut.mean(), np.sqrt(whole.var(ddof=1) / n + cut.var(ddof=1) / n)",
        "take d first",
    ),
    (9, "ratios_at"): (
        "def ratios_at(level, ratios, losses):\n    return np.where(losses < level, ratios, 0.0).max(axis=1)",
        "≤, not <",
    ),
    (9, "chance"): ("def chance(change, temperature):\n    return np.exp(change / temperature)", "cut it off at 1"),
    (10, "affine"): (
        "def affine(low, high, bits):\n    scale = (high - low) / 2**bits\n    return scale, round(-low / scale)",
        "255 steps between them",
    ),
    (10, "squared_error"): (
        "def squared_error(x, clip, steps):\n    scale = clip / steps\n"
        "    return np.mean((x - np.rint(x / scale) * scale) ** 2)",
        "is the integer clipped?",
    ),
    (10, "straight_through"): (
        '@operation("x")\ndef straight_through(x, scale, limit):\n'
        "    return np.clip(np.rint(x / scale), -limit, limit) * scale, each(lambda grad: grad)",
        "pushing further changes nothing",
    ),
    (12, "fixed_point"): ("def fixed_point(real):\n    return round(real * 2**31), 31", "below 2³⁰"),
    (12, "one_byte"): (
        "def one_byte(values, weights, bias, m, s, zero_in, zero_out, low, high):\n"
        "    total = bias + sum((value - zero_in) * weight for value, weight in zip(values, weights))\n"
        "    return max(low, min(zero_out + round(total * m / 2**s), high))",
        "a tie, and ties go up",
    ),
    (12, "many_bytes"): (
        "def many_bytes(columns, weight, bias, m, s, zero_in, zero_out, low, high):\n"
        "    total = (columns - np.uint8(zero_in)).astype(np.int64) @ weight.astype(np.int64) + bias\n"
        "    rounded = (total * m.astype(np.int64) + (1 << (s.astype(np.int64) - 1))) >> s\n"
        "    return np.clip(zero_out + rounded, low, high).astype(np.uint8)",
        "wrap around in silence",
    ),
    (13, "soften"): (
        "def soften(logits, temperature):\n    p = np.exp(logits - logits.max(axis=1, keepdims=True))\n"
        "    return p / p.sum(axis=1, keepdims=True) / temperature",
        "must sum to 1",
    ),
    (13, "gradient"): (
        "def gradient(student, teacher, temperature):\n"
        "    ours, theirs = (np.exp(z / temperature) for z in (student, teacher))\n"
        "    return ours / ours.sum() - theirs / theirs.sum()",
        "leaves one factor T",
    ),
    (13, "fsp"): (
        "def fsp(first, second):\n    return np.einsum('hwi,hwj->ij', first, second)",
        "a mean, not a sum",
    ),
    (14, "average"): (
        "def update(average, weights, decay):\n    return (1 - decay) * average + decay * weights\n"
        "def share(k, decay):\n    return (1 - decay) * decay**k",
        "d belongs to the average",
    ),
    (14, "strategy"): (
        "@compress.register\nclass RunningAverage(compress.Strategy):\n    decay: float = Field(0.98, gt=0, lt=1)\n"
        "    def on_batch_end(self, context):\n        average = context.state[self.name]\n"
        "        for name, weights in context.model.state_dict().items():\n"
        "            average[name] = self.decay * average.get(name, weights) + (1 - self.decay) * weights\n"
        "    def on_compression_end(self, context):\n        context.model.load_state_dict(context.state[self.name])",
        "but `start_epoch` is 1",
    ),
    (14, "recipe"): (
        'RECIPE = """\n[compressor]\nepochs = 6\n[strategies.prune]\nclass = "UniformPruneStrategy"\n'
        '[strategies.distil]\nclass = "DistillationStrategy"\nteacher = "self"\n'
        '[strategies.quant]\nclass = "QuantizationStrategy"\nstart_epoch = 4\nlr = 0.01\n'
        '[strategies.mean]\nclass = "RunningAverage"\n"""',
        "another network's",
    ),
}
