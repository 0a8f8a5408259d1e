/*
 * pyxnn's engine: XNNPACK operators, planned once and run many times.
 *
 * A WebAssembly instance of this engine owns one linear memory, outside the memory of its caller; the caller copies
 * inputs in and outputs out. The order of calls for a subgraph is
 *
 *     operator_create*  ->  plan_create  ->  plan_reshape  ->  plan_bind  ->  plan_run*  ->  plan_free
 *
 * An operator holds what does not depend on shapes: attributes and packed weights. A plan holds what does: the steps of
 * one subgraph for one signature of input shapes. Plans of other shapes share the operators, so weights are packed once.
 *
 * Conventions
 *   - Every tensor is dense unless a stride says otherwise; strides and extents count elements, offsets and sizes bytes.
 *   - Tensors are float32 unless said otherwise, and have at most 6 dimensions. Images are NHWC.
 *   - Functions return a pyxnn_status; anything but pyxnn_ok leaves a message for pyxnn_error_message, changes nothing
 *     and leaks nothing. Pointers returned through `out` arguments are set only on success.
 *   - Words: parameters and extents cross as arrays of 32-bit words, whose order the kind lists below give. A word marked
 *     `f` holds the bits of a float, every other an unsigned integer. Arrays are read during the call only.
 *   - Calls come from one thread at a time. Parallelism is inside plan_run, on the pool (pyxnn_pool_*).
 */
#ifndef PYXNN_H
#define PYXNN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PYXNN_EXPORT(name) __attribute__((export_name(#name))) name

/* What a call returns. */
enum pyxnn_status {
  pyxnn_ok = 0,
  pyxnn_out_of_memory = 1,    /* the linear memory could not grow */
  pyxnn_invalid_argument = 2, /* an argument outside what this header allows */
  pyxnn_unsupported = 3,      /* valid, but XNNPACK has no kernel for it */
  pyxnn_worker_lost = 4,      /* a worker died during a run: its result is incomplete, another run goes without it */
  pyxnn_failed = 5,           /* anything else */
  pyxnn_invalid_input = 6,    /* a run met a tensor whose content its step can't take; see pyxnn_plan_failed_step */
};

/*
 * Operator kinds. For each: `params`, the words of pyxnn_operator_create; `weights`, the two arrays that it packs;
 * `dims` and `refs`, the words and the tensors of a step of pyxnn_plan_create in order, the output last. Strides count
 * elements: from the first of a pixel, a row or a slice to the first of the next.
 */
