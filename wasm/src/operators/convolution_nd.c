/*
 * Convolution over up to three axes, its weights constant or computed, on XNNPACK's indirect matrix product: of each tile of
 * output pixels the pixels under the window are gathered as pointers, outside the image to zeros. With one channel a group
 * on both sides it is a sum by channel (kernels/taps.c).
 *
 * Packed weights: for each group and each `nr` output channels, their bias, then the weights of those channels by tap and
 * input channel. By channel: the weights by tap, then the bias.
 */
#include <string.h>
#include <xnnpack/config.h>
#include <xnnpack/microparams.h>
#include <xnnpack/pack.h>

#include "kernels/taps.h"
#include "memory.h"
#include "sizes.h"
#include "window.h"

/* So many multiply-adds are worth a task. */
enum { work_per_task = 1 << 18 };

struct convolution_nd_state {
  const struct xnn_gemm_config* config;
  union xnn_f32_minmax_params bounds;
  size_t taps, groups, in_channels, out_channels; /* channels of a group */
  float* packed;                                  /* NULL when weights are computed */
};

struct convolution_nd_instance {
  const struct convolution_nd_state* state;
  size_t batch;
  struct slide slides[window_axes];
  size_t out_steps[window_axes], out_batch_step; /* floats from one output to the next */
  size_t run_pixels, run_step;                   /* output pixels that lie `run_step` floats apart */
  size_t pixels_per_task, tasks_per_run;
  const float *input, *weights, *bias;
  float* output;
  char* workspace;
};

static bool is_by_channel(const struct convolution_nd_state* state) {
  return state->in_channels == 1 && state->out_channels == 1;
}

static size_t blocks_of(const struct convolution_nd_state* state) {
  return divide_up(state->out_channels, state->config->nr);
}

/* Floats of the weights of a block of output channels. */
static size_t block_size(const struct convolution_nd_state* state) {
  return state->config->nr * (1 + state->taps * state->in_channels);
}

static size_t packed_size(const struct convolution_nd_state* state) {
  return is_by_channel(state) ? state->groups * (state->taps + 1)
                              : state->groups * blocks_of(state) * block_size(state);
}

/* What packing needs; several threads share it out. */
struct packing {
  const struct convolution_nd_state* state;
  const float *kernel, *bias;
  float* packed;
};

static void pack_block(void* context, size_t group, size_t block) {
  const struct packing* packing = context;
  const struct convolution_nd_state* state = packing->state;
  const size_t nr = state->config->nr, first = block * nr, left = state->out_channels - first;
  const size_t row = group * state->out_channels + first;
  xnn_pack_f32_conv_goki_w(1, smaller(left, nr), state->taps, state->in_channels, nr, 1, 1,
                           packing->kernel + row * state->taps * state->in_channels,
                           packing->bias == NULL ? NULL : packing->bias + row, NULL,
                           packing->packed + (group * blocks_of(state) + block) * block_size(state), 0, NULL);
}

static void pack(struct packing* packing, pthreadpool_t pool) {
  const struct convolution_nd_state* state = packing->state;
  if (!is_by_channel(state)) {
    pthreadpool_parallelize_2d(pool, pack_block, packing, state->groups, blocks_of(state), 0);
    return;
  }
  const size_t channels = state->groups, taps = state->taps;
  for (size_t c = 0; c < channels; c++) {
    for (size_t t = 0; t < taps; t++) {
      packing->packed[t * channels + c] = packing->kernel[c * taps + t];
    }
    packing->packed[taps * channels + c] = packing->bias == NULL ? 0.0f : packing->bias[c];
  }
}

static bool take_state(struct words* params, struct convolution_nd_state* state) {
  *state = (struct convolution_nd_state){.config = xnn_init_f32_gemm_config()};
  state->taps = take(params);
  state->groups = take(params);
  state->in_channels = take(params);
  state->out_channels = take(params);
  const float min = take_float(params);
  state->config->init.f32(&state->bounds, min, take_float(params));
  return state->taps != 0 && state->groups != 0 && state->in_channels != 0 && state->out_channels != 0;
}

