#include "operator.h"

static enum xnn_status create(struct words* params, const float* kernel, const float* bias, xnn_operator_t* out) {
  const uint32_t in_channels = take(params);
  const uint32_t out_channels = take(params);
  const uint32_t in_stride = take(params);
  const uint32_t out_stride = take(params);
  const float min = take_float(params);
  const float max = take_float(params);
  const uint32_t flags = take(params) != 0 ? XNN_FLAG_TRANSPOSE_WEIGHTS : 0;
  return xnn_create_fully_connected_nc_f32(in_channels, out_channels, in_stride, out_stride, kernel, bias, min, max,
                                           flags, NULL, NULL, out);
}

static enum xnn_status reshape(xnn_operator_t op, struct words* dims, size_t* workspace, pthreadpool_t pool) {
  (void)workspace;
  const size_t rows = take(dims);
  return xnn_reshape_fully_connected_nc_f32(op, rows, pool);
}

static enum xnn_status setup(xnn_operator_t op, void* workspace, void* const* tensors) {
  (void)workspace;
  return xnn_setup_fully_connected_nc_f32(op, tensors[0], tensors[1]);
}

const struct operator_type fully_connected_type = {
    .name = "fully connected",
    .num_params = 7,
    .num_refs = 2,
    .create = create,
    .reshape = reshape,
    .setup = setup,
};
