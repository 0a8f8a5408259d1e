#include "operator.h"

static const enum xnn_reduce_operator operators[] = {
    [pyxnn_sum] = xnn_reduce_sum,
    [pyxnn_mean] = xnn_reduce_mean,
};

static enum xnn_status create(struct words* params, const float* kernel, const float* bias, void** state) {
  const uint32_t type = take(params);
  if (type >= sizeof(operators) / sizeof(operators[0])) {
    return xnn_status_invalid_parameter;
  }
  return xnn_create_reduce_nd(operators[type], xnn_datatype_fp32, NULL, NULL, 0, (xnn_operator_t*)state);
}

static enum xnn_status reshape(void* instance, struct words* dims, size_t* workspace, pthreadpool_t pool) {
  const uint32_t num_axes = take(dims);
  if (num_axes > XNN_MAX_TENSOR_DIMS) {
    return xnn_status_invalid_parameter;
  }
  int64_t axes[XNN_MAX_TENSOR_DIMS];
  for (uint32_t i = 0; i < num_axes; i++) {
    axes[i] = take(dims);
  }
  const uint32_t num_dims = take(dims);
  const size_t* shape = take_extents(dims, num_dims);
  if (dims->exhausted || num_dims > XNN_MAX_TENSOR_DIMS) {
    return xnn_status_invalid_parameter;
  }
  /* XNNPACK asks for a workspace for every type, but takes one as an order to convert, which float32 has no kernel for. */
  size_t unneeded_workspace;
  size_t alignment;
  return xnn_reshape_reduce_nd(instance, num_axes, axes, num_dims, shape, &unneeded_workspace, &alignment, pool);
}

static enum xnn_status setup(void* instance, void* workspace, void* const* tensors) {
  return xnn_setup_reduce_nd(instance, NULL, tensors[0], tensors[1]);
}

const struct operator_type reduce_type = {
    .name = "reduce",
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
