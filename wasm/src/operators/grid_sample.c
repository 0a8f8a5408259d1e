/* Images sampled where a grid says: the pixels around each place and their weights, then their sum (kernels/taps.c). */
#include <math.h>

#include "kernels/taps.h"
#include "window.h"

/* About so many products are one task. */
enum { products_per_task = 16384 };

/* The most neighbours along an axis: those of a cubic. */
enum { max_neighbours = 4 };

struct grid_sample_state {
  uint32_t mode, padding, coordinates;
};

struct grid_sample_instance {
  const struct grid_sample_state* state;
  size_t batch, channels, places, rank;
  size_t extents[window_axes];
  const float *input, *grid;
  float* output;
};

static enum xnn_status create(struct words* params, const void* kernel, const void* bias, void** out) {
  struct grid_sample_state state = {.mode = take(params)};
  state.padding = take(params);
  state.coordinates = take(params);
  if (state.mode > pyxnn_sample_cubic || state.padding > pyxnn_padding_reflection ||
      state.coordinates > pyxnn_coordinates_pixels) {
    return xnn_status_invalid_parameter;
  }
  return own_state(&state, sizeof(state), out);
}

static enum xnn_status reshape(void* opaque, struct words* dims, size_t* workspace, pthreadpool_t pool) {
  struct grid_sample_instance* instance = opaque;
  instance->batch = take(dims);
  instance->channels = take(dims);
  for (size_t axis = 0; axis < window_axes; axis++) {
    instance->extents[axis] = take(dims);
  }
  instance->places = take(dims);
  instance->rank = take(dims);
  return instance->rank >= 1 && instance->rank <= window_axes ? xnn_status_success : xnn_status_invalid_parameter;
}

static enum xnn_status setup(void* opaque, void* workspace, void* const* tensors) {
  struct grid_sample_instance* instance = opaque;
  instance->input = tensors[0];
  instance->grid = tensors[1];
  instance->output = tensors[2];
  return xnn_status_success;
}

/* A place outside [low, high] thrown back at the borders until it is inside. */
static float reflect(float at, float low, float high) {
  const float range = high - low;
  if (range <= 0.0f || (at >= low && at <= high)) {
    return range <= 0.0f ? low : at;
  }
  const float way = at < low ? low - at : at - high;
  const float turns = floorf(way / range);
  const float rest = way - turns * range;
  return (at < low) == (fmodf(turns, 2.0f) == 0.0f) ? low + rest : high - rest;
}

/* What lies within an image of `extent` pixels along an axis, in pixels. */
struct borders {
  float low, high;
};

static struct borders borders_of(const struct grid_sample_state* state, size_t extent) {
  const float half = state->coordinates == pyxnn_coordinates_borders ? 0.5f : 0.0f;
  return (struct borders){-half, (float)extent - 1.0f + half};
}

/* The pixel along an axis that stands for one which may be outside, -1 for none. */
static ptrdiff_t pixel_at(const struct grid_sample_state* state, float at, size_t extent) {
  const float last = (float)extent - 1.0f;
  if (at >= 0.0f && at <= last) {
    return (ptrdiff_t)at;
  }
  if (state->padding == pyxnn_padding_zeros || at != at) {
    return -1;
  }
  if (state->padding == pyxnn_padding_reflection) {
    const struct borders borders = borders_of(state, extent);
    at = reflect(at, borders.low, borders.high);
  }
  return (ptrdiff_t)fminf(fmaxf(at, 0.0f), last);
}

/* The neighbours of a place along an axis. */
struct neighbours {
  size_t count;
  ptrdiff_t pixels[max_neighbours];
  float weights[max_neighbours];
};

static struct neighbours neighbours_of(const struct grid_sample_state* state, float at, size_t extent) {
  struct neighbours found;
  const float floor = floorf(at), x = at - floor;
  float first = floor;
  if (state->mode == pyxnn_sample_nearest) {
    first = nearbyintf(at);
    found.count = 1;
    found.weights[0] = 1.0f;
  } else if (state->mode == pyxnn_sample_linear) {
    found.count = 2;
    found.weights[0] = 1.0f - x;
    found.weights[1] = x;
  } else {
    const float a = -0.75f, y = 1.0f - x;
    first = floor - 1.0f;
    found.count = 4;
    found.weights[0] = ((a * (x + 1.0f) - 5.0f * a) * (x + 1.0f) + 8.0f * a) * (x + 1.0f) - 4.0f * a;
    found.weights[1] = ((a + 2.0f) * x - (a + 3.0f)) * x * x + 1.0f;
    found.weights[2] = ((a + 2.0f) * y - (a + 3.0f)) * y * y + 1.0f;
    found.weights[3] = ((a * (y + 1.0f) - 5.0f * a) * (y + 1.0f) + 8.0f * a) * (y + 1.0f) - 4.0f * a;
  }
  for (size_t i = 0; i < found.count; i++) {
    found.pixels[i] = pixel_at(state, first + (float)i, extent);
  }
  return found;
}

