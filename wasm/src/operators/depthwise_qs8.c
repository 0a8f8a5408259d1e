/*
 * Depthwise convolution of int8, on our own kernel (kernels/depthwise_qs8.c). A task is a row of the output, or some channels
 * of one; of the rows under its windows it first lists where their pixels are, in a scratch of its thread.
 */
#include "kernels/depthwise_qs8.h"

#include <string.h>

#include "kernels/requantize.h"
#include "memory.h"
#include "operator.h"
#include "sizes.h"

/* With fewer tasks than these for each thread, where there are several, channels are shared out too. */
enum { tasks_per_thread = 4 };

struct depthwise_qs8_state {
  struct window window;
  uint32_t dilation_h, dilation_w;
  size_t channels;
  struct requantization requantization;
  int16_t* weights; /* what follows is in the same allocation */
  int32_t* bias;    /* less what the input's zero point adds to sums */
  float* multipliers;
  int8_t* zeros; /* a pixel of zero points */
  bool is_far;   /* requantize_is_far */
};

struct depthwise_qs8_instance {
  const struct depthwise_qs8_state* state;
  struct images images;
  size_t out_height, out_width;
  size_t columns; /* of the image, under a row of windows */
  size_t channels_per_task, channel_tasks;
  const int8_t* input;
  int8_t* output;
  char* workspace;
};

static enum xnn_status create(struct words* params, const void* kernel, const void* bias, void** out) {
  struct depthwise_qs8_state state = {.window = take_window(params)};
  state.dilation_h = take(params);
  state.dilation_w = take(params);
  state.channels = take(params);
  state.requantization = take_requantization(params);
  const struct window window = state.window;
  const size_t taps = (size_t)window.kernel_h * window.kernel_w;
  if (taps == 0 || window.stride_h == 0 || window.stride_w == 0 || state.channels == 0 || kernel == NULL ||
      bias == NULL) {
    return xnn_status_invalid_parameter;
  }
  const size_t channels = rounded_up(state.channels, depthwise_qs8_channels);
  const size_t weights = channels * depthwise_qs8_pairs(window.kernel_h, window.kernel_w) * 2;
  state.weights =
      pyxnn_allocate_zero(weights * sizeof(int16_t) + channels * (sizeof(int32_t) + sizeof(float) + sizeof(int8_t)));
  if (state.weights == NULL) {
    return xnn_status_out_of_memory;
  }
  state.bias = (int32_t*)(state.weights + weights);
  state.multipliers = (float*)(state.bias + channels);
  state.zeros = (int8_t*)(state.multipliers + channels);
  const int32_t* kernel_zeros = (const int32_t*)bias + 2 * state.channels;
  const int8_t zero = state.requantization.in_zero_point;
  depthwise_qs8_pack(kernel, state.channels, window.kernel_h, window.kernel_w, kernel_zeros, state.weights);
  memcpy(state.bias, bias, state.channels * sizeof(int32_t));
  memcpy(state.multipliers, (const float*)bias + state.channels, state.channels * sizeof(float));
  memset(state.zeros, zero, channels);
  state.is_far = requantize_is_far(taps, bias, state.multipliers, state.channels);
  for (size_t c = 0; c < state.channels; c++) {
    for (size_t tap = 0; tap < taps; tap++) {
      state.bias[c] -= (((const int8_t*)kernel)[c * taps + tap] - kernel_zeros[c]) * zero;
    }
  }
  const enum xnn_status status = own_state(&state, sizeof(state), out);
  if (status != xnn_status_success) {
    pyxnn_release(state.weights);
  }
  return status;
}

static void destroy(void* state) {
  pyxnn_release(((struct depthwise_qs8_state*)state)->weights);
  pyxnn_release(state);
}

