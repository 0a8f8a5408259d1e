#include "kernels/select.h"

#include "kernels/simd.h"

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
DEFINE_SELECT(select_64, uint64_t)

#define INLINE static inline __attribute__((always_inline))

/* Sixteen elements at a time: as many bytes of the condition become masks. */
INLINE void select_words(const uint8_t* condition, const uint32_t* a, size_t a_step, const uint32_t* b, size_t b_step,
                         uint32_t* output, size_t count) {
  const uint32_t x = *a, y = *b;
  const v128_t all_x = wasm_i32x4_splat((int32_t)x), all_y = wasm_i32x4_splat((int32_t)y);
  size_t i = 0;
  for (; i + 16 <= count; i += 16) {
    const v128_t bytes = wasm_i8x16_ne(wasm_v128_load(condition + i), wasm_i8x16_const_splat(0));
    const v128_t low = wasm_i16x8_extend_low_i8x16(bytes), high = wasm_i16x8_extend_high_i8x16(bytes);
    const v128_t masks[] = {wasm_i32x4_extend_low_i16x8(low), wasm_i32x4_extend_high_i16x8(low),
                            wasm_i32x4_extend_low_i16x8(high), wasm_i32x4_extend_high_i16x8(high)};
    for (size_t v = 0; v < 4; v++) {
      const v128_t u = a_step != 0 ? wasm_v128_load(a + i + v * 4) : all_x;
      const v128_t w = b_step != 0 ? wasm_v128_load(b + i + v * 4) : all_y;
      wasm_v128_store(output + i + v * 4, simd_select(u, w, masks[v]));
    }
  }
  for (; i < count; i++) {
    const uint32_t u = a_step != 0 ? a[i] : x, w = b_step != 0 ? b[i] : y;
    output[i] = condition[i] ? u : w;
  }
}

static void select_32(const uint8_t* condition, const uint32_t* a, size_t a_step, const uint32_t* b, size_t b_step,
                      uint32_t* output, size_t count) {
  if (a_step != 0 && b_step != 0) {
    select_words(condition, a, 1, b, 1, output, count);
  } else if (a_step != 0) {
    select_words(condition, a, 1, b, 0, output, count);
  } else if (b_step != 0) {
    select_words(condition, a, 0, b, 1, output, count);
  } else {
    select_words(condition, a, 0, b, 0, output, count);
  }
}

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
