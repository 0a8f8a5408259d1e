/* Elementwise operations on two tensors of any type, on our own kernels (kernels/typed_binary.c). */
#include "kernels/typed_binary.h"

#include "kernels/cast.h"
#include "nest.h"
#include "operator.h"

/* Enough work to be worth handing to a thread, little enough for the threads to share evenly. */
enum { elements_per_task = 4096 };

struct typed_binary_state {
  const struct typed_binary* kernels;
  ptrdiff_t operand_size, result_size;
};

struct typed_binary_instance {
  const struct typed_binary_state* state;
  struct nest nest;
  typed_row kernel;
  const uint8_t* a;
  const uint8_t* b;
  uint8_t* output;
};

static enum xnn_status create(struct words* params, const void* kernel, const void* bias, void** out) {
  const uint32_t type = take(params), element = take(params);
  const struct typed_binary* kernels = typed_binary_find(type, element);
  if (kernels == NULL) {
    return xnn_status_invalid_parameter;
  }
  const bool compares = type == pyxnn_equal || type == pyxnn_less || type == pyxnn_less_equal;
  const ptrdiff_t size = (ptrdiff_t)element_size(element);
  const struct typed_binary_state state = {
      .kernels = kernels, .operand_size = size, .result_size = compares ? (ptrdiff_t)sizeof(bool) : size};
  return own_state(&state, sizeof(state), out);
}

static enum xnn_status reshape(void* opaque, struct words* dims, size_t* workspace, pthreadpool_t pool) {
  struct typed_binary_instance* instance = opaque;
  const struct typed_binary* kernels = instance->state->kernels;
  const enum xnn_status status = take_nest(dims, 3, &instance->nest);
  if (status != xnn_status_success) {
    return status;
  }
  const ptrdiff_t a = nest_column_stride(&instance->nest, 0), b = nest_column_stride(&instance->nest, 1);
  instance->kernel = a == b ? kernels->row_row : b == 0 ? kernels->row_one : kernels->one_row;
  return xnn_status_success;
}

static enum xnn_status setup(void* opaque, void* workspace, void* const* tensors) {
  struct typed_binary_instance* instance = opaque;
  instance->a = tensors[0];
  instance->b = tensors[1];
  instance->output = tensors[2];
  return xnn_status_success;
}

static void compute(const void* opaque, const ptrdiff_t* offsets, size_t rows, size_t columns) {
  const struct typed_binary_instance* instance = opaque;
  const struct typed_binary_state* state = instance->state;
  const uint8_t* a = instance->a + offsets[0] * state->operand_size;
  const uint8_t* b = instance->b + offsets[1] * state->operand_size;
  uint8_t* output = instance->output + offsets[2] * state->result_size;
  for (size_t row = 0; row < rows; row++) {
    instance->kernel(a, b, output, columns);
    a += nest_row_stride(&instance->nest, 0) * state->operand_size;
    b += nest_row_stride(&instance->nest, 1) * state->operand_size;
    output += nest_row_stride(&instance->nest, 2) * state->result_size;
  }
}

static enum xnn_status run(void* opaque, pthreadpool_t pool) {
  const struct typed_binary_instance* instance = opaque;
  nest_run(&instance->nest, compute, instance, elements_per_task, pool);
  return xnn_status_success;
}

const struct operator_type typed_binary_type = {
    .name = "typed binary",
    .num_params = 2,
    .num_refs = 3,
    .create = create,
    .destroy = pyxnn_release,
    .instance_size = sizeof(struct typed_binary_instance),
    .reshape = reshape,
    .setup = setup,
    .run = run,
};
