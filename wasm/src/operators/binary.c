#include "operator.h"

static const enum xnn_binary_operator operators[] = {
    [pyxnn_add] = xnn_binary_add,       [pyxnn_subtract] = xnn_binary_subtract, [pyxnn_multiply] = xnn_binary_multiply,
    [pyxnn_divide] = xnn_binary_divide, [pyxnn_maximum] = xnn_binary_maximum,   [pyxnn_minimum] = xnn_binary_minimum,
    [pyxnn_power] = xnn_binary_pow,     [pyxnn_prelu] = xnn_binary_prelu,
};

static enum xnn_status create(struct words* params, const float* kernel, const float* bias, void** state) {
  const uint32_t type = take(params);
  if (type >= sizeof(operators) / sizeof(operators[0])) {
    return xnn_status_invalid_parameter;
  }
  return xnn_create_binary_elementwise_nd(operators[type], xnn_datatype_fp32, NULL, NULL, NULL, 0,
                                          (xnn_operator_t*)state);
}

static enum xnn_status reshape(void* instance, struct words* dims, size_t* workspace, pthreadpool_t pool) {
  const uint32_t num_dims_a = take(dims);
  const size_t* shape_a = take_extents(dims, num_dims_a);
  const uint32_t num_dims_b = take(dims);
  const size_t* shape_b = take_extents(dims, num_dims_b);
  if (dims->exhausted || num_dims_a > XNN_MAX_TENSOR_DIMS || num_dims_b > XNN_MAX_TENSOR_DIMS) {
    return xnn_status_invalid_parameter;
  }
  return xnn_reshape_binary_elementwise_nd(instance, num_dims_a, shape_a, num_dims_b, shape_b, pool);
}

static enum xnn_status setup(void* instance, void* workspace, void* const* tensors) {
  return xnn_setup_binary_elementwise_nd(instance, tensors[0], tensors[1], tensors[2]);
}

const struct operator_type binary_type = {
    .name = "binary elementwise",
    .num_params = 1,
    .num_refs = 3,
    .create = create,
    .destroy = xnn_state_destroy,
    .instantiate = xnn_state_instantiate,
    .release = xnn_instance_release,
    .reshape = reshape,
    .setup = setup,
    .run = xnn_instance_run,
};
