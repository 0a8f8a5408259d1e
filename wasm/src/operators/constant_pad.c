#include "operator.h"

static enum xnn_status create(struct words* params, const float* kernel, const float* bias, void** state) {
  const uint32_t value = take(params);
  return xnn_create_constant_pad_nd_x32(&value, 0, (xnn_operator_t*)state);
}

static enum xnn_status reshape(void* instance, struct words* dims, size_t* workspace, pthreadpool_t pool) {
  const uint32_t num_dims = take(dims);
  const size_t* shape = take_extents(dims, num_dims);
  const size_t* before = take_extents(dims, num_dims);
  const size_t* after = take_extents(dims, num_dims);
  if (dims->exhausted || num_dims > XNN_MAX_TENSOR_DIMS) {
    return xnn_status_invalid_parameter;
  }
  return xnn_reshape_constant_pad_nd_x32(instance, num_dims, shape, before, after, pool);
}

static enum xnn_status setup(void* instance, void* workspace, void* const* tensors) {
  return xnn_setup_constant_pad_nd_x32(instance, tensors[0], tensors[1]);
}

const struct operator_type constant_pad_type = {
    .name = "constant pad",
    .num_params = 1,
    .num_refs = 2,
    .create = create,
    .destroy = xnn_state_destroy,
    .instantiate = xnn_state_instantiate,
    .release = xnn_instance_release,
    .reshape = reshape,
    .setup = setup,
    .run = xnn_instance_run,
};
