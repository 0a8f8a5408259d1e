#include "operator.h"

#include <xnnpack/operator.h>

static enum xnn_status create(struct words* params, const float* kernel, const float* bias, xnn_operator_t* out) {
  (void)kernel;
  (void)bias;
  switch (take(params)) {
    case 1:
      return xnn_create_transpose_nd_x8(0, out);
    case 2:
      return xnn_create_transpose_nd_x16(0, out);
    case 4:
      return xnn_create_transpose_nd_x32(0, out);
    case 8:
      return xnn_create_transpose_nd_x64(0, out);
    default:
      return xnn_status_invalid_parameter;
  }
}

static enum xnn_status reshape(xnn_operator_t op, struct words* dims, size_t* workspace, pthreadpool_t pool) {
  (void)workspace;
  const uint32_t num_dims = take(dims);
  const size_t* shape = take_extents(dims, num_dims);
  const size_t* permutation = take_extents(dims, num_dims);
  if (dims->exhausted) {
    return xnn_status_invalid_parameter;
  }
  switch (op->type) {
    case xnn_operator_type_transpose_nd_x8:
      return xnn_reshape_transpose_nd_x8(op, num_dims, shape, permutation, pool);
    case xnn_operator_type_transpose_nd_x16:
      return xnn_reshape_transpose_nd_x16(op, num_dims, shape, permutation, pool);
    case xnn_operator_type_transpose_nd_x32:
      return xnn_reshape_transpose_nd_x32(op, num_dims, shape, permutation, pool);
    default:
      return xnn_reshape_transpose_nd_x64(op, num_dims, shape, permutation, pool);
  }
}

static enum xnn_status setup(xnn_operator_t op, void* workspace, void* const* tensors) {
  (void)workspace;
  switch (op->type) {
    case xnn_operator_type_transpose_nd_x8:
      return xnn_setup_transpose_nd_x8(op, tensors[0], tensors[1]);
    case xnn_operator_type_transpose_nd_x16:
      return xnn_setup_transpose_nd_x16(op, tensors[0], tensors[1]);
    case xnn_operator_type_transpose_nd_x32:
      return xnn_setup_transpose_nd_x32(op, tensors[0], tensors[1]);
    default:
      return xnn_setup_transpose_nd_x64(op, tensors[0], tensors[1]);
  }
}

const struct operator_type transpose_type = {
    .name = "transpose",
    .num_params = 1,
    .num_refs = 2,
    .create = create,
    .reshape = reshape,
    .setup = setup,
};