enum pyxnn_kind {
  /*
   * 2-D convolution, depthwise and grouped included.
   * params: kernel_h kernel_w stride_h stride_w dilation_h dilation_w groups group_in_channels group_out_channels padded (0:
   *         all pads are 0) min(f) max(f)
   * weights: kernel [groups, group_out_channels, kernel_h, kernel_w, group_in_channels]; bias [groups *
   *          group_out_channels] or NULL
   * dims: batch height width pad_top pad_right pad_bottom pad_left in_pixel_stride out_pixel_stride
   * refs: input, output
   */
  pyxnn_convolution = 1,
  /*
   * Rows times constant matrix plus bias, clamped.
   * params: in_channels out_channels min(f) max(f) transposed (0: kernel is [out, in]; 1: [in, out])
   * weights: kernel; bias [out_channels] or NULL
   * dims: rows in_stride out_stride
   * refs: input, output
   */
  pyxnn_fully_connected = 2,
  /*
   * Batched product of two computed matrices; batch extents broadcast as in NumPy.
   * params: transpose_b (1: b is [..., n, k])
   * dims: num_batch_dims, that many extents of a, that many of b, m k n
   * refs: a, b, output
   */
  pyxnn_batch_matmul = 3,
  /*
   * Elementwise operation on two tensors of floats, by kernels of ours.
   * params: enum pyxnn_binary_type up to pyxnn_prelu
   * dims: num_dims, extents, strides of a, strides of b, strides of the output; signed, 0 repeats
   * refs: a, b, output
   */
  pyxnn_binary = 4,
  /*
   * Elementwise operation on rows of `channels` elements.
   * params: enum pyxnn_unary_type, p0(f), p1(f) (clamp: min, max; leaky_relu: slope; else ignored)
   * dims: rows channels in_stride out_stride
   * refs: input, output
   */
  pyxnn_unary = 5,
  /*
   * Reduction over axes, by a kernel of ours. Integers wrap; their means are cut towards zero. Results don't depend on the
   * number of threads.
   * params: enum pyxnn_reduce_type, enum pyxnn_element (float32; int32 and int64 up to pyxnn_sum_square)
   * dims: whether the outermost axis is reduced (1) or kept (0), num_dims (at most 8), extents, none of them 0; axes are
   *       reduced and kept in turn
   * refs: input, output (reduced axes are dropped or 1, which is the same in memory)
   */
  pyxnn_reduce = 6,
  /*
   * Softmax along the middle axis of [outer, extent, inner] and its kin, by a kernel of ours.
   * params: enum pyxnn_softmax_type
   * dims: outer extent inner in_stride out_stride (in elements, from one of the outer axis to the next)
   * refs: input, output
   */
  pyxnn_softmax = 7,
  /*
   * params: element_size in bytes (1, 2, 4, 8)
   * dims: num_dims (up to 16), extents of the input, permutation (output axis i is input axis perm[i])
   * refs: input, output
   */
  pyxnn_transpose = 8,
  /*
   * Copies elements from one stride to another. Strides are signed; 0 repeats an element of the input.
   * params: element_size in bytes (1, 2, 4, 8)
   * dims: num_dims, extents, strides of the input, strides of the output
   * refs: input, output: where the element lies whose indices are all 0
   */
  pyxnn_copy = 9,
  /*
   * Depthwise 2-D convolution with one output channel for each input channel, by a kernel of ours that is faster than
   * XNNPACK's: kernel_w 3 or 5 and stride_w 1 or 2; anything else is pyxnn_unsupported.
   * params: kernel_h kernel_w stride_h stride_w channels min(f) max(f)
   * weights: kernel [channels, kernel_h, kernel_w]; bias [channels] or NULL
   * dims: as pyxnn_convolution
   * refs: input, output
   */
  pyxnn_depthwise = 10,
  /*
   * 2-D transposed convolution. Output pixel y takes input pixel i through kernel pixel k where y + pad_top ==
   * i * stride_h + k * dilation_h, likewise in width; the pads are taken off the output. An output that is smaller than the
   * stride is pyxnn_unsupported.
   * params, weights, dims: as pyxnn_convolution; padded is ignored
   * refs: input, output
   */
  pyxnn_deconvolution = 11,
  /*
   * Elementwise function by a kernel of ours.
   * params: enum pyxnn_function_type, p0(f), p1(f), p2(f) (0 where the function has none)
   * dims: rows channels in_stride out_stride
   * refs: input, output
   */
  pyxnn_function = 12,
  /*
   * Elements by computed indices, by a kernel of ours. An element of the output has a tuple of indices, one an axis, and takes
   * the element of the data where its own strides through the data and the indices of the tuple meet. Negative indices count
   * from the end. An index outside [-extent, extent) makes the run fail with pyxnn_invalid_input before anything is read.
   * params: index_size in bytes (4 or 8; indices are signed integers), element_size in bytes (1, 2, 4, 8)
   * dims: tuples, num_axes (at most 16), extents of the axes, their strides in the data; num_dims, extents of the output, strides
   *       of the indices (in indices, from tuple to tuple), of the data, of the output, which are dense
   * refs: data, indices [tuples, num_axes], output
   */
  pyxnn_gather = 13,
  /*
   * Elementwise operation on two tensors of one type, by kernels of ours. Integers wrap; a quotient by zero is zero.
   * params: enum pyxnn_binary_type (pyxnn_add to pyxnn_power for integers, pyxnn_equal to pyxnn_less_equal, pyxnn_modulo and
   *         pyxnn_remainder, the others for integers), enum pyxnn_element (float32, int32, int64, uint64; uint8 for the
   *         comparisons and bitwise operations)
   * dims: num_dims, extents, strides of a, strides of b, strides of the output; signed, 0 repeats; those of the output are
   *       dense
   * refs: a, b, output (of the same type, or bool of comparisons)
   */
  pyxnn_typed_binary = 14,
  /*
   * Elements of one tensor or of another, as a third of bool says, by a kernel of ours.
   * params: element_size in bytes (1, 2, 4, 8)
   * dims: num_dims, extents, strides of the condition, of a, of b, of the output; signed, 0 repeats; those of the output
   *       are dense
   * refs: condition, a (where it is true), b, output
   */
  pyxnn_select = 15,
  /*
   * Elements of one type from those of another. Integers wrap. Floats are cut to integers; those outside of int32 (for
   * targets of up to 32 bits but uint32) or of int64 become the lowest number of that, before they wrap. Floats are rounded
   * to nearest, ties to even. uint64 counts as int64 where the other is a float.
   * params: enum pyxnn_element of the input, of the output
   * dims: elements
   * refs: input, output
   */
  pyxnn_cast = 16,
  /*
   * The place of the greatest along one axis, by a kernel of ours: [outer, extent, inner] to int64 [outer, inner].
   * params: enum pyxnn_element (float32, float64, int32, int64), whether the least (1), whether the last of equals (1)
   * dims: outer extent inner
   * refs: input, output
   */
  pyxnn_arg_extreme = 17,
  /*
   * The first k of each row in order, by a kernel of ours; among equals the lower place first.
   * params: enum pyxnn_element (float32, float64, int32, int64), whether the least come first (1)
   * dims: rows channels k
   * refs: input; output: the values [rows, k] and, from the next multiple of 8 bytes on, their places as int64 [rows, k]
   */
  pyxnn_top_k = 18,
  /*
   * Running sums or products along one axis of [outer, extent, inner], by a kernel of ours. Integers wrap.
   * params: enum pyxnn_element (float32, float64, int32, int64), whether an element is not part of its own (1), whether they run
   *         from the end (1), whether they are products (1)
   * dims: outer extent inner
   * refs: input, output
   */
  pyxnn_running = 19,
  /*
   * Elements by lists of indices, one list an axis, by a kernel of ours: output[o, i, j, ...] is input[o, a[i], b[j], ...],
   * or the fill where an index is negative; each is a piece of `inner` elements. At most 16 axes have lists.
   * params: element_size in bytes (1, 2, 4, 8), fill (two words, the lower first)
   * dims: outer inner in_stride out_stride (from piece to piece) num_axes, for each axis its extents in input and output
   * refs: input, indices (int32; those of all axes, one after the other, and none beyond the extents), output
   */
  pyxnn_pick = 21,
  /*
   * Images resampled along both axes, by a kernel of ours: a row of the output is the weighted sum of `taps` neighbouring rows
   * of the input, likewise a column. An axis whose taps are 0 stays as it is. Of int8 numbers, scale * (x - zero) is resampled;
   * to int8 numbers the result is divided by the scale, rounded to nearest, ties to even, + zero, kept between min and max.
   * params: of the input enum pyxnn_element (float32 or int8) scale(f) zero (signed), of the output the same, and min max (signed);
   *         all but the element is ignored of floats
   * dims: outer inner in_pixel_stride out_pixel_stride, for rows and for columns: extent out_extent taps
   * refs: input [outer, rows, columns, inner]; for rows and for columns a table: the first neighbour of each (int32
   *       [out_extent]), the weights (float [out_extent, taps]); output
   */
  pyxnn_resample = 22,
  /*
   * Windows over up to three axes pooled by a kernel of ours. Taps outside the image count nothing, but those of a mean up to
   * counted_before and counted_after pixels beyond count as zeros.
   * params: enum pyxnn_pool_type, enum pyxnn_element (float32; uint8 and int8 for maxima), power(f) min(f) max(f) (within the
   *         range of the element)
   * dims: batch channels in_pixel_stride out_pixel_stride, for each axis: extent out_extent kernel stride dilation offset
   *       (signed: where the first tap of the first window lies) counted_before counted_after
   * refs: input, output (int64 for places)
   */
  pyxnn_pool = 23,
  /*
   * Convolution over up to three axes. Tap k of the window of output o lies at offset + stride * o + dilation * k (all signed).
   * params: taps (of a window) groups group_in_channels group_out_channels min(f) max(f)
   * weights: kernel [groups, group_out_channels, taps, group_in_channels]; bias [groups * group_out_channels] or NULL
   * dims: batch out_batch_stride, for each axis: extent out_extent kernel stride dilation offset out_stride (floats from one
   *       output to the next)
   * refs: input, output
   */
  pyxnn_convolution_nd = 24,
  /*
   * The same with weights and bias that are computed.
   * params, dims: as pyxnn_convolution_nd
   * refs: input, kernel, bias, output
   */
  pyxnn_convolution_computed = 25,
  /*
   * Images at the places of a grid, by a kernel of ours. A place has `rank` coordinates, of the last axis first.
   * params: enum pyxnn_sample_type, enum pyxnn_padding_type, enum pyxnn_coordinate_type
   * dims: batch channels, three extents (1 for an axis that isn't there), places (of each image) rank
   * refs: input, grid [batch, places, rank], output [batch, places, channels]
   */
  pyxnn_grid_sample = 26,
  /*
   * Scaled dot-product attention by a kernel of ours: for each batch, head and query softmax(scores) * values with scores =
   * scale * query * keys, which softcap bounds to softcap * tanh(scores / softcap), + mask. Heads share the keys and values
   * of kv_heads in equal groups. Elements of a row lie side by side; strides, in elements, are those of batch, head and row.
   *
   * A batch's keys [0, length) count. Query i is key number i + offset; it sees the `left` keys before that and the `right`
   * behind, itself, and no key from mask_keys on. A query that sees nothing gives zeros.
   * params: scale(f) softcap(f, 0 for none) mask_size in bytes of an element (0: no mask; 1: booleans, true for keys that
   *         count; 4: floats that are added) length_size in bytes (0: all keys count; 4 or 8: of signed integers [batch])
   * dims: batch heads kv_heads queries keys head_size value_size, strides of query, key, value, output and mask (the mask's
   *       rows are those of queries; 0 where it is the same for all), mask_keys offset (without lengths; with them it is
   *       length - queries) left right (UINT32_MAX for all)
   * refs: query, key, value, mask, lengths (any tensor for what isn't there), output
   */
  pyxnn_attention = 27,
  /*
   * Rows written into a cache [batch, outer, extent, row], in each batch from a place of its own on. Where they don't fit, or
   * a place is outside, the run fails with pyxnn_invalid_input before anything is written.
   * params: circular (1: row 0 follows the last), element_size in bytes
   * dims: batch outer extent count row
   * refs: cache, rows [batch, outer, count, row], places (int64 [batch]), output
   */
  pyxnn_tensor_scatter = 28,
  /*
   * A recurrent layer over all time steps, by kernels of ours, without the product of its input: refs bring that.
   * params: enum pyxnn_cell_type, hidden, enum pyxnn_direction_type, sequence (1: the state at every step is put out),
   *         clip(f) (bound of what goes into the gates' activations), input_forget (1: an LSTM's forget gate is 1 - its
   *         input gate), peepholes (1: an LSTM has them), then three times for each of two directions: enum
   *         pyxnn_activation_type, alpha(f), beta(f); those that cell or direction don't have are ignored
   * dims: steps batch step_stride batch_stride (in rows: the row of a step and a sequence is step * step_stride +
   *       sequence * batch_stride)
   * refs: inputs [rows, directions, gates, hidden]: what the input adds to the gates, biases included;
   *       recurrent weights [directions, panels, gates, hidden, 8]: a panel is 8 units, zeros for those beyond the hidden size;
   *       extra: an LSTM's peepholes [directions, 3, hidden], of a GRU that resets after the product what is added to that
   *       [directions, hidden], else ignored;
   *       first state and, of an LSTM, first memory [directions, batch, hidden];
   *       lengths [batch], int32: how many steps each sequence has; one outside [0, steps] is pyxnn_invalid_input;
   *       output: if asked for, the states [rows, directions, hidden], zeros behind the end of a sequence; the last state
   *       [directions, batch, hidden]; as much again, the last memory of an LSTM
   */
  pyxnn_recurrent = 29,
  /*
   * Normalization by moments, by kernels of ours. A tensor [outer, positions, groups, depth] is normalized over positions
   * and depth, then scaled, shifted and clamped; of each [groups, depth], `block` elements that follow each other share a
   * scale and a bias.
   * params: enum pyxnn_normalize_type epsilon(f) min(f) max(f)
   * dims: outer positions groups depth block
   * refs: input, scale [groups * depth / block], bias [groups * depth / block], output
   */
  pyxnn_normalize = 30,
  /*
   * Normalization across channels, by kernels of ours: x / (bias + alpha * sum of squares of the channels near by) ^ beta.
   * params: before after (how many channels on either side count) alpha(f) beta(f) bias(f)
   * dims: outer channels inner
   * refs: input, output
   */
  pyxnn_local_response = 31,
  /*
   * pyxnn_convolution of int8 numbers, summed exactly in int32. A result is the rounded product of its sum and the
   * multiplier of its channel (ties to even), plus the output's zero point, within int8 bounds. Padding counts as the input's
   * zero point.
   * params: as pyxnn_convolution up to padded, then in_zero_point out_zero_point min max
   * weights: kernel as pyxnn_convolution, int8; for each output channel its bias (int32), then for each its multiplier(f), then
   *          for each the zero point of its weights (int32, in the range of int8)
   * dims: as pyxnn_convolution
   * refs: input, output
   */
  pyxnn_convolution_qs8 = 32,
  /*
   * pyxnn_fully_connected of int8 numbers; sums and results are those of pyxnn_convolution_qs8.
   * params: in_channels out_channels in_zero_point out_zero_point min max transposed
   * weights: kernel as pyxnn_fully_connected, int8; by channel what pyxnn_convolution_qs8 has
   * dims: as pyxnn_fully_connected
   * refs: input, output
   */
  pyxnn_fully_connected_qs8 = 33,
  /*
   * Floats to integers, by a kernel of ours: x / scale + zero point, rounded to nearest, ties to even, and kept between the
   * least and the greatest integer; the least for NaN.
   * params: enum pyxnn_element of the output (int8, uint8, int16, uint16), the least and the greatest (signed)
   * dims: num_dims, extents, strides of the input, of scale, of zero point, of the output; 0 repeats. On the innermost axis
   *       those of input and output are 1, and those of scale and zero point both 0 or both 1
   * refs: input, scale, zero point (int32), output
   */
  pyxnn_quantize = 35,
  /*
   * Integers to floats, by a kernel of ours: (x - zero point) * scale.
   * params: enum pyxnn_element of the input (int8, uint8, int16, uint16, int32)
   * dims, refs: as pyxnn_quantize
   */
  pyxnn_dequantize = 36,
  /*
   * A function of bytes.
   * params: none
   * weights: its values of 0 to 255, bytes
   * dims: rows channels in_stride out_stride
   * refs: input, output
   */
  pyxnn_lookup = 37,
  /*
   * Floats to bytes by their own range, by a kernel of ours: scale = (the greatest - the least, of them and 0) / 255, or 1 if
   * they are all 0; zero point = -the least / scale; each is divided by the scale and added to the zero point. Rounded to
   * nearest, ties to even.
   * params: none
   * dims: elements
   * refs: input; output: bytes, from the next multiple of 4 on the scale (float), then the zero point (a byte)
   */
  pyxnn_dynamic_quantize = 38,
  /*
   * Convolution of bytes over up to three axes, each less its zero point, by a kernel of ours; a product of matrices is one by
   * windows of one pixel, a batch of them its groups. Sums are int32 and wrap. Padding is of zero points. Scaled, sums become
   * floats: times a scale, plus bias, plus an element of a tensor, clamped.
   * params: taps (of a window) groups group_in_channels group_out_channels, whether input and kernel are int8 (1) or uint8
   *         (0), whether sums are scaled (1), and a tensor is added to them (1) min(f) max(f)
   * weights: kernel [groups, group_out_channels, taps, group_in_channels]; its zero points, int32 [groups *
   *          group_out_channels], and, if sums are scaled, as many floats that are bias
   * dims: batch; strides of input and of output from group to group and from pixel to pixel; strides of the zero points of
   *       input (from row to row of [groups, output pixels]) and kernel (from channel to channel; 0 of constant ones) and of
   *       the scales (likewise), 1 or, of one for all, 0; for each axis: extent out_extent kernel stride dilation offset (as
   *       of pyxnn_convolution_nd)
   * refs: input, its zero points, scales, what is added (any tensors if there are none), output (int32, or float of scaled
   *       sums)
   */
  pyxnn_convolution_integer = 39,
  /*
   * The same with weights and zero points that are computed. Sums can't be scaled.
   * params, dims: as pyxnn_convolution_integer
   * refs: input, its zero points, kernel, its zero points, output
   */
  pyxnn_convolution_integer_computed = 40,
  /*
   * pyxnn_depthwise of int8 numbers, by a kernel of ours that takes any window; sums and results are those of
   * pyxnn_convolution_qs8.
   * params: kernel_h kernel_w stride_h stride_w dilation_h dilation_w channels in_zero_point out_zero_point
   *         min max
   * weights: kernel [channels, kernel_h, kernel_w], int8; by channel what pyxnn_convolution_qs8 has
   * dims: as pyxnn_convolution
   * refs: input, output
   */
  pyxnn_depthwise_qs8 = 41,
  /*
   * Regions of images resampled to one size, by a kernel of ours: a bin of a region is the mean of what lies at places spread
   * evenly over it, by linear interpolation; or the greatest product of a pixel around one and its weight.
   * params: whether the greatest (1), whether coordinates are of the borders of pixels, not of their middles (1), places of a
   *         bin along each axis (0: one for each pixel), scale(f) that coordinates are multiplied by
   * dims: batch channels height width regions out_height out_width
   * refs: input; for each region left, top, right and bottom; for each the number of its image (int32; one outside
   *       [0, batch) is pyxnn_invalid_input); output [regions, out_height, out_width, channels]
   */
  pyxnn_roi_align = 42,
  /*
   * Regions of images pooled to one size, by a kernel of ours: a bin of a region is the greatest of its pixels, 0 if it has none.
   * params: scale(f) that coordinates are multiplied by, before they are rounded
   * dims: as pyxnn_roi_align
   * refs: input; for each region the number of its image (one outside [0, batch) is pyxnn_invalid_input), left, top, right and
   *       bottom; output [regions, out_height, out_width, channels]
   */
  pyxnn_roi_pool = 43,
  /*
   * Elementwise operation on two int8 tensors, by kernels of ours. A sum is a_multiplier * (a - a_zero) + b_multiplier *
   * (b - b_zero) + out_zero, a product a_multiplier * (a - a_zero) * (b - b_zero) + out_zero; rounded to nearest, ties to even,
   * and kept between min and max. Magnitudes before that are below 2^22.
   * params: pyxnn_add or pyxnn_multiply, a_zero b_zero (signed) a_multiplier(f) b_multiplier(f; ignored by products)
   *         out_zero min max (signed)
   * dims: as pyxnn_binary; innermost strides are 0 or 1
   * refs: a, b, output
   */
  pyxnn_binary_qs8 = 44,
  /*
   * A copy of the data with elements updated at computed indices, by a kernel of ours; the counterpart of pyxnn_gather. Updates
   * of one element are done in sequence. An index outside makes the run fail with pyxnn_invalid_input before anything is written.
   * params: index_size in bytes (4 or 8), enum pyxnn_scatter_type, enum pyxnn_element (any to replace, else float32, int32,
   *         int64, uint64)
   * dims: elements of the data; tuples, num_axes (at most 16), extents of the axes, their strides in the data; num_dims, extents of
   *       the updates, strides of the indices, of the updates, of the data (0 along the axes); where one of the last but 0 is,
   *       updates meet different elements
   * refs: data, indices [tuples, num_axes], updates, output
   */
  pyxnn_scatter = 45,
  /*
   * Rows times a matrix whose columns are blocks of 4 or 8 bits, (weight - zero point) * scale, by kernels of ours, plus bias,
   * clamped. The weights stay packed. A block size is a multiple of 16.
   * params: bits block_size in_channels out_channels row_bits, zero points (0: half of the range, 1: packed as the weights are,
   *         2: floats), whether there is a bias (1) min(f) max(f). With row_bits of 16 a few rows, with those of 8, for weights of
   *         4 bits only, all rows are rounded to integers of so many bits, by pieces of a block; 0: rows stay floats
   * weights: kernel [out_channels, blocks, bytes of a block], of 4 bits the lower half of a byte first; scales (float
   *          [out_channels, blocks]), bias (float [out_channels]), zero points [out_channels, blocks], those of a column from
   *          a new byte on
   * dims: rows
   * refs: input, output
   */
  pyxnn_matmul_nbits = 46,
  /*
   * Means of int8 numbers along one axis, by a kernel of ours: factor * (the sum / extent - in_zero), rounded to nearest, ties to
   * even, + out_zero, kept between min and max.
   * params: in_zero (signed) factor(f) out_zero min max (signed)
   * dims: outer extent inner
   * refs: input, output [outer, inner]
   */
  pyxnn_mean_qs8 = 47,
  /*
   * Pairs of numbers of each row turned by angles, by a kernel of ours; elements behind the pairs are copied.
   * params: interleaved (1: pairs lie side by side; 0: the second ones behind all first ones)
   * dims: batch heads rows size (of a row) half (how many pairs), strides of the input and of the output (batch, head, row), strides
   *       of the tables (batch, row); 0 repeats
   * refs: input, cosines [half], sines [half], output
   */
  pyxnn_rotary = 48,
  /*
   * pyxnn_convolution by windows of 3x3 with strides and dilations of 1, by a kernel of ours that needs 16 multiplications
   * where the window has 36 (Winograd's minimal filtering); rounding differs. A group has at most 1536 input channels.
   * Infinities may become NaN.
   * params, weights, dims: as pyxnn_convolution; padded is ignored
   * refs: input, output
   */
  pyxnn_winograd = 49,
  /*
   * Products of int8 matrices that are computed, by a kernel of ours; sums and results are those of pyxnn_convolution_qs8, with
   * one multiplier. There are two batch axes.
   * params: in_zero_point (of a) out_zero_point min max kernel_zero_point (of b; all signed) multiplier(f)
   * dims: outer inner (of the batch) rows depth columns; strides of a: outer inner row; of b: outer inner depth column; of the
   *       output: outer inner row
   * refs: a, b, output
   */
  pyxnn_batch_matmul_qs8 = 50,
  /*
   * Softmax of int8 rows, or its logarithm, by a kernel of ours: the result times steps, rounded to nearest, ties to even, +
   * out_zero, kept between min and max.
   * params: enum pyxnn_softmax_type (not hardmax) in_scale(f) steps(f) out_zero min max (signed)
   * dims: rows length
   * refs: input, output
   */
  pyxnn_softmax_qs8 = 51,
  /*
   * int8 rows normalized by a kernel of ours: (x - center) / sqrt(mean of its squares + epsilon) * scale + bias, rounded to nearest,
   * ties to even, + out_zero, kept between min and max. The center is the row's mean, or in_zero.
   * params: length (of a row) centered (1: by the mean) in_zero (signed) epsilon(f) out_zero min max (signed)
   * weights: scale (float [length]), bias (float [length])
   * dims: rows
   * refs: input, output
   */
  pyxnn_normalize_qs8 = 52,
  /*
   * Means of windows over up to three axes of int8 images, by a kernel of ours: factor * (the sum of the taps inside - as many
   * in_zero) / how many taps count, rounded to nearest, ties to even, + out_zero, kept between min and max. A window has 2^23
   * taps at most.
   * params: in_zero (signed) factor(f) out_zero min max (signed)
   * dims: batch channels, for each axis what pyxnn_pool has
   * refs: input, output
   */
  pyxnn_mean_pool_qs8 = 53,
  /*
   * Batched product of two computed matrices, by a kernel of ours that takes them as they lie: for so small ones that packing
   * would take longer than multiplying. Batch extents broadcast as in NumPy.
   * params: none
   * dims: as those of pyxnn_batch_matmul
   * refs: a, b, output
   */
  pyxnn_small_matmul = 54,
  /*
   * Floats that bytes stand for, by a kernel of ours.
   * params: none
   * weights: those of 0 to 255
   * dims: elements
   * refs: input (bytes), output (float32)
   */
  pyxnn_widen = 55,
  /*
   * Bytes that stand for floats, by a kernel of ours: a function of their upper 16 bits, the last of which is set where the lower 16
   * are not all 0.
   * params: none
   * weights: its values of 0 to 65535, bytes
   * dims: elements
   * refs: input (float32), output (bytes)
   */
  pyxnn_narrow = 56,
  /*
   * Attention without softmax, by a kernel of ours: at each time step a head's state [key_size, value_size] is multiplied by a
   * decay, has the product of key and value added, and is multiplied by the queries of its group and the scale. With betas,
   * the value is less what the decayed state gives for the key, times beta.
   * params: scale(f)
   * dims: batch steps heads group (query heads of each head) key_size value_size decays (of a step: 0 for none, one a head, or one
   *       for each row of its state) betas (of a step: 0 for none, 1 or one a head)
   * refs: query [batch, steps, heads * group * key_size], key [batch, steps, heads * key_size], value [batch, steps, heads *
   *       value_size], first state [batch, heads, key_size, value_size], decay, beta (any tensor for what isn't there); output:
   *       [batch, steps, heads * group * value_size], then the last state
   */
  pyxnn_linear_attention = 57,
  /*
   * pyxnn_convolution_qs8 by windows of 3x3 with strides and dilations of 1, by minimal filtering as pyxnn_winograd, with the same
   * results. A group has at most 896 input channels, a multiple of eight.
   * params, weights, dims: as pyxnn_convolution_qs8; padded is ignored
   * refs: input, output
   */
  pyxnn_winograd_qs8 = 58,
  /*
   * Elements at their places in planes that are zeros elsewhere, by a kernel of ours; the last of some at one place stays.
   * params: element_size in bytes (1, 2, 4 or 8)
   * dims: planes count (elements that a plane has of the input) extent (of the output)
   * refs: input [planes, count], places (int64 [planes, count], of the whole output; one outside of it is
   *       pyxnn_invalid_input), output [planes, extent]
   */
  pyxnn_unpool = 59,
  /*
   * A tensor times factors plus addends, clamped, by a kernel of ours: normalization by channel with known statistics.
   * params: min(f) max(f)
   * dims: num_dims, extents, strides of the input, of the factors, of the addends, of the output; signed, 0 repeats
   * refs: input, factors, addends, output
   */
  pyxnn_multiply_add = 60,
};

