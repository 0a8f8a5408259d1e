"""What onnxruntime has for models whose layers sum up keys and values in a state: short convolutions, linear attention, gates."""

from __future__ import annotations

import onnx

from pyxnn import errors
from pyxnn.body import Body
from pyxnn.microsoft.registry import operator

_FLOAT = onnx.TensorProto.FLOAT


def _of_onnx(body: Body, **own: int) -> None:
    """The operator of the same name that ONNX has since; `own` are attributes that it lacks, and the only numbers that they may be."""
    node = body.node
    for name, only in own.items():
        if node.attribute(name, only) != only:
            raise errors.NotImplemented(f"its {name} is {node.attributes[name]}")
    attributes = {name: value for name, value in node.attributes.items() if name not in own}
    count = 1 + max(index for index, name in enumerate(node.outputs) if name)
    results = body.add_with_outputs(count, node.op_type, *node.inputs, **attributes)
    for index, result in enumerate(results):
        body.give(index, result)


@operator(
    "LinearAttention",
    (3, 6),
    (1, 2),
    required=("kv_num_heads", "q_num_heads"),
    chunk_size=int,
    kv_num_heads=int,
    q_num_heads=int,
    scale=float,
    state_window=int,
    update_rule=str,
)
def linear_attention(body: Body) -> None:
    """ONNX's LinearAttention, without a window of states."""
    _of_onnx(body, state_window=0)


@operator(
    "CausalConvWithState",
    (2, 4),
    (1, 3),
    activation=str,
    channels_last=int,
    dilation=int,
    input_channel_offset=int,
    input_channels=int,
    ndim=int,
    state_channels_last=int,
    state_length=int,
    state_update_capacity=int,
    state_window=int,
)
def causal_conv_with_state(body: Body) -> None:
    """ONNX's CausalConvWithState: along one axis, channels before it, whole states."""
    if body.node.output(2):
        raise errors.NotImplemented("its state_update is used")
    _of_onnx(
        body,
        channels_last=0,
        dilation=1,
        input_channel_offset=0,
        input_channels=0,
        ndim=1,
        state_channels_last=-1,
        state_length=0,
        state_update_capacity=0,
        state_window=0,
    )


@operator("LinearAttentionGate", (3, 4), (1, 2))
def linear_attention_gate(body: Body) -> None:
    """a, dt_bias, decay_scale and an optional b to decay_scale * Softplus(a + dt_bias), in float32 until then, and Sigmoid(b)."""
    a, bias, scale, b = (body.node.input(index) for index in range(4))
    rate = body.add("Softplus", body.add("Add", body.add("Cast", a, to=_FLOAT), bias))
    body.give(0, body.add("CastLike", body.add("Mul", scale, rate), a))
    if b:
        body.give(1, body.add("Sigmoid", b))


@operator("GatedRMSNorm", (3, 3), activation=str, epsilon=float)
def gated_rms_norm(body: Body) -> None:
    """X, scale and gate to RMSNormalization(X) * activation(gate); a scale shorter than X's last axis is that of each head."""
    x, scale, gate = body.node.inputs
    rank, shape, length = body.graph.rank(x), body.graph.shape(x), body.graph.shape(scale)
    if rank is None or shape is None or length is None or not isinstance(length[0], int):
        raise errors.NotImplemented("the rank of X or the length of scale is unknown")
    epsilon = body.node.attribute("epsilon", 1e-5)
    rows = x
    if shape[-1] != length[0]:
        rows = body.reshape(x, [*[0] * (rank - 1), -1, length[0]])
    y = body.add("RMSNormalization", rows, scale, axis=-1, epsilon=epsilon)
    if rows != x:
        y = body.add("Reshape", y, body.add("Shape", x))
    factor = body.add("Sigmoid", gate)
    if body.node.attribute("activation", "silu") in ("silu", "swish"):
        factor = body.add("Mul", gate, factor)
    body.give(0, body.add("Mul", y, factor))


@operator("GatedAdd", (3, 3))
def gated_add(body: Body) -> None:
    """X, Y and gate to X + Y * gate."""
    x, y, gate = body.node.inputs
    body.give(0, body.add("Add", x, body.add("Mul", y, gate)))


@operator("ScaledSiLU", (1, 2), alpha=float)
def scaled_silu(body: Body) -> None:
    """X times scale, or else alpha, to its product with its own Sigmoid."""
    x, scale = body.node.input(0), body.node.input(1)
    factor = body.add("CastLike", scale, x) if scale else ""
    alpha = body.node.attribute("alpha", 1.0)
    if alpha != 1 and not scale:
        factor = body.scalar_like(x, alpha)
    scaled = body.add("Mul", x, factor) if factor else x
    body.give(0, body.add("Mul", scaled, body.add("Sigmoid", scaled)))
