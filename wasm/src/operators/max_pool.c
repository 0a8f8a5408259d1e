#include "operator.h"

static enum xnn_status create(struct words* params, const float* kernel, const float* bias, void** state) {
  (void)kernel;
  (void)bias;
  const uint32_t pad_top = take(params);
  const uint32_t pad_right = take(params);
  const uint32_t pad_bottom = take(params);
  const uint32_t pad_left = take(params);
  const uint32_t kernel_h = take(params);
  const uint32_t kernel_w = take(params);
  const uint32_t stride_h = take(params);
  const uint32_t stride_w = take(params);
  const uint32_t dilation_h = take(params);
  const uint32_t dilation_w = take(params);
  const float min = take_float(params);
  const float max = take_float(params);
  return xnn_create_max_pooling2d_nhwc_f32(pad_top, pad_right, pad_bottom, pad_left, kernel_h, kernel_w, stride_h,
                                           stride_w, dilation_h, dilation_w, min, max, 0, (xnn_operator_t*)state);
}

static enum xnn_status reshape(void* instance, struct words* dims, size_t* workspace, pthreadpool_t pool) {
  (void)workspace;
  const size_t batch = take(dims);
  const size_t height = take(dims);
  const size_t width = take(dims);
  const size_t channels = take(dims);
  const size_t in_pixel_stride = take(dims);
  const size_t out_pixel_stride = take(dims);
  return xnn_reshape_max_pooling2d_nhwc_f32(instance, batch, height, width, channels, in_pixel_stride, out_pixel_stride, NULL,
                                            NULL, pool);
}

static enum xnn_status setup(void* instance, void* workspace, void* const* tensors) {
  (void)workspace;
  return xnn_setup_max_pooling2d_nhwc_f32(instance, tensors[0], tensors[1]);
}

const struct operator_type max_pool_type = {
    .name = "max pooling",
    .num_params = 12,
    .num_refs = 2,
    .create = create,
    .destroy = xnn_state_destroy,
    .instantiate = xnn_state_instantiate,
    .release = xnn_instance_release,
    .reshape = reshape,
    .setup = setup,
    .run = xnn_instance_run,
};
