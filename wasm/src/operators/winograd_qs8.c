/*
 * Convolution of int8 by windows of 3x3 on minimal filtering (kernels/winograd_qs8.c).
 *
 * A task takes some strips of tiles, whatever image they are of, through some output channels: it transforms the pixels into
 * scratch memory of the thread's, which should stay in the second-level cache, then multiplies points by some output channels,
 * whose weights should stay in the first-level one for a run of strips.
 *
 * Packed weights: for each group and point, blocks of eight output channels as wide columns (kernels/byte_product.h).
 */
#include "kernels/winograd_qs8.h"

#include <string.h>

#include "kernels/byte_product.h"
#include "memory.h"
#include "sizes.h"
#include "tiles.h"
#include "window.h"

/* Tiles of a strip; strips whose sums are kept before they are transformed, and for how many output channels. */
enum { strip_tiles = product_rows, strips_at_once = 2, columns_at_once = 64 };

/* Transformed pixels of a thread take at most about so many bytes. */
enum { bytes_of_pixels = 1 << 18 };

/* A task's least, with more threads than one. */
enum { least_strips = strips_at_once, least_columns = 32 };

/* Sums are exact for so many input channels, whatever their numbers are. */
enum { most_channels = 896 };

struct winograd_qs8_state {
  size_t groups, in_channels, out_channels; /* channels of a group */
  struct requantization requantization;
  bool is_far;        /* requantize_is_far */
  int16_t* weights;   /* what follows is in the same allocation */
  int32_t* bias;      /* by packed column */
  float* multipliers; /* by packed column */
  int8_t* zeros;      /* a pixel of zero points */
};

struct winograd_qs8_instance {
  const struct winograd_qs8_state* state;
  struct tiles tiles;
  const int8_t* input;
  int8_t* output;
  char* workspace;
};

/* Output channels of a group as they are packed. */
static size_t packed_columns(const struct winograd_qs8_state* state) {
  return rounded_up(state->out_channels, product_columns);
}

/* Where a point of a group begins, counted in columns of one point. */
static size_t columns_before(const struct winograd_qs8_state* state, size_t group, size_t point) {
  return (group * winograd_qs8_points + point) * packed_columns(state);
}

static void pack(const struct winograd_qs8_state* state, const int8_t* kernel, const int32_t* zeros) {
  const size_t depth = state->in_channels, point_step = packed_columns(state) * depth;
  for (size_t group = 0; group < state->groups; group++) {
    for (size_t column = 0; column < state->out_channels; column++) {
      const size_t channel = group * state->out_channels + column, in_block = column % product_columns;
      int16_t* to =
          state->weights + columns_before(state, group, 0) * depth + (column - in_block) * depth + 2 * in_block;
      for (size_t c = 0; c < depth; c++) {
        winograd_qs8_transform_weights(kernel + channel * 9 * depth + c, depth, zeros[channel],
                                       to + c / 2 * 2 * product_columns + c % 2, point_step);
      }
    }
  }
}

static enum xnn_status create(struct words* params, const void* kernel, const void* bias, void** out) {
  const struct convolution conv = take_convolution(params);
  struct winograd_qs8_state state = {.groups = conv.groups};
  state.in_channels = conv.group_in_channels;
  state.out_channels = conv.group_out_channels;
  state.requantization = take_requantization(params);
  if (!are_tiles(&conv) || state.in_channels % winograd_qs8_channels != 0 || state.in_channels > most_channels) {
    return xnn_status_unsupported_parameter;
  }
  if (state.groups == 0 || state.in_channels == 0 || state.out_channels == 0 || kernel == NULL || bias == NULL) {
    return xnn_status_invalid_parameter;
  }
  const size_t columns = state.groups * packed_columns(&state), channels = state.groups * state.out_channels;
  const size_t weights = columns * winograd_qs8_points * state.in_channels;
  state.weights =
      pyxnn_allocate_zero(weights * sizeof(int16_t) + columns * (sizeof(int32_t) + sizeof(float)) + state.in_channels);
  if (state.weights == NULL) {
    return xnn_status_out_of_memory;
  }
  state.bias = (int32_t*)(state.weights + weights);
  state.multipliers = (float*)(state.bias + columns);
  state.zeros = (int8_t*)(state.multipliers + columns);
  const float* multipliers = (const float*)bias + channels;
  pack(&state, kernel, (const int32_t*)bias + 2 * channels);
  for (size_t group = 0; group < state.groups; group++) {
    const size_t from = group * state.out_channels, to = group * packed_columns(&state);
    memcpy(state.bias + to, (const int32_t*)bias + from, state.out_channels * sizeof(int32_t));
    memcpy(state.multipliers + to, multipliers + from, state.out_channels * sizeof(float));
  }
  memset(state.zeros, state.requantization.in_zero_point, state.in_channels);
  state.is_far = requantize_is_far(9 * state.in_channels, bias, multipliers, channels);
  const enum xnn_status status = own_state(&state, sizeof(state), out);
  if (status != xnn_status_success) {
    pyxnn_release(state.weights);
  }
  return status;
}

