/*
 * Elements back where maximum pooling found them (kernels/indexed.c), zeros elsewhere.
 *
 * Places count through the whole output, though pooling finds those of a plane in this plane. So threads make planes, each
 * with its own elements; where a place turns out to be in another plane, one thread makes them all once more, in order.
 */
#include <stdatomic.h>
#include <string.h>

#include "error.h"
#include "kernels/indexed.h"
#include "operator.h"

enum { elements_per_task = 16384 };

struct unpool_instance {
  const size_t* element_size;
  size_t planes, count, extent;
  const char* input;
  const int64_t* places;
  char* output;
};

static enum xnn_status create(struct words* params, const void* kernel, const void* bias, void** out) {
  return own_element_size(take(params), out);
}

static enum xnn_status reshape(void* opaque, struct words* dims, size_t* workspace, pthreadpool_t pool) {
  struct unpool_instance* instance = opaque;
  instance->planes = take(dims);
  instance->count = take(dims);
  instance->extent = take(dims);
  return xnn_status_success;
}

static enum xnn_status setup(void* opaque, void* workspace, void* const* tensors) {
  struct unpool_instance* instance = opaque;
  instance->input = tensors[0];
  instance->places = tensors[1];
  instance->output = tensors[2];
  return xnn_status_success;
}

/*
 * Makes planes of zeros but for their own elements.
 * @return  how many elements there were before one whose place is in none of these planes
 */
static size_t make_planes(const struct unpool_instance* instance, size_t plane, size_t planes) {
  const size_t size = *instance->element_size, extent = planes * instance->extent;
  const size_t first = plane * instance->extent, element = plane * instance->count;
  char* output = instance->output + first * size;
  memset(output, 0, extent * size);
  return indexed_place(output, (int64_t)first, extent, instance->places + element, instance->input + element * size,
                       planes * instance->count, size);
}

struct unpool_run {
  const struct unpool_instance* instance;
  atomic_bool has_strays;
};

static void compute(void* context, size_t start, size_t count) {
  struct unpool_run* run = context;
  for (size_t plane = start; plane < start + count; plane++) {
    if (make_planes(run->instance, plane, 1) < run->instance->count) {
      atomic_store_explicit(&run->has_strays, true, memory_order_relaxed);
    }
  }
}

static enum xnn_status run(void* opaque, pthreadpool_t pool) {
  const struct unpool_instance* instance = opaque;
  struct unpool_run run = {.instance = instance};
  pthreadpool_parallelize_1d_tile_1d(pool, compute, &run, instance->planes,
                                     elements_per_task / (instance->extent + 1) + 1, 0);
  if (!run.has_strays) {
    return xnn_status_success;
  }
  const size_t made = make_planes(instance, 0, instance->planes);
  if (made == instance->planes * instance->count) {
    return xnn_status_success;
  }
  pyxnn_error(pyxnn_invalid_input, "place out of bounds, idx=%lld must be within [0,%lld]",
              (long long)instance->places[made], (long long)(instance->planes * instance->extent) - 1);
  return xnn_status_invalid_parameter;
}

const struct operator_type unpool_type = {
    .name = "unpooling",
    .num_params = 1,
    .num_refs = 3,
    .create = create,
    .destroy = pyxnn_release,
    .instance_size = sizeof(struct unpool_instance),
    .reshape = reshape,
    .setup = setup,
    .run = run,
};
