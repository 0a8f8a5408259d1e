#include "operator.h"

static enum xnn_status create(struct words* params, const void* kernel, const void* bias, void** state) {
  const struct convolution conv = take_convolution(params);
  const struct window window = conv.window;
  const uint32_t pad = conv.padded != 0;
  const float min = take_float(params);
  const float max = take_float(params);
  return xnn_create_convolution2d_nhwc_f32(
      pad, pad, pad, pad, window.kernel_h, window.kernel_w, window.stride_h, window.stride_w, conv.dilation_h,
      conv.dilation_w, conv.groups, conv.group_in_channels, conv.group_out_channels,
      (size_t)conv.groups * conv.group_in_channels, (size_t)conv.groups * conv.group_out_channels, kernel, bias, min,
      max, 0, NULL, NULL, (xnn_operator_t*)state);
}

static enum xnn_status reshape(void* instance, struct words* dims, size_t* workspace, pthreadpool_t pool) {
  const struct images images = take_images(dims);
  const enum xnn_status status = xnn_instance_set_images(instance, &images);
  if (status != xnn_status_success) {
    return status;
  }
  size_t alignment;
  return xnn_reshape_convolution2d_nhwc_f32(instance, images.batch, images.height, images.width, workspace, &alignment,
                                            NULL, NULL, pool);
}

static enum xnn_status setup(void* instance, void* workspace, void* const* tensors) {
  return xnn_setup_convolution2d_nhwc_f32(instance, workspace, tensors[0], tensors[1]);
}

const struct operator_type convolution_type = {
    .name = "convolution",
    .num_params = 12,
    .num_refs = 2,
    .create = create,
    .destroy = xnn_state_destroy,
    .reshape = reshape,
    .setup = setup,
    .run = xnn_instance_run,
};
