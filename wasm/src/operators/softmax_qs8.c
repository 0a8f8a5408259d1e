/* Softmax and LogSoftmax of int8 rows, on our own kernels (kernels/softmax_qs8.c). */
#include "kernels/softmax_qs8.h"

#include <math.h>

#include "operator.h"
#include "sizes.h"

/* Enough work to be worth handing to a thread. */
enum { elements_per_task = 4096 };

struct softmax_qs8_state {
  struct softmax_qs8 by;
  bool is_log;
};

struct softmax_qs8_instance {
  const struct softmax_qs8_state* state;
  size_t rows, length;
  const int8_t* input;
  int8_t* output;
};

static enum xnn_status create(struct words* params, const void* kernel, const void* bias, void** out) {
  const uint32_t type = take(params);
  if (type != pyxnn_softmax_itself && type != pyxnn_log_softmax) {
    return xnn_status_invalid_parameter;
  }
  struct softmax_qs8_state state = {.is_log = type == pyxnn_log_softmax};
  state.by.in_scale = take_float(params);
  state.by.steps = take_float(params);
  const int32_t zero = (int32_t)take(params), min = (int32_t)take(params), max = (int32_t)take(params);
  state.by.to = requantizer_of((int8_t)zero, (int8_t)min, (int8_t)max, false);
  for (int i = 0; i < 256; i++) {
    state.by.powers[i] = expf(-(float)i * state.by.in_scale);
  }
  return own_state(&state, sizeof(state), out);
}

static enum xnn_status reshape(void* opaque, struct words* dims, size_t* workspace, pthreadpool_t pool) {
  struct softmax_qs8_instance* instance = opaque;
  instance->rows = take(dims);
  instance->length = take(dims);
  return instance->length > 0 ? xnn_status_success : xnn_status_invalid_parameter;
}

static enum xnn_status setup(void* opaque, void* workspace, void* const* tensors) {
  struct softmax_qs8_instance* instance = opaque;
  instance->input = tensors[0];
  instance->output = tensors[1];
  return xnn_status_success;
}

static void compute(void* context, size_t begin, size_t count) {
  const struct softmax_qs8_instance* instance = context;
  const struct softmax_qs8_state* state = instance->state;
  for (size_t row = begin; row < begin + count; row++) {
    const size_t at = row * instance->length;
    if (state->is_log) {
      log_softmax_row_qs8(&state->by, instance->input + at, instance->length, instance->output + at);
    } else {
      softmax_row_qs8(&state->by, instance->input + at, instance->length, instance->output + at);
    }
  }
}

static enum xnn_status run(void* opaque, pthreadpool_t pool) {
  const struct softmax_qs8_instance* instance = opaque;
  pthreadpool_parallelize_1d_tile_1d(pool, compute, opaque, instance->rows,
                                     divide_up(elements_per_task, instance->length), 0);
  return xnn_status_success;
}

const struct operator_type softmax_qs8_type = {
    .name = "softmax of int8",
    .num_params = 6,
    .num_refs = 2,
    .create = create,
    .destroy = pyxnn_release,
    .instance_size = sizeof(struct softmax_qs8_instance),
    .reshape = reshape,
    .setup = setup,
    .run = run,
};