enum pyxnn_binary_type {
  pyxnn_add = 0,
  pyxnn_subtract = 1,
  pyxnn_multiply = 2,
  pyxnn_divide = 3,
  pyxnn_maximum = 4,
  pyxnn_minimum = 5,
  pyxnn_power = 6,
  pyxnn_prelu = 7, /* a where a >= 0, else a * b */
  /* Those of pyxnn_typed_binary only. */
  pyxnn_equal = 8,
  pyxnn_less = 9,
  pyxnn_less_equal = 10,
  pyxnn_and = 11,
  pyxnn_or = 12,
  pyxnn_xor = 13,
  pyxnn_modulo = 14,             /* of the sign of b */
  pyxnn_remainder = 15,          /* of the sign of a */
  pyxnn_shift_left = 16,         /* b from 0 on; bits that fall out are lost */
  pyxnn_shift_right = 17,        /* zeros come in */
  pyxnn_shift_right_signed = 18, /* copies of the sign come in */
};

/* Types of elements. */
enum pyxnn_element {
  pyxnn_float32 = 0,
  pyxnn_int32 = 1,
  pyxnn_int64 = 2,
  pyxnn_uint8 = 3,
  pyxnn_bool = 4, /* one byte, 0 or 1 */
  pyxnn_int8 = 5,
  pyxnn_int16 = 6,
  pyxnn_uint16 = 7,
  pyxnn_uint32 = 8,
  pyxnn_uint64 = 9,
  pyxnn_float64 = 10,
  pyxnn_float16 = 11,
  pyxnn_bfloat16 = 12,
};

