/*
 * Products with weights of 4 or 8 bits, which stay as they are (kernels/block_weights.c). One row, of which so much isn't asked,
 * is split into digits and multiplied in integers; otherwise panels of columns are unpacked into a scratch of the thread's for
 * XNNPACK's matrix product.
 */
#include <string.h>
#include <xnnpack/config.h>
#include <xnnpack/microparams.h>

#include "kernels/block_weights.h"
#include "memory.h"
#include "operator.h"

/* Columns of a task: about so many weights, a multiple of a panel's width. */
enum { weights_per_task = 1 << 15 };

struct matmul_nbits_state {
  const struct xnn_gemm_config* config;
  union xnn_f32_minmax_params bounds;
  float min, max;
  struct block_weights weights;
  size_t in_channels, out_channels, digits;
  const float* bias; /* NULL for none */
  char* memory;      /* of weights, scales, bias and zero points, in this order */
};

struct matmul_nbits_instance {
  const struct matmul_nbits_state* state;
  size_t rows, columns_per_task;
  const float* input;
  float* output;
  char* workspace;
};

/* What the second weights array of the kind has. */
enum zeros { zeros_none, zeros_packed, zeros_floats };

/* Copies the weights into memory of the operator's own. */
static enum xnn_status take_weights(struct matmul_nbits_state* state, enum zeros zeros, bool has_bias,
                                    const void* kernel, const void* others) {
  struct block_weights* weights = &state->weights;
  const size_t columns = state->out_channels, blocks = weights->blocks;
  const size_t kernel_size = columns * blocks * weights->block_size * weights->bits / 8;
  const size_t scales_size = columns * blocks * sizeof(float), bias_size = has_bias ? columns * sizeof(float) : 0;
  const size_t zeros_size = zeros == zeros_floats   ? scales_size
                            : zeros == zeros_packed ? columns * ((blocks * weights->bits + 7) / 8)
                                                    : 0;
  state->memory = pyxnn_allocate(kernel_size + scales_size + bias_size + zeros_size);
  if (state->memory == NULL) {
    return xnn_status_out_of_memory;
  }
  char* after = state->memory + kernel_size;
  memcpy(state->memory, kernel, kernel_size);
  memcpy(after, others, scales_size + bias_size + zeros_size);
  weights->weights = (const uint8_t*)state->memory;
  weights->scales = (const float*)after;
  state->bias = has_bias ? (const float*)(after + scales_size) : NULL;
  after += scales_size + bias_size;
  weights->zeros = zeros == zeros_packed ? (const uint8_t*)after : NULL;
  weights->float_zeros = zeros == zeros_floats ? (const float*)after : NULL;
  return xnn_status_success;
}

static enum xnn_status create(struct words* params, const void* kernel, const void* bias, void** out) {
  struct matmul_nbits_state state = {.config = xnn_init_f32_gemm_config()};
  state.weights.bits = take(params);
  state.weights.block_size = take(params);
  state.in_channels = take(params);
  state.out_channels = take(params);
  state.digits = take(params);
  const uint32_t zeros = take(params);
  const bool has_bias = take(params) != 0;
  state.min = take_float(params);
  state.max = take_float(params);
  const size_t bits = state.weights.bits, size = state.weights.block_size;
  if ((bits != 4 && bits != 8) || size == 0 || size % 16 != 0 || state.digits > most_digits || zeros > zeros_floats ||
      state.in_channels == 0 || state.out_channels == 0 || kernel == NULL || bias == NULL) {
    return xnn_status_invalid_parameter;
  }
  state.weights.blocks = (state.in_channels + size - 1) / size;
  state.config->init.f32(&state.bounds, state.min, state.max);
  enum xnn_status status = take_weights(&state, (enum zeros)zeros, has_bias, kernel, bias);
  if (status == xnn_status_success) {
    status = own_state(&state, sizeof(state), out);
    if (status != xnn_status_success) {
      pyxnn_release(state.memory);
    }
  }
  return status;
}

static void destroy(void* state) {
  pyxnn_release(((struct matmul_nbits_state*)state)->memory);
  pyxnn_release(state);
}

/* Whether a run is of one row in digits. */
static bool is_split(const struct matmul_nbits_instance* instance) {
  return instance->rows == 1 && instance->state->digits != 0;
}

/* Bytes of a thread's scratch: a panel of unpacked columns, with the bias before. */
static size_t panel_size(const struct matmul_nbits_state* state) {
  return state->config->nr * (1 + state->in_channels) * sizeof(float);
}

