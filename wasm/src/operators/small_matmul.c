/* Products of many small matrices on our own kernel (kernels/small_product.c). */
#include <string.h>

#include "kernels/small_product.h"
#include "operator.h"
#include "sizes.h"

/* Multiply-adds that are worth handing to a thread. */
enum { work_per_task = 1 << 15 };

struct small_matmul_instance {
  const void* state;
  uint32_t num_batch_dims;
  size_t extents[XNN_MAX_TENSOR_DIMS];                                   /* of the batch */
  size_t strides_a[XNN_MAX_TENSOR_DIMS], strides_b[XNN_MAX_TENSOR_DIMS]; /* in matrices, 0 repeats */
  size_t batch, rows, depth, columns;
  size_t tiles; /* of rows, in each product */
  const float *a, *b;
  float* output;
};

static enum xnn_status create(struct words* params, const void* kernel, const void* bias, void** out) {
  const uint32_t unused = 0;
  return own_state(&unused, sizeof(unused), out);
}

/* Sets the strides of an operand's batch extents; returns how many matrices it has. */
static size_t set_strides(const size_t* extents, uint32_t count, size_t* strides) {
  size_t matrices = 1;
  for (uint32_t i = count; i-- > 0;) {
    strides[i] = extents[i] == 1 ? 0 : matrices;
    matrices *= extents[i];
  }
  return matrices;
}

static enum xnn_status reshape(void* opaque, struct words* dims, size_t* workspace, pthreadpool_t pool) {
  struct small_matmul_instance* instance = opaque;
  const uint32_t count = instance->num_batch_dims = take(dims);
  const size_t* a = take_extents(dims, count);
  const size_t* b = take_extents(dims, count);
  instance->rows = take(dims);
  instance->depth = take(dims);
  instance->columns = take(dims);
  if (dims->exhausted || count > XNN_MAX_TENSOR_DIMS) {
    return xnn_status_invalid_parameter;
  }
  instance->batch = 1;
  for (uint32_t i = 0; i < count; i++) {
    if (a[i] != b[i] && a[i] != 1 && b[i] != 1) {
      return xnn_status_invalid_parameter;
    }
    instance->extents[i] = a[i] == 1 ? b[i] : a[i];
    instance->batch *= instance->extents[i];
  }
  set_strides(a, count, instance->strides_a);
  set_strides(b, count, instance->strides_b);
  instance->tiles = divide_up(instance->rows, small_product_rows);
  return xnn_status_success;
}

static enum xnn_status setup(void* opaque, void* workspace, void* const* tensors) {
  struct small_matmul_instance* instance = opaque;
  instance->a = tensors[0];
  instance->b = tensors[1];
  instance->output = tensors[2];
  return xnn_status_success;
}

/* Some tiles of rows, which are counted through all products. */
static void compute(void* context, size_t start, size_t count) {
  const struct small_matmul_instance* instance = context;
  const size_t rows = instance->rows, depth = instance->depth, columns = instance->columns;
  const size_t end = start + count;
  for (size_t tile = start; tile < end;) {
    const size_t product = tile / instance->tiles;
    size_t a = 0, b = 0;
    for (size_t i = instance->num_batch_dims, rest = product; i-- > 0;) {
      a += rest % instance->extents[i] * instance->strides_a[i];
      b += rest % instance->extents[i] * instance->strides_b[i];
      rest /= instance->extents[i];
    }
    const size_t next = (product + 1) * instance->tiles, stop = smaller(next, end);
    for (; tile < stop; tile++) {
      const size_t row = (tile - product * instance->tiles) * small_product_rows, left = rows - row;
      small_product(instance->a + (a * rows + row) * depth, instance->b + b * depth * columns,
                    instance->output + (product * rows + row) * columns, smaller(left, small_product_rows), depth,
                    columns);
    }
  }
}

static enum xnn_status run(void* opaque, pthreadpool_t pool) {
  const struct small_matmul_instance* instance = opaque;
  const size_t work = small_product_rows * instance->depth * instance->columns;
  pthreadpool_parallelize_1d_tile_1d(pool, compute, opaque, instance->batch * instance->tiles,
                                     divide_up(work_per_task, work), PTHREADPOOL_FLAG_DISABLE_DENORMALS);
  return xnn_status_success;
}

const struct operator_type small_matmul_type = {
    .name = "product of small matrices",
    .num_params = 0,
    .num_refs = 3,
    .create = create,
    .destroy = pyxnn_release,
    .instance_size = sizeof(struct small_matmul_instance),
    .reshape = reshape,
    .setup = setup,
    .run = run,
};
