/* Functions of bytes by a table, on XNNPACK's kernel. */
#include <string.h>
#include <xnnpack/config.h>

#include "operator.h"

/* Enough work to be worth handing to a thread, little enough for the threads to share evenly. */
enum { elements_per_task = 16384 };

struct lookup_state {
  xnn_x8_lut_ukernel_fn kernel;
  uint8_t table[256];
};

struct lookup_instance {
  const struct lookup_state* state;
  struct rows rows;
  const uint8_t* input;
  uint8_t* output;
};

static enum xnn_status create(struct words* params, const void* kernel, const void* bias, void** out) {
  const struct xnn_x8_lut_config* config = xnn_init_x8_lut_config();
  if (config == NULL) {
    return xnn_status_unsupported_hardware;
  }
  if (kernel == NULL) {
    return xnn_status_invalid_parameter;
  }
  struct lookup_state state = {.kernel = config->microkernel};
  memcpy(state.table, kernel, sizeof(state.table));
  return own_state(&state, sizeof(state), out);
}

static enum xnn_status reshape(void* opaque, struct words* dims, size_t* workspace, pthreadpool_t pool) {
  struct lookup_instance* instance = opaque;
  instance->rows = take_rows(dims);
  return fold_rows(&instance->rows) ? xnn_status_success : xnn_status_invalid_parameter;
}

static enum xnn_status setup(void* opaque, void* workspace, void* const* tensors) {
  struct lookup_instance* instance = opaque;
  instance->input = tensors[0];
  instance->output = tensors[1];
  return xnn_status_success;
}

static void compute(void* context, size_t row, size_t channel, size_t rows, size_t channels) {
  const struct lookup_instance* instance = context;
  const struct lookup_state* state = instance->state;
  const struct rows* shape = &instance->rows;
  for (size_t r = row; r < row + rows; r++) {
    state->kernel(channels, instance->input + r * shape->in_stride + channel,
                  instance->output + r * shape->out_stride + channel, state->table);
  }
}

static enum xnn_status run(void* opaque, pthreadpool_t pool) {
  const struct lookup_instance* instance = opaque;
  const size_t channels = instance->rows.channels;
  pthreadpool_parallelize_2d_tile_2d(pool, compute, opaque, instance->rows.count, channels,
                                     elements_per_task / (channels + 1) + 1, elements_per_task, 0);
  return xnn_status_success;
}

const struct operator_type lookup_type = {
    .name = "lookup",
    .num_params = 0,
    .num_refs = 2,
    .create = create,
    .destroy = pyxnn_release,
    .instance_size = sizeof(struct lookup_instance),
    .reshape = reshape,
    .setup = setup,
    .run = run,
};
