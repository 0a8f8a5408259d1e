#include "operator.h"

static enum xnn_status create(struct words* params, const float* kernel, const float* bias, void** state) {
  return xnn_create_slice_nd_x32(0, (xnn_operator_t*)state);
}

static enum xnn_status reshape(void* instance, struct words* dims, size_t* workspace, pthreadpool_t pool) {
  const uint32_t num_dims = take(dims);
  const size_t* shape = take_extents(dims, num_dims);
  const size_t* offsets = take_extents(dims, num_dims);
  const size_t* sizes = take_extents(dims, num_dims);
  if (dims->exhausted || num_dims > XNN_MAX_TENSOR_DIMS) {
    return xnn_status_invalid_parameter;
  }
  return xnn_reshape_slice_nd_x32(instance, num_dims, shape, offsets, sizes, pool);
}

static enum xnn_status setup(void* instance, void* workspace, void* const* tensors) {
  return xnn_setup_slice_nd_x32(instance, tensors[0], tensors[1]);
}

const struct operator_type slice_type = {
    .name = "slice",
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
