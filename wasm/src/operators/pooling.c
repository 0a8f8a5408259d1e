/* Pools over up to three axes, on our own kernel (kernels/pooling.c). */
#include "kernels/pooling.h"

#include "window.h"

/* A multiple of four: so many channels of a row of windows are one task. */
enum { channels_per_task = 64 };

struct pooling_state {
  uint32_t type;
  float power, min, max;
};

struct pooling_instance {
  const struct pooling_state* state;
  size_t batch, channels, in_stride, out_stride; /* strides from pixel to pixel */
  struct slide slides[window_axes];
  /* How far beyond the image taps still count. */
  size_t counted_before[window_axes], counted_after[window_axes];
  const float* input;
  void* output;
};

static enum xnn_status create(struct words* params, const void* kernel, const void* bias, void** out) {
  const uint32_t type = take(params);
  if (type > pyxnn_pool_argmax_column_major) {
    return xnn_status_invalid_parameter;
  }
  struct pooling_state state = {.type = type};
  state.power = take_float(params);
  state.min = take_float(params);
  state.max = take_float(params);
  return own_state(&state, sizeof(state), out);
}

static enum xnn_status reshape(void* opaque, struct words* dims, size_t* workspace, pthreadpool_t pool) {
  struct pooling_instance* instance = opaque;
  instance->batch = take(dims);
  instance->channels = take(dims);
  instance->in_stride = take(dims);
  instance->out_stride = take(dims);
  for (size_t axis = 0; axis < window_axes; axis++) {
    instance->slides[axis] = take_slide(dims);
    instance->counted_before[axis] = take(dims);
    instance->counted_after[axis] = take(dims);
    if (instance->slides[axis].dilation < 1) {
      return xnn_status_invalid_parameter;
    }
  }
  return xnn_status_success;
}

static enum xnn_status setup(void* opaque, void* workspace, void* const* tensors) {
  struct pooling_instance* instance = opaque;
  instance->input = tensors[0];
  instance->output = tensors[1];
  return xnn_status_success;
}

/* Elements between neighbours along each axis. */
struct strides {
  ptrdiff_t of[window_axes];
};

/* When the last axis lies innermost, in pieces of `inner` elements. */
static struct strides row_major(const struct pooling_instance* instance, size_t inner) {
  struct strides strides;
  ptrdiff_t stride = (ptrdiff_t)inner;
  for (size_t axis = window_axes; axis-- > 0;) {
    strides.of[axis] = stride;
    stride *= (ptrdiff_t)instance->slides[axis].extent;
  }
  return strides;
}

/* When the first axis lies innermost. */
static struct strides column_major(const struct pooling_instance* instance) {
  struct strides strides;
  ptrdiff_t stride = 1;
  for (size_t axis = 0; axis < window_axes; axis++) {
    strides.of[axis] = stride;
    stride *= (ptrdiff_t)instance->slides[axis].extent;
  }
  return strides;
}

/* The window at a place along each axis. */
struct view {
  struct pooling_taps taps;
  /* Of the first tap inside the image. */
  ptrdiff_t position[window_axes];
  /* How many taps count. */
  size_t counted;
};

/* Narrows a window along one axis to what is inside the image. */
static void narrow(const struct pooling_instance* instance, size_t axis, size_t out, ptrdiff_t stride,
                   struct view* view) {
  const struct slide* slide = &instance->slides[axis];
  const ptrdiff_t extent = (ptrdiff_t)slide->extent;
  const struct tap_range inside = taps_between(slide, out, 0, extent);
  const size_t before = instance->counted_before[axis], after = instance->counted_after[axis];
  const struct tap_range counted =
      before == 0 && after == 0 ? inside : taps_between(slide, out, -(ptrdiff_t)before, extent + (ptrdiff_t)after);
  view->position[axis] = slide->offset + slide->stride * (ptrdiff_t)out + slide->dilation * (ptrdiff_t)inside.begin;
  view->taps.first += view->position[axis] * stride;
  view->taps.counts[axis] = inside.end - inside.begin;
  view->taps.strides[axis] = slide->dilation * stride;
  view->counted *= counted.end - counted.begin;
}

static void pool_window(const struct pooling_instance* instance, const struct view* view, size_t image, size_t at,
                        size_t channel, size_t count) {
  const struct pooling_state* state = instance->state;
  const size_t offset = at * instance->out_stride + channel;
  if (state->type == pyxnn_pool_argmax || state->type == pyxnn_pool_argmax_column_major) {
    const struct strides places = state->type == pyxnn_pool_argmax ? row_major(instance, 1) : column_major(instance);
    const int64_t step = (int64_t)instance->slides[0].extent * instance->slides[1].extent * instance->slides[2].extent;
    int64_t place = step * (int64_t)(image * instance->channels + channel);
    int32_t strides[window_axes];
    for (size_t axis = 0; axis < window_axes; axis++) {
      place += view->position[axis] * places.of[axis];
      strides[axis] = (int32_t)(instance->slides[axis].dilation * places.of[axis]);
    }
    pooling_argmax(&view->taps, place, strides, step, (int64_t*)instance->output + offset, count);
    return;
  }
  const struct pooling_result result = {
      .channels = count,
      .output = (float*)instance->output + offset,
      .factor = 1.0f / (float)(view->counted > 0 ? view->counted : 1),
      .power = state->power,
      .min = state->min,
      .max = state->max,
  };
  if (state->type == pyxnn_pool_maximum) {
    pooling_maximum(&view->taps, &result);
  } else if (state->type == pyxnn_pool_mean) {
    pooling_mean(&view->taps, &result);
  } else {
    pooling_norm(&view->taps, &result);
  }
}

/* Channels [channel, channel + count) of one row of windows. */
static void compute_row(void* context, size_t row, size_t channel, size_t count) {
  const struct pooling_instance* instance = context;
  const struct slide* slides = instance->slides;
  const struct strides strides = row_major(instance, instance->in_stride);
  const size_t image = row / (slides[0].out_extent * slides[1].out_extent);
  struct view rows = {.counted = 1};
  rows.taps.first = instance->input + image * slides[0].extent * (size_t)strides.of[0] + channel;
  narrow(instance, 0, row / slides[1].out_extent % slides[0].out_extent, strides.of[0], &rows);
  narrow(instance, 1, row % slides[1].out_extent, strides.of[1], &rows);
  for (size_t x = 0; x < slides[2].out_extent; x++) {
    struct view view = rows;
    narrow(instance, 2, x, strides.of[2], &view);
    pool_window(instance, &view, image, row * slides[2].out_extent + x, channel, count);
  }
}

static enum xnn_status run(void* opaque, pthreadpool_t pool) {
  const struct pooling_instance* instance = opaque;
  const size_t rows = instance->batch * instance->slides[0].out_extent * instance->slides[1].out_extent;
  pthreadpool_parallelize_2d_tile_1d(pool, compute_row, opaque, rows, instance->channels, channels_per_task,
                                     PTHREADPOOL_FLAG_DISABLE_DENORMALS);
  return xnn_status_success;
}

const struct operator_type pool_type = {
    .name = "pooling",
    .num_params = 4,
    .num_refs = 2,
    .create = create,
    .destroy = pyxnn_release,
    .instance_size = sizeof(struct pooling_instance),
    .reshape = reshape,
    .setup = setup,
    .run = run,
};
