/* Local response normalization, on our own kernels (kernels/local_response.c). */
#include "kernels/local_response.h"

#include "operator.h"

/* Enough work to be worth handing to a thread; a task's positions stay in the caches for the windows of all channels. */
enum { elements_per_task = 4096, positions_per_task = 64 };

struct local_response_instance {
  const struct local_response* norm;
  size_t outer, channels, inner;
  const float* input;
  float* output;
};

static enum xnn_status create(struct words* params, const void* kernel, const void* bias, void** out) {
  struct local_response norm = {.before = take(params)};
  norm.after = take(params);
  norm.alpha = take_float(params);
  norm.beta = take_float(params);
  norm.bias = take_float(params);
  return own_state(&norm, sizeof(norm), out);
}

static enum xnn_status reshape(void* opaque, struct words* dims, size_t* workspace, pthreadpool_t pool) {
  struct local_response_instance* instance = opaque;
  instance->outer = take(dims);
  instance->channels = take(dims);
  instance->inner = take(dims);
  return xnn_status_success;
}

static enum xnn_status setup(void* opaque, void* workspace, void* const* tensors) {
  struct local_response_instance* instance = opaque;
  instance->input = tensors[0];
  instance->output = tensors[1];
  return xnn_status_success;
}

static void compute_rows(void* context, size_t start, size_t count) {
  const struct local_response_instance* instance = context;
  for (size_t row = start; row < start + count; row++) {
    const size_t offset = row * instance->channels;
    local_response_row(instance->norm, instance->input + offset, instance->output + offset, instance->channels);
  }
}

static void compute_columns(void* context, size_t outer, size_t start, size_t count) {
  const struct local_response_instance* instance = context;
  const size_t offset = outer * instance->channels * instance->inner + start;
  local_response_columns(instance->norm, instance->input + offset, instance->output + offset, instance->channels,
                         instance->inner, count);
}

static enum xnn_status run(void* opaque, pthreadpool_t pool) {
  const struct local_response_instance* instance = opaque;
  const uint32_t flags = PTHREADPOOL_FLAG_DISABLE_DENORMALS;
  if (instance->inner == 1) {
    pthreadpool_parallelize_1d_tile_1d(pool, compute_rows, opaque, instance->outer,
                                       elements_per_task / (instance->channels + 1) + 1, flags);
  } else {
    pthreadpool_parallelize_2d_tile_1d(pool, compute_columns, opaque, instance->outer, instance->inner,
                                       positions_per_task, flags);
  }
  return xnn_status_success;
}

const struct operator_type local_response_type = {
    .name = "local response normalization",
    .num_params = 5,
    .num_refs = 2,
    .create = create,
    .destroy = pyxnn_release,
    .instance_size = sizeof(struct local_response_instance),
    .reshape = reshape,
    .setup = setup,
    .run = run,
};
