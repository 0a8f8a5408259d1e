/* Softmax over rows on our own kernel (kernels/softmax.c). */
#include "kernels/softmax.h"

#include "operator.h"

/* Rows of about so many elements are one task. */
enum { elements_per_task = 4096 };

struct softmax_instance {
  const void* state; /* none */
  struct rows rows;
  const float* input;
  float* output;
};

static enum xnn_status create(struct words* params, const void* kernel, const void* bias, void** out) {
  *out = NULL;
  return xnn_status_success;
}

static enum xnn_status reshape(void* opaque, struct words* dims, size_t* workspace, pthreadpool_t pool) {
  struct softmax_instance* instance = opaque;
  instance->rows = take_rows(dims);
  return xnn_status_success;
}

static enum xnn_status setup(void* opaque, void* workspace, void* const* tensors) {
  struct softmax_instance* instance = opaque;
  instance->input = tensors[0];
  instance->output = tensors[1];
  return xnn_status_success;
}

static void compute(void* context, size_t start, size_t count) {
  const struct softmax_instance* instance = context;
  const struct rows* rows = &instance->rows;
  for (size_t row = start; row < start + count; row++) {
    softmax_row(pyxnn_softmax_itself, instance->input + row * rows->in_stride, rows->channels,
                instance->output + row * rows->out_stride);
  }
}

static enum xnn_status run(void* opaque, pthreadpool_t pool) {
  const struct rows* rows = &((struct softmax_instance*)opaque)->rows;
  pthreadpool_parallelize_1d_tile_1d(pool, compute, opaque, rows->count, elements_per_task / (rows->channels + 1) + 1,
                                     PTHREADPOOL_FLAG_DISABLE_DENORMALS);
  return xnn_status_success;
}

const struct operator_type softmax_type = {
    .name = "softmax",
    .num_params = 0,
    .num_refs = 2,
    .create = create,
    .destroy = pyxnn_release,
    .instance_size = sizeof(struct softmax_instance),
    .reshape = reshape,
    .setup = setup,
    .run = run,
};
