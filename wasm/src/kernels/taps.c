#include "kernels/taps.h"

#include "kernels/simd.h"

/* `vectors` vectors of channels; the last holds `left` channels, four unless it is the only one. */
static inline __attribute__((always_inline)) void sum(const float* const* taps, size_t count, const float* weights,
                                                      const float* bias, float* output, size_t channel, size_t channels,
                                                      size_t vectors, size_t left, v128_t min, v128_t max) {
  v128_t sums[4];
  for (size_t v = 0; v < vectors; v++) {
    sums[v] = simd_load(bias + channel + v * 4, left);
  }
  for (size_t t = 0; t < count; t++) {
    const float* pixel = taps[t] + channel;
    const float* row = weights + t * channels + channel;
    for (size_t v = 0; v < vectors; v++) {
      sums[v] = simd_madd(simd_load(pixel + v * 4, left), simd_load(row + v * 4, left), sums[v]);
    }
  }
  for (size_t v = 0; v < vectors; v++) {
    simd_store(output + channel + v * 4, simd_clamp(sums[v], min, max), left);
  }
}

void taps_sum(const float* const* taps, size_t count, const float* weights, const float* bias, float* output,
              size_t channels, float min, float max) {
  const v128_t mins = wasm_f32x4_splat(min), maxs = wasm_f32x4_splat(max);
  size_t c = 0;
  for (; c + 16 <= channels; c += 16) {
    sum(taps, count, weights, bias, output, c, channels, 4, 4, mins, maxs);
  }
  for (; c + 4 <= channels; c += 4) {
    sum(taps, count, weights, bias, output, c, channels, 1, 4, mins, maxs);
  }
  if (c < channels) {
    sum(taps, count, weights, bias, output, c, channels, 1, channels - c, mins, maxs);
  }
}

/* What is done with products. */
enum blending { blending_sum, blending_added, blending_maximum };

static inline __attribute__((always_inline)) void blend(enum blending blending, const float* const* taps,
                                                        const float* weights, size_t count, float* output,
                                                        size_t channel, size_t vectors, size_t left) {
  v128_t sums[8];
  for (size_t v = 0; v < vectors; v++) {
    sums[v] = blending == blending_sum ? wasm_f32x4_const_splat(0.0f) : simd_load(output + channel + v * 4, left);
  }
  for (size_t t = 0; t < count; t++) {
    const v128_t weight = wasm_v128_load32_splat(weights + t);
    for (size_t v = 0; v < vectors; v++) {
      const v128_t pixel = simd_load(taps[t] + channel + v * 4, left);
      sums[v] = blending == blending_maximum ? wasm_f32x4_pmax(sums[v], wasm_f32x4_mul(pixel, weight))
                                             : simd_madd(pixel, weight, sums[v]);
    }
  }
  for (size_t v = 0; v < vectors; v++) {
    simd_store(output + channel + v * 4, sums[v], left);
  }
}

static inline __attribute__((always_inline)) void blend_all(enum blending blending, const float* const* taps,
                                                            const float* weights, size_t count, float* output,
                                                            size_t channels) {
  size_t c = 0;
  for (; c + 32 <= channels; c += 32) { /* so many sums that none waits for itself */
    blend(blending, taps, weights, count, output, c, 8, 4);
  }
  for (; c + 16 <= channels; c += 16) {
    blend(blending, taps, weights, count, output, c, 4, 4);
  }
  for (; c + 4 <= channels; c += 4) {
    blend(blending, taps, weights, count, output, c, 1, 4);
  }
  if (c < channels) {
    blend(blending, taps, weights, count, output, c, 1, channels - c);
  }
}

/* Four taps, whose weights stay in registers. */
static inline __attribute__((always_inline)) v128_t blend_four(const float* const* taps, const v128_t* weights,
                                                               size_t channel, size_t left) {
  v128_t sum = wasm_f32x4_mul(simd_load(taps[0] + channel, left), weights[0]);
  for (size_t t = 1; t < 4; t++) {
    sum = simd_madd(simd_load(taps[t] + channel, left), weights[t], sum);
  }
  return sum;
}

static void blend_all_of_four(const float* const* taps, const float* weights, float* output, size_t channels) {
  const float* const pixels[] = {taps[0], taps[1], taps[2], taps[3]};
  const v128_t by[] = {wasm_v128_load32_splat(weights), wasm_v128_load32_splat(weights + 1),
                       wasm_v128_load32_splat(weights + 2), wasm_v128_load32_splat(weights + 3)};
  size_t c = 0;
  for (; c + 8 <= channels; c += 8) {
    wasm_v128_store(output + c, blend_four(pixels, by, c, 4));
    wasm_v128_store(output + c + 4, blend_four(pixels, by, c + 4, 4));
  }
  for (; c + 4 <= channels; c += 4) {
    wasm_v128_store(output + c, blend_four(pixels, by, c, 4));
  }
  if (c < channels) {
    simd_store(output + c, blend_four(pixels, by, c, channels - c), channels - c);
  }
}

void taps_blend(const float* const* taps, const float* weights, size_t count, float* output, size_t channels) {
  if (count == 4) {
    blend_all_of_four(taps, weights, output, channels);
  } else {
    blend_all(blending_sum, taps, weights, count, output, channels);
  }
}

void taps_add(const float* const* taps, const float* weights, size_t count, float* output, size_t channels) {
  blend_all(blending_added, taps, weights, count, output, channels);
}

void taps_maximum(const float* const* taps, const float* weights, size_t count, float* output, size_t channels) {
  blend_all(blending_maximum, taps, weights, count, output, channels);
}
