"""Rewrites of the graph before it is split between the providers.

A pass is a module with `run(graph) -> bool`, which says whether it changed anything; its rules
stand in its docstring. The passes run in order, again and again, until none has anything left to
do.

Those of `FORMS` bring every opset from 7 on to the form of the newest, which is the only one that
the XNNPACK provider knows. A node that none of them touches keeps its form and its version; either
is valid wherever the node ends up.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pyxnn.graph import Graph
from pyxnn.passes import (
    attributes_to_inputs,
    batch_norm_form,
    cancel_quantization,
    common_subexpressions,
    constant_nodes,
    constants_second,
    dead_code,
    eliminate_dropout,
    eliminate_identity,
    eliminate_no_ops,
    expand_functions,
    expand_microsoft,
    fold_affine,
    fold_batch_norm,
    fold_clips_into_quantization,
    fold_constants,
    fold_padding,
    fold_scale,
    fuse_attention,
    fuse_gelu,
    fuse_hard_sigmoid,
    fuse_hard_swish,
    fuse_layer_norm,
    fuse_mish,
    fuse_rms_norm,
    fuse_softplus,
    fuse_swish,
    gemm_to_matmul,
    merge_clips,
    merge_constants,
    merge_reshapes,
    merge_transposes,
    min_max_to_clip,
    move_integers,
    prelu_to_leaky_relu,
    products_of_blocks,
    qlinear_form,
    renamed_forms,
    reshape_by_extents,
    scale_integer_products,
    signed_integers,
    softmax_form,
    upsample_form,
)
from pyxnn.passes.rewrite import to_fixed_point

Pass = Callable[[Graph], bool]

FORMS: tuple[Pass, ...] = (
    constant_nodes.run,
    expand_microsoft.run,
    attributes_to_inputs.run,
    upsample_form.run,
    softmax_form.run,
    batch_norm_form.run,
    renamed_forms.run,
    qlinear_form.run,
    expand_functions.run,
)
"""What the providers rely on."""

BASIC: tuple[Pass, ...] = (
    eliminate_dropout.run,
    eliminate_no_ops.run,
    eliminate_identity.run,
    products_of_blocks.run,
    signed_integers.run,
    move_integers.run,
    fold_clips_into_quantization.run,
    cancel_quantization.run,
    fold_constants.run,
    fuse_attention.run,
    common_subexpressions.run,
    constants_second.run,
    merge_transposes.run,
    merge_reshapes.run,
    reshape_by_extents.run,
    gemm_to_matmul.run,
    merge_constants.run,
    min_max_to_clip.run,
    merge_clips.run,
    fold_padding.run,
    fold_batch_norm.run,
    fold_affine.run,
    fuse_gelu.run,
    fuse_softplus.run,
    fuse_hard_sigmoid.run,
    fuse_hard_swish.run,
    fuse_swish.run,
    fuse_mish.run,
    fuse_layer_norm.run,
    fuse_rms_norm.run,
    prelu_to_leaky_relu.run,
    fold_scale.run,
    scale_integer_products.run,
    dead_code.run,
)
"""What makes a graph smaller and leaves its results alone but for rounding."""

ALL = FORMS + BASIC


def run(graph: Graph, passes: Sequence[Pass] = ALL) -> None:
    """Runs passes to a fixed point."""
    to_fixed_point(graph, passes)
