/* Sums and products of int8 tensors, on our own kernels (kernels/binary_qs8.c). */
#include "kernels/binary_qs8.h"

#include "nest.h"
#include "operator.h"

/* Enough work to be worth handing to a thread, little enough for the threads to share evenly. */
enum { elements_per_task = 8192 };

struct binary_qs8_state {
  binary_qs8_kernel kernel;
  struct binary_qs8 by;
};

struct binary_qs8_instance {
  const struct binary_qs8_state* state;
  struct nest nest;
  const int8_t* a;
  const int8_t* b;
  int8_t* output;
};

static enum xnn_status create(struct words* params, const void* kernel, const void* bias, void** out) {
  const uint32_t type = take(params);
  if (type != pyxnn_add && type != pyxnn_multiply) {
    return xnn_status_invalid_parameter;
  }
  struct binary_qs8_state state = {.kernel = type == pyxnn_add ? add_qs8 : multiply_qs8};
  state.by.a_zero = (int16_t)take(params);
  state.by.b_zero = (int16_t)take(params);
  state.by.a_multiplier = take_float(params);
  state.by.b_multiplier = take_float(params);
  state.by.out_zero = (float)(int32_t)take(params);
  state.by.min = (int8_t)take(params);
  state.by.max = (int8_t)take(params);
  return own_state(&state, sizeof(state), out);
}

/* Rows of the output are dense; those of the operands are too, or one element. */
static enum xnn_status reshape(void* opaque, struct words* dims, size_t* workspace, pthreadpool_t pool) {
  struct binary_qs8_instance* instance = opaque;
  struct nest* nest = &instance->nest;
  const enum xnn_status status = take_nest(dims, 3, nest);
  if (status != xnn_status_success || nest->extents[nest->num_dims - 1] == 1) {
    return status;
  }
  const ptrdiff_t a = nest_column_stride(nest, 0), b = nest_column_stride(nest, 1);
  const bool is_dense = nest_column_stride(nest, 2) == 1 && (a == 0 || a == 1) && (b == 0 || b == 1);
  return is_dense && a + b > 0 ? xnn_status_success : xnn_status_invalid_parameter;
}

static enum xnn_status setup(void* opaque, void* workspace, void* const* tensors) {
  struct binary_qs8_instance* instance = opaque;
  instance->a = tensors[0];
  instance->b = tensors[1];
  instance->output = tensors[2];
  return xnn_status_success;
}

static void compute(const void* opaque, const ptrdiff_t* offsets, size_t rows, size_t columns) {
  const struct binary_qs8_instance* instance = opaque;
  const struct nest* nest = &instance->nest;
  const int8_t* a = instance->a + offsets[0];
  const int8_t* b = instance->b + offsets[1];
  int8_t* output = instance->output + offsets[2];
  for (size_t row = 0; row < rows; row++) {
    instance->state->kernel(a, (size_t)nest_column_stride(nest, 0), b, (size_t)nest_column_stride(nest, 1), output,
                            columns, &instance->state->by);
    a += nest_row_stride(nest, 0);
    b += nest_row_stride(nest, 1);
    output += nest_row_stride(nest, 2);
  }
}

static enum xnn_status run(void* opaque, pthreadpool_t pool) {
  const struct binary_qs8_instance* instance = opaque;
  nest_run(&instance->nest, compute, instance, elements_per_task, pool);
  return xnn_status_success;
}

const struct operator_type binary_qs8_type = {
    .name = "binary elementwise of int8",
    .num_params = 8,
    .num_refs = 3,
    .create = create,
    .destroy = pyxnn_release,
    .instance_size = sizeof(struct binary_qs8_instance),
    .reshape = reshape,
    .setup = setup,
    .run = run,
};