/* Bytes of a row's numbers. */
static size_t numbers_size(const struct matmul_nbits_state* state) {
  return state->weights.blocks * block_numbers(&state->weights, state->digits);
}

static enum xnn_status reshape(void* opaque, struct words* dims, size_t* workspace, pthreadpool_t pool) {
  struct matmul_nbits_instance* instance = opaque;
  const struct matmul_nbits_state* state = instance->state;
  const size_t nr = state->config->nr;
  instance->rows = take(dims);
  instance->columns_per_task = (weights_per_task / (state->in_channels * nr) + 1) * nr;
  *workspace = is_split(instance) ? numbers_size(state) + 2 * state->weights.blocks * sizeof(float)
                                  : pthreadpool_get_threads_count(pool) * panel_size(state);
  return xnn_status_success;
}

static enum xnn_status setup(void* opaque, void* workspace, void* const* tensors) {
  struct matmul_nbits_instance* instance = opaque;
  instance->input = tensors[0];
  instance->output = tensors[1];
  instance->workspace = workspace;
  return xnn_status_success;
}

static struct block_row row_of(const struct matmul_nbits_instance* instance) {
  const struct matmul_nbits_state* state = instance->state;
  struct block_row row = {.digits = state->digits, .numbers = (int8_t*)instance->workspace};
  row.scales = (float*)(instance->workspace + numbers_size(state));
  row.sums = row.scales + state->weights.blocks;
  return row;
}

static void multiply_row(void* context, size_t first, size_t count) {
  const struct matmul_nbits_instance* instance = context;
  const struct matmul_nbits_state* state = instance->state;
  const struct block_row row = row_of(instance);
  float* output = instance->output + first;
  block_products(&state->weights, &row, first, count, output);
  for (size_t c = 0; c < count; c++) {
    const float sum = output[c] + (state->bias == NULL ? 0.0f : state->bias[first + c]);
    output[c] = sum < state->min ? state->min : sum > state->max ? state->max : sum;
  }
}

/* All rows with some columns, a panel after the other. */
static void multiply_panels(void* context, size_t thread, size_t task) {
  const struct matmul_nbits_instance* instance = context;
  const struct matmul_nbits_state* state = instance->state;
  const size_t first = task * instance->columns_per_task, rest = state->out_channels - first;
  const size_t columns = rest < instance->columns_per_task ? rest : instance->columns_per_task;
  const size_t nr = state->config->nr, mr = state->config->mr, k = state->in_channels;
  float* panel = (float*)(instance->workspace + thread * panel_size(state));
  for (size_t column = first; column < first + columns; column += nr) {
    const size_t left = first + columns - column, count = left < nr ? left : nr;
    for (size_t c = 0; c < nr; c++) {
      panel[c] = state->bias == NULL || c >= count ? 0.0f : state->bias[column + c];
    }
    block_unpack(&state->weights, column, count, nr, k, panel + nr);
    for (size_t row = 0; row < instance->rows; row += mr) {
      const size_t rows = instance->rows - row < mr ? instance->rows - row : mr;
      state->config->minmax.gemm[mr - 1].function[XNN_UARCH_DEFAULT](
          rows, count, k * sizeof(float), instance->input + row * k, k * sizeof(float), panel,
          instance->output + row * state->out_channels + column, state->out_channels * sizeof(float),
          nr * sizeof(float), &state->bounds);
    }
  }
}

static enum xnn_status run(void* opaque, pthreadpool_t pool) {
  const struct matmul_nbits_instance* instance = opaque;
  const struct matmul_nbits_state* state = instance->state;
  if (is_split(instance)) {
    const struct block_row row = row_of(instance);
    block_split(&state->weights, instance->input, state->in_channels, &row);
    pthreadpool_parallelize_1d_tile_1d(pool, multiply_row, opaque, state->out_channels, instance->columns_per_task, 0);
  } else {
    const size_t tasks = (state->out_channels + instance->columns_per_task - 1) / instance->columns_per_task;
    pthreadpool_parallelize_1d_with_thread(pool, multiply_panels, opaque, tasks, PTHREADPOOL_FLAG_DISABLE_DENORMALS);
  }
  return xnn_status_success;
}

const struct operator_type matmul_nbits_type = {
    .name = "product with weights of few bits",
    .num_params = 9,
    .num_refs = 2,
    .create = create,
    .destroy = destroy,
    .instance_size = sizeof(struct matmul_nbits_instance),
    .reshape = reshape,
    .setup = setup,
    .run = run,
};
