#include "operator.h"

#include <xnnpack/operator.h>

static enum xnn_status create(struct words* params, const void* kernel, const void* bias, void** state) {
  switch (take(params)) {
    case 1:
      return xnn_create_transpose_nd_x8(0, (xnn_operator_t*)state);
    case 2:
      return xnn_create_transpose_nd_x16(0, (xnn_operator_t*)state);
    case 4:
      return xnn_create_transpose_nd_x32(0, (xnn_operator_t*)state);
    case 8:
      return xnn_create_transpose_nd_x64(0, (xnn_operator_t*)state);
    default:
      return xnn_status_invalid_parameter;
  }
}

static enum xnn_status reshape(void* instance, struct words* dims, size_t* workspace, pthreadpool_t pool) {
  const uint32_t num_dims = take(dims);
  const size_t* shape = take_extents(dims, num_dims);
  const size_t* permutation = take_extents(dims, num_dims);
  if (dims->exhausted || num_dims > XNN_MAX_TENSOR_DIMS) {
    return xnn_status_invalid_parameter;
  }
  switch (((const struct xnn_operator*)instance)->type) {
    case xnn_operator_type_transpose_nd_x8:
      return xnn_reshape_transpose_nd_x8(instance, num_dims, shape, permutation, pool);
    case xnn_operator_type_transpose_nd_x16:
      return xnn_reshape_transpose_nd_x16(instance, num_dims, shape, permutation, pool);
    case xnn_operator_type_transpose_nd_x32:
      return xnn_reshape_transpose_nd_x32(instance, num_dims, shape, permutation, pool);
    default:
      return xnn_reshape_transpose_nd_x64(instance, num_dims, shape, permutation, pool);
  }
}

static enum xnn_status setup(void* instance, void* workspace, void* const* tensors) {
  switch (((const struct xnn_operator*)instance)->type) {
    case xnn_operator_type_transpose_nd_x8:
      return xnn_setup_transpose_nd_x8(instance, tensors[0], tensors[1]);
    case xnn_operator_type_transpose_nd_x16:
      return xnn_setup_transpose_nd_x16(instance, tensors[0], tensors[1]);
    case xnn_operator_type_transpose_nd_x32:
      return xnn_setup_transpose_nd_x32(instance, tensors[0], tensors[1]);
    default:
      return xnn_setup_transpose_nd_x64(instance, tensors[0], tensors[1]);
  }
}

const struct operator_type transpose_type = {
    .name = "transpose",
    .num_params = 1,
    .num_refs = 2,
    .create = create,
    .destroy = xnn_state_destroy,
    .reshape = reshape,
    .setup = setup,
    .run = xnn_instance_run,
};
