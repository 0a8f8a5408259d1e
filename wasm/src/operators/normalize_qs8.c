/* LayerNormalization and RMSNormalization of int8 rows, on our own kernels (kernels/normalize_qs8.c). */
#include "kernels/normalize_qs8.h"

#include <math.h>
#include <string.h>

#include "memory.h"
#include "operator.h"
#include "sizes.h"

/* Enough work to be worth handing to a thread. */
enum { elements_per_task = 8192 };

struct normalize_qs8_state {
  size_t length;
  bool is_centered;
  float in_zero, epsilon;
  struct requantizer to;
  float factors[]; /* scales, biases */
};

struct normalize_qs8_instance {
  const struct normalize_qs8_state* state;
  size_t rows;
  const int8_t* input;
  int8_t* output;
};

static enum xnn_status create(struct words* params, const void* kernel, const void* bias, void** out) {
  const size_t length = take(params), bytes = length * sizeof(float);
  if (kernel == NULL || bias == NULL || length == 0) {
    return xnn_status_invalid_parameter;
  }
  struct normalize_qs8_state* state = pyxnn_allocate_zero(sizeof(*state) + 2 * bytes);
  if (state == NULL) {
    return xnn_status_out_of_memory;
  }
  state->length = length;
  state->is_centered = take(params) != 0;
  state->in_zero = (float)(int32_t)take(params);
  state->epsilon = take_float(params);
  const int32_t zero = (int32_t)take(params), min = (int32_t)take(params), max = (int32_t)take(params);
  state->to = requantizer_of((int8_t)zero, (int8_t)min, (int8_t)max, false);
  memcpy(state->factors, kernel, bytes);
  memcpy(state->factors + length, bias, bytes);
  *out = state;
  return xnn_status_success;
}

static enum xnn_status reshape(void* opaque, struct words* dims, size_t* workspace, pthreadpool_t pool) {
  struct normalize_qs8_instance* instance = opaque;
  instance->rows = take(dims);
  return xnn_status_success;
}

static enum xnn_status setup(void* opaque, void* workspace, void* const* tensors) {
  struct normalize_qs8_instance* instance = opaque;
  instance->input = tensors[0];
  instance->output = tensors[1];
  return xnn_status_success;
}

static void compute(void* context, size_t begin, size_t count) {
  const struct normalize_qs8_instance* instance = context;
  const struct normalize_qs8_state* state = instance->state;
  const size_t length = state->length;
  for (size_t row = begin; row < begin + count; row++) {
    const int8_t* input = instance->input + row * length;
    const struct sums_qs8 sums = sums_of_row_qs8(input, length);
    const double mean = (double)sums.sum / (double)length;
    const double center = state->is_centered ? mean : state->in_zero;
    const double spread = (double)sums.squares / (double)length + center * (center - 2.0 * mean);
    const float factor = (float)(1.0 / sqrt(spread + (double)state->epsilon));
    normalize_row_qs8(input, length, (float)center, factor, state->factors, state->factors + length, &state->to,
                      instance->output + row * length);
  }
}

static enum xnn_status run(void* opaque, pthreadpool_t pool) {
  const struct normalize_qs8_instance* instance = opaque;
  const size_t rows = divide_up(elements_per_task, instance->state->length);
  pthreadpool_parallelize_1d_tile_1d(pool, compute, opaque, instance->rows, rows, 0);
  return xnn_status_success;
}

const struct operator_type normalize_qs8_type = {
    .name = "normalization of int8",
    .num_params = 7,
    .num_refs = 2,
    .create = create,
    .destroy = pyxnn_release,
    .instance_size = sizeof(struct normalize_qs8_instance),
    .reshape = reshape,
    .setup = setup,
    .run = run,
};
