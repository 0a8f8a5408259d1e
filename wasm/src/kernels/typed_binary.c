#include "kernels/typed_binary.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>

#include "kernels/simd.h"

#define INLINE static inline __attribute__((always_inline))

/* What the machine has no vectors for stays a plain loop. */
#pragma clang diagnostic ignored "-Wpass-failed"
/* One macro for signed and unsigned numbers. */
#pragma clang diagnostic ignored "-Wtautological-compare"

/* Elements are read before their place is written, so a result may lie over an operand. */
#define EACH_ELEMENT _Pragma("clang loop vectorize(assume_safety)") for (size_t i = 0; i < count; i++)

/* The three kinds of rows of an operation: `value` gives the result of the elements x and y. */
#define DEFINE(name, operand, result, value)                                                        \
  static inline result name##_of(operand x, operand y) {                                            \
    return value;                                                                                   \
  }                                                                                                 \
  static void name##_row_row(const void* a, const void* b, void* output, size_t rows, size_t count, \
                             const ptrdiff_t* strides) {                                            \
    const operand* as = a;                                                                          \
    const operand* bs = b;                                                                          \
    result* results = output;                                                                       \
    for (; rows > 0; rows--, as += strides[0], bs += strides[1], results += strides[2]) {           \
      EACH_ELEMENT {                                                                                \
        results[i] = name##_of(as[i], bs[i]);                                                       \
      }                                                                                             \
    }                                                                                               \
  }                                                                                                 \
  static void name##_row_one(const void* a, const void* b, void* output, size_t rows, size_t count, \
                             const ptrdiff_t* strides) {                                            \
    const operand* as = a;                                                                          \
    const operand* bs = b;                                                                          \
    result* results = output;                                                                       \
    for (; rows > 0; rows--, as += strides[0], bs += strides[1], results += strides[2]) {           \
      const operand y = *bs;                                                                        \
      EACH_ELEMENT {                                                                                \
        results[i] = name##_of(as[i], y);                                                           \
      }                                                                                             \
    }                                                                                               \
  }                                                                                                 \
  static void name##_one_row(const void* a, const void* b, void* output, size_t rows, size_t count, \
                             const ptrdiff_t* strides) {                                            \
    const operand* as = a;                                                                          \
    const operand* bs = b;                                                                          \
    result* results = output;                                                                       \
    for (; rows > 0; rows--, as += strides[0], bs += strides[1], results += strides[2]) {           \
      const operand x = *as;                                                                        \
      EACH_ELEMENT {                                                                                \
        results[i] = name##_of(x, bs[i]);                                                           \
      }                                                                                             \
    }                                                                                               \
  }

/*
 * The same by vectors of four, of which four are done at a time: clang's own loops leave what is short of that to scalars.
 * `rows` does rows, of which those of a or of b may be of one element.
 */
#define DEFINE_KINDS(name)                                                                          \
  static void name##_row_row(const void* a, const void* b, void* output, size_t rows, size_t count, \
                             const ptrdiff_t* strides) {                                            \
    name##_rows(a, b, output, rows, count, strides, false, false);                                  \
  }                                                                                                 \
  static void name##_row_one(const void* a, const void* b, void* output, size_t rows, size_t count, \
                             const ptrdiff_t* strides) {                                            \
    name##_rows(a, b, output, rows, count, strides, false, true);                                   \
  }                                                                                                 \
  static void name##_one_row(const void* a, const void* b, void* output, size_t rows, size_t count, \
                             const ptrdiff_t* strides) {                                            \
    name##_rows(a, b, output, rows, count, strides, true, false);                                   \
  }

