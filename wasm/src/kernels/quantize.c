#include "kernels/quantize.h"

#include <string.h>

#include "kernels/cast.h"
#include "kernels/simd.h"

/* What is done at a time: four vectors of 32 bits, which are one of bytes. */
enum { turn = 16, vectors = 4 };

#define INLINE static inline __attribute__((always_inline))

/* How many elements are left from vector `i` of a turn on. */
INLINE size_t left(size_t count, size_t i) {
  return count > 4 * i ? count - 4 * i : 0;
}

/* The scales and zero points of a vector, where each element has its own; they stay what they are where all have the same. */
INLINE void load_parameters(const struct quantization* by, size_t step, size_t at, size_t count, v128_t* scale,
                            v128_t* zero) {
  if (step) {
    *scale = simd_load(by->scale + at, count);
    *zero = simd_load((const float*)by->zero + at, count);
  }
}

/* Adding 1.5 * 2^23 leaves no bits for a fraction: the sum is rounded to an integer, which is its lowest bits. */
INLINE v128_t quantize_vector(v128_t x, v128_t scale, v128_t zero, v128_t least, v128_t greatest) {
  const v128_t shift = wasm_f32x4_const_splat(0x1.8p23f);
  x = wasm_f32x4_div(x, scale);
  x = wasm_f32x4_pmax(wasm_f32x4_convert_i32x4(wasm_i32x4_sub(least, zero)), x);
  x = wasm_f32x4_pmin(wasm_f32x4_convert_i32x4(wasm_i32x4_sub(greatest, zero)), x);
  return wasm_i32x4_add(wasm_f32x4_add(x, shift), wasm_i32x4_sub(zero, shift));
}

/* Stores a turn of integers that fit the element. */
INLINE void store_turn(uint8_t* to, const v128_t* x, enum pyxnn_element element) {
  const v128_t low = wasm_i16x8_narrow_i32x4(x[0], x[1]), high = wasm_i16x8_narrow_i32x4(x[2], x[3]);
  switch (element) {
    case pyxnn_int8:
      wasm_v128_store(to, wasm_i8x16_narrow_i16x8(low, high));
      break;
    case pyxnn_uint8:
      wasm_v128_store(to, wasm_u8x16_narrow_i16x8(low, high));
      break;
    case pyxnn_int16:
      wasm_v128_store(to, low);
      wasm_v128_store(to + 16, high);
      break;
    default:
      wasm_v128_store(to, wasm_u16x8_narrow_i32x4(x[0], x[1]));
      wasm_v128_store(to + 16, wasm_u16x8_narrow_i32x4(x[2], x[3]));
      break;
  }
}

INLINE void quantize(const float* input, const struct quantization* by, uint8_t* output, size_t count,
                     const struct quantized_type* type, enum pyxnn_element element, size_t step) {
  const v128_t least = wasm_v128_load32_splat(&type->least), greatest = wasm_v128_load32_splat(&type->greatest);
  const size_t size = element == pyxnn_int8 || element == pyxnn_uint8 ? 1 : 2;
  v128_t scale = wasm_v128_load32_splat(by->scale), zero = wasm_v128_load32_splat(by->zero), made[vectors];
  size_t at = 0;
  for (; at + turn <= count; at += turn) {
    for (size_t i = 0; i < vectors; i++) {
      load_parameters(by, step, at + 4 * i, 4, &scale, &zero);
      made[i] = quantize_vector(wasm_v128_load(input + at + 4 * i), scale, zero, least, greatest);
    }
    store_turn(output + at * size, made, element);
  }
  const size_t rest = count - at;
  if (rest > 0) {
    uint8_t whole[2 * turn];
    for (size_t i = 0; i < vectors; i++) {
      load_parameters(by, step, at + 4 * i, left(rest, i), &scale, &zero);
      made[i] = quantize_vector(simd_load(input + at + 4 * i, left(rest, i)), scale, zero, least, greatest);
    }
    store_turn(whole, made, element);
    memcpy(output + at * size, whole, rest * size);
  }
}

