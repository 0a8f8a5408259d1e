#include "kernels/small_floats.h"

#include <wasm_simd128.h>

void small_floats_widen(const uint8_t* from, const float* table, float* to, size_t count) {
  for (; count >= 4; count -= 4, from += 4, to += 4) {
    v128_t four = wasm_v128_load32_zero(table + from[0]);
    four = wasm_v128_load32_lane(table + from[1], four, 1);
    four = wasm_v128_load32_lane(table + from[2], four, 2);
    wasm_v128_store(to, wasm_v128_load32_lane(table + from[3], four, 3));
  }
  for (; count > 0; count--) {
    *to++ = table[*from++];
  }
}

/* The upper halves of four floats, the last bit set where the lower half isn't 0. */
static inline v128_t upper_halves(v128_t x) {
  const v128_t is_more = wasm_i32x4_ne(wasm_i32x4_shl(x, 16), wasm_i32x4_const_splat(0));
  return wasm_v128_or(wasm_u32x4_shr(x, 16), wasm_u32x4_shr(is_more, 31));
}

void small_floats_narrow(const float* from, const uint8_t* table, uint8_t* to, size_t count) {
  for (; count >= 4; count -= 4, from += 4, to += 4) {
    const v128_t halves = upper_halves(wasm_v128_load(from));
    to[0] = table[wasm_u32x4_extract_lane(halves, 0)];
    to[1] = table[wasm_u32x4_extract_lane(halves, 1)];
    to[2] = table[wasm_u32x4_extract_lane(halves, 2)];
    to[3] = table[wasm_u32x4_extract_lane(halves, 3)];
  }
  for (; count > 0; count--) {
    *to++ = table[wasm_u32x4_extract_lane(upper_halves(wasm_v128_load32_zero(from++)), 0)];
  }
}
