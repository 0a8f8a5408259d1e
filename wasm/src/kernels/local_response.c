#include "kernels/local_response.h"

#include "kernels/elementary.h"

/* x^-beta of four; roots where they do. */
static inline v128_t power4(v128_t x, float beta) {
  const v128_t one = wasm_f32x4_splat(1.0f);
  if (beta == 0.75f) {
    const v128_t root = wasm_f32x4_sqrt(x);
    return wasm_f32x4_div(one, wasm_f32x4_mul(root, wasm_f32x4_sqrt(root)));
  }
  if (beta == 0.5f) {
    return wasm_f32x4_div(one, wasm_f32x4_sqrt(x));
  }
  return simd_exp(wasm_f32x4_mul(simd_log(x), wasm_f32x4_splat(-beta)));
}

static inline v128_t result4(const struct local_response* norm, v128_t value, v128_t squares) {
  const v128_t base = simd_madd(squares, wasm_f32x4_splat(norm->alpha), wasm_f32x4_splat(norm->bias));
  return wasm_f32x4_mul(value, power4(base, norm->beta));
}

void local_response_row(const struct local_response* norm, const float* input, float* output, size_t channels) {
  size_t channel = 0;
  while (channel < channels) {
    const size_t first = channel < norm->before ? 0 : channel - norm->before;
    if (channel >= norm->before && channel + 4 + norm->after <= channels) {
      v128_t squares = wasm_f32x4_splat(0.0f);
      for (size_t i = first; i <= channel + norm->after; i++) {
        const v128_t value = wasm_v128_load(input + i);
        squares = simd_madd(value, value, squares);
      }
      wasm_v128_store(output + channel, result4(norm, wasm_v128_load(input + channel), squares));
      channel += 4;
      continue;
    }
    const size_t last = channel + norm->after < channels ? channel + norm->after : channels - 1;
    float squares = 0.0f;
    for (size_t i = first; i <= last; i++) {
      squares += input[i] * input[i];
    }
    const v128_t result = result4(norm, wasm_f32x4_splat(input[channel]), wasm_f32x4_splat(squares));
    output[channel] = wasm_f32x4_extract_lane(result, 0);
    channel++;
  }
}

/*
 * One channel of `count` vectors of positions, the last of which may have but `left`; `first` and `last` are the channels
 * around.
 */
SIMD_INLINE void make_positions(const struct local_response* norm, const float* input, float* output, size_t stride,
                                size_t channel, size_t first, size_t last, size_t left, size_t count) {
  v128_t squares[simd_most];
  SIMD_EACH(i) squares[i] = wasm_f32x4_const_splat(0.0f);
  const float* other = input + first * stride;
  for (size_t j = first; j <= last; j++, other += stride) {
    SIMD_EACH(i) {
      const v128_t value = simd_load(other + 4 * i, left);
      squares[i] = simd_madd(value, value, squares[i]);
    }
  }
  const size_t place = channel * stride;
  SIMD_EACH(i) {
    const v128_t value = simd_load(input + place + 4 * i, left);
    simd_store(output + place + 4 * i, result4(norm, value, squares[i]), left);
  }
}

void local_response_columns(const struct local_response* norm, const float* input, float* output, size_t channels,
                            size_t stride, size_t count) {
  enum { together = 4 * simd_most };
  for (size_t channel = 0; channel < channels; channel++) {
    const size_t first = channel < norm->before ? 0 : channel - norm->before;
    const size_t last = channel + norm->after < channels ? channel + norm->after : channels - 1;
    size_t i = 0;
    for (; i + together <= count; i += together) {
      make_positions(norm, input + i, output + i, stride, channel, first, last, together, simd_most);
    }
    for (; i < count; i += 4) {
      make_positions(norm, input + i, output + i, stride, channel, first, last, count - i, 1);
    }
  }
}
