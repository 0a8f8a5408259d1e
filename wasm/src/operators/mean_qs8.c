/* Means of int8 tensors along one axis, on our own kernels (kernels/mean_qs8.c). */
#include "kernels/mean_qs8.h"

#include <math.h>
#include <string.h>

#include "operator.h"
#include "sizes.h"

/* The columns of a tile; so many elements are worth handing to a thread; so many have a sum of 32 bits. */
enum { columns_per_tile = 64, elements_per_task = 16384, elements_per_sum = 1 << 23 };

struct mean_qs8_state {
  int32_t in_zero;
  float factor;
  float out_zero, min, max;
};

struct mean_qs8_instance {
  const struct mean_qs8_state* state;
  size_t outer, extent, inner;
  const int8_t* input;
  int8_t* output;
};

static enum xnn_status create(struct words* params, const void* kernel, const void* bias, void** out) {
  struct mean_qs8_state state = {.in_zero = (int32_t)take(params)};
  state.factor = take_float(params);
  state.out_zero = (float)(int32_t)take(params);
  state.min = (float)(int32_t)take(params);
  state.max = (float)(int32_t)take(params);
  return own_state(&state, sizeof(state), out);
}

static enum xnn_status reshape(void* opaque, struct words* dims, size_t* workspace, pthreadpool_t pool) {
  struct mean_qs8_instance* instance = opaque;
  instance->outer = take(dims);
  instance->extent = take(dims);
  instance->inner = take(dims);
  return instance->extent > 0 ? xnn_status_success : xnn_status_invalid_parameter;
}

static enum xnn_status setup(void* opaque, void* workspace, void* const* tensors) {
  struct mean_qs8_instance* instance = opaque;
  instance->input = tensors[0];
  instance->output = tensors[1];
  return xnn_status_success;
}

static int8_t mean_of(const struct mean_qs8_instance* instance, int64_t sum) {
  const struct mean_qs8_state* state = instance->state;
  const float centered = (float)(sum - (int64_t)instance->extent * state->in_zero);
  const float mean = rintf(centered * (state->factor / (float)instance->extent)) + state->out_zero;
  return (int8_t)fminf(fmaxf(mean, state->min), state->max);
}

static void compute_rows(void* context, size_t begin, size_t count) {
  const struct mean_qs8_instance* instance = context;
  const size_t extent = instance->extent;
  for (size_t row = begin; row < begin + count; row++) {
    const int8_t* input = instance->input + row * extent;
    int64_t sum = 0;
    for (size_t first = 0; first < extent; first += elements_per_sum) {
      sum += sum_row_qs8(input + first, smaller(extent - first, elements_per_sum));
    }
    instance->output[row] = mean_of(instance, sum);
  }
}

static void compute_columns(void* context, size_t outer, size_t column, size_t columns) {
  const struct mean_qs8_instance* instance = context;
  const size_t extent = instance->extent, inner = instance->inner;
  const int8_t* input = instance->input + outer * extent * inner + column;
  if (extent <= elements_per_sum / 2) {
    int32_t sums[columns_per_tile] = {0};
    int8_t means[columns_per_tile];
    sum_columns_qs8(input, extent, inner, columns, sums);
    const struct mean_scaling scaling = {.offset = (int32_t)extent * instance->state->in_zero,
                                         .factor = instance->state->factor / (float)extent,
                                         .zero = instance->state->out_zero,
                                         .min = instance->state->min,
                                         .max = instance->state->max};
    means_qs8(sums, columns_per_tile, &scaling, means);
    memcpy(instance->output + outer * inner + column, means, columns);
    return;
  }
  int64_t sums[columns_per_tile] = {0};
  for (size_t first = 0; first < extent; first += elements_per_sum) {
    int32_t part[columns_per_tile];
    sum_columns_qs8(input + first * inner, smaller(extent - first, elements_per_sum), inner, columns, part);
    for (size_t i = 0; i < columns; i++) {
      sums[i] += part[i];
    }
  }
  for (size_t i = 0; i < columns; i++) {
    instance->output[outer * inner + column + i] = mean_of(instance, sums[i]);
  }
}

static enum xnn_status run(void* opaque, pthreadpool_t pool) {
  const struct mean_qs8_instance* instance = opaque;
  if (instance->inner == 1) {
    const size_t rows = divide_up(elements_per_task, instance->extent);
    pthreadpool_parallelize_1d_tile_1d(pool, compute_rows, opaque, instance->outer, rows, 0);
  } else {
    /* Where columns are few, narrow tiles let the threads share them. */
    const size_t tile = instance->outer * instance->inner < 8 * columns_per_tile ? 16 : columns_per_tile;
    pthreadpool_parallelize_2d_tile_1d(pool, compute_columns, opaque, instance->outer, instance->inner, tile, 0);
  }
  return xnn_status_success;
}

const struct operator_type mean_qs8_type = {
    .name = "mean of int8",
    .num_params = 5,
    .num_refs = 2,
    .create = create,
    .destroy = pyxnn_release,
    .instance_size = sizeof(struct mean_qs8_instance),
    .reshape = reshape,
    .setup = setup,
    .run = run,
};
