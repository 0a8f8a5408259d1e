/*
 * Products with weights of 4 or 8 bits, which stay packed (kernels/block_weights.c). Rows that needn't be exact are rounded to
 * integers and multiplied with the weights as they are, unless they are so many that it pays to unpack some columns into a
 * scratch of the thread's for XNNPACK's matrix product.
 */
#include <string.h>
#include <xnnpack/config.h>
#include <xnnpack/microparams.h>

#include "kernels/block_weights.h"
#include "memory.h"
#include "operator.h"
#include "sizes.h"

/* Groups of a task: about so many weights. */
enum { weights_per_task = 1 << 15 };

/* The most rows of 16 bits that are multiplied as integers: for more, unpacking costs next to nothing. */
enum { most_integer_rows = 32 };

struct matmul_nbits_state {
  const struct xnn_gemm_config* config;
  union xnn_f32_minmax_params bounds;
  float min, max;
  struct block_weights weights;
  size_t in_channels, row_bits; /* 0: rows stay floats */
  const float* bias;            /* NULL for none */
  char* memory;                 /* of weights and bias */
};

struct matmul_nbits_instance {
  const struct matmul_nbits_state* state;
  size_t rows, groups, groups_per_task;
  const float* input;
  float* output;
  char* workspace;
};

/* Packs the weights into memory of the operator's own. */
static enum xnn_status take_weights(struct matmul_nbits_state* state, bool has_bias, const void* kernel,
                                    const void* others) {
  struct block_weights* weights = &state->weights;
  const float* scales = others;
  const float* bias = scales + weights->columns * weights->blocks;
  const size_t count = has_bias ? weights->columns : 0, size = block_weights_size(weights);
  state->memory = pyxnn_allocate(size + count * sizeof(float));
  if (state->memory == NULL) {
    return xnn_status_out_of_memory;
  }
  block_weights_pack(weights, state->memory, kernel, scales, bias + count);
  if (has_bias) {
    state->bias = memcpy(state->memory + size, bias, count * sizeof(float));
  }
  return xnn_status_success;
}

