/* A tensor times factors plus addends, on our own kernel (kernels/multiply_add.c). */
#include "kernels/multiply_add.h"

#include "nest.h"
#include "operator.h"

enum { elements_per_task = 4096 };

struct multiply_add_bounds {
  float min, max;
};

struct multiply_add_instance {
  const struct multiply_add_bounds* bounds;
  struct nest nest;
  const float *input, *factors, *addends;
  float* output;
};

static enum xnn_status create(struct words* params, const void* kernel, const void* bias, void** out) {
  struct multiply_add_bounds bounds = {.min = take_float(params)};
  bounds.max = take_float(params);
  return own_state(&bounds, sizeof(bounds), out);
}

/* Whether a row's elements lie beside each other, and its factors and addends do or are one each. */
static bool have_columns(const struct nest* nest) {
  const ptrdiff_t factors = nest_column_stride(nest, 1);
  return nest_column_stride(nest, 0) == 1 && nest_column_stride(nest, 3) == 1 && (factors == 0 || factors == 1) &&
         nest_column_stride(nest, 2) == factors;
}

static enum xnn_status reshape(void* opaque, struct words* dims, size_t* workspace, pthreadpool_t pool) {
  struct multiply_add_instance* instance = opaque;
  const enum xnn_status status = take_nest(dims, 4, &instance->nest);
  if (status == xnn_status_success && !have_columns(&instance->nest) && !nest_add_column(&instance->nest)) {
    return xnn_status_unsupported_parameter;
  }
  return status;
}

static enum xnn_status setup(void* opaque, void* workspace, void* const* tensors) {
  struct multiply_add_instance* instance = opaque;
  instance->input = tensors[0];
  instance->factors = tensors[1];
  instance->addends = tensors[2];
  instance->output = tensors[3];
  return xnn_status_success;
}

static void compute(const void* opaque, const ptrdiff_t* offsets, size_t rows, size_t columns) {
  const struct multiply_add_instance* instance = opaque;
  const struct nest* nest = &instance->nest;
  const struct multiply_add_rows all = {.rows = rows,
                                        .columns = columns,
                                        .input = nest_row_stride(nest, 0),
                                        .factors = nest_row_stride(nest, 1),
                                        .addends = nest_row_stride(nest, 2),
                                        .output = nest_row_stride(nest, 3)};
  multiply_add(all, instance->input + offsets[0], instance->factors + offsets[1], instance->addends + offsets[2],
               nest_column_stride(nest, 1) == 1, instance->bounds->min, instance->bounds->max,
               instance->output + offsets[3]);
}

static enum xnn_status run(void* opaque, pthreadpool_t pool) {
  const struct multiply_add_instance* instance = opaque;
  nest_run(&instance->nest, compute, instance, elements_per_task, pool);
  return xnn_status_success;
}

const struct operator_type multiply_add_type = {
    .name = "multiply-add",
    .num_params = 2,
    .num_refs = 4,
    .create = create,
    .destroy = pyxnn_release,
    .instance_size = sizeof(struct multiply_add_instance),
    .reshape = reshape,
    .setup = setup,
    .run = run,
};
