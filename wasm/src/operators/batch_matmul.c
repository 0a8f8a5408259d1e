#include "operator.h"

static enum xnn_status create(struct words* params, const void* kernel, const void* bias, void** state) {
  const uint32_t flags = take(params) != 0 ? XNN_FLAG_TRANSPOSE_B : 0;
  return xnn_create_batch_matrix_multiply_nc_f32(flags, (xnn_operator_t*)state);
}

static enum xnn_status reshape(void* instance, struct words* dims, size_t* workspace, pthreadpool_t pool) {
  const uint32_t num_batch_dims = take(dims);
  const size_t* batch_dims_a = take_extents(dims, num_batch_dims);
  const size_t* batch_dims_b = take_extents(dims, num_batch_dims);
  const size_t m = take(dims);
  const size_t k = take(dims);
  const size_t n = take(dims);
  if (dims->exhausted) {
    return xnn_status_invalid_parameter;
  }
  size_t alignment;
  return xnn_reshape_batch_matrix_multiply_nc_f32(instance, num_batch_dims, batch_dims_a, batch_dims_b, m, k, n,
                                                  workspace, &alignment, pool);
}

static enum xnn_status setup(void* instance, void* workspace, void* const* tensors) {
  return xnn_setup_batch_matrix_multiply_nc_f32(instance, workspace, tensors[0], tensors[1], tensors[2]);
}

const struct operator_type batch_matmul_type = {
    .name = "batch matrix multiply",
    .num_params = 1,
    .num_refs = 3,
    .create = create,
    .destroy = xnn_state_destroy,
    .reshape = reshape,
    .setup = setup,
    .run = xnn_instance_run,
};