void quantize_row(const float* input, const struct quantization* by, void* output, size_t count,
                  const struct quantized_type* type) {
#define QUANTIZE(element) \
  by->step ? quantize(input, by, output, count, type, element, 1) : quantize(input, by, output, count, type, element, 0)
  switch (type->element) {
    case pyxnn_int8:
      QUANTIZE(pyxnn_int8);
      break;
    case pyxnn_uint8:
      QUANTIZE(pyxnn_uint8);
      break;
    case pyxnn_int16:
      QUANTIZE(pyxnn_int16);
      break;
    default:
      QUANTIZE(pyxnn_uint16);
      break;
  }
}

/* Loads a turn of an element as int32. */
INLINE void load_turn(const uint8_t* from, v128_t* x, enum pyxnn_element element) {
  if (element == pyxnn_int32) {
    for (size_t i = 0; i < vectors; i++) {
      x[i] = wasm_v128_load(from + 16 * i);
    }
    return;
  }
  v128_t low, high;
  if (element == pyxnn_int8) {
    low = wasm_i16x8_load8x8(from);
    high = wasm_i16x8_load8x8(from + 8);
  } else if (element == pyxnn_uint8) {
    low = wasm_u16x8_load8x8(from);
    high = wasm_u16x8_load8x8(from + 8);
  } else {
    low = wasm_v128_load(from);
    high = wasm_v128_load(from + 16);
  }
  const bool is_signed = element == pyxnn_int8 || element == pyxnn_int16;
  x[0] = is_signed ? wasm_i32x4_extend_low_i16x8(low) : wasm_u32x4_extend_low_u16x8(low);
  x[1] = is_signed ? wasm_i32x4_extend_high_i16x8(low) : wasm_u32x4_extend_high_u16x8(low);
  x[2] = is_signed ? wasm_i32x4_extend_low_i16x8(high) : wasm_u32x4_extend_low_u16x8(high);
  x[3] = is_signed ? wasm_i32x4_extend_high_i16x8(high) : wasm_u32x4_extend_high_u16x8(high);
}

INLINE void dequantize(const uint8_t* input, const struct quantization* by, float* output, size_t count,
                       enum pyxnn_element element, size_t step) {
  const size_t size = element_size(element);
  v128_t scale = wasm_v128_load32_splat(by->scale), zero = wasm_v128_load32_splat(by->zero), x[vectors];
  size_t at = 0;
  for (; at + turn <= count; at += turn) {
    load_turn(input + at * size, x, element);
    for (size_t i = 0; i < vectors; i++) {
      load_parameters(by, step, at + 4 * i, 4, &scale, &zero);
      const v128_t difference = wasm_f32x4_convert_i32x4(wasm_i32x4_sub(x[i], zero));
      wasm_v128_store(output + at + 4 * i, wasm_f32x4_mul(difference, scale));
    }
  }
  const size_t rest = count - at;
  if (rest > 0) {
    uint8_t whole[4 * turn] = {0};
    memcpy(whole, input + at * size, rest * size);
    load_turn(whole, x, element);
    for (size_t i = 0; i < vectors && 4 * i < rest; i++) {
      load_parameters(by, step, at + 4 * i, left(rest, i), &scale, &zero);
      const v128_t difference = wasm_f32x4_convert_i32x4(wasm_i32x4_sub(x[i], zero));
      simd_store(output + at + 4 * i, wasm_f32x4_mul(difference, scale), left(rest, i));
    }
  }
}

void dequantize_row(const void* input, enum pyxnn_element element, const struct quantization* by, float* output,
                    size_t count) {
#define DEQUANTIZE(element) \
  by->step ? dequantize(input, by, output, count, element, 1) : dequantize(input, by, output, count, element, 0)
  switch (element) {
    case pyxnn_int8:
      DEQUANTIZE(pyxnn_int8);
      break;
    case pyxnn_uint8:
      DEQUANTIZE(pyxnn_uint8);
      break;
    case pyxnn_int16:
      DEQUANTIZE(pyxnn_int16);
      break;
    case pyxnn_uint16:
      DEQUANTIZE(pyxnn_uint16);
      break;
    default:
      DEQUANTIZE(pyxnn_int32);
      break;
  }
}