/* What becomes of an element and its update. */
enum pyxnn_scatter_type {
  pyxnn_scatter_replace = 0,
  pyxnn_scatter_add = 1,
  pyxnn_scatter_multiply = 2,
  pyxnn_scatter_maximum = 3, /* NaN when one is among them, as is the minimum */
  pyxnn_scatter_minimum = 4,
};

enum pyxnn_unary_type {
  pyxnn_clamp = 0,
  pyxnn_hardswish = 1,
  pyxnn_abs = 2,
  pyxnn_negate = 3,
  pyxnn_square_root = 4,
  pyxnn_leaky_relu = 5,
  pyxnn_floor = 6,
  pyxnn_ceiling = 7,
  pyxnn_round = 8, /* half to even */
  pyxnn_square = 9,
};

/* Good to a few units in the last place, of every float, unless said otherwise. */
enum pyxnn_function_type {
  pyxnn_erf = 0,       /* within 4e-7 relatively */
  pyxnn_gelu_tanh = 1, /* GELU's approximation by tanh: within 1e-6 relatively where x > -2, within 4e-7 below */
  pyxnn_exp = 2,
  pyxnn_log = 3,
  pyxnn_sine = 4,
  pyxnn_cosine = 5,
  pyxnn_tangent = 6,
  pyxnn_sign = 7,     /* NaN of NaN */
  pyxnn_power_of = 8, /* x^p0 */
  pyxnn_softplus = 9,
  pyxnn_mish = 10,
  pyxnn_elu = 11,              /* p2 * x where x >= 0, else p0 * (exp(p1 * x) - 1) */
  pyxnn_thresholded_relu = 12, /* x where x > p0, else 0 */
  pyxnn_hard_sigmoid = 13,     /* p0 * x + p1 within [0, 1] */
  pyxnn_softsign = 14,
  pyxnn_swish = 15,  /* x * sigmoid(p0 * x), within 1e-6 relatively where p0 * x > -87 */
  pyxnn_shrink = 16, /* x - p1 above p0, x + p1 below -p0, else 0 */
  pyxnn_reciprocal = 17,
  pyxnn_arc_sine = 18,
  pyxnn_arc_cosine = 19,
  pyxnn_arc_tangent = 20,
  pyxnn_hyperbolic_sine = 21,
  pyxnn_hyperbolic_cosine = 22,
  pyxnn_area_sine = 23,
  pyxnn_area_cosine = 24,
  pyxnn_area_tangent = 25,
  pyxnn_gelu = 26,    /* by the error function: within 1e-6 relatively where x > -1, within 1e-6 below */
  pyxnn_sigmoid = 27, /* within 1e-6 relatively where x > -87 */
  pyxnn_tanh = 28,
  pyxnn_to_float16 = 29,  /* the nearest number of that type, ties to even */
  pyxnn_to_bfloat16 = 30, /* likewise */
};

