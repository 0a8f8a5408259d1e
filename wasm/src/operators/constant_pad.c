#include "operator.h"

static enum xnn_status create(struct words* params, const float* kernel, const float* bias, xnn_operator_t* out) {
  (void)kernel;
  (void)bias;
  const uint32_t value = take(params);
  return xnn_create_constant_pad_nd_x32(&value, 0, out);
}

static enum xnn_status reshape(xnn_operator_t op, struct words* dims, size_t* workspace, pthreadpool_t pool) {
  (void)workspace;
  const uint32_t num_dims = take(dims);
  const size_t* shape = take_extents(dims, num_dims);
  const size_t* before = take_extents(dims, num_dims);
  const size_t* after = take_extents(dims, num_dims);
  if (dims->exhausted) {
    return xnn_status_invalid_parameter;
  }
  return xnn_reshape_constant_pad_nd_x32(op, num_dims, shape, before, after, pool);
}

static enum xnn_status setup(xnn_operator_t op, void* workspace, void* const* tensors) {
  (void)workspace;
  return xnn_setup_constant_pad_nd_x32(op, tensors[0], tensors[1]);
}

const struct operator_type constant_pad_type = {
    .name = "constant pad",
    .num_params = 1,
    .num_refs = 2,
    .create = create,
    .reshape = reshape,
    .setup = setup,
};
