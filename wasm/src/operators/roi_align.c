/*
 * Regions of images resampled to one size: each bin of a region is the mean, or the greatest, of what lies at places that
 * are spread evenly over it, by linear interpolation (kernels/taps.c).
 */
#include <math.h>

#include "error.h"
#include "kernels/taps.h"
#include "memory.h"
#include "operator.h"
#include "regions.h"
#include "sizes.h"

/* Neighbours of a place, and how many places are taken in at once. */
enum { num_neighbours = 4, places_at_once = 16 };

struct roi_align_state {
  bool is_maximum;
  bool is_half_pixel;
  uint32_t sampling_ratio;
  float scale;
};

struct roi_align_instance {
  const struct roi_align_state* state;
  struct regions regions;
  const float *input, *corners;
  const int32_t* images;
  float* output;
};

static enum xnn_status create(struct words* params, const void* kernel, const void* bias, void** out) {
  struct roi_align_state state = {.is_maximum = take(params) != 0};
  state.is_half_pixel = take(params) != 0;
  state.sampling_ratio = take(params);
  state.scale = take_float(params);
  return own_state(&state, sizeof(state), out);
}

static enum xnn_status reshape(void* opaque, struct words* dims, size_t* workspace, pthreadpool_t pool) {
  struct roi_align_instance* instance = opaque;
  instance->regions = take_regions(dims);
  return xnn_status_success;
}

static enum xnn_status setup(void* opaque, void* workspace, void* const* tensors) {
  struct roi_align_instance* instance = opaque;
  instance->input = tensors[0];
  instance->corners = tensors[1];
  instance->images = tensors[2];
  instance->output = tensors[3];
  return xnn_status_success;
}

/* Along one axis, the places of a bin: `count` of them, `step` pixels apart. */
struct places {
  float first, step;
  size_t count;
};

/*
 * Finds the places of a bin.
 * @param low, high  of the region
 * @param bins       that the region has
 */
static struct places places_of(const struct roi_align_state* state, float low, float high, size_t bin, size_t bins) {
  const float offset = state->is_half_pixel ? 0.5f : 0.0f;
  const float start = low * state->scale - offset;
  float length = high * state->scale - offset - start;
  if (!state->is_half_pixel) {
    length = fmaxf(length, 1.0f);
  }
  const float size = length / (float)bins;
  struct places places = {.count = state->sampling_ratio};
  if (places.count == 0) {
    const float count = ceilf(size);
    places.count = count > 0.0f ? (size_t)count : 0;
  }
  places.step = places.count > 0 ? size / (float)places.count : 0.0f;
  places.first = start + (float)bin * size + 0.5f * places.step;
  return places;
}

/* Two pixels along one axis, between which a place is; whether it is near the image at all. */
struct between {
  bool is_near;
  size_t low, high;
  float weight; /* of the higher one */
};

static struct between between_pixels(const struct places* places, size_t number, size_t extent) {
  const float last = (float)extent - 1.0f;
  float at = places->first + (float)number * places->step;
  if (!(at >= -1.0f && at <= (float)extent)) {
    return (struct between){.is_near = false};
  }
  at = fminf(fmaxf(at, 0.0f), last);
  const size_t low = (size_t)at;
  return (struct between){
      .is_near = true, .low = low, .high = low + 1 < extent ? low + 1 : low, .weight = at - (float)low};
}

/* Pixels of an image and their weights, as many as are taken in at once; whether a bin has got some before. */
struct taps {
  size_t count;
  bool follow;
  const float* pixels[num_neighbours * places_at_once];
  float weights[num_neighbours * places_at_once];
};

static void push(struct taps* taps, const float* pixel, float weight) {
  taps->pixels[taps->count] = pixel;
  taps->weights[taps->count++] = weight;
}

/* Takes the taps into a bin; there are none left. */
static void take_in(const struct roi_align_instance* instance, struct taps* taps, float* output) {
  if (instance->state->is_maximum) {
    taps_maximum(taps->pixels, taps->weights, taps->count, output, instance->regions.channels);
  } else if (taps->follow) {
    taps_add(taps->pixels, taps->weights, taps->count, output, instance->regions.channels);
  } else {
    taps_blend(taps->pixels, taps->weights, taps->count, output, instance->regions.channels);
  }
  taps->follow = true;
  taps->count = 0;
}

