#include <xnnpack/operator.h>

#include "operator.h"

static enum xnn_status create(struct words* params, const void* kernel, const void* bias, void** state) {
  const struct convolution conv = take_convolution(params);
  const struct window window = conv.window;
  const float min = take_float(params);
  const float max = take_float(params);
  return xnn_create_deconvolution2d_nhwc_f32(
      0, 0, 0, 0, window.kernel_h, window.kernel_w, window.stride_h, window.stride_w, conv.dilation_h, conv.dilation_w,
      conv.groups, conv.group_in_channels, conv.group_out_channels, (size_t)conv.groups * conv.group_in_channels,
      (size_t)conv.groups * conv.group_out_channels, kernel, bias, min, max, 0, NULL, NULL, (xnn_operator_t*)state);
}

/* Whether XNNPACK can make the output: it counts pixels by phase of the stride, and phases without pixels as 2**32. */
static bool has_all_phases(const struct xnn_operator* op, size_t height, size_t width) {
  const size_t reach_h = op->stride_height * height + op->kernel_height - op->stride_height;
  const size_t reach_w = op->stride_width * width + op->kernel_width - op->stride_width;
  return reach_h >= op->padding_top + op->padding_bottom + op->stride_height &&
         reach_w >= op->padding_left + op->padding_right + op->stride_width;
}

static enum xnn_status reshape(void* instance, struct words* dims, size_t* workspace, pthreadpool_t pool) {
  const struct images images = take_images(dims);
  const enum xnn_status status = xnn_instance_set_images(instance, &images);
  if (status != xnn_status_success) {
    return status;
  }
  const struct xnn_operator* op = instance;
  if (op->subconvolution_buffer != NULL && !has_all_phases(op, images.height, images.width)) {
    return xnn_status_unsupported_parameter;
  }
  return xnn_reshape_deconvolution2d_nhwc_f32(instance, images.batch, images.height, images.width, 0, 0, NULL, NULL,
                                              pool);
}

static enum xnn_status setup(void* instance, void* workspace, void* const* tensors) {
  return xnn_setup_deconvolution2d_nhwc_f32(instance, tensors[0], tensors[1]);
}

const struct operator_type deconvolution_type = {
    .name = "deconvolution",
    .num_params = 12,
    .num_refs = 2,
    .create = create,
    .destroy = xnn_state_destroy,
    .reshape = reshape,
    .setup = setup,
    .run = xnn_instance_run,
};