static void destroy(void* state) {
  pyxnn_release(((struct winograd_qs8_state*)state)->weights);
  pyxnn_release(state);
}

/* Numbers of a strip of tiles. */
static size_t strip_size(const struct winograd_qs8_state* state) {
  return winograd_qs8_points * strip_tiles * state->in_channels;
}

/* A thread's scratch: transformed pixels, and sums. */
struct scratch {
  int16_t* pixels;
  int32_t* sums;
};

/* Sums of a strip, [points, tiles, columns]. */
enum { sums_size = winograd_qs8_points * strip_tiles * columns_at_once };

static size_t strips_per_task(const struct winograd_qs8_instance* instance) {
  return instance->tiles.tiles_per_task / strip_tiles;
}

static size_t scratch_size(const struct winograd_qs8_instance* instance) {
  const size_t pixels = strip_size(instance->state) * sizeof(int16_t);
  return strips_per_task(instance) * pixels + strips_at_once * sums_size * sizeof(int32_t);
}

static struct scratch scratch_of(const struct winograd_qs8_instance* instance, size_t thread) {
  struct scratch scratch = {.pixels = (int16_t*)(instance->workspace + thread * scratch_size(instance))};
  scratch.sums = (int32_t*)(scratch.pixels + strips_per_task(instance) * strip_size(instance->state));
  return scratch;
}

static enum xnn_status reshape(void* opaque, struct words* dims, size_t* workspace, pthreadpool_t pool) {
  struct winograd_qs8_instance* instance = opaque;
  const struct winograd_qs8_state* state = instance->state;
  const enum xnn_status status =
      take_tiles(dims, state->groups, state->in_channels, state->out_channels, &instance->tiles);
  if (status != xnn_status_success || instance->tiles.count == 0) {
    return status;
  }
  const size_t threads = pthreadpool_get_threads_count(pool);
  const struct task_limits limits = {
      .strip_tiles = strip_tiles,
      .most_strips = larger(bytes_of_pixels / (strip_size(state) * sizeof(int16_t)), least_strips),
      .least_strips = least_strips,
      .block = product_columns,
      .least_columns = least_columns,
  };
  share_tiles(&instance->tiles, &limits, state->groups, threads);
  *workspace = threads * scratch_size(instance);
  return xnn_status_success;
}

static enum xnn_status setup(void* opaque, void* workspace, void* const* tensors) {
  struct winograd_qs8_instance* instance = opaque;
  instance->input = tensors[0];
  instance->output = tensors[1];
  instance->workspace = workspace;
  return xnn_status_success;
}

/* A strip's tile, of `tiles` that it has. */
static void transform_tile(const struct winograd_qs8_instance* instance, size_t group, const struct tile_place* place,
                           size_t tiles, int16_t* to) {
  const struct winograd_qs8_state* state = instance->state;
  const int8_t* input = instance->input + group * state->in_channels;
  size_t under[tile_points];
  pixels_under_tile(&instance->tiles, place, under);
  const int8_t* pixels[winograd_qs8_points];
  for (size_t i = 0; i < winograd_qs8_points; i++) {
    pixels[i] = under[i] == no_pixel ? state->zeros : input + under[i] * instance->tiles.images.in_pixel_stride;
  }
  winograd_qs8_transform_pixels(pixels, state->in_channels, state->requantization.in_zero_point, tiles, to,
                                tiles * state->in_channels);
}

