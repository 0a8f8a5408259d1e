/* Means of windows over int8 images, channels innermost. */
#ifndef PYXNN_KERNELS_MEAN_POOL_QS8_H
#define PYXNN_KERNELS_MEAN_POOL_QS8_H

#include <stddef.h>

#include "kernels/requantize.h"

/* The sums of so many numbers have 32 bits. */
enum { mean_pool_most_taps = 1 << 23 };

/* The taps of a window that are inside the image, mean_pool_most_taps at most. */
struct mean_pool_taps {
  const int8_t* first;
  size_t counts[3];
  ptrdiff_t strides[3];
};

/*
 * output[channel] = (the sum of the taps - zero) * factor, in steps of the result.
 * @param output  apart from the image
 */
void mean_pool_qs8(const struct mean_pool_taps* taps, int32_t zero, float factor, const struct requantizer* to,
                   int8_t* output, size_t channels);

#endif
