#include "operator.h"

static enum xnn_status create(struct words* params, const float* kernel, const float* bias, void** state) {
  return xnn_create_copy_nc_x32(0, (xnn_operator_t*)state);
}

static enum xnn_status reshape(void* instance, struct words* dims, size_t* workspace, pthreadpool_t pool) {
  const struct rows rows = take_rows(dims);
  return xnn_reshape_copy_nc_x32(instance, rows.count, rows.channels, rows.in_stride, rows.out_stride, pool);
}

static enum xnn_status setup(void* instance, void* workspace, void* const* tensors) {
  return xnn_setup_copy_nc_x32(instance, tensors[0], tensors[1]);
}

const struct operator_type copy_type = {
    .name = "copy",
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
