/* Images sampled where a grid says: the pixels around each place and their weights, then their sum (kernels/taps.c). */
#include <string.h>

#include "kernels/simd.h"
#include "kernels/taps.h"
#include "sizes.h"
#include "window.h"

/* About so many products are one task. */
enum { products_per_task = 16384 };

/* The most neighbours along an axis: those of a cubic. */
enum { max_neighbours = 4 };

/* Places whose neighbours are found together, a multiple of four. */
enum { places_at_once = 16 };

struct grid_sample_state {
  uint32_t mode, padding, coordinates;
};

struct grid_sample_instance {
  const struct grid_sample_state* state;
  size_t batch, channels, places, rank;
  size_t extents[window_axes];
  const float *input, *grid;
  float* zeros; /* one for each channel */
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
  *workspace = instance->channels * sizeof(float);
  return instance->rank >= 1 && instance->rank <= window_axes ? xnn_status_success : xnn_status_invalid_parameter;
}

static enum xnn_status setup(void* opaque, void* workspace, void* const* tensors) {
  struct grid_sample_instance* instance = opaque;
  instance->input = tensors[0];
  instance->grid = tensors[1];
  instance->output = tensors[2];
  instance->zeros = workspace;
  return xnn_status_success;
}

/* What lies within an image along an axis, in pixels. */
struct borders {
  v128_t low, high;
};

static struct borders borders_of(const struct grid_sample_state* state, size_t extent) {
  const float half = state->coordinates == pyxnn_coordinates_borders ? 0.5f : 0.0f;
  return (struct borders){wasm_f32x4_splat(-half), wasm_f32x4_splat((float)extent - 1.0f + half)};
}

/* Places outside the borders thrown back at them until they are inside. */
static v128_t reflect(v128_t at, struct borders borders) {
  const v128_t range = wasm_f32x4_sub(borders.high, borders.low);
  const v128_t below = wasm_f32x4_lt(at, borders.low);
  const v128_t way = wasm_v128_bitselect(wasm_f32x4_sub(borders.low, at), wasm_f32x4_sub(at, borders.high), below);
  const v128_t turns = wasm_f32x4_floor(wasm_f32x4_div(way, range));
  const v128_t rest = wasm_f32x4_sub(way, wasm_f32x4_mul(turns, range));
  const v128_t half = wasm_f32x4_mul(turns, wasm_f32x4_const_splat(0.5f));
  const v128_t is_odd = wasm_f32x4_ne(wasm_f32x4_floor(half), half);
  const v128_t inside = wasm_v128_bitselect(wasm_f32x4_add(borders.low, rest), wasm_f32x4_sub(borders.high, rest),
                                            wasm_v128_xor(below, is_odd));
  const v128_t is_outside = wasm_v128_or(below, wasm_f32x4_gt(at, borders.high));
  const v128_t reflected = wasm_v128_bitselect(inside, at, is_outside);
  return wasm_v128_bitselect(reflected, borders.low, wasm_f32x4_gt(range, wasm_f32x4_const_splat(0.0f)));
}

/* The pixels along an axis that stand for ones which may be outside, -1 for none. */
static v128_t pixels_at(const struct grid_sample_state* state, v128_t at, size_t extent) {
  const v128_t zero = wasm_f32x4_const_splat(0.0f), last = wasm_f32x4_splat((float)extent - 1.0f);
  v128_t is_there = wasm_f32x4_eq(at, at);
  if (state->padding == pyxnn_padding_zeros) {
    is_there = wasm_v128_and(wasm_f32x4_ge(at, zero), wasm_f32x4_le(at, last));
  } else if (state->padding == pyxnn_padding_reflection) {
    at = wasm_v128_bitselect(at, reflect(at, borders_of(state, extent)),
                             wasm_v128_and(wasm_f32x4_ge(at, zero), wasm_f32x4_le(at, last)));
  }
  const v128_t pixels = wasm_i32x4_trunc_sat_f32x4(simd_clamp(at, zero, last));
  return wasm_v128_bitselect(pixels, wasm_i32x4_const_splat(-1), is_there);
}

/* The neighbours of some places along an axis. */
struct neighbours {
  size_t count;
  int32_t pixels[max_neighbours][places_at_once];
  float weights[max_neighbours][places_at_once];
};

/* The only one of each along an axis that isn't there. */
static const struct neighbours only = {.count = 1, .weights = {{1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}}};

/* The weight in a cubic of a neighbour up to one pixel away. */
static v128_t weight_near(v128_t x, v128_t a) {
  const v128_t two = wasm_f32x4_add(a, wasm_f32x4_const_splat(2.0f)),
               three = wasm_f32x4_add(a, wasm_f32x4_const_splat(3.0f));
  const v128_t square = wasm_f32x4_mul(x, x);
  return wasm_f32x4_add(wasm_f32x4_mul(wasm_f32x4_sub(wasm_f32x4_mul(two, x), three), square),
                        wasm_f32x4_const_splat(1.0f));
}