static enum xnn_status create_constant(struct words* params, const void* kernel, const void* bias, void** out) {
  struct convolution_nd_state state;
  if (!take_state(params, &state) || kernel == NULL) {
    return xnn_status_invalid_parameter;
  }
  state.packed = pyxnn_allocate_zero(packed_size(&state) * sizeof(float));
  if (state.packed == NULL) {
    return xnn_status_out_of_memory;
  }
  pack(&(struct packing){&state, kernel, bias, state.packed}, NULL);
  const enum xnn_status status = own_state(&state, sizeof(state), out);
  if (status != xnn_status_success) {
    pyxnn_release(state.packed);
  }
  return status;
}

static enum xnn_status create_computed(struct words* params, const void* kernel, const void* bias, void** out) {
  struct convolution_nd_state state;
  return take_state(params, &state) ? own_state(&state, sizeof(state), out) : xnn_status_invalid_parameter;
}

static void destroy(void* state) {
  pyxnn_release(((struct convolution_nd_state*)state)->packed);
  pyxnn_release(state);
}

/* The parts of the workspace, in bytes, each a multiple of 16: packed weights, a pixel of zeros, each thread's pointers. */
struct parts {
  size_t packed, zeros, pointers;
};

static struct parts parts_of(const struct convolution_nd_state* state) {
  const size_t pixel = is_by_channel(state) ? state->groups : state->in_channels;
  const size_t packed = state->packed == NULL ? packed_size(state) : 0;
  return (struct parts){
      .packed = rounded_up(packed * sizeof(float), 16),
      .zeros = rounded_up(pixel * sizeof(float) + XNN_EXTRA_BYTES, 16),
      .pointers = rounded_up(state->taps * state->config->mr * sizeof(void*), 16),
  };
}

/* Joins axes that lie in sequence in the output, from the innermost on. */
static void find_runs(struct convolution_nd_instance* instance) {
  const struct slide* slides = instance->slides;
  const size_t extents[] = {slides[1].out_extent, slides[0].out_extent, instance->batch};
  const size_t steps[] = {instance->out_steps[1], instance->out_steps[0], instance->out_batch_step};
  instance->run_pixels = slides[2].out_extent;
  instance->run_step = instance->out_steps[2];
  for (size_t i = 0; i < 3 && (extents[i] == 1 || steps[i] == instance->run_pixels * instance->run_step); i++) {
    instance->run_pixels *= extents[i];
  }
}

static enum xnn_status reshape(void* opaque, struct words* dims, size_t* workspace, pthreadpool_t pool) {
  struct convolution_nd_instance* instance = opaque;
  const struct convolution_nd_state* state = instance->state;
  instance->batch = take(dims);
  instance->out_batch_step = take(dims);
  size_t taps = 1;
  for (size_t axis = 0; axis < window_axes; axis++) {
    instance->slides[axis] = take_slide(dims);
    instance->out_steps[axis] = take(dims);
    taps *= instance->slides[axis].kernel;
  }
  if (taps != state->taps) {
    return xnn_status_invalid_parameter;
  }
  find_runs(instance);
  const size_t mr = is_by_channel(state) ? 1 : state->config->mr;
  const size_t work = taps * state->in_channels * state->out_channels * (is_by_channel(state) ? state->groups : 1);
  instance->pixels_per_task = (work_per_task / (work * mr + 1) + 1) * mr;
  instance->tasks_per_run = divide_up(instance->run_pixels, instance->pixels_per_task);
  const struct parts parts = parts_of(state);
  *workspace = parts.packed + parts.zeros + parts.pointers * pthreadpool_get_threads_count(pool);
  return xnn_status_success;
}

