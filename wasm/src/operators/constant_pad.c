#include <xnnpack/operator.h>

#include "operator.h"

static enum xnn_status create(struct words* params, const float* kernel, const float* bias, void** state) {
  const uint32_t element_size = take(params);
  const uint32_t value = take(params);
  switch (element_size) {
    case 1:
      return xnn_create_constant_pad_nd_x8(&value, 0, (xnn_operator_t*)state);
    case 2:
      return xnn_create_constant_pad_nd_x16(&value, 0, (xnn_operator_t*)state);
    case 4:
      return xnn_create_constant_pad_nd_x32(&value, 0, (xnn_operator_t*)state);
    default:
      return xnn_status_invalid_parameter;
  }
}

static enum xnn_status reshape(void* instance, struct words* dims, size_t* workspace, pthreadpool_t pool) {
  const uint32_t num_dims = take(dims);
  const size_t* shape = take_extents(dims, num_dims);
  const size_t* before = take_extents(dims, num_dims);
  const size_t* after = take_extents(dims, num_dims);
  if (dims->exhausted || num_dims > XNN_MAX_TENSOR_DIMS) {
    return xnn_status_invalid_parameter;
  }
  switch (((const struct xnn_operator*)instance)->type) {
    case xnn_operator_type_constant_pad_nd_x8:
      return xnn_reshape_constant_pad_nd_x8(instance, num_dims, shape, before, after, pool);
    case xnn_operator_type_constant_pad_nd_x16:
      return xnn_reshape_constant_pad_nd_x16(instance, num_dims, shape, before, after, pool);
    default:
      return xnn_reshape_constant_pad_nd_x32(instance, num_dims, shape, before, after, pool);
  }
}

static enum xnn_status setup(void* instance, void* workspace, void* const* tensors) {
  switch (((const struct xnn_operator*)instance)->type) {
    case xnn_operator_type_constant_pad_nd_x8:
      return xnn_setup_constant_pad_nd_x8(instance, tensors[0], tensors[1]);
    case xnn_operator_type_constant_pad_nd_x16:
      return xnn_setup_constant_pad_nd_x16(instance, tensors[0], tensors[1]);
    default:
      return xnn_setup_constant_pad_nd_x32(instance, tensors[0], tensors[1]);
  }
}

const struct operator_type constant_pad_type = {
    .name = "constant pad",
    .num_params = 2,
    .num_refs = 2,
    .create = create,
    .destroy = xnn_state_destroy,
    .instantiate = xnn_state_instantiate,
    .release = xnn_instance_release,
    .reshape = reshape,
    .setup = setup,
    .run = xnn_instance_run,
};