/* GRUs: the reset gate is applied to the state before or after its product with the recurrent weights. */
enum pyxnn_cell_type {
  pyxnn_rnn = 0,
  pyxnn_lstm = 1, /* gates i, o, f, c */
  pyxnn_gru = 2,  /* gates z, r, h */
  pyxnn_gru_reset_after = 3,
};

enum pyxnn_direction_type {
  pyxnn_forward = 0,
  pyxnn_reverse = 1,
  pyxnn_bidirectional = 2,
};

/* The activations of recurrent cells. */
enum pyxnn_activation_type {
  pyxnn_activation_relu = 0,
  pyxnn_activation_tanh = 1,
  pyxnn_activation_sigmoid = 2,
  pyxnn_activation_affine = 3,           /* alpha * x + beta */
  pyxnn_activation_leaky_relu = 4,       /* x where x >= 0, else alpha * x */
  pyxnn_activation_thresholded_relu = 5, /* x where x > alpha, else 0 */
  pyxnn_activation_scaled_tanh = 6,      /* alpha * tanh(beta * x) */
  pyxnn_activation_hard_sigmoid = 7,     /* alpha * x + beta within [0, 1] */
  pyxnn_activation_elu = 8,              /* x where x >= 0, else alpha * (e^x - 1) */
  pyxnn_activation_softsign = 9,         /* x / (1 + |x|) */
  pyxnn_activation_softplus = 10,        /* log(1 + e^x) */
};

