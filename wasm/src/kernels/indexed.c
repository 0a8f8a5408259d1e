#include "kernels/indexed.h"

#include "kernels/cast.h"
#include "kernels/move.h"

#define DEFINE_LOAD(name, type)                                                       \
  static void name(const type* from, const int32_t* places, type* to, size_t count) { \
    for (size_t i = 0; i < count; i++) {                                              \
      to[i] = from[places[i]];                                                        \
    }                                                                                 \
  }

DEFINE_LOAD(load_8, uint8_t)
DEFINE_LOAD(load_16, uint16_t)
DEFINE_LOAD(load_32, uint32_t)
DEFINE_LOAD(load_64, uint64_t)

void indexed_load(const void* from, const int32_t* places, void* to, size_t count, size_t element_size) {
  switch (element_size) {
    case 1:
      load_8(from, places, to, count);
      break;
    case 2:
      load_16(from, places, to, count);
      break;
    case 4:
      load_32(from, places, to, count);
      break;
    default:
      load_64(from, places, to, count);
  }
}

#define DEFINE_PLACE(name, type)                                                                        \
  static size_t name(type* to, int64_t first, uint64_t extent, const int64_t* places, const type* from, \
                     size_t count) {                                                                    \
    for (size_t i = 0; i < count; i++) {                                                                \
      const uint64_t place = (uint64_t)(places[i] - first);                                             \
      if (place >= extent) {                                                                            \
        return i;                                                                                       \
      }                                                                                                 \
      to[(size_t)place] = from[i];                                                                      \
    }                                                                                                   \
    return count;                                                                                       \
  }

DEFINE_PLACE(place_8, uint8_t)
DEFINE_PLACE(place_16, uint16_t)
DEFINE_PLACE(place_32, uint32_t)
DEFINE_PLACE(place_64, uint64_t)

size_t indexed_place(void* to, int64_t first, size_t extent, const int64_t* places, const void* from, size_t count,
                     size_t element_size) {
  switch (element_size) {
    case 1:
      return place_8(to, first, extent, places, from, count);
    case 2:
      return place_16(to, first, extent, places, from, count);
    case 4:
      return place_32(to, first, extent, places, from, count);
    default:
      return place_64(to, first, extent, places, from, count);
  }
}

/* Both forms of an update: `value` is what becomes of the element x and its update y. */
#define DEFINE_UPDATE(name, type, value)                                                                          \
  static inline type name##_of(type x, type y) {                                                                  \
    return value;                                                                                                 \
  }                                                                                                               \
  static void name##_each(void* to, const int32_t* places, const void* from, ptrdiff_t from_step, size_t count) { \
    type* elements = to;                                                                                          \
    const type* updates = from;                                                                                   \
    if (from_step == 1) { /* as most lie */                                                                       \
      for (size_t i = 0; i < count; i++) {                                                                        \
        elements[places[i]] = name##_of(elements[places[i]], updates[i]);                                         \
      }                                                                                                           \
      return;                                                                                                     \
    }                                                                                                             \
    for (size_t i = 0; i < count; i++) {                                                                          \
      type* element = elements + places[i];                                                                       \
      *element = name##_of(*element, updates[(ptrdiff_t)i * from_step]);                                          \
    }                                                                                                             \
  }                                                                                                               \
  static void name##_row(void* to, const void* from, size_t count) {                                              \
    type* elements = to;                                                                                          \
    const type* updates = from;                                                                                   \
    _Pragma("clang loop vectorize(assume_safety)") for (size_t i = 0; i < count; i++) {                           \
      elements[i] = name##_of(elements[i], updates[i]);                                                           \
    }                                                                                                             \
  }

#define DEFINE_ARITHMETIC(name, type, bits)                    \
  DEFINE_UPDATE(name##_add, bits, x + y)                       \
  DEFINE_UPDATE(name##_multiply, bits, x* y)                   \
  DEFINE_UPDATE(name##_maximum, type, y > x || y != y ? y : x) \
  DEFINE_UPDATE(name##_minimum, type, y < x || y != y ? y : x)

/* What the machine has no vectors for stays a plain loop. */
#pragma clang diagnostic ignored "-Wpass-failed"
#pragma clang diagnostic ignored "-Wtautological-compare"

DEFINE_UPDATE(replace_8, uint8_t, y)
DEFINE_UPDATE(replace_16, uint16_t, y)
DEFINE_UPDATE(replace_32, uint32_t, y)
DEFINE_UPDATE(replace_64, uint64_t, y)
DEFINE_ARITHMETIC(float32, float, float)
DEFINE_ARITHMETIC(int32, int32_t, uint32_t)
DEFINE_ARITHMETIC(int64, int64_t, uint64_t)
DEFINE_ARITHMETIC(uint64, uint64_t, uint64_t)

#define UPDATE(name) {name##_each, name##_row}
#define ARITHMETIC(name)                               \
  {[pyxnn_scatter_add] = UPDATE(name##_add),           \
   [pyxnn_scatter_multiply] = UPDATE(name##_multiply), \
   [pyxnn_scatter_maximum] = UPDATE(name##_maximum),   \
   [pyxnn_scatter_minimum] = UPDATE(name##_minimum)}

static const struct indexed_update replacing[] = {
    [1] = UPDATE(replace_8), [2] = UPDATE(replace_16), [4] = UPDATE(replace_32), [8] = UPDATE(replace_64)};

static const struct indexed_update combining[][pyxnn_scatter_minimum + 1] = {
    [pyxnn_float32] = ARITHMETIC(float32),
    [pyxnn_int32] = ARITHMETIC(int32),
    [pyxnn_int64] = ARITHMETIC(int64),
    [pyxnn_uint64] = ARITHMETIC(uint64),
};

const struct indexed_update* indexed_update_find(enum pyxnn_scatter_type type, enum pyxnn_element element) {
  if ((uint32_t)type > pyxnn_scatter_minimum || (uint32_t)element > pyxnn_bfloat16) {
    return NULL;
  }
  if (type == pyxnn_scatter_replace) {
    return &replacing[element_size(element)];
  }
  const bool known = (uint32_t)element <= pyxnn_uint64 && combining[element][type].row != NULL;
  return known ? &combining[element][type] : NULL;
}
