/* Copies between strides, on our own kernel (kernels/move.c). */
#include "kernels/move.h"
#include "nest.h"
#include "operator.h"

/* So many bytes are one task. */
enum { bytes_per_task = 16384 };

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
  return take_nest(dims, 2, &instance->nest);
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
  nest_run(&instance->nest, copy_block, instance, bytes_per_task / *instance->element_size, pool);
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
