/* Regions of images pooled to one size: each bin of a region is the greatest of its pixels (kernels/pooling.c). */
#include <math.h>
#include <string.h>

#include "error.h"
#include "kernels/pooling.h"
#include "memory.h"
#include "operator.h"
#include "regions.h"

/* What a region is given by: its image, then left, top, right and bottom. */
enum { region_size = 5 };

struct roi_pool_instance {
  const float* scale; /* of corners */
  struct regions regions;
  const float *input, *given;
  float* output;
};

static enum xnn_status create(struct words* params, const void* kernel, const void* bias, void** out) {
  const float scale = take_float(params);
  return own_state(&scale, sizeof(scale), out);
}

static enum xnn_status reshape(void* opaque, struct words* dims, size_t* workspace, pthreadpool_t pool) {
  struct roi_pool_instance* instance = opaque;
  instance->regions = take_regions(dims);
  return xnn_status_success;
}

static enum xnn_status setup(void* opaque, void* workspace, void* const* tensors) {
  struct roi_pool_instance* instance = opaque;
  instance->input = tensors[0];
  instance->given = tensors[1];
  instance->output = tensors[2];
  return xnn_status_success;
}

/* Pixels [begin, end) of an axis. */
struct range {
  size_t begin, end;
};

static float within(float at, size_t extent) {
  return fminf(fmaxf(at, 0.0f), (float)extent);
}

/*
 * The pixels of a bin along one axis.
 * @param low, high  of the region
 * @param bins       that the region has
 * @param extent     of the image
 */
static struct range range_of(float low, float high, size_t bin, size_t bins, size_t extent) {
  const float size = fmaxf(high - low + 1.0f, 1.0f) / (float)bins;
  return (struct range){.begin = (size_t)within(floorf((float)bin * size) + low, extent),
                        .end = (size_t)within(ceilf((float)(bin + 1) * size) + low, extent)};
}

static void compute_bin(const struct roi_pool_instance* instance, size_t index) {
  static const struct pooling_constants constants = {.pooling = pooling_maximum};
  const struct regions* regions = &instance->regions;
  const struct bin bin = place_bin(regions, index);
  const float* given = instance->given + bin.region * region_size;
  float corners[region_size];
  for (size_t i = 1; i < region_size; i++) {
    corners[i] = roundf(given[i] * *instance->scale);
  }
  const struct range columns = range_of(corners[1], corners[3], bin.column, regions->out_width, regions->width);
  const struct range rows = range_of(corners[2], corners[4], bin.row, regions->out_height, regions->height);
  const size_t pixel = regions->channels * sizeof(float);
  float* output = instance->output + index * regions->channels;
  if (columns.end <= columns.begin || rows.end <= rows.begin) {
    memset(output, 0, pixel);
    return;
  }
  const size_t row = (size_t)given[0] * regions->height + rows.begin;
  const struct pooling_rows pixels = {
      .first = (const uint8_t*)instance->input + (row * regions->width + columns.begin) * pixel,
      .counts = {rows.end - rows.begin, columns.end - columns.begin},
      .strides = {(ptrdiff_t)(regions->width * pixel), (ptrdiff_t)pixel},
  };
  if (pixel >= pooling_slack) {
    pooling_add_rows(&constants, &pixels, (uint8_t*)output, pixel);
  } else {
    uint8_t wide[pooling_slack];
    pooling_add_rows(&constants, &pixels, wide, pixel);
    memcpy(output, wide, pixel);
  }
}

static void compute(void* context, size_t start, size_t count) {
  for (size_t index = start; index < start + count; index++) {
    compute_bin(context, index);
  }
}

static enum xnn_status run(void* opaque, pthreadpool_t pool) {
  const struct roi_pool_instance* instance = opaque;
  for (size_t region = 0; region < instance->regions.count; region++) {
    const float image = instance->given[region * region_size];
    if (!(image >= 0.0f && image < (float)instance->regions.batch)) {
      pyxnn_error(pyxnn_invalid_input, "the image of a region is out of bounds, idx=%g must be within [0,%lu)",
                  (double)image, (unsigned long)instance->regions.batch);
      return xnn_status_invalid_parameter;
    }
  }
  share_bins(&instance->regions, compute, opaque, pool);
  return xnn_status_success;
}

const struct operator_type roi_pool_type = {
    .name = "pooling of regions",
    .num_params = 1,
    .num_refs = 3,
    .create = create,
    .destroy = pyxnn_release,
    .instance_size = sizeof(struct roi_pool_instance),
    .reshape = reshape,
    .setup = setup,
    .run = run,
};
