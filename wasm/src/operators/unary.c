#include "operator.h"

static const enum xnn_unary_operator operators[] = {
    [pyxnn_clamp] = xnn_unary_clamp,
    [pyxnn_hardswish] = xnn_unary_hardswish,
    [pyxnn_abs] = xnn_unary_abs,
    [pyxnn_negate] = xnn_unary_negate,
    [pyxnn_square_root] = xnn_unary_square_root,
    [pyxnn_leaky_relu] = xnn_unary_leaky_relu,
    [pyxnn_floor] = xnn_unary_floor,
    [pyxnn_ceiling] = xnn_unary_ceiling,
    [pyxnn_round] = xnn_unary_bankers_rounding,
    [pyxnn_square] = xnn_unary_square,
};

static enum xnn_status create(struct words* params, const void* kernel, const void* bias, void** state) {
  const uint32_t type = take(params);
  const float p0 = take_float(params);
  const float p1 = take_float(params);
  if (type >= sizeof(operators) / sizeof(operators[0])) {
    return xnn_status_invalid_parameter;
  }
  /* The parameters of every operator begin at the same place of the union. */
  const union xnn_unary_params parameters = {.clamp = {.min = p0, .max = p1}};
  return xnn_create_unary_elementwise_nc(operators[type], xnn_datatype_fp32, xnn_datatype_fp32, &parameters, NULL, NULL,
                                         0, (xnn_operator_t*)state);
}

static enum xnn_status reshape(void* instance, struct words* dims, size_t* workspace, pthreadpool_t pool) {
  const struct rows rows = take_rows(dims);
  return xnn_reshape_unary_elementwise_nc(instance, rows.count, rows.channels, rows.in_stride, rows.out_stride, pool);
}

static enum xnn_status setup(void* instance, void* workspace, void* const* tensors) {
  return xnn_setup_unary_elementwise_nc(instance, tensors[0], tensors[1]);
}

const struct operator_type unary_type = {
    .name = "unary elementwise",
    .num_params = 3,
    .num_refs = 2,
    .create = create,
    .destroy = xnn_state_destroy,
    .reshape = reshape,
    .setup = setup,
    .run = xnn_instance_run,
};