static enum xnn_status create(struct words* params, const void* kernel, const void* bias, void** out) {
  struct matmul_nbits_state state = {.config = xnn_init_f32_gemm_config()};
  struct block_weights* weights = &state.weights;
  weights->bits = take(params);
  weights->block_size = take(params);
  state.in_channels = take(params);
  weights->columns = take(params);
  state.row_bits = take(params);
  const uint32_t zeros = take(params);
  const bool has_bias = take(params) != 0;
  state.min = take_float(params);
  state.max = take_float(params);
  const size_t bits = weights->bits, size = weights->block_size, row_bits = state.row_bits;
  if ((bits != 4 && bits != 8) || size == 0 || size % 16 != 0 || zeros > zeros_floats ||
      (row_bits != 0 && row_bits != 16 && (row_bits != 8 || bits != 4)) || state.in_channels == 0 ||
      weights->columns == 0 || kernel == NULL || bias == NULL || state.config->nr != unpacked_columns) {
    return xnn_status_invalid_parameter;
  }
  weights->blocks = divide_up(state.in_channels, size);
  weights->has_zeros = (enum block_zeros)zeros;
  state.config->init.f32(&state.bounds, state.min, state.max);
  enum xnn_status status = take_weights(&state, has_bias, kernel, bias);
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

/* Whether rows are rounded to integers. */
static bool is_rounded(const struct matmul_nbits_instance* instance) {
  const size_t bits = instance->state->row_bits;
  return bits == 8 || (bits == 16 && instance->rows <= most_integer_rows);
}

/* Bytes of a thread's scratch: some unpacked columns, with the bias before. */
static size_t unpacked_size(const struct matmul_nbits_state* state) {
  return unpacked_columns * (1 + state->weights.blocks * state->weights.block_size) * sizeof(float);
}

static enum xnn_status reshape(void* opaque, struct words* dims, size_t* workspace, pthreadpool_t pool) {
  struct matmul_nbits_instance* instance = opaque;
  const struct matmul_nbits_state* state = instance->state;
  instance->rows = take(dims);
  instance->groups = divide_up(state->weights.columns, group_columns);
  instance->groups_per_task = weights_per_task / (state->in_channels * group_columns) + 1;
  *workspace = is_rounded(instance) ? instance->rows * block_row_size(&state->weights, state->row_bits)
                                    : pthreadpool_get_threads_count(pool) * unpacked_size(state);
  return xnn_status_success;
}

static enum xnn_status setup(void* opaque, void* workspace, void* const* tensors) {
  struct matmul_nbits_instance* instance = opaque;
  instance->input = tensors[0];
  instance->output = tensors[1];
  instance->workspace = workspace;
  return xnn_status_success;
}

static struct block_row row_of(const struct matmul_nbits_instance* instance, size_t row) {
  const struct block_weights* weights = &instance->state->weights;
  const size_t bits = instance->state->row_bits;
  return block_row_at(weights, bits, instance->workspace + row * block_row_size(weights, bits));
}

/* Of `most` columns from one on, those that are there. */
static size_t columns_from(const struct matmul_nbits_state* state, size_t column, size_t most) {
  return smaller(state->weights.columns - column, most);
}

static void round_row(void* context, size_t row) {
  const struct matmul_nbits_instance* instance = context;
  const struct matmul_nbits_state* state = instance->state;
  const struct block_row to = row_of(instance, row);
  block_round(&state->weights, instance->input + row * state->in_channels, state->in_channels, &to);
}

/* All rounded rows with some groups, which the second-level cache holds while rows go by. */
static void multiply_integers(void* context, size_t first, size_t count) {
  const struct matmul_nbits_instance* instance = context;
  const struct matmul_nbits_state* state = instance->state;
  const size_t all = state->weights.columns;
  for (size_t row = 0; row < instance->rows; row += block_rows) {
    const size_t rows = smaller(instance->rows - row, block_rows);
    struct block_row numbers[block_rows];
    for (size_t r = 0; r < rows; r++) {
      numbers[r] = row_of(instance, row + r);
    }
    for (size_t group = first; group < first + count; group++) {
      const size_t column = group * group_columns, columns = columns_from(state, column, group_columns);
      float products[block_rows * group_columns];
      block_products(&state->weights, numbers, rows, group, products);
      for (size_t r = 0; r < rows; r++) {
        float* output = instance->output + (row + r) * all + column;
        for (size_t c = 0; c < columns; c++) {
          const float sum = products[r * group_columns + c] + (state->bias == NULL ? 0.0f : state->bias[column + c]);
          output[c] = sum < state->min ? state->min : sum > state->max ? state->max : sum;
        }
      }
    }
  }
}

/* All rows with some groups, which are unpacked. */
static void multiply_floats(void* context, size_t thread, size_t task) {
  const struct matmul_nbits_instance* instance = context;
  const struct matmul_nbits_state* state = instance->state;
  const size_t first = task * instance->groups_per_task, rest = instance->groups - first;
  const size_t end = first + (smaller(rest, instance->groups_per_task));
  const size_t all = state->weights.columns, mr = state->config->mr, k = state->in_channels;
  const size_t end_column = smaller(end * group_columns, all);
  float* floats = (float*)(instance->workspace + thread * unpacked_size(state));
  for (size_t column = first * group_columns; column < end_column; column += unpacked_columns) {
    const size_t columns = columns_from(state, column, unpacked_columns);
    for (size_t c = 0; c < unpacked_columns; c++) {
      floats[c] = state->bias == NULL || c >= columns ? 0.0f : state->bias[column + c];
    }
    block_unpack(&state->weights, column, floats + unpacked_columns);
    for (size_t row = 0; row < instance->rows; row += mr) {
      const size_t rows = smaller(instance->rows - row, mr);
      state->config->minmax.gemm[mr - 1].function[XNN_UARCH_DEFAULT](
          rows, columns, k * sizeof(float), instance->input + row * k, k * sizeof(float), floats,
          instance->output + row * all + column, all * sizeof(float), unpacked_columns * sizeof(float), &state->bounds);
    }
  }
}

static enum xnn_status run(void* opaque, pthreadpool_t pool) {
  const struct matmul_nbits_instance* instance = opaque;
  if (is_rounded(instance)) {
    pthreadpool_parallelize_1d(pool, round_row, opaque, instance->rows, 0);
    pthreadpool_parallelize_1d_tile_1d(pool, multiply_integers, opaque, instance->groups, instance->groups_per_task, 0);
  } else {
    const size_t tasks = divide_up(instance->groups, instance->groups_per_task);
    pthreadpool_parallelize_1d_with_thread(pool, multiply_floats, opaque, tasks, PTHREADPOOL_FLAG_DISABLE_DENORMALS);
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
