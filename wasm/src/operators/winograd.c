/*
 * Convolution by windows of 3x3 on Winograd's minimal filtering (kernels/winograd.c).
 *
 * A task takes some strips of tiles, whatever image they are of, through some output channels: it transforms the pixels into
 * scratch memory of the thread's, which should stay in the second-level cache, then goes through the weights by eight
 * channels, which should stay in the first-level one for a run of strips.
 *
 * Packed weights: for each group and each eight output channels, [points, input channels rounded up to four, 8]; after
 * all of them the bias, each group's rounded up to eight, and as many zeros as a group has input channels.
 */
#include "kernels/winograd.h"

#include "memory.h"
#include "sizes.h"
#include "tiles.h"
#include "window.h"

/* Strips whose sums are kept before they are transformed: so often the weights of a point are gone through at once. */
enum { strips_at_once = 4 };

/* A task's least, with more threads than one. */
enum { least_strips = strips_at_once, least_columns = 32 };

struct winograd_state {
  size_t groups, in_channels, out_channels; /* channels of a group */
  float min, max;
  float* packed;
};

struct winograd_instance {
  const struct winograd_state* state;
  struct tiles tiles;
  const float* input;
  float* output;
  float* workspace;
};

/* Output channels of a group as they are packed. */
static size_t packed_columns(const struct winograd_state* state) {
  return rounded_up(state->out_channels, winograd_columns);
}

/* Floats of a point of eight output channels. */
static size_t point_size(const struct winograd_state* state) {
  return rounded_up(state->in_channels, 4) * winograd_columns;
}

/* The weights of a group from an output channel on, a multiple of eight. */
static float* weights_at(const struct winograd_state* state, size_t group, size_t column) {
  return state->packed +
         (group * packed_columns(state) + column) / winograd_columns * winograd_points * point_size(state);
}

static float* bias_at(const struct winograd_state* state, size_t group) {
  return weights_at(state, state->groups, 0) + group * packed_columns(state);
}

static const float* zeros_of(const struct winograd_state* state) {
  return bias_at(state, state->groups);
}

static void pack(const struct winograd_state* state, const float* kernel, const float* bias) {
  for (size_t group = 0; group < state->groups; group++) {
    for (size_t column = 0; column < state->out_channels; column++) {
      const size_t channel = group * state->out_channels + column;
      const float* taps = kernel + channel * 9 * state->in_channels;
      float* to = weights_at(state, group, column / winograd_columns * winograd_columns) + column % winograd_columns;
      for (size_t c = 0; c < state->in_channels; c++) {
        winograd_transform_weights(taps + c, state->in_channels, to + c * winograd_columns, point_size(state));
      }
      bias_at(state, group)[column] = bias != NULL ? bias[channel] : 0.0f;
    }
  }
}

static enum xnn_status create(struct words* params, const void* kernel, const void* bias, void** out) {
  const struct convolution conv = take_convolution(params);
  struct winograd_state state = {.groups = conv.groups};
  state.in_channels = conv.group_in_channels;
  state.out_channels = conv.group_out_channels;
  state.min = take_float(params);
  state.max = take_float(params);
  if (!are_tiles(&conv) || winograd_strip_size(state.in_channels) > winograd_strip_room) {
    return xnn_status_unsupported_parameter;
  }
  if (state.groups == 0 || state.in_channels == 0 || state.out_channels == 0 || kernel == NULL) {
    return xnn_status_invalid_parameter;
  }
  const size_t columns = packed_columns(&state) / winograd_columns;
  const size_t weights = state.groups * columns * (winograd_points * point_size(&state) + winograd_columns);
  state.packed = pyxnn_allocate_zero((weights + state.in_channels) * sizeof(float));
  if (state.packed == NULL) {
    return xnn_status_out_of_memory;
  }
  pack(&state, kernel, bias);
  const enum xnn_status status = own_state(&state, sizeof(state), out);
  if (status != xnn_status_success) {
    pyxnn_release(state.packed);
  }
  return status;
}

static void destroy(void* state) {
  pyxnn_release(((struct winograd_state*)state)->packed);
  pyxnn_release(state);
}

/* Floats of a thread's scratch: transformed pixels, sums. */
enum { pixels_size = winograd_points * winograd_point_step };
enum { scratch_size = pixels_size + strips_at_once * winograd_sums_size };

