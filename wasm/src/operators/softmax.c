/* Softmax along any axis and its kin on our own kernels (kernels/softmax.c). */
#include "kernels/softmax.h"

#include "operator.h"
#include "sizes.h"

enum {
  /* Rows or columns of about so many elements are one task. */
  elements_per_task = 8192,
  /* Columns of a task: a row of them is a line of the cache. */
  columns_per_task = 16,
};

struct softmax_instance {
  const enum pyxnn_softmax_type* type;
  size_t outer, length, inner;
  size_t in_stride, out_stride; /* from one of the outer axis to the next */
  size_t tasks_across;          /* beside each other */
  const float* input;
  float* output;
};

static enum xnn_status create(struct words* params, const void* kernel, const void* bias, void** out) {
  const uint32_t type = take(params);
  if (type > pyxnn_hardmax) {
    return xnn_status_invalid_parameter;
  }
  const enum pyxnn_softmax_type state = type;
  return own_state(&state, sizeof(state), out);
}

static enum xnn_status reshape(void* opaque, struct words* dims, size_t* workspace, pthreadpool_t pool) {
  struct softmax_instance* instance = opaque;
  instance->outer = take(dims);
  instance->length = take(dims);
  instance->inner = take(dims);
  instance->in_stride = take(dims);
  instance->out_stride = take(dims);
  instance->tasks_across = divide_up(instance->inner, columns_per_task);
  return xnn_status_success;
}

static enum xnn_status setup(void* opaque, void* workspace, void* const* tensors) {
  struct softmax_instance* instance = opaque;
  instance->input = tensors[0];
  instance->output = tensors[1];
  return xnn_status_success;
}

static void compute(void* context, size_t start, size_t count) {
  const struct softmax_instance* instance = context;
  const size_t inner = instance->inner, length = instance->length;
  for (size_t task = start; task < start + count; task++) {
    const size_t column = task % instance->tasks_across * columns_per_task, left = inner - column;
    const size_t outer = task / instance->tasks_across;
    const float* input = instance->input + outer * instance->in_stride + column;
    float* output = instance->output + outer * instance->out_stride + column;
    if (inner == 1) {
      softmax_row(*instance->type, input, length, output);
    } else {
      const size_t columns = smaller(left, columns_per_task);
      softmax_columns(*instance->type, input, length, inner, columns, output);
    }
  }
}

static enum xnn_status run(void* opaque, pthreadpool_t pool) {
  const struct softmax_instance* instance = opaque;
  const size_t columns = smaller(instance->inner, columns_per_task);
  pthreadpool_parallelize_1d_tile_1d(pool, compute, opaque, instance->outer * instance->tasks_across,
                                     elements_per_task / (instance->length * columns + 1) + 1,
                                     PTHREADPOOL_FLAG_DISABLE_DENORMALS);
  return xnn_status_success;
}

const struct operator_type softmax_type = {
    .name = "softmax",
    .num_params = 1,
    .num_refs = 2,
    .create = create,
    .destroy = pyxnn_release,
    .instance_size = sizeof(struct softmax_instance),
    .reshape = reshape,
    .setup = setup,
    .run = run,
};