static enum xnn_status setup_constant(void* opaque, void* workspace, void* const* tensors) {
  struct convolution_nd_instance* instance = opaque;
  instance->input = tensors[0];
  instance->output = tensors[1];
  instance->workspace = workspace;
  return xnn_status_success;
}

static enum xnn_status setup_computed(void* opaque, void* workspace, void* const* tensors) {
  struct convolution_nd_instance* instance = opaque;
  instance->input = tensors[0];
  instance->weights = tensors[1];
  instance->bias = tensors[2];
  instance->output = tensors[3];
  instance->workspace = workspace;
  return xnn_status_success;
}

static const float* packed_weights(const struct convolution_nd_instance* instance) {
  return instance->state->packed != NULL ? instance->state->packed : (const float*)instance->workspace;
}

static float* zeros_of(const struct convolution_nd_instance* instance) {
  return (float*)(instance->workspace + parts_of(instance->state).packed);
}

/* A pixel of the output: image, then place along each axis. */
struct pixel {
  size_t image, at[window_axes];
};

static struct pixel pixel_of(const struct convolution_nd_instance* instance, size_t number) {
  struct pixel pixel;
  for (size_t axis = window_axes; axis-- > 0;) {
    const size_t extent = instance->slides[axis].out_extent;
    pixel.at[axis] = number % extent;
    number /= extent;
  }
  pixel.image = number;
  return pixel;
}

static float* output_of(const struct convolution_nd_instance* instance, size_t number) {
  const struct pixel pixel = pixel_of(instance, number);
  size_t offset = pixel.image * instance->out_batch_step;
  for (size_t axis = 0; axis < window_axes; axis++) {
    offset += pixel.at[axis] * instance->out_steps[axis];
  }
  return instance->output + offset;
}

/* Writes a pointer to each pixel under the window of one output pixel, `step` pointers apart. */
static void gather(const struct convolution_nd_instance* instance, size_t number, size_t channel, const float* zeros,
                   const float** pointers, size_t step) {
  const struct convolution_nd_state* state = instance->state;
  const struct slide* slides = instance->slides;
  const size_t channels = state->groups * state->in_channels;
  const struct pixel pixel = pixel_of(instance, number);
  ptrdiff_t starts[window_axes];
  for (size_t axis = 0; axis < window_axes; axis++) {
    starts[axis] = slides[axis].offset + slides[axis].stride * (ptrdiff_t)pixel.at[axis];
  }
  for (size_t d = 0; d < slides[0].kernel; d++) {
    const size_t plane = (size_t)(starts[0] + slides[0].dilation * (ptrdiff_t)d);
    for (size_t h = 0; h < slides[1].kernel; h++) {
      const size_t row = (size_t)(starts[1] + slides[1].dilation * (ptrdiff_t)h);
      const bool inside = plane < slides[0].extent && row < slides[1].extent;
      const size_t first = ((pixel.image * slides[0].extent + plane) * slides[1].extent + row) * slides[2].extent;
      for (size_t w = 0; w < slides[2].kernel; w++) {
        const size_t column = (size_t)(starts[2] + slides[2].dilation * (ptrdiff_t)w);
        *pointers =
            inside && column < slides[2].extent ? instance->input + (first + column) * channels + channel : zeros;
        pointers += step;
      }
    }
  }
}

