/* Rows written into a cache of rows, from a place on that each batch has of its own. */
#include <string.h>

#include "error.h"
#include "operator.h"

struct tensor_scatter_state {
  bool circular;
  size_t element_size;
};

struct tensor_scatter_instance {
  const struct tensor_scatter_state* state;
  size_t batch, outer, extent, count;
  size_t row; /* bytes */
  const char *cache, *update;
  const int64_t* places;
  char* output;
};

static enum xnn_status create(struct words* params, const void* kernel, const void* bias, void** out) {
  struct tensor_scatter_state state = {.circular = take(params) != 0};
  state.element_size = take(params);
  return own_state(&state, sizeof(state), out);
}

static enum xnn_status reshape(void* opaque, struct words* dims, size_t* workspace, pthreadpool_t pool) {
  struct tensor_scatter_instance* instance = opaque;
  instance->batch = take(dims);
  instance->outer = take(dims);
  instance->extent = take(dims);
  instance->count = take(dims);
  instance->row = take(dims) * instance->state->element_size;
  return xnn_status_success;
}

static enum xnn_status setup(void* opaque, void* workspace, void* const* tensors) {
  struct tensor_scatter_instance* instance = opaque;
  instance->cache = tensors[0];
  instance->update = tensors[1];
  instance->places = tensors[2];
  instance->output = tensors[3];
  return xnn_status_success;
}

/* The rows of one batch and one of the axes between; `index` counts both. */
static void write_rows(void* context, size_t index) {
  const struct tensor_scatter_instance* instance = context;
  const size_t size = instance->extent * instance->row;
  char* output = instance->output + index * size;
  if (instance->output != instance->cache) {
    memcpy(output, instance->cache + index * size, size);
  }
  const size_t first = (size_t)instance->places[index / instance->outer];
  for (size_t i = 0; i < instance->count; i++) {
    memcpy(output + (first + i) % instance->extent * instance->row,
           instance->update + (index * instance->count + i) * instance->row, instance->row);
  }
}

static enum xnn_status run(void* opaque, pthreadpool_t pool) {
  const struct tensor_scatter_instance* instance = opaque;
  const int64_t extent = (int64_t)instance->extent;
  const int64_t most = instance->state->circular ? extent - 1 : extent - (int64_t)instance->count;
  for (size_t i = 0; i < instance->batch; i++) {
    if (instance->places[i] < 0 || instance->places[i] > most) {
      pyxnn_error(pyxnn_invalid_input, "write_indices element out of bounds, idx=%lld must be within [0,%lld]",
                  (long long)instance->places[i], (long long)most);
      return xnn_status_invalid_parameter;
    }
  }
  pthreadpool_parallelize_1d(pool, write_rows, opaque, instance->batch * instance->outer, 0);
  return xnn_status_success;
}

const struct operator_type tensor_scatter_type = {
    .name = "tensor scatter",
    .num_params = 2,
    .num_refs = 4,
    .create = create,
    .destroy = pyxnn_release,
    .instance_size = sizeof(struct tensor_scatter_instance),
    .reshape = reshape,
    .setup = setup,
    .run = run,
};
