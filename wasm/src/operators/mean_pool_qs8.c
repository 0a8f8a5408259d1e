/* Means of windows over up to three axes of int8 images, on our own kernel (kernels/mean_pool_qs8.c). */
#include "kernels/mean_pool_qs8.h"

#include "sizes.h"
#include "window.h"

/* Enough work to be worth handing to a thread. */
enum { elements_per_task = 32768 };

struct mean_pool_qs8_state {
  int32_t in_zero;
  float factor;
  struct requantizer to;
};

struct mean_pool_qs8_instance {
  const struct mean_pool_qs8_state* state;
  size_t batch, channels;
  struct slide slides[window_axes];
  size_t counted_before[window_axes], counted_after[window_axes];
  const int8_t* input;
  int8_t* output;
};

static enum xnn_status create(struct words* params, const void* kernel, const void* bias, void** out) {
  struct mean_pool_qs8_state state = {.in_zero = (int32_t)take(params)};
  state.factor = take_float(params);
  const int32_t zero = (int32_t)take(params), min = (int32_t)take(params), max = (int32_t)take(params);
  state.to = requantizer_of((int8_t)zero, (int8_t)min, (int8_t)max, false);
  return own_state(&state, sizeof(state), out);
}

static enum xnn_status reshape(void* opaque, struct words* dims, size_t* workspace, pthreadpool_t pool) {
  struct mean_pool_qs8_instance* instance = opaque;
  instance->batch = take(dims);
  instance->channels = take(dims);
  size_t taps = 1;
  for (size_t axis = 0; axis < window_axes; axis++) {
    const struct slide slide = instance->slides[axis] = take_slide(dims);
    instance->counted_before[axis] = take(dims);
    instance->counted_after[axis] = take(dims);
    taps *= slide.kernel;
    if (slide.dilation < 1 || slide.stride < 1 || slide.kernel < 1 || slide.out_extent < 1) {
      return xnn_status_invalid_parameter;
    }
  }
  return instance->channels > 0 && taps <= mean_pool_most_taps ? xnn_status_success : xnn_status_invalid_parameter;
}

static enum xnn_status setup(void* opaque, void* workspace, void* const* tensors) {
  struct mean_pool_qs8_instance* instance = opaque;
  instance->input = tensors[0];
  instance->output = tensors[1];
  return xnn_status_success;
}

/* The windows of a row. */
static void compute_row(const struct mean_pool_qs8_instance* instance, size_t row) {
  const struct mean_pool_qs8_state* state = instance->state;
  const struct slide* slides = instance->slides;
  const size_t image = row / (slides[0].out_extent * slides[1].out_extent);
  const size_t out[] = {row / slides[1].out_extent % slides[0].out_extent, row % slides[1].out_extent};
  const ptrdiff_t channels = (ptrdiff_t)instance->channels;
  const ptrdiff_t row_stride = (ptrdiff_t)slides[2].extent * channels;
  const ptrdiff_t strides[] = {(ptrdiff_t)slides[1].extent * row_stride, row_stride, channels};
  int8_t* output = instance->output + row * slides[2].out_extent * instance->channels;
  for (size_t x = 0; x < slides[2].out_extent; x++, output += channels) {
    struct mean_pool_taps taps = {.first = instance->input + (ptrdiff_t)(image * slides[0].extent) * strides[0]};
    size_t inside = 1, counted = 1;
    for (size_t axis = 0; axis < window_axes; axis++) {
      const struct slide* slide = &slides[axis];
      const size_t at = axis < 2 ? out[axis] : x;
      const ptrdiff_t extent = (ptrdiff_t)slide->extent;
      const struct tap_range seen = taps_between(slide, at, 0, extent);
      const struct tap_range all = taps_between(slide, at, -(ptrdiff_t)instance->counted_before[axis],
                                                extent + (ptrdiff_t)instance->counted_after[axis]);
      inside *= taps.counts[axis] = seen.end - seen.begin;
      counted *= all.end - all.begin;
      taps.strides[axis] = slide->dilation * strides[axis];
      const ptrdiff_t first = slide->offset + slide->stride * (ptrdiff_t)at + slide->dilation * (ptrdiff_t)seen.begin;
      taps.first += first * strides[axis];
    }
    mean_pool_qs8(&taps, (int32_t)inside * state->in_zero, state->factor / (float)(counted > 0 ? counted : 1),
                  &state->to, output, instance->channels);
  }
}

static void compute(void* context, size_t begin, size_t count) {
  for (size_t row = begin; row < begin + count; row++) {
    compute_row(context, row);
  }
}

static enum xnn_status run(void* opaque, pthreadpool_t pool) {
  const struct mean_pool_qs8_instance* instance = opaque;
  const struct slide* slides = instance->slides;
  const size_t taps = slides[0].kernel * slides[1].kernel * slides[2].kernel;
  const size_t work = slides[2].out_extent * instance->channels * taps;
  const size_t rows = instance->batch * slides[0].out_extent * slides[1].out_extent;
  pthreadpool_parallelize_1d_tile_1d(pool, compute, opaque, rows, divide_up(elements_per_task, work), 0);
  return xnn_status_success;
}

const struct operator_type mean_pool_qs8_type = {
    .name = "mean pool of int8",
    .num_params = 5,
    .num_refs = 2,
    .create = create,
    .destroy = pyxnn_release,
    .instance_size = sizeof(struct mean_pool_qs8_instance),
    .reshape = reshape,
    .setup = setup,
    .run = run,
};