/* Pixels of a task: of one run, of one group. */
static void compute(void* context, size_t thread, size_t group, size_t task) {
  const struct convolution_nd_instance* instance = context;
  const struct convolution_nd_state* state = instance->state;
  const struct parts parts = parts_of(state);
  const size_t mr = state->config->mr, run = task / instance->tasks_per_run;
  const float* zeros = zeros_of(instance);
  const float** pointers = (const float**)((char*)zeros + parts.zeros + thread * parts.pointers);
  const float* weights = packed_weights(instance) + group * blocks_of(state) * block_size(state);
  const size_t begin = task % instance->tasks_per_run * instance->pixels_per_task;
  const size_t rest = instance->run_pixels - begin;
  const size_t pixels = smaller(rest, instance->pixels_per_task);
  const size_t first = run * instance->run_pixels + begin;
  float* output = output_of(instance, first) + group * state->out_channels;
  for (size_t done = 0; done < pixels; done += mr) {
    const size_t count = smaller(pixels - done, mr);
    for (size_t i = 0; i < mr; i++) {
      const size_t number = first + done + (i < count ? i : count - 1);
      gather(instance, number, group * state->in_channels, zeros, pointers + i, mr);
    }
    state->config->minmax.igemm[mr - 1].function[XNN_UARCH_DEFAULT](
        count, state->out_channels, state->in_channels * sizeof(float), state->taps * mr * sizeof(void*),
        (const void**)pointers, weights, output + done * instance->run_step, instance->run_step * sizeof(float),
        state->config->nr * sizeof(float), 0, zeros, &state->bounds);
  }
}

static void compute_by_channel(void* context, size_t thread, size_t group, size_t task) {
  const struct convolution_nd_instance* instance = context;
  const struct convolution_nd_state* state = instance->state;
  const struct parts parts = parts_of(state);
  const size_t run = task / instance->tasks_per_run, channels = state->groups;
  const float* zeros = zeros_of(instance);
  const float** pointers = (const float**)((char*)zeros + parts.zeros + thread * parts.pointers);
  const float* weights = packed_weights(instance);
  const size_t begin = task % instance->tasks_per_run * instance->pixels_per_task;
  const size_t rest = instance->run_pixels - begin;
  const size_t pixels = smaller(rest, instance->pixels_per_task);
  const size_t first = run * instance->run_pixels + begin;
  float* output = output_of(instance, first);
  for (size_t i = 0; i < pixels; i++) {
    gather(instance, first + i, 0, zeros, pointers, 1);
    taps_sum(pointers, state->taps, weights, weights + state->taps * channels, output + i * instance->run_step,
             channels, state->bounds.scalar.min, state->bounds.scalar.max);
  }
}

static enum xnn_status run(void* opaque, pthreadpool_t pool) {
  const struct convolution_nd_instance* instance = opaque;
  const struct convolution_nd_state* state = instance->state;
  if (state->packed == NULL) {
    pack(&(struct packing){state, instance->weights, instance->bias, (float*)instance->workspace}, pool);
  }
  memset(zeros_of(instance), 0, parts_of(state).zeros);
  const size_t pixels = instance->batch * instance->slides[0].out_extent * instance->slides[1].out_extent *
                        instance->slides[2].out_extent;
  const size_t tasks = pixels / instance->run_pixels * instance->tasks_per_run;
  if (is_by_channel(state)) {
    pthreadpool_parallelize_2d_with_thread(pool, compute_by_channel, opaque, 1, tasks,
                                           PTHREADPOOL_FLAG_DISABLE_DENORMALS);
  } else {
    pthreadpool_parallelize_2d_with_thread(pool, compute, opaque, state->groups, tasks,
                                           PTHREADPOOL_FLAG_DISABLE_DENORMALS);
  }
  return xnn_status_success;
}

const struct operator_type convolution_nd_type = {
    .name = "convolution over three axes",
    .num_params = 6,
    .num_refs = 2,
    .create = create_constant,
    .destroy = destroy,
    .instance_size = sizeof(struct convolution_nd_instance),
    .reshape = reshape,
    .setup = setup_constant,
    .run = run,
};

const struct operator_type convolution_computed_type = {
    .name = "convolution with computed weights",
    .num_params = 6,
    .num_refs = 4,
    .create = create_computed,
    .destroy = destroy,
    .instance_size = sizeof(struct convolution_nd_instance),
    .reshape = reshape,
    .setup = setup_computed,
    .run = run,
};