/* What the difference from the mean is divided by; it is taken for 0 but in the first and the third. */
enum pyxnn_normalize_type {
  pyxnn_normalize_variance = 0,    /* sqrt(variance + epsilon) */
  pyxnn_normalize_mean_square = 1, /* sqrt(mean of squares + epsilon) */
  pyxnn_normalize_deviation = 2,   /* sqrt(variance) + epsilon */
  pyxnn_normalize_magnitude = 3,   /* the sum of magnitudes; by 0, the result is 0 */
  pyxnn_normalize_euclidean = 4,   /* the root of the sum of squares; likewise */
};

enum pyxnn_softmax_type {
  pyxnn_softmax_itself = 0,
  pyxnn_log_softmax = 1,
  pyxnn_hardmax = 2, /* 1 for the first of the greatest, else 0 */
};

enum pyxnn_reduce_type {
  pyxnn_sum = 0,
  pyxnn_mean = 1,
  pyxnn_product = 2,
  pyxnn_greatest = 3, /* NaN when one is among them, as is the least */
  pyxnn_least = 4,
  pyxnn_l1 = 5, /* the sum of magnitudes */
  pyxnn_sum_square = 6,
  pyxnn_l2 = 7, /* the root of the sum of squares */
  pyxnn_log_sum = 8,
  pyxnn_log_sum_exp = 9, /* none of the powers overflows */
};

