/* Copies between strides, and to another order of axes, on our own kernel (kernels/move.c). */
#include "kernels/move.h"
#include "nest.h"
#include "operator.h"
#include "sizes.h"

/* So many bytes are one task. */
enum { bytes_per_task = 16384 };

/* A transposition's tiles: columns are read in long pieces, as caches fetch ahead, and few enough to be written in one. */
enum { transposed_columns = 64, transposed_rows = 64, transposed_bytes = 65536 };

struct copy_instance {
  const size_t* element_size;
  struct nest nest;
  const uint8_t* input;
  uint8_t* output;
};

static enum xnn_status create(struct words* params, const void* kernel, const void* bias, void** out) {
  return own_element_size(take(params), out);
}

static enum xnn_status reshape(void* opaque, struct words* dims, size_t* workspace, pthreadpool_t pool) {
  struct copy_instance* instance = opaque;
  const enum xnn_status status = take_nest(dims, 2, &instance->nest);
  if (status == xnn_status_success) {
    nest_make_rows(&instance->nest, 0);
  }
  return status;
}

static enum xnn_status reshape_transpose(void* opaque, struct words* dims, size_t* workspace, pthreadpool_t pool) {
  struct copy_instance* instance = opaque;
  const uint32_t num_dims = take(dims);
  const size_t* shape = take_extents(dims, num_dims);
  const size_t* permutation = take_extents(dims, num_dims);
  if (dims->exhausted || num_dims > nest_max_dims) {
    return xnn_status_invalid_parameter;
  }
  size_t extents[nest_max_dims];
  ptrdiff_t strides[nest_max_dims], out_strides[nest_max_dims], step = 1, out_step = 1;
  ptrdiff_t by_axis[nest_max_dims];
  for (uint32_t d = num_dims; d-- > 0; step *= (ptrdiff_t)shape[d]) {
    by_axis[d] = step;
  }
  for (uint32_t d = num_dims; d-- > 0; out_step *= (ptrdiff_t)extents[d]) {
    if (permutation[d] >= num_dims) {
      return xnn_status_invalid_parameter;
    }
    extents[d] = shape[permutation[d]];
    strides[d] = by_axis[permutation[d]];
    out_strides[d] = out_step;
  }
  const ptrdiff_t* const both[] = {strides, out_strides};
  const enum xnn_status status = nest_fold(num_dims, extents, 2, both, &instance->nest);
  if (status == xnn_status_success) {
    nest_make_rows(&instance->nest, 0);
  }
  return status;
}

static enum xnn_status setup(void* opaque, void* workspace, void* const* tensors) {
  struct copy_instance* instance = opaque;
  instance->input = tensors[0];
  instance->output = tensors[1];
  return xnn_status_success;
}

static void copy_block(const void* opaque, const ptrdiff_t* offsets, size_t rows, size_t columns) {
  const struct copy_instance* instance = opaque;
  const struct nest* nest = &instance->nest;
  const ptrdiff_t size = (ptrdiff_t)*instance->element_size;
  move_block(instance->input + offsets[0] * size, nest_row_stride(nest, 0), nest_column_stride(nest, 0),
             instance->output + offsets[1] * size, nest_row_stride(nest, 1), nest_column_stride(nest, 1), rows, columns,
             *instance->element_size);
}

static enum xnn_status run(void* opaque, pthreadpool_t pool) {
  const struct copy_instance* instance = opaque;
  const struct nest* nest = &instance->nest;
  const size_t size = *instance->element_size;
  if (nest_column_stride(nest, 0) == 1 || nest_row_stride(nest, 0) != 1) {
    nest_run(nest, copy_block, instance, bytes_per_task / size, pool);
    return xnn_status_success;
  }
  const size_t all_rows = nest->extents[nest->num_dims - 2], all_columns = nest->extents[nest->num_dims - 1];
  const size_t columns = smaller(all_columns, transposed_columns);
  size_t rows = rounded_up(transposed_bytes / (size * (columns + 1)) + 1, transposed_rows);
  if (rows > all_rows && all_rows > 0) {
    rows -= rows % all_rows;
  }
  nest_run_tiles(nest, copy_block, instance, rows, columns, pool);
  return xnn_status_success;
}

const struct operator_type copy_type = {
    .name = "copy",
    .num_params = 1,
    .num_refs = 2,
    .create = create,
    .destroy = pyxnn_release,
    .instance_size = sizeof(struct copy_instance),
    .reshape = reshape,
    .setup = setup,
    .run = run,
};

const struct operator_type transpose_type = {
    .name = "transpose",
    .num_params = 1,
    .num_refs = 2,
    .create = create,
    .destroy = pyxnn_release,
    .instance_size = sizeof(struct copy_instance),
    .reshape = reshape_transpose,
    .setup = setup,
    .run = run,
};
