/* Elementwise operations on two tensors of any type, on our own kernels (kernels/typed_binary.c). */
#include "kernels/typed_binary.h"

#include <string.h>

#include "kernels/cast.h"
#include "nest.h"
#include "operator.h"
#include "sizes.h"

/* Enough work to be worth handing to a thread, little enough for the threads to share evenly. */
enum { elements_per_task = 4096 };

/* Rows shorter than this that meet the same row of the other operand are done some together. */
enum { short_row = 256 };

struct typed_binary_state {
  const struct typed_binary* kernels;
  ptrdiff_t operand_size, result_size;
};

struct typed_binary_instance {
  const struct typed_binary_state* state;
  struct nest nest;
  typed_rows kernel;
  /* Of a row that all of the other operand's meet: how long it is, and so often repeated in the workspace; 0 for none. */
  size_t row, repeated;
  uint32_t repeating; /* whose row that is */
  const uint8_t* operands[2];
  uint8_t* output;
  uint8_t* workspace;
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

/* An operation on floats. */
static enum xnn_status create_binary(struct words* params, const void* kernel, const void* bias, void** out) {
  const uint32_t type = take(params);
  if (type > pyxnn_prelu) {
    return xnn_status_invalid_parameter;
  }
  const struct typed_binary_state state = {
      .kernels = typed_binary_find(type, pyxnn_float32), .operand_size = sizeof(float), .result_size = sizeof(float)};
  return own_state(&state, sizeof(state), out);
}

/* Whether a row's elements lie beside each other, but for those of one operand at most, which are one. */
static bool have_columns(const struct nest* nest) {
  const ptrdiff_t a = nest_column_stride(nest, 0), b = nest_column_stride(nest, 1),
                  output = nest_column_stride(nest, 2);
  return output == 1 && (a == 0 || a == 1) && (b == 0 || b == 1) && a + b > 0;
}

/* Whether all rows of the other tensors lie one behind the other and meet one short row of an operand. */
static bool is_repeated(const struct nest* nest, uint32_t operand) {
  const size_t row = nest->extents[1];
  const ptrdiff_t others[] = {nest_row_stride(nest, 1 - operand), nest_row_stride(nest, 2)};
  return nest->num_dims == 2 && row < short_row && nest_row_stride(nest, operand) == 0 && others[0] == (ptrdiff_t)row &&
         others[1] == (ptrdiff_t)row;
}

/* Makes all rows one, which an operand's row meets again and again. */
static void join_rows(struct typed_binary_instance* instance, uint32_t operand) {
  struct nest* nest = &instance->nest;
  const size_t rows = nest->extents[0], most = elements_per_task / 2 / nest->extents[1];
  instance->row = nest->extents[1];
  instance->repeated = smaller(rows, most);
  instance->repeating = operand;
  nest->extents[0] = 1;
  nest->extents[1] = rows * instance->row;
  nest->strides[operand][1] = 0;
}

static enum xnn_status reshape(void* opaque, struct words* dims, size_t* workspace, pthreadpool_t pool) {
  struct typed_binary_instance* instance = opaque;
  const struct typed_binary* kernels = instance->state->kernels;
  const enum xnn_status status = take_nest(dims, 3, &instance->nest);
  if (status != xnn_status_success) {
    return status;
  }
  if (!have_columns(&instance->nest) && !nest_add_column(&instance->nest)) {
    return xnn_status_unsupported_parameter;
  }
  const ptrdiff_t a = nest_column_stride(&instance->nest, 0), b = nest_column_stride(&instance->nest, 1);
  instance->kernel = a == b ? kernels->row_row : b == 0 ? kernels->row_one : kernels->one_row;
  instance->repeated = 0;
  for (uint32_t operand = 0; operand < 2 && a == b && instance->repeated == 0; operand++) {
    if (is_repeated(&instance->nest, operand)) {
      join_rows(instance, operand);
    }
  }
  *workspace = instance->repeated * instance->row * (size_t)instance->state->operand_size;
  return xnn_status_success;
}

static enum xnn_status setup(void* opaque, void* workspace, void* const* tensors) {
  struct typed_binary_instance* instance = opaque;
  instance->operands[0] = tensors[0];
  instance->operands[1] = tensors[1];
  instance->output = tensors[2];
  instance->workspace = workspace;
  return xnn_status_success;
}

static void compute(const void* opaque, const ptrdiff_t* offsets, size_t rows, size_t columns) {
  const struct typed_binary_instance* instance = opaque;
  const struct typed_binary_state* state = instance->state;
  const uint8_t* a = instance->operands[0] + offsets[0] * state->operand_size;
  const uint8_t* b = instance->operands[1] + offsets[1] * state->operand_size;
  uint8_t* output = instance->output + offsets[2] * state->result_size;
  const ptrdiff_t strides[] = {nest_row_stride(&instance->nest, 0), nest_row_stride(&instance->nest, 1),
                               nest_row_stride(&instance->nest, 2)};
  instance->kernel(a, b, output, rows, columns, strides);
}

/* Part of the one row that join_rows made. */
static void compute_joined(const void* opaque, const ptrdiff_t* offsets, size_t rows, size_t columns) {
  const struct typed_binary_instance* instance = opaque;
  const struct typed_binary_state* state = instance->state;
  const size_t together = instance->repeated * instance->row, whole = columns / together, rest = columns % together;
  const ptrdiff_t step = (ptrdiff_t)together, done = (ptrdiff_t)(whole * together);
  const uint32_t other = 1 - instance->repeating;
  const uint8_t* operands[2];
  operands[instance->repeating] = instance->workspace;
  operands[other] = instance->operands[other] + offsets[other] * state->operand_size;
  uint8_t* output = instance->output + offsets[2] * state->result_size;
  ptrdiff_t strides[] = {step, step, step};
  strides[instance->repeating] = 0;
  instance->kernel(operands[0], operands[1], output, whole, together, strides);
  operands[other] += done * state->operand_size;
  instance->kernel(operands[0], operands[1], output + done * state->result_size, rest > 0, rest, strides);
}

static enum xnn_status run(void* opaque, pthreadpool_t pool) {
  const struct typed_binary_instance* instance = opaque;
  if (instance->repeated == 0) {
    nest_run(&instance->nest, compute, instance, elements_per_task, pool);
    return xnn_status_success;
  }
  const size_t row = instance->row * (size_t)instance->state->operand_size;
  for (size_t i = 0; i < instance->repeated; i++) {
    memcpy(instance->workspace + i * row, instance->operands[instance->repeating], row);
  }
  nest_run_tiles(&instance->nest, compute_joined, instance, 1, 2 * instance->repeated * instance->row, pool);
  return xnn_status_success;
}

const struct operator_type binary_type = {
    .name = "binary",
    .num_params = 1,
    .num_refs = 3,
    .create = create_binary,
    .destroy = pyxnn_release,
    .instance_size = sizeof(struct typed_binary_instance),
    .reshape = reshape,
    .setup = setup,
    .run = run,
};

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