enum pyxnn_pool_type {
  pyxnn_pool_maximum = 0,
  pyxnn_pool_mean = 1,
  pyxnn_pool_norm = 2,                /* the root of the sum of powers of magnitudes */
  pyxnn_pool_argmax = 3,              /* where the maximum lies in the input: of [batch, channels, first axis, ...] */
  pyxnn_pool_argmax_column_major = 4, /* of [batch, channels, last axis, ...] */
};

enum pyxnn_sample_type {
  pyxnn_sample_nearest = 0,
  pyxnn_sample_linear = 1,
  pyxnn_sample_cubic = 2,
};

/* What a coordinate of a place means. */
enum pyxnn_coordinate_type {
  pyxnn_coordinates_borders = 0, /* -1 and 1 are the outer borders of the image */
  pyxnn_coordinates_middles = 1, /* -1 and 1 are the middles of its outer pixels */
  pyxnn_coordinates_pixels = 2,  /* 0 is the middle of the first pixel, 1 of the next */
};

/* What there is outside an image. */
enum pyxnn_padding_type {
  pyxnn_padding_zeros = 0,
  pyxnn_padding_border = 1,     /* the pixels at its edge */
  pyxnn_padding_reflection = 2, /* its pixels in reverse */
};

/* Attributes and packed weights of one operator; shared by the steps that were made from it. */
typedef struct pyxnn_operator pyxnn_operator;

/* The steps of one subgraph for one signature of input shapes. */
typedef struct pyxnn_plan pyxnn_plan;

/*
 * Where a tensor lies. `space` pyxnn_arena: `offset` bytes into the arena given to pyxnn_plan_bind; pyxnn_absolute:
 * `offset` is an address in the linear memory, which the caller keeps alive as long as the plan.
 */
enum pyxnn_space { pyxnn_arena = 0, pyxnn_absolute = 1 };
struct pyxnn_ref {
  uint32_t space;
  uint32_t offset;
};

/*
 * Starts the engine: call once, first.
 * @return pyxnn_failed when XNNPACK finds the CPU unfit.
 */
enum pyxnn_status PYXNN_EXPORT(pyxnn_initialize)(void);

/* The message of the last call that failed, NUL-terminated UTF-8; the engine owns it, and the next failure rewrites it. */
const char* PYXNN_EXPORT(pyxnn_error_message)(void);

/*
 * Allocates `size` bytes aligned to 64, uninitialised; the caller owns them and returns them with pyxnn_release.
 * @return the address, or NULL when the memory could not grow.
 */
void* PYXNN_EXPORT(pyxnn_allocate)(size_t size);

/* Frees what pyxnn_allocate returned; NULL is allowed. */
void PYXNN_EXPORT(pyxnn_release)(void* address);

/* Bytes in use: all live allocations of the engine and its callers, packed weights included. */
size_t PYXNN_EXPORT(pyxnn_memory_used)(void);

