#include "operator.h"

struct image {
  size_t batch, height, width, channels, in_pixel_stride, out_pixel_stride;
};

static struct image take_image(struct words* dims) {
  struct image image;
  image.batch = take(dims);
  image.height = take(dims);
  image.width = take(dims);
  image.channels = take(dims);
  image.in_pixel_stride = take(dims);
  image.out_pixel_stride = take(dims);
  return image;
}

static enum xnn_status create_max(struct words* params, const float* kernel, const float* bias, void** state) {
  const struct window window = take_window(params);
  const uint32_t dilation_h = take(params);
  const uint32_t dilation_w = take(params);
  const float min = take_float(params);
  const float max = take_float(params);
  return xnn_create_max_pooling2d_nhwc_f32(window.pad_top, window.pad_right, window.pad_bottom, window.pad_left,
                                           window.kernel_h, window.kernel_w, window.stride_h, window.stride_w,
                                           dilation_h, dilation_w, min, max, 0, (xnn_operator_t*)state);
}

static enum xnn_status reshape_max(void* instance, struct words* dims, size_t* workspace, pthreadpool_t pool) {
  const struct image image = take_image(dims);
  return xnn_reshape_max_pooling2d_nhwc_f32(instance, image.batch, image.height, image.width, image.channels,
                                            image.in_pixel_stride, image.out_pixel_stride, NULL, NULL, pool);
}

static enum xnn_status setup_max(void* instance, void* workspace, void* const* tensors) {
  return xnn_setup_max_pooling2d_nhwc_f32(instance, tensors[0], tensors[1]);
}

const struct operator_type max_pool_type = {
    .name = "max pooling",
    .num_params = 12,
    .num_refs = 2,
    .create = create_max,
    .destroy = xnn_state_destroy,
    .instantiate = xnn_state_instantiate,
    .release = xnn_instance_release,
    .reshape = reshape_max,
    .setup = setup_max,
    .run = xnn_instance_run,
};

static enum xnn_status create_average(struct words* params, const float* kernel, const float* bias, void** state) {
  const struct window window = take_window(params);
  const uint32_t dilation_h = take(params);
  const uint32_t dilation_w = take(params);
  const float min = take_float(params);
  const float max = take_float(params);
  if (dilation_h != 1 || dilation_w != 1) {
    return xnn_status_unsupported_parameter;
  }
  return xnn_create_average_pooling2d_nhwc_f32(window.pad_top, window.pad_right, window.pad_bottom, window.pad_left,
                                               window.kernel_h, window.kernel_w, window.stride_h, window.stride_w, min,
                                               max, 0, (xnn_operator_t*)state);
}

static enum xnn_status reshape_average(void* instance, struct words* dims, size_t* workspace, pthreadpool_t pool) {
  const struct image image = take_image(dims);
  size_t alignment;
  return xnn_reshape_average_pooling2d_nhwc_f32(instance, image.batch, image.height, image.width, image.channels,
                                                image.in_pixel_stride, image.out_pixel_stride, workspace, &alignment,
                                                NULL, NULL, pool);
}

static enum xnn_status setup_average(void* instance, void* workspace, void* const* tensors) {
  return xnn_setup_average_pooling2d_nhwc_f32(instance, workspace, tensors[0], tensors[1]);
}

const struct operator_type average_pool_type = {
    .name = "average pooling",
    .num_params = 12,
    .num_refs = 2,
    .create = create_average,
    .destroy = xnn_state_destroy,
    .instantiate = xnn_state_instantiate,
    .release = xnn_instance_release,
    .reshape = reshape_average,
    .setup = setup_average,
    .run = xnn_instance_run,
};