/* Takes in the places of a bin: those of its rows, each with those of its columns. */
static void take_places(const struct roi_align_instance* instance, const float* image, const struct places* rows,
                        const struct places* columns, float share, struct taps* taps, float* output) {
  const struct regions* regions = &instance->regions;
  const size_t channels = regions->channels, row = regions->width * channels;
  for (size_t first = 0; first < columns->count; first += places_at_once) {
    const size_t here = smaller(columns->count - first, places_at_once);
    struct between across[places_at_once];
    for (size_t j = 0; j < here; j++) {
      across[j] = between_pixels(columns, first + j, regions->width);
    }
    for (size_t i = 0; i < rows->count; i++) {
      const struct between v = between_pixels(rows, i, regions->height);
      const float *low = image + v.low * row, *high = image + v.high * row;
      const float low_weight = (1.0f - v.weight) * share, high_weight = v.weight * share;
      for (size_t j = 0; j < here; j++) {
        const struct between h = across[j];
        if (v.is_near && h.is_near) {
          push(taps, low + h.low * channels, low_weight * (1.0f - h.weight));
          push(taps, low + h.high * channels, low_weight * h.weight);
          push(taps, high + h.low * channels, high_weight * (1.0f - h.weight));
          push(taps, high + h.high * channels, high_weight * h.weight);
        } else if (instance->state->is_maximum) { /* zeros count there */
          push(taps, image, 0.0f);
        }
        if (taps->count > num_neighbours * (places_at_once - 1)) {
          take_in(instance, taps, output);
        }
      }
    }
  }
}

static void compute_bin(const struct roi_align_instance* instance, size_t index) {
  const struct roi_align_state* state = instance->state;
  const struct regions* regions = &instance->regions;
  const size_t channels = regions->channels, image_size = regions->height * regions->width * channels;
  const struct bin bin = place_bin(regions, index);
  const float* corners = instance->corners + bin.region * 4;
  const float* image = instance->input + (size_t)instance->images[bin.region] * image_size;
  const struct places columns = places_of(state, corners[0], corners[2], bin.column, regions->out_width);
  const struct places rows = places_of(state, corners[1], corners[3], bin.row, regions->out_height);
  const size_t all = rows.count * columns.count;
  float* output = instance->output + index * channels;
  if (state->is_maximum) {
    for (size_t c = 0; c < channels; c++) {
      output[c] = all > 0 ? -INFINITY : 0.0f;
    }
  }
  struct taps taps;
  taps.count = 0;
  taps.follow = false;
  take_places(instance, image, &rows, &columns, state->is_maximum || all == 0 ? 1.0f : 1.0f / (float)all, &taps,
              output);
  if (taps.count > 0 || !taps.follow) {
    take_in(instance, &taps, output);
  }
}

static void compute(void* context, size_t start, size_t count) {
  for (size_t index = start; index < start + count; index++) {
    compute_bin(context, index);
  }
}

static enum xnn_status run(void* opaque, pthreadpool_t pool) {
  const struct roi_align_instance* instance = opaque;
  for (size_t region = 0; region < instance->regions.count; region++) {
    const int32_t image = instance->images[region];
    if (image < 0 || (size_t)image >= instance->regions.batch) {
      pyxnn_error(pyxnn_invalid_input, "batch_indices element out of bounds, idx=%ld must be within [0,%lu)",
                  (long)image, (unsigned long)instance->regions.batch);
      return xnn_status_invalid_parameter;
    }
  }
  share_bins(&instance->regions, compute, opaque, pool);
  return xnn_status_success;
}

const struct operator_type roi_align_type = {
    .name = "aligned pooling of regions",
    .num_params = 4,
    .num_refs = 4,
    .create = create,
    .destroy = pyxnn_release,
    .instance_size = sizeof(struct roi_align_instance),
    .reshape = reshape,
    .setup = setup,
    .run = run,
};
