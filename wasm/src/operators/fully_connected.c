#include <xnnpack/compute.h>
#include <xnnpack/operator.h>

#include "operator.h"
#include "sizes.h"

/* Bytes of weights that stay in the second-level cache while all rows go by. */
enum { weights_together = 1 << 18 };

static enum xnn_status create(struct words* params, const void* kernel, const void* bias, void** state) {
  const uint32_t in_channels = take(params);
  const uint32_t out_channels = take(params);
  const float min = take_float(params);
  const float max = take_float(params);
  const uint32_t flags = take(params) != 0 ? XNN_FLAG_TRANSPOSE_WEIGHTS : 0;
  return xnn_create_fully_connected_nc_f32(in_channels, out_channels, in_channels, out_channels, kernel, bias, min, max,
                                           flags, NULL, NULL, (xnn_operator_t*)state);
}

static void multiply(void* context, size_t column, size_t row, size_t columns, size_t rows) {
  xnn_compute_gemm(context, row, column, rows, columns);
}

/* XNNPACK takes some rows with all columns, then the next rows, so that it reads all weights again for every few rows. */
static void take_columns_in_turns(struct xnn_operator* op) {
  struct compute_parameters* compute = &op->compute[0];
  const size_t panel = op->ukernel.gemm.nr, panel_size = panel * op->group_input_channels * sizeof(float);
  const size_t columns = panel * larger(weights_together / panel_size, 1);
  const size_t rows = compute->range[0], rows_per_tile = compute->tile[0];
  compute->task_2d_tile_2d = multiply;
  compute->range[0] = compute->range[1];
  compute->range[1] = rows;
  compute->tile[0] = smaller(compute->tile[1], columns);
  compute->tile[1] = rows_per_tile;
}

static enum xnn_status reshape(void* instance, struct words* dims, size_t* workspace, pthreadpool_t pool) {
  const size_t rows = take(dims);
  const size_t in_stride = take(dims);
  const size_t out_stride = take(dims);
  enum xnn_status status = xnn_instance_set_strides(instance, in_stride, out_stride);
  if (status != xnn_status_success) {
    return status;
  }
  status = xnn_reshape_fully_connected_nc_f32(instance, rows, pool);
  if (status == xnn_status_success && rows != 0) {
    take_columns_in_turns(instance);
  }
  return status;
}

static enum xnn_status setup(void* instance, void* workspace, void* const* tensors) {
  return xnn_setup_fully_connected_nc_f32(instance, tensors[0], tensors[1]);
}

const struct operator_type fully_connected_type = {
    .name = "fully connected",
    .num_params = 5,
    .num_refs = 2,
    .create = create,
    .destroy = xnn_state_destroy,
    .reshape = reshape,
    .setup = setup,
    .run = xnn_instance_run,
};
