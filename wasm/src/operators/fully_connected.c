#include "operator.h"

static enum xnn_status create(struct words* params, const void* kernel, const void* bias, void** state) {
  const uint32_t in_channels = take(params);
  const uint32_t out_channels = take(params);
  const float min = take_float(params);
  const float max = take_float(params);
  const uint32_t flags = take(params) != 0 ? XNN_FLAG_TRANSPOSE_WEIGHTS : 0;
  return xnn_create_fully_connected_nc_f32(in_channels, out_channels, in_channels, out_channels, kernel, bias, min, max,
                                           flags, NULL, NULL, (xnn_operator_t*)state);
}

static enum xnn_status reshape(void* instance, struct words* dims, size_t* workspace, pthreadpool_t pool) {
  const size_t rows = take(dims);
  const size_t in_stride = take(dims);
  const size_t out_stride = take(dims);
  const enum xnn_status status = xnn_instance_set_strides(instance, in_stride, out_stride);
  if (status != xnn_status_success) {
    return status;
  }
  return xnn_reshape_fully_connected_nc_f32(instance, rows, pool);
}

static enum xnn_status setup(void* instance, void* workspace, void* const* tensors) {
  return xnn_setup_fully_connected_nc_f32(instance, tensors[0], tensors[1]);
}

const struct operator_type fully_connected_type = {
    .name = "fully connected",
    .num_params = 5,
    .num_refs = 2,
    .create = create,
    .destroy = xnn_state_destroy,
    .reshape = reshape,
    .setup = setup,
    .run = xnn_instance_run,
};