/* Of one that is one pixel away and up to another. */
static v128_t weight_far(v128_t x, v128_t a) {
  const v128_t four = wasm_f32x4_mul(a, wasm_f32x4_const_splat(4.0f)), five = wasm_f32x4_add(four, a),
               eight = wasm_f32x4_add(four, four);
  v128_t sum = wasm_f32x4_sub(wasm_f32x4_mul(a, x), five);
  sum = wasm_f32x4_add(wasm_f32x4_mul(sum, x), eight);
  return wasm_f32x4_sub(wasm_f32x4_mul(sum, x), four);
}

/*
 * Finds the neighbours of four places.
 * @param at    the places, in pixels
 * @param lane  the first of the four among those that are found together
 */
static void find_four(const struct grid_sample_state* state, v128_t at, size_t extent, size_t lane,
                      struct neighbours* found) {
  const v128_t one = wasm_f32x4_const_splat(1.0f);
  v128_t first = wasm_f32x4_floor(at), weights[max_neighbours];
  const v128_t x = wasm_f32x4_sub(at, first), y = wasm_f32x4_sub(one, x);
  if (state->mode == pyxnn_sample_nearest) {
    first = wasm_f32x4_nearest(at);
    weights[0] = one;
  } else if (state->mode == pyxnn_sample_linear) {
    weights[0] = y;
    weights[1] = x;
  } else {
    const v128_t a = wasm_f32x4_const_splat(-0.75f);
    first = wasm_f32x4_sub(first, one);
    weights[0] = weight_far(wasm_f32x4_add(x, one), a);
    weights[1] = weight_near(x, a);
    weights[2] = weight_near(y, a);
    weights[3] = weight_far(wasm_f32x4_add(y, one), a);
  }
  for (size_t i = 0; i < found->count; i++, first = wasm_f32x4_add(first, one)) {
    wasm_v128_store(found->pixels[i] + lane, pixels_at(state, first, extent));
    wasm_v128_store(found->weights[i] + lane, weights[i]);
  }
}

/* The pixels that coordinates mean. */
static v128_t pixels_of(const struct grid_sample_state* state, v128_t coordinates, float extent) {
  const v128_t one = wasm_f32x4_const_splat(1.0f), half = wasm_f32x4_const_splat(0.5f);
  const v128_t way = wasm_f32x4_add(coordinates, one);
  switch (state->coordinates) {
    case pyxnn_coordinates_middles:
      return wasm_f32x4_mul(wasm_f32x4_mul(way, half), wasm_f32x4_splat(extent - 1.0f));
    case pyxnn_coordinates_borders:
      return wasm_f32x4_mul(wasm_f32x4_sub(wasm_f32x4_mul(way, wasm_f32x4_splat(extent)), one), half);
    default:
      return coordinates;
  }
}

/*
 * Some coordinates of four places.
 * @param grid   all coordinates of the first, `rank` of them
 * @param which  of these
 * @param count  places that are there
 */
static v128_t load_coordinates(const float* grid, size_t rank, size_t which, size_t count) {
  if (rank == 2 && count >= 4) {
    const v128_t a = wasm_v128_load(grid), b = wasm_v128_load(grid + 4);
    return which == 0 ? wasm_i32x4_shuffle(a, b, 0, 2, 4, 6) : wasm_i32x4_shuffle(a, b, 1, 3, 5, 7);
  }
  float coordinates[4] = {0};
  for (size_t i = 0; i < 4 && i < count; i++) {
    coordinates[i] = grid[i * rank + which];
  }
  return wasm_v128_load(coordinates);
}

/*
 * Finds the neighbours of places along one axis.
 * @param grid   the coordinates of the first
 * @param count  how many there are, at most places_at_once
 */
static void find_neighbours(const struct grid_sample_instance* instance, const float* grid, size_t count, size_t axis,
                            struct neighbours* found) {
  static const size_t counts[] = {
      [pyxnn_sample_nearest] = 1, [pyxnn_sample_linear] = 2, [pyxnn_sample_cubic] = max_neighbours};
  const struct grid_sample_state state = *instance->state;
  const size_t extent = instance->extents[axis], rank = instance->rank, which = window_axes - 1 - axis;
  found->count = counts[state.mode];
  for (size_t lane = 0; lane < count; lane += 4) {
    v128_t at = pixels_of(&state, load_coordinates(grid + lane * rank, rank, which, count - lane), (float)extent);
    if (state.mode == pyxnn_sample_nearest) {
      at = wasm_f32x4_nearest(at);
    }
    if (state.padding == pyxnn_padding_reflection) {
      at = reflect(at, borders_of(&state, extent));
    }
    find_four(&state, at, extent, lane, found);
  }
}

/*
 * Samples an image at one place.
 * @param axes    the neighbours of all places that are found together
 * @param counts  of them along each axis
 * @param lane    which place
 */
