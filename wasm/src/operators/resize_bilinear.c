#include "operator.h"

static const uint32_t flags[] = {
    [pyxnn_half_pixel] = 0,
    [pyxnn_align_corners] = XNN_FLAG_ALIGN_CORNERS,
    [pyxnn_asymmetric] = XNN_FLAG_TENSORFLOW_LEGACY_MODE,
};

static enum xnn_status create(struct words* params, const float* kernel, const float* bias, void** state) {
  const size_t height = take(params);
  const size_t width = take(params);
  const uint32_t type = take(params);
  if (type >= sizeof(flags) / sizeof(flags[0])) {
    return xnn_status_invalid_parameter;
  }
  return xnn_create_resize_bilinear2d_nhwc_f32(height, width, flags[type], (xnn_operator_t*)state);
}

static enum xnn_status reshape(void* instance, struct words* dims, size_t* workspace, pthreadpool_t pool) {
  const size_t batch = take(dims);
  const size_t height = take(dims);
  const size_t width = take(dims);
  const size_t channels = take(dims);
  const size_t in_pixel_stride = take(dims);
  const size_t out_pixel_stride = take(dims);
  size_t alignment;
  return xnn_reshape_resize_bilinear2d_nhwc_f32(instance, batch, height, width, channels, in_pixel_stride,
                                                out_pixel_stride, workspace, &alignment, pool);
}

static enum xnn_status setup(void* instance, void* workspace, void* const* tensors) {
  return xnn_setup_resize_bilinear2d_nhwc_f32(instance, workspace, tensors[0], tensors[1]);
}

const struct operator_type resize_bilinear_type = {
    .name = "bilinear resize",
    .num_params = 3,
    .num_refs = 2,
    .create = create,
    .destroy = xnn_state_destroy,
    .instantiate = xnn_state_instantiate,
    .release = xnn_instance_release,
    .reshape = reshape,
    .setup = setup,
    .run = xnn_instance_run,
};
