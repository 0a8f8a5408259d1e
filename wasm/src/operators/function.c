/* Elementwise functions on our own kernels (kernels/functions.c). */
#include "kernels/functions.h"

#include "operator.h"

/* Enough work to be worth handing to a thread, little enough for the threads to share evenly. */
enum { elements_per_task = 2048 };

struct function_state {
  function_kernel kernel;
  float parameters[function_parameters];
};

struct function_instance {
  const struct function_state* state;
  struct rows rows;
  const float* input;
  float* output;
};

static enum xnn_status create(struct words* params, const void* kernel, const void* bias, void** out) {
  const function_kernel chosen = function_choose(take(params));
  if (chosen == NULL) {
    return xnn_status_invalid_parameter;
  }
  struct function_state state = {.kernel = chosen};
  for (size_t i = 0; i < function_parameters; i++) {
    state.parameters[i] = take_float(params);
  }
  return own_state(&state, sizeof(state), out);
}

static enum xnn_status reshape(void* opaque, struct words* dims, size_t* workspace, pthreadpool_t pool) {
  struct function_instance* instance = opaque;
  instance->rows = take_rows(dims);
  return fold_rows(&instance->rows) ? xnn_status_success : xnn_status_invalid_parameter;
}

static enum xnn_status setup(void* opaque, void* workspace, void* const* tensors) {
  struct function_instance* instance = opaque;
  instance->input = tensors[0];
  instance->output = tensors[1];
  return xnn_status_success;
}

static void compute(void* context, size_t row, size_t channel, size_t rows, size_t channels) {
  const struct function_instance* instance = context;
  const struct function_state* state = instance->state;
  const struct rows* shape = &instance->rows;
  for (size_t r = row; r < row + rows; r++) {
    state->kernel(instance->input + r * shape->in_stride + channel, instance->output + r * shape->out_stride + channel,
                  channels, state->parameters);
  }
}

static enum xnn_status run(void* opaque, pthreadpool_t pool) {
  const struct function_instance* instance = opaque;
  const size_t channels = instance->rows.channels;
  pthreadpool_parallelize_2d_tile_2d(pool, compute, opaque, instance->rows.count, channels,
                                     elements_per_task / (channels + 1) + 1, elements_per_task,
                                     PTHREADPOOL_FLAG_DISABLE_DENORMALS);
  return xnn_status_success;
}

const struct operator_type function_type = {
    .name = "elementwise function",
    .num_params = 1 + function_parameters,
    .num_refs = 2,
    .create = create,
    .destroy = pyxnn_release,
    .instance_size = sizeof(struct function_instance),
    .reshape = reshape,
    .setup = setup,
    .run = run,
};