static void sample(const struct grid_sample_instance* instance, const float* image, const struct neighbours* axes,
                   const size_t counts[window_axes], size_t lane, float* output) {
  const ptrdiff_t height = (ptrdiff_t)instance->extents[1], width = (ptrdiff_t)instance->extents[2];
  const float* taps[max_neighbours * max_neighbours * max_neighbours];
  float weights[max_neighbours * max_neighbours * max_neighbours];
  size_t count = 0;
  for (size_t d = 0; d < counts[0]; d++) {
    for (size_t h = 0; h < counts[1]; h++) {
      const ptrdiff_t z = axes[0].pixels[d][lane], y = axes[1].pixels[h][lane];
      if (z < 0 || y < 0) {
        continue;
      }
      const float weight = axes[0].weights[d][lane] * axes[1].weights[h][lane];
      for (size_t w = 0; w < counts[2]; w++) {
        const ptrdiff_t x = axes[2].pixels[w][lane];
        if (x >= 0) {
          taps[count] = image + ((z * height + y) * width + x) * (ptrdiff_t)instance->channels;
          weights[count++] = weight * axes[2].weights[w][lane];
        }
      }
    }
  }
  taps_blend(taps, weights, count, output, instance->channels);
}

/* The four pixels around each of some places of an image with two axes. */
struct corners {
  int32_t offsets[4][places_at_once]; /* in floats, of the zeros for a pixel outside */
  float weights[4][places_at_once];
};

/*
 * Finds them.
 * @param axes   the neighbours along each axis
 * @param zeros  where, in floats from the image, as many zeros lie as it has channels
 */
static void find_corners(const struct grid_sample_instance* instance, const struct neighbours* axes, ptrdiff_t zeros,
                         struct corners* found) {
  const struct neighbours *rows = &axes[1], *columns = &axes[2];
  const v128_t width = wasm_i32x4_splat((int32_t)instance->extents[2]);
  const v128_t channels = wasm_i32x4_splat((int32_t)instance->channels), outside = wasm_i32x4_splat((int32_t)zeros);
  for (size_t lane = 0; lane < places_at_once; lane += 4) {
    for (size_t i = 0; i < 4; i++) {
      const v128_t y = wasm_v128_load(rows->pixels[i / 2] + lane), x = wasm_v128_load(columns->pixels[i % 2] + lane);
      const v128_t is_outside = wasm_i32x4_shr(wasm_v128_or(y, x), 31);
      const v128_t offset = wasm_i32x4_mul(wasm_i32x4_add(wasm_i32x4_mul(y, width), x), channels);
      const v128_t weight =
          wasm_f32x4_mul(wasm_v128_load(rows->weights[i / 2] + lane), wasm_v128_load(columns->weights[i % 2] + lane));
      wasm_v128_store(found->offsets[i] + lane, simd_select(outside, offset, is_outside));
      wasm_v128_store(found->weights[i] + lane, wasm_v128_andnot(weight, is_outside)); /* which may be no number */
    }
  }
}

/* Samples an image at all places that are found together. */
static void sample_all(const struct grid_sample_instance* instance, const float* image, const struct neighbours* axes,
                       size_t count, float* output) {
  const size_t counts[] = {axes[0].count, axes[1].count, axes[2].count}, channels = instance->channels;
  if (counts[0] != 1 || counts[1] != 2 || counts[2] != 2) {
    for (size_t i = 0; i < count; i++) {
      sample(instance, image, axes, counts, i, output + i * channels);
    }
    return;
  }
  struct corners corners;
  find_corners(instance, axes, instance->zeros - image, &corners);
  for (size_t i = 0; i < count; i++) {
    const float* taps[4];
    float weights[4];
    for (size_t t = 0; t < 4; t++) {
      taps[t] = image + corners.offsets[t][i];
      weights[t] = corners.weights[t][i];
    }
    taps_blend(taps, weights, 4, output + i * channels, channels);
  }
}

/* Places [start, start + count) of image `number`. */
static void compute(void* context, size_t number, size_t start, size_t count) {
  const struct grid_sample_instance* instance = context;
  const size_t* extents = instance->extents;
  const float* image = instance->input + number * extents[0] * extents[1] * extents[2] * instance->channels;
  struct neighbours axes[window_axes] = {only, only, only};
  for (size_t done = 0; done < count; done += places_at_once) {
    const size_t first = number * instance->places + start + done;
    const size_t here = smaller(count - done, places_at_once);
    for (size_t i = 0; i < instance->rank; i++) {
      const size_t axis = window_axes - 1 - i;
      find_neighbours(instance, instance->grid + first * instance->rank, here, axis, &axes[axis]);
    }
    sample_all(instance, image, axes, here, instance->output + first * instance->channels);
  }
}

static enum xnn_status run(void* opaque, pthreadpool_t pool) {
  const struct grid_sample_instance* instance = opaque;
  memset(instance->zeros, 0, instance->channels * sizeof(float));
  const size_t places = products_per_task / (instance->channels * 4 + 64) + places_at_once;
  pthreadpool_parallelize_2d_tile_1d(pool, compute, opaque, instance->batch, instance->places,
                                     places / places_at_once * places_at_once, PTHREADPOOL_FLAG_DISABLE_DENORMALS);
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