/* Of floats: `value` gives the results of the vectors x and y. */
#define DEFINE_FLOATS(name, value)                                                                    \
  INLINE v128_t name##_of(v128_t x, v128_t y) {                                                       \
    return value;                                                                                     \
  }                                                                                                   \
  INLINE void name##_rows(const float* a, const float* b, float* output, size_t rows, size_t count,   \
                          const ptrdiff_t* strides, bool one_a, bool one_b) {                         \
    for (; rows > 0; rows--, a += strides[0], b += strides[1], output += strides[2]) {                \
      const v128_t all_a = wasm_v128_load32_splat(a), all_b = wasm_v128_load32_splat(b);              \
      size_t i = 0;                                                                                   \
      for (; i + 16 <= count; i += 16) {                                                              \
        v128_t results[4];                                                                            \
        for (size_t j = 0; j < 4; j++) {                                                              \
          const v128_t x = one_a ? all_a : wasm_v128_load(a + i + 4 * j);                             \
          results[j] = name##_of(x, one_b ? all_b : wasm_v128_load(b + i + 4 * j));                   \
        }                                                                                             \
        for (size_t j = 0; j < 4; j++) {                                                              \
          wasm_v128_store(output + i + 4 * j, results[j]);                                            \
        }                                                                                             \
      }                                                                                               \
      for (; i < count; i += 4) {                                                                     \
        const v128_t x = one_a ? all_a : simd_load(a + i, count - i);                                 \
        simd_store(output + i, name##_of(x, one_b ? all_b : simd_load(b + i, count - i)), count - i); \
      }                                                                                               \
    }                                                                                                 \
  }                                                                                                   \
  DEFINE_KINDS(name)

/* Comparisons of elements of 32 bits: by vectors, and of one element. */
#define DEFINE_COMPARISON_32(name, type, compare, value)                                         \
  INLINE void name##_rows(const type* a, const type* b, bool* output, size_t rows, size_t count, \
                          const ptrdiff_t* strides, bool one_a, bool one_b) {                    \
    for (; rows > 0; rows--, a += strides[0], b += strides[1], output += strides[2]) {           \
      const v128_t all_a = wasm_v128_load32_splat(a), all_b = wasm_v128_load32_splat(b);         \
      const v128_t one = wasm_i8x16_splat(1);                                                    \
      size_t i = 0;                                                                              \
      for (; i + 16 <= count; i += 16) {                                                         \
        v128_t are[4];                                                                           \
        for (size_t j = 0; j < 4; j++) {                                                         \
          const v128_t x = one_a ? all_a : wasm_v128_load(a + i + 4 * j);                        \
          are[j] = compare(x, one_b ? all_b : wasm_v128_load(b + i + 4 * j));                    \
        }                                                                                        \
        const v128_t low = wasm_i16x8_narrow_i32x4(are[0], are[1]);                              \
        const v128_t high = wasm_i16x8_narrow_i32x4(are[2], are[3]);                             \
        wasm_v128_store(output + i, wasm_v128_and(wasm_i8x16_narrow_i16x8(low, high), one));     \
      }                                                                                          \
      for (; i < count; i++) {                                                                   \
        const type x = a[one_a ? 0 : i], y = b[one_b ? 0 : i];                                   \
        output[i] = value;                                                                       \
      }                                                                                          \
    }                                                                                            \
  }                                                                                              \
  DEFINE_KINDS(name)

#define ROWS(name) {name##_row_row, name##_row_one, name##_one_row}

