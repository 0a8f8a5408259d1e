#include "operator.h"

static enum xnn_status create(struct words* params, const float* kernel, const float* bias, void** state) {
  (void)params;
  (void)kernel;
  (void)bias;
  return xnn_create_softmax_nc_f32(0, (xnn_operator_t*)state);
}

static enum xnn_status reshape(void* instance, struct words* dims, size_t* workspace, pthreadpool_t pool) {
  (void)workspace;
  const size_t rows = take(dims);
  const size_t channels = take(dims);
  const size_t in_stride = take(dims);
  const size_t out_stride = take(dims);
  return xnn_reshape_softmax_nc_f32(instance, channels, in_stride, out_stride, rows, pool);
}

static enum xnn_status setup(void* instance, void* workspace, void* const* tensors) {
  (void)workspace;
  return xnn_setup_softmax_nc_f32(instance, tensors[0], tensors[1]);
}

const struct operator_type softmax_type = {
    .name = "softmax",
    .num_params = 0,
    .num_refs = 2,
    .create = create,
    .destroy = xnn_state_destroy,
    .instantiate = xnn_state_instantiate,
    .release = xnn_instance_release,
    .reshape = reshape,
    .setup = setup,
    .run = xnn_instance_run,
};
