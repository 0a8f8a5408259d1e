#include "kernels/select.h"

/* Elements are read before their place is written, so the result may lie over an operand. */
#define EACH_ELEMENT _Pragma("clang loop vectorize(assume_safety)") for (size_t i = 0; i < count; i++)

#define DEFINE_SELECT(name, type)                                                                                      \
  static void name(const uint8_t* condition, const type* a, size_t a_step, const type* b, size_t b_step, type* output, \
                   size_t count) {                                                                                     \
    const type x = *a, y = *b;                                                                                         \
    if (a_step != 0 && b_step != 0) {                                                                                  \
      EACH_ELEMENT {                                                                                                   \
        const type u = a[i], v = b[i];                                                                                 \
        output[i] = condition[i] ? u : v;                                                                              \
      }                                                                                                                \
    } else if (a_step != 0) {                                                                                          \
      EACH_ELEMENT {                                                                                                   \
        const type u = a[i];                                                                                           \
        output[i] = condition[i] ? u : y;                                                                              \
      }                                                                                                                \
    } else if (b_step != 0) {                                                                                          \
      EACH_ELEMENT {                                                                                                   \
        const type v = b[i];                                                                                           \
        output[i] = condition[i] ? x : v;                                                                              \
      }                                                                                                                \
    } else {                                                                                                           \
      EACH_ELEMENT {                                                                                                   \
        output[i] = condition[i] ? x : y;                                                                              \
      }                                                                                                                \
    }                                                                                                                  \
  }

DEFINE_SELECT(select_8, uint8_t)
DEFINE_SELECT(select_16, uint16_t)
DEFINE_SELECT(select_32, uint32_t)
DEFINE_SELECT(select_64, uint64_t)

void select_row(const uint8_t* condition, const void* a, size_t a_step, const void* b, size_t b_step, void* output,
                size_t count, size_t element_size) {
  if (element_size == 1) {
    select_8(condition, a, a_step, b, b_step, output, count);
  } else if (element_size == 2) {
    select_16(condition, a, a_step, b, b_step, output, count);
  } else if (element_size == 4) {
    select_32(condition, a, a_step, b, b_step, output, count);
  } else {
    select_64(condition, a, a_step, b, b_step, output, count);
  }
}
