#include "indices.h"

#include <stdatomic.h>

#include "error.h"

/* Tuples that are checked as one task. */
enum { tuples_per_task = 8192 };

bool is_index_size(size_t size) {
  return size == sizeof(int32_t) || size == sizeof(int64_t);
}

enum xnn_status take_indices(struct words* words, size_t index_size, struct indices* indices) {
  indices->size = index_size;
  indices->tuples = take(words);
  indices->num_axes = take(words);
  if (indices->num_axes > indices_max_axes) {
    return xnn_status_unsupported_parameter;
  }
  for (uint32_t axis = 0; axis < indices->num_axes; axis++) {
    indices->extents[axis] = take(words);
  }
  for (uint32_t axis = 0; axis < indices->num_axes; axis++) {
    indices->strides[axis] = (ptrdiff_t)take(words);
  }
  return xnn_status_success;
}

#define INLINE static inline __attribute__((always_inline))

/* Both types of indices. Of all tuples alike, so that the loops within are vectors, where indices lie side by side. */
#define DEFINE(name, type)                                                                                       \
  INLINE bool name##_inside_by(const type* index, size_t step, size_t count, type extent) {                      \
    type outside = 0;                                                                                            \
    for (size_t i = 0; i < count; i++) {                                                                         \
      outside |= (index[i * step] < -extent) | (index[i * step] >= extent);                                      \
    }                                                                                                            \
    return outside == 0;                                                                                         \
  }                                                                                                              \
  static bool name##_inside(const type* index, size_t step, size_t count, type extent) {                         \
    return step == 1 ? name##_inside_by(index, 1, count, extent) : name##_inside_by(index, step, count, extent); \
  }                                                                                                              \
  INLINE void name##_add_by(const type* index, ptrdiff_t step, size_t count, int32_t extent, int32_t stride,     \
                            int32_t* places) {                                                                   \
    _Pragma("clang loop vectorize_width(4)") for (size_t i = 0; i < count; i++) {                                \
      const int32_t from_end = (int32_t)index[(ptrdiff_t)i * step];                                              \
      places[i] += (from_end + (from_end < 0 ? extent : 0)) * stride;                                            \
    }                                                                                                            \
  }                                                                                                              \
  static void name##_add(const type* index, ptrdiff_t step, size_t count, int32_t extent, int32_t stride,        \
                         int32_t* places) {                                                                      \
    if (step == 1) {                                                                                             \
      name##_add_by(index, 1, count, extent, stride, places);                                                    \
    } else {                                                                                                     \
      name##_add_by(index, step, count, extent, stride, places);                                                 \
    }                                                                                                            \
  }

DEFINE(narrow, int32_t)
DEFINE(wide, int64_t)

struct check {
  const struct indices* indices;
  const void* tensor;
  atomic_bool failed;
};

/* An axis' indices of some tuples are all inside of its extent. */
static bool inside(const struct indices* indices, const void* tensor, uint32_t axis, size_t first, size_t count) {
  const size_t place = first * indices->num_axes + axis;
  if (indices->size == sizeof(int32_t)) {
    return narrow_inside((const int32_t*)tensor + place, indices->num_axes, count, (int32_t)indices->extents[axis]);
  }
  return wide_inside((const int64_t*)tensor + place, indices->num_axes, count, (int64_t)indices->extents[axis]);
}

static void check_tuples(void* context, size_t first, size_t count) {
  struct check* check = context;
  for (uint32_t axis = 0; axis < check->indices->num_axes; axis++) {
    if (!inside(check->indices, check->tensor, axis, first, count)) {
      atomic_store_explicit(&check->failed, true, memory_order_relaxed);
    }
  }
}

/* Names the first index that is outside. */
static void report(const struct indices* indices, const void* tensor) {
  for (size_t tuple = 0; tuple < indices->tuples; tuple++) {
    for (uint32_t axis = 0; axis < indices->num_axes; axis++) {
      if (!inside(indices, tensor, axis, tuple, 1)) {
        const size_t place = tuple * indices->num_axes + axis;
        const int64_t index =
            indices->size == sizeof(int64_t) ? ((const int64_t*)tensor)[place] : ((const int32_t*)tensor)[place];
        const int64_t extent = (int64_t)indices->extents[axis];
        pyxnn_error(pyxnn_invalid_input,
                    "indices element out of data bounds, idx=%lld must be within the inclusive range [%lld,%lld]",
                    (long long)index, (long long)-extent, (long long)(extent - 1));
        return;
      }
    }
  }
}

enum xnn_status indices_check(const struct indices* indices, const void* tensor, pthreadpool_t pool) {
  struct check check = {.indices = indices, .tensor = tensor};
  pthreadpool_parallelize_1d_tile_1d(pool, check_tuples, &check, indices->tuples, tuples_per_task, 0);
  if (!check.failed) {
    return xnn_status_success;
  }
  report(indices, tensor);
  return xnn_status_invalid_parameter;
}

void indices_places(const struct indices* indices, const void* tensor, ptrdiff_t offset, ptrdiff_t step, size_t count,
                    ptrdiff_t apart, int32_t* places) {
  for (size_t i = 0; i < count; i++) {
    places[i] = (int32_t)i * (int32_t)apart;
  }
  for (uint32_t axis = 0; axis < indices->num_axes; axis++) {
    const int32_t extent = (int32_t)indices->extents[axis], stride = (int32_t)indices->strides[axis];
    if (indices->size == sizeof(int32_t)) {
      narrow_add((const int32_t*)tensor + offset + axis, step, count, extent, stride, places);
    } else {
      wide_add((const int64_t*)tensor + offset + axis, step, count, extent, stride, places);
    }
  }
}