/* The pixel that a coordinate means. */
static float pixel_of(const struct grid_sample_state* state, float coordinate, float extent) {
  switch (state->coordinates) {
    case pyxnn_coordinates_middles:
      return (coordinate + 1.0f) / 2.0f * (extent - 1.0f);
    case pyxnn_coordinates_borders:
      return ((coordinate + 1.0f) * extent - 1.0f) / 2.0f;
    default:
      return coordinate;
  }
}

/* Turns what the grid says into pixels; a place outside is reflected if the padding is. */
static void locate(const struct grid_sample_instance* instance, const float* grid, float at[window_axes]) {
  const struct grid_sample_state* state = instance->state;
  bool is_outside = false;
  for (size_t i = 0; i < window_axes; i++) {
    const size_t axis = window_axes - 1 - i;
    const float extent = (float)instance->extents[axis];
    const struct borders borders = borders_of(state, instance->extents[axis]);
    at[axis] = 0.0f;
    if (i < instance->rank) {
      at[axis] = pixel_of(state, grid[i], extent);
    }
    if (state->mode == pyxnn_sample_nearest) {
      at[axis] = nearbyintf(at[axis]);
    }
    is_outside = is_outside || at[axis] < borders.low || at[axis] > borders.high;
  }
  if (is_outside && state->padding == pyxnn_padding_reflection) {
    for (size_t axis = 0; axis < window_axes; axis++) {
      const struct borders borders = borders_of(state, instance->extents[axis]);
      at[axis] = reflect(at[axis], borders.low, borders.high);
    }
  }
}

static void sample(const struct grid_sample_instance* instance, size_t place) {
  const size_t* extents = instance->extents;
  const size_t channels = instance->channels;
  const float* image = instance->input + place / instance->places * extents[0] * extents[1] * extents[2] * channels;
  float at[window_axes];
  locate(instance, instance->grid + place * instance->rank, at);
  struct neighbours axes[window_axes];
  for (size_t axis = 0; axis < window_axes; axis++) {
    axes[axis] = neighbours_of(instance->state, at[axis], extents[axis]);
    if (axis + instance->rank < window_axes) {
      axes[axis] = (struct neighbours){.count = 1, .pixels = {0}, .weights = {1.0f}};
    }
  }
  const float* taps[max_neighbours * max_neighbours * max_neighbours];
  float weights[max_neighbours * max_neighbours * max_neighbours];
  size_t count = 0;
  for (size_t d = 0; d < axes[0].count; d++) {
    for (size_t h = 0; h < axes[1].count; h++) {
      for (size_t w = 0; w < axes[2].count; w++) {
        if (axes[0].pixels[d] < 0 || axes[1].pixels[h] < 0 || axes[2].pixels[w] < 0) {
          continue;
        }
        const size_t row = (size_t)axes[0].pixels[d] * extents[1] + (size_t)axes[1].pixels[h];
        taps[count] = image + (row * extents[2] + (size_t)axes[2].pixels[w]) * channels;
        weights[count] = axes[0].weights[d] * axes[1].weights[h] * axes[2].weights[w];
        count++;
      }
    }
  }
  taps_blend(taps, weights, count, instance->output + place * channels, channels);
}

static void compute(void* context, size_t start, size_t count) {
  for (size_t place = start; place < start + count; place++) {
    sample(context, place);
  }
}

static enum xnn_status run(void* opaque, pthreadpool_t pool) {
  const struct grid_sample_instance* instance = opaque;
  pthreadpool_parallelize_1d_tile_1d(pool, compute, opaque, instance->batch * instance->places,
                                     products_per_task / (instance->channels * 4 + 64) + 1,
                                     PTHREADPOOL_FLAG_DISABLE_DENORMALS);
  return xnn_status_success;
}

const struct operator_type grid_sample_type = {
    .name = "grid sampling",
    .num_params = 3,
    .num_refs = 3,
    .create = create,
    .destroy = pyxnn_release,
    .instance_size = sizeof(struct grid_sample_instance),
    .reshape = reshape,
    .setup = setup,
    .run = run,
};
