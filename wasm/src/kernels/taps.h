/* Sums over the taps of a window, channel by channel, float32. */
#ifndef PYXNN_KERNELS_TAPS_H
#define PYXNN_KERNELS_TAPS_H

#include <stddef.h>

/*
 * Adds up pixels times their weights, and the bias.
 * @param taps     the pixels
 * @param count    how many
 * @param weights  [count, channels]
 * @param bias     [channels]
 * @param output   `channels` floats, clamped to [min, max]
 */
void taps_sum(const float* const* taps, size_t count, const float* weights, const float* bias, float* output,
              size_t channels, float min, float max);

/*
 * Adds up pixels times one weight each.
 * @param taps     the pixels
 * @param weights  [count]
 * @param count    how many
 * @param output   `channels` floats
 */
void taps_blend(const float* const* taps, const float* weights, size_t count, float* output, size_t channels);

/* The same, added to what the output has. */
void taps_add(const float* const* taps, const float* weights, size_t count, float* output, size_t channels);

/* The greatest of what the output has and of each pixel times its weight. */
void taps_maximum(const float* const* taps, const float* weights, size_t count, float* output, size_t channels);

#endif
