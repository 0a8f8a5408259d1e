/* What pools make of one window, channels innermost, float32. */
#ifndef PYXNN_KERNELS_POOLING_H
#define PYXNN_KERNELS_POOLING_H

#include <stddef.h>
#include <stdint.h>

/* The taps of a window that are inside the image; strides count floats. */
struct pooling_taps {
  const float* first;
  size_t counts[3];
  ptrdiff_t strides[3];
};

/* What is done with `channels` sums or maxima in the end. */
struct pooling_result {
  size_t channels;
  float* output;
  float factor; /* that sums are multiplied by */
  float power;  /* of which sums are the root */
  float min;
  float max;
};

/* The greatest, at least the least finite float; NaN counts nothing. */
void pooling_maximum(const struct pooling_taps* taps, const struct pooling_result* result);

void pooling_mean(const struct pooling_taps* taps, const struct pooling_result* result);

/* The p-norm: the root of the sum of powers of the magnitudes. */
void pooling_norm(const struct pooling_taps* taps, const struct pooling_result* result);

/*
 * Where the greatest is, the first of equals.
 * @param place    of the first tap
 * @param strides  places between taps
 * @param step     added for each channel
 */
void pooling_argmax(const struct pooling_taps* taps, int64_t place, const int32_t strides[3], int64_t step,
                    int64_t* output, size_t channels);

#endif
