/* Gather: copies of slices, whose indices are checked before any is followed. */
#include "error.h"
#include "kernels/move.h"
#include "operator.h"

/* Slices of about so many bytes are one task. */
enum { bytes_per_task = 16384 };

struct gather_state {
  size_t index_size, element_size;
};

struct gather_instance {
  const struct gather_state* state;
  size_t outer, extent, count;
  size_t slice_size; /* in bytes */
  const uint8_t* data;
  const void* indices;
  uint8_t* output;
};

static enum xnn_status create(struct words* params, const void* kernel, const void* bias, void** out) {
  struct gather_state state = {.index_size = take(params)};
  state.element_size = take(params);
  if (state.index_size != sizeof(int32_t) && state.index_size != sizeof(int64_t)) {
    return xnn_status_invalid_parameter;
  }
  return own_state(&state, sizeof(state), out);
}

static enum xnn_status reshape(void* opaque, struct words* dims, size_t* workspace, pthreadpool_t pool) {
  struct gather_instance* instance = opaque;
  instance->outer = take(dims);
  instance->extent = take(dims);
  instance->slice_size = take(dims) * instance->state->element_size;
  instance->count = take(dims);
  return xnn_status_success;
}

static enum xnn_status setup(void* opaque, void* workspace, void* const* tensors) {
  struct gather_instance* instance = opaque;
  instance->data = tensors[0];
  instance->indices = tensors[1];
  instance->output = tensors[2];
  return xnn_status_success;
}

static int64_t index_at(const struct gather_instance* instance, size_t place) {
  return instance->state->index_size == sizeof(int64_t) ? ((const int64_t*)instance->indices)[place]
                                                        : ((const int32_t*)instance->indices)[place];
}

/* Copies slices [start, start + count) of the output. */
static void copy_slices(void* context, size_t start, size_t count) {
  const struct gather_instance* instance = context;
  for (size_t slice = start; slice < start + count; slice++) {
    const int64_t index = index_at(instance, slice % instance->count);
    const size_t row = (size_t)(index < 0 ? index + (int64_t)instance->extent : index);
    move_bytes(instance->output + slice * instance->slice_size,
               instance->data + (slice / instance->count * instance->extent + row) * instance->slice_size,
               instance->slice_size);
  }
}

static enum xnn_status run(void* opaque, pthreadpool_t pool) {
  const struct gather_instance* instance = opaque;
  const int64_t extent = (int64_t)instance->extent;
  for (size_t i = 0; i < instance->count; i++) {
    const int64_t index = index_at(instance, i);
    if (index < -extent || index >= extent) {
      pyxnn_error(pyxnn_invalid_input,
                  "indices element out of data bounds, idx=%lld must be within the inclusive range [%lld,%lld]",
                  (long long)index, (long long)-extent, (long long)(extent - 1));
      return xnn_status_invalid_parameter;
    }
  }
  pthreadpool_parallelize_1d_tile_1d(pool, copy_slices, opaque, instance->outer * instance->count,
                                     bytes_per_task / (instance->slice_size + 1) + 1, 0);
  return xnn_status_success;
}

const struct operator_type gather_type = {
    .name = "gather",
    .num_params = 2,
    .num_refs = 3,
    .create = create,
    .destroy = pyxnn_release,
    .instance_size = sizeof(struct gather_instance),
    .reshape = reshape,
    .setup = setup,
    .run = run,
};