static enum xnn_status reshape(void* opaque, struct words* dims, size_t* workspace, pthreadpool_t pool) {
  struct winograd_instance* instance = opaque;
  const struct winograd_state* state = instance->state;
  const enum xnn_status status =
      take_tiles(dims, state->groups, state->in_channels, state->out_channels, &instance->tiles);
  if (status != xnn_status_success || instance->tiles.count == 0) {
    return status;
  }
  const size_t threads = pthreadpool_get_threads_count(pool);
  const struct task_limits limits = {
      .strip_tiles = winograd_tiles,
      .most_strips = winograd_strip_room / winograd_strip_size(state->in_channels),
      .least_strips = least_strips,
      .block = winograd_columns,
      .least_columns = least_columns,
  };
  share_tiles(&instance->tiles, &limits, state->groups, threads);
  *workspace = threads * scratch_size * sizeof(float);
  return xnn_status_success;
}

static enum xnn_status setup(void* opaque, void* workspace, void* const* tensors) {
  struct winograd_instance* instance = opaque;
  instance->input = tensors[0];
  instance->output = tensors[1];
  instance->workspace = workspace;
  return xnn_status_success;
}

static void transform_tile(const struct winograd_instance* instance, size_t group, const struct tile_place* place,
                           float* to) {
  const struct winograd_state* state = instance->state;
  const float* input = instance->input + group * state->in_channels;
  size_t under[tile_points];
  pixels_under_tile(&instance->tiles, place, under);
  const float* pixels[winograd_points];
  for (size_t i = 0; i < winograd_points; i++) {
    pixels[i] = under[i] == no_pixel ? zeros_of(state) : input + under[i] * instance->tiles.images.in_pixel_stride;
  }
  winograd_transform_pixels(pixels, state->in_channels, to);
}

/* Eight output channels of some tiles, from the first of a strip on. */
static void compute_columns(const struct winograd_instance* instance, size_t group, size_t column, size_t first,
                            size_t tiles, const float* pixels, float* sums) {
  const struct winograd_state* state = instance->state;
  const size_t strip_size = winograd_strip_size(state->in_channels);
  const size_t whole = tiles / winograd_tiles, left = tiles % winograd_tiles;
  const float* weights = weights_at(state, group, column);
  if (whole != 0) {
    winograd_multiply_tiles[winograd_tiles - 1](state->in_channels, whole, pixels, weights, sums);
  }
  if (left != 0) {
    winograd_multiply_tiles[left - 1](state->in_channels, 1, pixels + whole * strip_size, weights,
                                      sums + whole * winograd_sums_size);
  }
  const size_t step = instance->tiles.images.out_pixel_stride;
  struct winograd_outputs outputs = {
      .row_step = instance->tiles.out_width * step,
      .pixel_step = step,
      .columns = state->out_channels - column,
      .bias = bias_at(state, group) + column,
      .min = state->min,
      .max = state->max,
  };
  float* output = instance->output + group * state->out_channels + column;
  struct tile_place place = place_tile(&instance->tiles, first);
  for (size_t tile = 0; tile < tiles; tile++) {
    const struct tile_outputs made = outputs_of_tile(&instance->tiles, &place);
    outputs.output = output + made.pixel * step;
    outputs.rows = made.rows;
    outputs.pixels = made.columns;
    winograd_transform_sums(
        sums + tile / winograd_tiles * winograd_sums_size + tile % winograd_tiles * winograd_columns, &outputs);
    advance_tile(&instance->tiles, &place);
  }
}

static void compute(void* context, size_t thread, size_t group, size_t number) {
  const struct winograd_instance* instance = context;
  const struct tiles_task task = take_task(&instance->tiles, number);
  const size_t strip_size = winograd_strip_size(instance->state->in_channels);
  float* pixels = instance->workspace + thread * scratch_size;
  struct tile_place place = place_tile(&instance->tiles, task.first);
  for (size_t tile = 0; tile < task.count; tile++) {
    float* strip = pixels + tile / winograd_tiles * strip_size;
    transform_tile(instance, group, &place, strip + tile % winograd_tiles * 4);
    advance_tile(&instance->tiles, &place);
  }
  for (size_t column = task.channel; column < task.end; column += winograd_columns) {
    for (size_t done = 0; done < task.count; done += strips_at_once * winograd_tiles) {
      compute_columns(instance, group, column, task.first + done,
                      smaller(task.count - done, strips_at_once * winograd_tiles),
                      pixels + done / winograd_tiles * strip_size, pixels + pixels_size);
    }
  }
}

static enum xnn_status run(void* opaque, pthreadpool_t pool) {
  const struct winograd_instance* instance = opaque;
  run_tiles(&instance->tiles, instance->state->groups, compute, opaque, pool);
  return xnn_status_success;
}

const struct operator_type winograd_type = {
    .name = "convolution by minimal filtering",
    .num_params = 12,
    .num_refs = 2,
    .create = create,
    .destroy = destroy,
    .instance_size = sizeof(struct winograd_instance),
    .reshape = reshape,
    .setup = setup,
    .run = run,
};
