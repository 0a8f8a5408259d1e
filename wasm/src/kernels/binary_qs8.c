#include "kernels/binary_qs8.h"

#include <stdbool.h>
#include <string.h>

#include "kernels/elementary.h"

/* A vector of bytes, which is four of floats. */
enum { turn = 16 };

#define INLINE static inline __attribute__((always_inline))

/* What all turns of a row share. */
struct constants {
  v128_t a_zero, b_zero;
  v128_t a_multiplier, b_multiplier;
  v128_t offset, rounder;
  v128_t min, max;
};

INLINE v128_t widened(v128_t x, bool high) {
  return high ? wasm_i16x8_extend_high_i8x16(x) : wasm_i16x8_extend_low_i8x16(x);
}

INLINE v128_t floats(v128_t x, bool high) {
  return wasm_f32x4_convert_i32x4(high ? wasm_i32x4_extend_high_i16x8(x) : wasm_i32x4_extend_low_i16x8(x));
}

INLINE v128_t sum(v128_t a, v128_t b, bool high, const struct constants* c) {
  return simd_madd(floats(a, high), c->a_multiplier, simd_madd(floats(b, high), c->b_multiplier, c->offset));
}

INLINE v128_t product(v128_t a, v128_t b, bool high, const struct constants* c) {
  const v128_t whole = high ? wasm_i32x4_extmul_high_i16x8(a, b) : wasm_i32x4_extmul_low_i16x8(a, b);
  return simd_madd(wasm_f32x4_convert_i32x4(whole), c->a_multiplier, c->offset);
}

/* To an integer, which adding the rounder leaves in the lowest bits. */
INLINE v128_t rounded(v128_t x, v128_t rounder) {
  return wasm_i32x4_sub(wasm_f32x4_add(x, rounder), rounder);
}

INLINE v128_t half_turn(v128_t a, v128_t b, bool multiplies, const struct constants* c) {
  if (multiplies) {
    a = wasm_i16x8_sub(a, c->a_zero);
    b = wasm_i16x8_sub(b, c->b_zero);
    return wasm_i16x8_narrow_i32x4(rounded(product(a, b, false, c), c->rounder),
                                   rounded(product(a, b, true, c), c->rounder));
  }
  return wasm_i16x8_narrow_i32x4(rounded(sum(a, b, false, c), c->rounder), rounded(sum(a, b, true, c), c->rounder));
}

INLINE v128_t one_turn(v128_t a, v128_t b, bool multiplies, const struct constants* c) {
  const v128_t low = half_turn(widened(a, false), widened(b, false), multiplies, c);
  const v128_t high = half_turn(widened(a, true), widened(b, true), multiplies, c);
  return wasm_i8x16_min(wasm_i8x16_max(wasm_i8x16_narrow_i16x8(low, high), c->min), c->max);
}

INLINE v128_t load(const int8_t* from, size_t step, size_t at) {
  return step ? wasm_v128_load(from + at) : wasm_v128_load8_splat(from);
}

INLINE v128_t load_rest(const int8_t* from, size_t step, size_t at, size_t count) {
  int8_t whole[turn] = {0};
  memcpy(whole, from + at * step, step ? count : 1);
  return load(whole, step, 0);
}

INLINE void row(const int8_t* a, size_t a_step, const int8_t* b, size_t b_step, int8_t* output, size_t count,
                bool multiplies, const struct constants* constants) {
  const struct constants c = *constants;
  size_t at = 0;
  for (; at + turn <= count; at += turn) {
    wasm_v128_store(output + at, one_turn(load(a, a_step, at), load(b, b_step, at), multiplies, &c));
  }
  const size_t rest = count - at;
  if (rest > 0) {
    int8_t whole[turn];
    const v128_t last_a = load_rest(a, a_step, at, rest), last_b = load_rest(b, b_step, at, rest);
    wasm_v128_store(whole, one_turn(last_a, last_b, multiplies, &c));
    memcpy(output + at, whole, rest);
  }
}

INLINE void by_steps(const int8_t* a, size_t a_step, const int8_t* b, size_t b_step, int8_t* output, size_t count,
                     bool multiplies, const struct constants* constants) {
  if (b_step == 0) {
    row(a, 1, b, 0, output, count, multiplies, constants);
  } else if (a_step == 0) {
    row(a, 0, b, 1, output, count, multiplies, constants);
  } else {
    row(a, 1, b, 1, output, count, multiplies, constants);
  }
}

static struct constants constants_of(const struct binary_qs8* by, float offset) {
  return (struct constants){
      .a_zero = wasm_i16x8_splat(by->a_zero),
      .b_zero = wasm_i16x8_splat(by->b_zero),
      .a_multiplier = wasm_f32x4_splat(by->a_multiplier),
      .b_multiplier = wasm_f32x4_splat(by->b_multiplier),
      .offset = wasm_f32x4_splat(offset),
      .rounder = SIMD_CONSTANT(rounder),
      .min = wasm_i8x16_splat(by->min),
      .max = wasm_i8x16_splat(by->max),
  };
}

void add_qs8(const int8_t* a, size_t a_step, const int8_t* b, size_t b_step, int8_t* output, size_t count,
             const struct binary_qs8* by) {
  const float zeros = by->a_multiplier * by->a_zero + by->b_multiplier * by->b_zero;
  const struct constants constants = constants_of(by, by->out_zero - zeros);
  by_steps(a, a_step, b, b_step, output, count, false, &constants);
}

void multiply_qs8(const int8_t* a, size_t a_step, const int8_t* b, size_t b_step, int8_t* output, size_t count,
                  const struct binary_qs8* by) {
  const struct constants constants = constants_of(by, by->out_zero);
  by_steps(a, a_step, b, b_step, output, count, true, &constants);
}
