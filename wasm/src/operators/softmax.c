#include "operator.h"

static enum xnn_status create(struct words* params, const void* kernel, const void* bias, void** state) {
  return xnn_create_softmax_nc_f32(0, (xnn_operator_t*)state);
}

static enum xnn_status reshape(void* instance, struct words* dims, size_t* workspace, pthreadpool_t pool) {
  const struct rows rows = take_rows(dims);
  return xnn_reshape_softmax_nc_f32(instance, rows.channels, rows.in_stride, rows.out_stride, rows.count, pool);
}

static enum xnn_status setup(void* instance, void* workspace, void* const* tensors) {
  return xnn_setup_softmax_nc_f32(instance, tensors[0], tensors[1]);
}

const struct operator_type softmax_type = {
    .name = "softmax",
    .num_params = 0,
    .num_refs = 2,
    .create = create,
    .destroy = xnn_state_destroy,
    .reshape = reshape,
    .setup = setup,
    .run = xnn_instance_run,
};