/* The highest pyxnn_memory_used since pyxnn_initialize or the last call of this function with a non-zero `reset`. */
size_t PYXNN_EXPORT(pyxnn_memory_peak)(uint32_t reset);

/*
 * Creates an operator and packs its weights.
 * @param kind        enum pyxnn_kind
 * @param params      the kind's parameter words; read during the call
 * @param num_params  how many
 * @param kernel      the kind's first weights array, or NULL; packed into memory of the operator's own, so the caller
 *                    may release it as soon as this returns
 * @param bias        the kind's second weights array, or NULL; likewise
 * @param out         receives the operator; the caller owns it and frees it with pyxnn_operator_free
 */
enum pyxnn_status PYXNN_EXPORT(pyxnn_operator_create)(uint32_t kind, const uint32_t* params, uint32_t num_params,
                                                      const void* kernel, const void* bias, pyxnn_operator** out);

/* Gives up the caller's hold; the memory goes when the last plan that uses the operator is freed. NULL is allowed. */
void PYXNN_EXPORT(pyxnn_operator_free)(pyxnn_operator* op);

/*
 * Creates a plan.
 * @param words      of each step, in the order in which they run: the address of its operator, which the plan keeps alive;
 *                   how many dims words follow, and these; how many refs follow, and the two words of each; copied
 * @param num_words  how many
 * @param num_steps  how many steps they are
 * @param out        receives the plan; the caller owns it and frees it with pyxnn_plan_free
 */
enum pyxnn_status PYXNN_EXPORT(pyxnn_plan_create)(const uint32_t* words, uint32_t num_words, uint32_t num_steps,
                                                  pyxnn_plan** out);

/*
 * Fixes the shapes of all steps, for a number of threads.
 * @param plan            the plan; a call after the first changes the number of threads it is tuned for
 * @param num_threads     how many threads pyxnn_plan_run will be given, at least 1
 * @param workspace_size  receives the bytes of scratch memory that the plan needs, 64-byte aligned
 */
enum pyxnn_status PYXNN_EXPORT(pyxnn_plan_reshape)(pyxnn_plan* plan, uint32_t num_threads, size_t* workspace_size);

/*
 * Ties all steps to memory.
 * @param plan       a reshaped plan; may be bound anew when memory moved
 * @param arena      the base of pyxnn_arena references; caller-owned, 64-byte aligned, and alive as long as the binding
 * @param workspace  at least workspace_size bytes from pyxnn_plan_reshape; caller-owned; plans may share it
 */
enum pyxnn_status PYXNN_EXPORT(pyxnn_plan_bind)(pyxnn_plan* plan, void* arena, void* workspace);

/*
 * Runs all steps in order.
 * @param plan         a bound plan
 * @param num_threads  at most this many threads take part, the caller among them; no more than pyxnn_plan_reshape got
 * @param spin         non-zero: threads spin before they sleep while they wait for work
 */
enum pyxnn_status PYXNN_EXPORT(pyxnn_plan_run)(pyxnn_plan* plan, uint32_t num_threads, uint32_t spin);

/*
 * Runs all steps as pyxnn_plan_run does and times each.
 * @param milliseconds  receives one double a step; caller-owned
 */
enum pyxnn_status PYXNN_EXPORT(pyxnn_plan_profile)(pyxnn_plan* plan, uint32_t num_threads, uint32_t spin,
                                                   double* milliseconds);

/* The step, by its place, at which the last run that failed has stopped. */
uint32_t PYXNN_EXPORT(pyxnn_plan_failed_step)(const pyxnn_plan* plan);

/* Frees the plan and its hold on its operators. NULL is allowed. */
void PYXNN_EXPORT(pyxnn_plan_free)(pyxnn_plan* plan);

/*
 * The worker pool. The workers of a threads binary are instances of the same module on the same memory, each in a thread
 * of its own; a worker calls pyxnn_pool_worker_start, then pyxnn_pool_worker_run. It must not call _initialize. Everything
 * else here is for the caller's instance (thread 0), unless said otherwise. In a one-thread binary max_threads is 1.
 */

/*
 * Makes the pool. Call once, after pyxnn_initialize.
 * @param max_threads  the most threads that will ever take part, the caller (thread 0) among them; 1 to 64
 * @param may_block    zero on a page's main thread, where the caller must not sleep and spins instead
 */
enum pyxnn_status PYXNN_EXPORT(pyxnn_pool_create)(uint32_t max_threads, uint32_t may_block);

/*
 * Allocates stack and thread-local storage for worker `index` (1 to max_threads - 1); once for each index.
 * @return the address of the top of its stack, 16-byte aligned, or NULL when out of memory; the pool owns it.
 */
void* PYXNN_EXPORT(pyxnn_pool_worker_prepare)(uint32_t index);

/*
 * Gives this instance to worker `index`: sets stack pointer and thread-local storage and announces the worker, whom runs
 * count on from now on. Called on the worker's instance, first of all, in the worker's thread.
 * @param stack_top  what pyxnn_pool_worker_prepare returned
 */
void PYXNN_EXPORT(pyxnn_pool_worker_start)(uint32_t index, void* stack_top);

/* The loop of worker `index`: joins runs until pyxnn_pool_stop. Called on the worker's instance, in its thread. */
void PYXNN_EXPORT(pyxnn_pool_worker_run)(uint32_t index);

/* How many threads would take part in a run now: the caller and the workers that have started and live. */
uint32_t PYXNN_EXPORT(pyxnn_pool_threads_ready)(void);

/*
 * Says that worker `index` has died: it is neither called nor waited for any more. A run in which it held work fails
 * with pyxnn_worker_lost; the same run again is done without it. May be called from any live instance.
 */
void PYXNN_EXPORT(pyxnn_pool_worker_lost)(uint32_t index);

/* Lets all workers return from pyxnn_pool_worker_run. Not during a run. Afterwards runs are done by the caller alone. */
void PYXNN_EXPORT(pyxnn_pool_stop)(void);

#ifdef __cplusplus
}
#endif

#endif /* PYXNN_H */
