/* Quantization of floats to bytes by their own range. */
#ifndef PYXNN_KERNELS_DYNAMIC_QUANTIZE_H
#define PYXNN_KERNELS_DYNAMIC_QUANTIZE_H

#include <stddef.h>
#include <stdint.h>

struct float_range {
  float low, high;
};

/* The range of `count` floats and 0. */
struct float_range range_of(const float* input, size_t count);

/*
 * Quantizes: input / scale, rounded to nearest, ties to even, plus the zero point, within [0, 255].
 * @param input  `count` floats; NaN counts as the lowest
 */
void quantize_floats(const float* input, size_t count, float scale, uint8_t zero, uint8_t* output);

#endif