/* Some output channels of some tiles, from the first of a strip on. */
static void compute_columns(const struct winograd_qs8_instance* instance, size_t group, size_t column, size_t columns,
                            size_t first, size_t tiles, int16_t* pixels, int32_t* sums) {
  const struct winograd_qs8_state* state = instance->state;
  const size_t depth = state->in_channels;
  const struct product_result result = {.type = product_int32};
  for (size_t point = 0; point < winograd_qs8_points; point++) {
    const size_t at = columns_before(state, group, point) + column;
    for (size_t done = 0; done < tiles; done += strip_tiles) {
      const size_t strip = done / strip_tiles, count = smaller(tiles - done, strip_tiles);
      product_compute(
          &(struct product_block){
              .rows = {.numbers = pixels + strip * strip_size(state) + point * count * depth,
                       .num_rows = count,
                       .tile_rows = count,
                       .depth = depth},
              .columns = state->weights + at * depth,
              .is_wide = true,
              .num_columns = rounded_up(columns, product_columns),
              .output = sums + strip * sums_size + point * strip_tiles * columns_at_once,
              .output_stride = columns_at_once,
          },
          &result);
    }
  }
  const struct requantization* by = &state->requantization;
  const struct requantizer requantizer = requantizer_of(by->out_zero_point, by->min, by->max, state->is_far);
  const size_t step = instance->tiles.images.out_pixel_stride;
  struct tile_place place = place_tile(&instance->tiles, first);
  for (size_t tile = 0; tile < tiles; tile++) {
    const struct tile_outputs made = outputs_of_tile(&instance->tiles, &place);
    const int32_t* from = sums + tile / strip_tiles * sums_size + tile % strip_tiles * columns_at_once;
    for (size_t block = 0; block < columns; block += product_columns) {
      const size_t packed = group * packed_columns(state) + column + block;
      winograd_qs8_transform_sums(
          from + block, strip_tiles * columns_at_once, &requantizer,
          &(struct winograd_qs8_outputs){
              .output = instance->output + made.pixel * step + group * state->out_channels + column + block,
              .row_step = instance->tiles.out_width * step,
              .pixel_step = step,
              .rows = made.rows,
              .pixels = made.columns,
              .columns = columns - block,
              .bias = state->bias + packed,
              .multipliers = state->multipliers + packed,
          });
    }
    advance_tile(&instance->tiles, &place);
  }
}

static void compute(void* context, size_t thread, size_t group, size_t number) {
  const struct winograd_qs8_instance* instance = context;
  const struct winograd_qs8_state* state = instance->state;
  const struct tiles_task task = take_task(&instance->tiles, number);
  const struct scratch scratch = scratch_of(instance, thread);
  struct tile_place place = place_tile(&instance->tiles, task.first);
  for (size_t tile = 0; tile < task.count; tile++) {
    const size_t strip = tile / strip_tiles, in_strip = tile % strip_tiles;
    transform_tile(instance, group, &place, smaller(task.count - strip * strip_tiles, strip_tiles),
                   scratch.pixels + strip * strip_size(state) + in_strip * product_depths);
    advance_tile(&instance->tiles, &place);
  }
  for (size_t column = task.channel; column < task.end; column += columns_at_once) {
    for (size_t done = 0; done < task.count; done += strips_at_once * strip_tiles) {
      const size_t strip = done / strip_tiles;
      compute_columns(instance, group, column, smaller(task.end - column, columns_at_once), task.first + done,
                      smaller(task.count - done, strips_at_once * strip_tiles),
                      scratch.pixels + strip * strip_size(state), scratch.sums);
    }
  }
}

static enum xnn_status run(void* opaque, pthreadpool_t pool) {
  const struct winograd_qs8_instance* instance = opaque;
  run_tiles(&instance->tiles, instance->state->groups, compute, opaque, pool);
  return xnn_status_success;
}

const struct operator_type winograd_qs8_type = {
    .name = "convolution of int8 by minimal filtering",
    .num_params = 14,
    .num_refs = 2,
    .create = create,
    .destroy = destroy,
    .instance_size = sizeof(struct winograd_qs8_instance),
    .reshape = reshape,
    .setup = setup,
    .run = run,
};