static enum xnn_status reshape(void* opaque, struct words* dims, size_t* workspace, pthreadpool_t pool) {
  struct depthwise_qs8_instance* instance = opaque;
  const struct depthwise_qs8_state* state = instance->state;
  const struct window* window = &state->window;
  const struct images images = instance->images = take_images(dims);
  const size_t height = images.height + images.pad_top + images.pad_bottom;
  const size_t width = images.width + images.pad_left + images.pad_right;
  const size_t reach_h = state->dilation_h * (window->kernel_h - 1) + 1;
  const size_t reach_w = state->dilation_w * (window->kernel_w - 1) + 1;
  if (height < reach_h || width < reach_w || images.in_pixel_stride < state->channels ||
      images.out_pixel_stride < state->channels) {
    return xnn_status_invalid_parameter;
  }
  instance->out_height = (height - reach_h) / window->stride_h + 1;
  instance->out_width = (width - reach_w) / window->stride_w + 1;
  instance->columns = (instance->out_width - 1) * window->stride_w + reach_w;
  const size_t threads = pthreadpool_get_threads_count(pool), rows = images.batch * instance->out_height;
  const size_t parts = threads == 1 ? 1 : divide_up(threads * tasks_per_thread, rows);
  instance->channels_per_task = rounded_up(divide_up(state->channels, parts), depthwise_qs8_channels);
  instance->channel_tasks = divide_up(state->channels, instance->channels_per_task);
  *workspace = threads * window->kernel_h * instance->columns * sizeof(const int8_t*);
  return xnn_status_success;
}

static enum xnn_status setup(void* opaque, void* workspace, void* const* tensors) {
  struct depthwise_qs8_instance* instance = opaque;
  instance->input = tensors[0];
  instance->output = tensors[1];
  instance->workspace = workspace;
  return xnn_status_success;
}

/* Lists the pixels under the windows of a row of the output. */
static void list_pixels(const struct depthwise_qs8_instance* instance, size_t row, const int8_t** to) {
  const struct depthwise_qs8_state* state = instance->state;
  const struct images* images = &instance->images;
  const size_t image = row / instance->out_height;
  const ptrdiff_t top = (ptrdiff_t)(row % instance->out_height * state->window.stride_h) - (ptrdiff_t)images->pad_top;
  for (size_t tap = 0; tap < state->window.kernel_h; tap++) {
    const ptrdiff_t y = top + (ptrdiff_t)(tap * state->dilation_h);
    const bool inside = y >= 0 && y < (ptrdiff_t)images->height;
    const size_t line = (image * images->height + (size_t)y) * images->width;
    const int8_t* pixel = instance->input + line * images->in_pixel_stride;
    const size_t width = inside ? images->width : 0, columns = instance->columns, pad = images->pad_left;
    size_t column = 0;
    for (; column < columns && column < pad; column++) {
      *to++ = state->zeros;
    }
    for (; column < columns && column < pad + width; column++, pixel += images->in_pixel_stride) {
      *to++ = pixel;
    }
    for (; column < columns; column++) {
      *to++ = state->zeros;
    }
  }
}

static void compute(void* context, size_t thread, size_t row, size_t part) {
  const struct depthwise_qs8_instance* instance = context;
  const struct depthwise_qs8_state* state = instance->state;
  const size_t num_inputs = state->window.kernel_h * instance->columns;
  const int8_t** inputs = (const int8_t**)instance->workspace + thread * num_inputs;
  list_pixels(instance, row, inputs);
  const size_t channel = part * instance->channels_per_task, end = channel + instance->channels_per_task;
  depthwise_qs8(&(struct depthwise_qs8_row){
      .inputs = inputs,
      .columns = instance->columns,
      .kernel_h = state->window.kernel_h,
      .kernel_w = state->window.kernel_w,
      .stride = state->window.stride_w,
      .dilation = state->dilation_w,
      .weights = state->weights,
      .bias = state->bias,
      .multipliers = state->multipliers,
      .channel = channel,
      .channels = smaller(end, state->channels),
      .output = instance->output + row * instance->out_width * instance->images.out_pixel_stride,
      .output_stride = instance->images.out_pixel_stride,
      .pixels = instance->out_width,
      .zero_point = state->requantization.out_zero_point,
      .min = state->requantization.min,
      .max = state->requantization.max,
      .is_far = state->is_far,
  });
}

static enum xnn_status run(void* opaque, pthreadpool_t pool) {
  const struct depthwise_qs8_instance* instance = opaque;
  pthreadpool_parallelize_2d_with_thread(pool, compute, opaque, instance->images.batch * instance->out_height,
                                         instance->channel_tasks, PTHREADPOOL_FLAG_DISABLE_DENORMALS);
  return xnn_status_success;
}

const struct operator_type depthwise_qs8_type = {
    .name = "depthwise convolution of int8",
    .num_params = 11,
    .num_refs = 2,
    .create = create,
    .destroy = destroy,
    .instance_size = sizeof(struct depthwise_qs8_instance),
    .reshape = reshape,
    .setup = setup,
    .run = run,
};
