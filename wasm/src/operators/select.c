/* Choices between two tensors, on our own kernel (kernels/select.c). */
#include "kernels/select.h"

#include "kernels/move.h"
#include "nest.h"
#include "operator.h"

enum { elements_per_task = 4096 };

struct select_instance {
  const size_t* element_size;
  struct nest nest;
  const uint8_t* condition;
  const uint8_t* a;
  const uint8_t* b;
  uint8_t* output;
};

static enum xnn_status create(struct words* params, const void* kernel, const void* bias, void** out) {
  return own_element_size(take(params), out);
}

static enum xnn_status reshape(void* opaque, struct words* dims, size_t* workspace, pthreadpool_t pool) {
  struct select_instance* instance = opaque;
  return take_nest(dims, 4, &instance->nest);
}

static enum xnn_status setup(void* opaque, void* workspace, void* const* tensors) {
  struct select_instance* instance = opaque;
  instance->condition = tensors[0];
  instance->a = tensors[1];
  instance->b = tensors[2];
  instance->output = tensors[3];
  return xnn_status_success;
}

/* A row whose condition is the same all along is a copy, or in place already. */
static void copy_row(const uint8_t* from, ptrdiff_t step, uint8_t* to, size_t count, size_t element_size) {
  if (from != to || step == 0) {
    move_block(from, 0, step, to, 0, 1, 1, count, element_size);
  }
}

static void compute(const void* opaque, const ptrdiff_t* offsets, size_t rows, size_t columns) {
  const struct select_instance* instance = opaque;
  const struct nest* nest = &instance->nest;
  const ptrdiff_t size = (ptrdiff_t)*instance->element_size;
  const uint8_t* condition = instance->condition + offsets[0];
  const uint8_t* a = instance->a + offsets[1] * size;
  const uint8_t* b = instance->b + offsets[2] * size;
  uint8_t* output = instance->output + offsets[3] * size;
  const ptrdiff_t a_step = nest_column_stride(nest, 1), b_step = nest_column_stride(nest, 2);
  for (size_t row = 0; row < rows; row++) {
    if (nest_column_stride(nest, 0) != 0) {
      select_row(condition, a, (size_t)a_step, b, (size_t)b_step, output, columns, *instance->element_size);
    } else if (*condition) {
      copy_row(a, a_step, output, columns, *instance->element_size);
    } else {
      copy_row(b, b_step, output, columns, *instance->element_size);
    }
    condition += nest_row_stride(nest, 0);
    a += nest_row_stride(nest, 1) * size;
    b += nest_row_stride(nest, 2) * size;
    output += nest_row_stride(nest, 3) * size;
  }
}

static enum xnn_status run(void* opaque, pthreadpool_t pool) {
  const struct select_instance* instance = opaque;
  nest_run(&instance->nest, compute, instance, elements_per_task, pool);
  return xnn_status_success;
}

const struct operator_type select_type = {
    .name = "select",
    .num_params = 1,
    .num_refs = 4,
    .create = create,
    .destroy = pyxnn_release,
    .instance_size = sizeof(struct select_instance),
    .reshape = reshape,
    .setup = setup,
    .run = run,
};