#define DEFINE_COMPARISONS(name, type)     \
  DEFINE(name##_equal, type, bool, x == y) \
  DEFINE(name##_less, type, bool, x < y)   \
  DEFINE(name##_less_equal, type, bool, x <= y)

#define DEFINE_BITWISE(name, type)     \
  DEFINE(name##_and, type, type, x& y) \
  DEFINE(name##_or, type, type, x | y) \
  DEFINE(name##_xor, type, type, x ^ y)

#define DEFINE_EXTREMES(name, type)                 \
  DEFINE(name##_maximum, type, type, x > y ? x : y) \
  DEFINE(name##_minimum, type, type, x < y ? x : y)

#define is_minus_one(y) ((y) < 0 && (y) + 1 == 0)

/* What C leaves undefined is defined here: sums wrap, as does the quotient of the lowest number and -1. */
#define DEFINE_ARITHMETIC(name, type, bits)                               \
  static inline type name##_quotient(type x, type y) {                    \
    return y == 0 ? 0 : is_minus_one(y) ? (type)(0 - (bits)x) : x / y;    \
  }                                                                       \
  static inline type name##_rest(type x, type y) {                        \
    return y == 0 || is_minus_one(y) ? 0 : x % y;                         \
  }                                                                       \
  static inline type name##_floored_rest(type x, type y) {                \
    const type rest = name##_rest(x, y);                                  \
    return rest != 0 && (rest < 0) != (y < 0) ? rest + y : rest;          \
  }                                                                       \
  static type name##_to_the(type x, type y) {                             \
    if (y < 0) {                                                          \
      return x == 1 ? 1 : is_minus_one(x) ? (y & 1 ? (type) - 1 : 1) : 0; \
    }                                                                     \
    bits product = 1, factor = (bits)x;                                   \
    for (; y > 0; y >>= 1) {                                              \
      product *= y & 1 ? factor : 1;                                      \
      factor *= factor;                                                   \
    }                                                                     \
    return (type)product;                                                 \
  }                                                                       \
  enum { name##_width = 8 * sizeof(type) };                               \
  DEFINE(name##_add, bits, bits, x + y)                                   \
  DEFINE(name##_subtract, bits, bits, x - y)                              \
  DEFINE(name##_multiply, bits, bits, x* y)                               \
  DEFINE(name##_divide, type, type, name##_quotient(x, y))                \
  DEFINE_EXTREMES(name, type)                                             \
  DEFINE(name##_power, type, type, name##_to_the(x, y))                   \
  DEFINE(name##_modulo, type, type, name##_floored_rest(x, y))            \
  DEFINE(name##_remainder, type, type, name##_rest(x, y))                 \
  DEFINE(name##_shift_left, bits, bits, y < name##_width ? x << y : 0)    \
  DEFINE(name##_shift_right, bits, bits, y < name##_width ? x >> y : 0)   \
  DEFINE(name##_shift_right_signed, type, type, x >> ((bits)y < name##_width ? y : (type)(name##_width - 1)))

/* What division leaves, of the sign of x. Where the quotient is below 2^28, neither it nor the product is rounded in doubles. */
static inline float float32_rest(float x, float y) {
  const double quotient = trunc((double)x / (double)y);
  if (fabs(quotient) < 0x1p28 && quotient != 0.0) {
    return copysignf((float)((double)x - quotient * (double)y), x);
  }
  return quotient == 0.0 ? x : fmodf(x, y);
}

static inline float float32_floored_rest(float x, float y) {
  const float rest = float32_rest(x, y);
  return rest == 0.0f ? copysignf(rest, y) : (rest < 0.0f) != (y < 0.0f) ? rest + y : rest;
}

/* A NaN of either is the result; a greater or lesser number alone would lose one. */
DEFINE_FLOATS(float32_add, wasm_f32x4_add(x, y))
DEFINE_FLOATS(float32_subtract, wasm_f32x4_sub(x, y))
DEFINE_FLOATS(float32_multiply, wasm_f32x4_mul(x, y))
DEFINE_FLOATS(float32_divide, wasm_f32x4_div(x, y))
DEFINE_FLOATS(float32_maximum, wasm_v128_or(wasm_f32x4_pmax(x, y), wasm_f32x4_ne(y, y)))
DEFINE_FLOATS(float32_minimum, wasm_v128_or(wasm_f32x4_pmin(x, y), wasm_f32x4_ne(y, y)))
DEFINE_FLOATS(float32_prelu, simd_select(wasm_f32x4_mul(x, y), x, wasm_f32x4_lt(x, wasm_f32x4_const_splat(0))))
DEFINE(float32_power, float, float, powf(x, y))
DEFINE_COMPARISON_32(float32_equal, float, wasm_f32x4_eq, x == y)
DEFINE_COMPARISON_32(float32_less, float, wasm_f32x4_lt, x < y)
DEFINE_COMPARISON_32(float32_less_equal, float, wasm_f32x4_le, x <= y)
DEFINE(float32_modulo, float, float, float32_floored_rest(x, y))
DEFINE(float32_remainder, float, float, float32_rest(x, y))
DEFINE_COMPARISON_32(int32_equal, int32_t, wasm_i32x4_eq, x == y)
DEFINE_COMPARISON_32(int32_less, int32_t, wasm_i32x4_lt, x < y)
DEFINE_COMPARISON_32(int32_less_equal, int32_t, wasm_i32x4_le, x <= y)
DEFINE_COMPARISONS(int64, int64_t)
DEFINE_COMPARISONS(uint8, uint8_t)
DEFINE_BITWISE(int32, int32_t)
DEFINE_BITWISE(int64, int64_t)
DEFINE_BITWISE(uint8, uint8_t)
DEFINE_EXTREMES(uint8, uint8_t)
DEFINE_EXTREMES(int8, int8_t)
DEFINE_COMPARISONS(uint64, uint64_t)
DEFINE_BITWISE(uint64, uint64_t)
DEFINE_ARITHMETIC(int32, int32_t, uint32_t)
DEFINE_ARITHMETIC(int64, int64_t, uint64_t)
DEFINE_ARITHMETIC(uint64, uint64_t, uint64_t)

#define COMPARISONS(name) \
  [pyxnn_equal] = ROWS(name##_equal), [pyxnn_less] = ROWS(name##_less), [pyxnn_less_equal] = ROWS(name##_less_equal)
#define BITWISE(name) [pyxnn_and] = ROWS(name##_and), [pyxnn_or] = ROWS(name##_or), [pyxnn_xor] = ROWS(name##_xor)
#define EXTREMES(name) [pyxnn_maximum] = ROWS(name##_maximum), [pyxnn_minimum] = ROWS(name##_minimum)
#define ARITHMETIC(name)                                                                                              \
  [pyxnn_add] = ROWS(name##_add), [pyxnn_subtract] = ROWS(name##_subtract), [pyxnn_multiply] = ROWS(name##_multiply), \
  [pyxnn_divide] = ROWS(name##_divide),                                                                               \
  EXTREMES(name), [pyxnn_power] = ROWS(name##_power), [pyxnn_modulo] = ROWS(name##_modulo),                           \
  [pyxnn_remainder] = ROWS(name##_remainder), [pyxnn_shift_left] = ROWS(name##_shift_left),                           \
  [pyxnn_shift_right] = ROWS(name##_shift_right), [pyxnn_shift_right_signed] = ROWS(name##_shift_right_signed)

enum { num_types = pyxnn_shift_right_signed + 1, num_operands = pyxnn_uint64 + 1 };

static const struct typed_binary table[num_operands][num_types] = {
    [pyxnn_float32] = {[pyxnn_add] = ROWS(float32_add),
                       [pyxnn_subtract] = ROWS(float32_subtract),
                       [pyxnn_multiply] = ROWS(float32_multiply),
                       [pyxnn_divide] = ROWS(float32_divide),
                       [pyxnn_maximum] = ROWS(float32_maximum),
                       [pyxnn_minimum] = ROWS(float32_minimum),
                       [pyxnn_power] = ROWS(float32_power),
                       [pyxnn_prelu] = ROWS(float32_prelu),
                       COMPARISONS(float32),
                       [pyxnn_modulo] = ROWS(float32_modulo),
                       [pyxnn_remainder] = ROWS(float32_remainder)},
    [pyxnn_int32] = {ARITHMETIC(int32), COMPARISONS(int32), BITWISE(int32)},
    [pyxnn_int64] = {ARITHMETIC(int64), COMPARISONS(int64), BITWISE(int64)},
    [pyxnn_uint8] = {COMPARISONS(uint8), BITWISE(uint8), EXTREMES(uint8)},
    [pyxnn_int8] = {EXTREMES(int8)},
    [pyxnn_uint64] = {ARITHMETIC(uint64), COMPARISONS(uint64), BITWISE(uint64)},
};

const struct typed_binary* typed_binary_find(enum pyxnn_binary_type type, enum pyxnn_element element) {
  if ((uint32_t)type >= num_types || (uint32_t)element >= num_operands || table[element][type].row_row == NULL) {
    return NULL;
  }
  return &table[element][type];
}
