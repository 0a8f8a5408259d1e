#include "operator.h"

#include <xnnpack/compute.h>
#include <xnnpack/operator.h>

static const enum xnn_binary_operator operators[] = {
    [pyxnn_add] = xnn_binary_add,       [pyxnn_subtract] = xnn_binary_subtract, [pyxnn_multiply] = xnn_binary_multiply,
    [pyxnn_divide] = xnn_binary_divide, [pyxnn_maximum] = xnn_binary_maximum,   [pyxnn_minimum] = xnn_binary_minimum,
    [pyxnn_power] = xnn_binary_pow,     [pyxnn_prelu] = xnn_binary_prelu,
};

static enum xnn_status create(struct words* params, const void* kernel, const void* bias, void** state) {
  const uint32_t type = take(params);
  if (type >= sizeof(operators) / sizeof(operators[0])) {
    return xnn_status_invalid_parameter;
  }
  return xnn_create_binary_elementwise_nd(operators[type], xnn_datatype_fp32, NULL, NULL, NULL, 0,
                                          (xnn_operator_t*)state);
}

/* One task for each row, by the number of axes around the rows. */
static void set_task(struct compute_parameters* compute, uint32_t num_axes) {
  switch (num_axes) {
    case 1:
      compute->type = xnn_parallelization_type_1d;
      compute->task_1d = (pthreadpool_task_1d_t)xnn_compute_elementwise_binary_1d;
      break;
    case 2:
      compute->type = xnn_parallelization_type_2d;
      compute->task_2d = (pthreadpool_task_2d_t)xnn_compute_elementwise_binary_2d;
      break;
    case 3:
      compute->type = xnn_parallelization_type_3d;
      compute->task_3d = (pthreadpool_task_3d_t)xnn_compute_elementwise_binary_3d;
      break;
    case 4:
      compute->type = xnn_parallelization_type_4d;
      compute->task_4d = (pthreadpool_task_4d_t)xnn_compute_elementwise_binary_4d;
      break;
    default:
      compute->type = xnn_parallelization_type_5d;
      compute->task_5d = (pthreadpool_task_5d_t)xnn_compute_elementwise_binary_5d;
      break;
  }
}

static size_t row_extent(size_t stride, size_t extent) {
  return stride == 0 && extent > 1 ? 1 : extent;
}

/*
 * XNNPACK takes shapes of dense tensors only, but its loops have strides: it is told of one row, which chooses the kernel,
 * and the axes around it are put into what it made.
 */
static enum xnn_status reshape(void* instance, struct words* dims, size_t* workspace, pthreadpool_t pool) {
  const uint32_t num_dims = take(dims);
  const size_t* extents = take_extents(dims, num_dims);
  const size_t* strides_a = take_extents(dims, num_dims);
  const size_t* strides_b = take_extents(dims, num_dims);
  const size_t* strides_out = take_extents(dims, num_dims);
  if (dims->exhausted || num_dims == 0 || num_dims > XNN_MAX_TENSOR_DIMS) {
    return xnn_status_invalid_parameter;
  }
  const uint32_t num_axes = num_dims - 1;
  size_t rows = 1;
  for (uint32_t axis = 0; axis < num_axes; axis++) {
    rows *= extents[axis];
  }
  if (strides_a[num_axes] > 1 || strides_b[num_axes] > 1 || strides_out[num_axes] != 1) {
    return xnn_status_invalid_parameter;
  }
  const size_t row = rows == 0 ? 0 : extents[num_axes];
  const size_t row_a = row_extent(strides_a[num_axes], row);
  const size_t row_b = row_extent(strides_b[num_axes], row);
  if (row > 1 && row_a == 1 && row_b == 1) {
    return xnn_status_invalid_parameter;
  }
  const enum xnn_status status = xnn_reshape_binary_elementwise_nd(instance, 1, &row_a, 1, &row_b, pool);
  xnn_operator_t op = instance;
  if (status != xnn_status_success || op->state == xnn_run_state_skip || num_axes == 0) {
    return status;
  }
  struct elementwise_binary_context* context = &op->context.elementwise_binary;
  const size_t* strides_first = context->flip_a_b ? strides_b : strides_a;
  const size_t* strides_second = context->flip_a_b ? strides_a : strides_b;
  context->elements = row * sizeof(float);
  set_task(&op->compute[0], num_axes);
  for (uint32_t axis = 0; axis < num_axes; axis++) {
    const uint32_t place = XNN_MAX_TENSOR_DIMS - 1 - num_axes + axis;
    context->a_stride[place] = strides_first[axis] * sizeof(float);
    context->b_stride[place] = strides_second[axis] * sizeof(float);
    context->y_stride[place] = strides_out[axis] * sizeof(float);
    op->compute[0].range[axis] = extents[axis];
  }
  return status;
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
    .reshape = reshape,
    .setup = setup,
    .run = xnn_instance_run,
};
