/* Softmax along any axis, LogSoftmax and Hardmax on our own kernels (kernels/softmax.c). */
#include "kernels/softmax.h"

#include "operator.h"

enum {
  /* Rows or columns of about so many elements are one task. */
  elements_per_task = 8192,
  /* Columns of a task: a row of them is a line of the cache. */
  columns_per_task = 16,
};

struct axis_softmax_instance {
  const enum pyxnn_softmax_type* type;
  size_t outer, length, inner;
  size_t tasks_across; /* beside each other */
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
  struct axis_softmax_instance* instance = opaque;
  instance->outer = take(dims);
  instance->length = take(dims);
  instance->inner = take(dims);
  instance->tasks_across = (instance->inner + columns_per_task - 1) / columns_per_task;
  return xnn_status_success;
}

static enum xnn_status setup(void* opaque, void* workspace, void* const* tensors) {
  struct axis_softmax_instance* instance = opaque;
  instance->input = tensors[0];
  instance->output = tensors[1];
  return xnn_status_success;
}

static void compute(void* context, size_t start, size_t count) {
  const struct axis_softmax_instance* instance = context;
  const size_t inner = instance->inner, length = instance->length;
  for (size_t task = start; task < start + count; task++) {
    const size_t column = task % instance->tasks_across * columns_per_task, left = inner - column;
    const size_t offset = task / instance->tasks_across * length * inner + column;
    const float* input = instance->input + offset;
    float* output = instance->output + offset;
    if (inner == 1) {
      softmax_row(*instance->type, input, length, output);
    } else {
      const size_t columns = left < columns_per_task ? left : columns_per_task;
      softmax_columns(*instance->type, input, length, inner, columns, output);
    }
  }
}

static enum xnn_status run(void* opaque, pthreadpool_t pool) {
  const struct axis_softmax_instance* instance = opaque;
  const size_t columns = instance->inner < columns_per_task ? instance->inner : columns_per_task;
  pthreadpool_parallelize_1d_tile_1d(pool, compute, opaque, instance->outer * instance->tasks_across,
                                     elements_per_task / (instance->length * columns + 1) + 1,
                                     PTHREADPOOL_FLAG_DISABLE_DENORMALS);
  return xnn_status_success;
}

const struct operator_type axis_softmax_type = {
    .name = "softmax along an axis",
    .num_params = 1,
    .num_refs = 2,
    .create = create,
    .destroy = pyxnn_release,
    .instance_size = sizeof(struct axis_softmax_instance),
    .reshape = reshape,
    .setup = setup,
    .run = run,
};
