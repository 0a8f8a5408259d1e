/* Layer normalization on our own kernel (kernels/layer_norm.c). */
#include "kernels/layer_norm.h"

#include <string.h>

#include "memory.h"
#include "operator.h"

/* Rows of about so many elements are one task. */
enum { elements_per_task = 4096 };

struct layer_norm_state {
  size_t channels;
  float epsilon;
  bool centered;
  /* After `scale`, in the same allocation. */
  float* bias;
  float scale[];
};

struct layer_norm_instance {
  const struct layer_norm_state* state;
  size_t rows;
  const float* input;
  float* output;
};

static enum xnn_status create(struct words* params, const float* kernel, const float* bias, void** out) {
  const size_t channels = take(params);
  if (channels == 0 || kernel == NULL) {
    return xnn_status_invalid_parameter;
  }
  const size_t bytes = channels * sizeof(float);
  struct layer_norm_state* state = pyxnn_allocate_zero(sizeof(*state) + 2 * bytes);
  if (state == NULL) {
    return xnn_status_out_of_memory;
  }
  state->channels = channels;
  state->epsilon = take_float(params);
  state->centered = take(params) != 0;
  state->bias = state->scale + channels;
  memcpy(state->scale, kernel, bytes);
  if (bias != NULL) {
    memcpy(state->bias, bias, bytes);
  }
  *out = state;
  return xnn_status_success;
}

static enum xnn_status instantiate(const void* state, void** instance) {
  return own_instantiate(state, sizeof(struct layer_norm_instance), instance);
}

static enum xnn_status reshape(void* opaque, struct words* dims, size_t* workspace, pthreadpool_t pool) {
  struct layer_norm_instance* instance = opaque;
  instance->rows = take(dims);
  return xnn_status_success;
}

static enum xnn_status setup(void* opaque, void* workspace, void* const* tensors) {
  struct layer_norm_instance* instance = opaque;
  instance->input = tensors[0];
  instance->output = tensors[1];
  return xnn_status_success;
}

static void compute(void* context, size_t start, size_t count) {
  const struct layer_norm_instance* instance = context;
  const struct layer_norm_state* state = instance->state;
  for (size_t row = start; row < start + count; row++) {
    const size_t offset = row * state->channels;
    layer_norm_row(instance->input + offset, state->scale, state->bias, instance->output + offset, state->channels,
                   state->epsilon, state->centered);
  }
}

static enum xnn_status run(void* opaque, pthreadpool_t pool) {
  const struct layer_norm_instance* instance = opaque;
  pthreadpool_parallelize_1d_tile_1d(pool, compute, opaque, instance->rows,
                                     elements_per_task / instance->state->channels + 1,
                                     PTHREADPOOL_FLAG_DISABLE_DENORMALS);
  return xnn_status_success;
}

const struct operator_type layer_norm_type = {
    .name = "layer normalization",
    .num_params = 3,
    .num_refs = 2,
    .create = create,
    .destroy = pyxnn_release,
    .instantiate = instantiate,
    .release = own_release,
    .reshape = reshape,
    .setup = setup,
    .run = run,
};
