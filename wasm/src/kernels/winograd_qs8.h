/*
 * Convolution of int8 by windows of 3x3 pixels, stride 1, by minimal filtering as in kernels/winograd.h, but exact: weights are
 * transformed into twice of what they are along each axis, so all numbers are integers, and sums are four times too large. They
 * wrap, so that only the outputs' own size counts, which has to stay below 2^29.
 *
 * Pixels and weights less their zero points have nine bits, a transformed pixel has eleven, and a weight thirteen. Points are
 * multiplied as wide columns by the rows of a tile (kernels/byte_product.h).
 */
#ifndef PYXNN_KERNELS_WINOGRAD_QS8_H
#define PYXNN_KERNELS_WINOGRAD_QS8_H

#include <stddef.h>
#include <stdint.h>

#include "kernels/requantize.h"

/* Channels of pixels are transformed in eights, of which there are whole ones alone. */
enum { winograd_qs8_points = 16, winograd_qs8_channels = 8 };

/*
 * Transforms the weights of a window from one input channel to one output channel.
 * @param taps         nine weights, `tap_step` apart
 * @param zero         their zero point
 * @param transformed  receives a weight for each point, `point_step` apart
 */
void winograd_qs8_transform_weights(const int8_t* taps, size_t tap_step, int32_t zero, int16_t* transformed,
                                    size_t point_step);

/*
 * Transforms the pixels of a tile.
 * @param pixels       where the channels of each begin, in rows of four
 * @param zero         their zero point
 * @param tiles        how many lie side by side
 * @param transformed  receives the tile's place: of each point, `point_step` apart, the channels four by four
 */
void winograd_qs8_transform_pixels(const int8_t* const pixels[winograd_qs8_points], size_t in_channels, int8_t zero,
                                   size_t tiles, int16_t* transformed, size_t point_step);

/* Where eight columns of a tile's outputs go, and what becomes of them on the way. */
struct winograd_qs8_outputs {
  int8_t* output; /* the first column of the first pixel */
  size_t row_step, pixel_step;
  size_t rows, pixels; /* of the tile that are in the image: 1 or 2 */
  size_t columns;      /* how many there are: more than eight count as that */
  const int32_t* bias;
  const float* multipliers;
};

/* Transforms the sums of a tile, those of a point `point_step` behind those of the point before. */
void winograd_qs8_transform_sums(const int32_t* sums, size_t point_step, const struct requantizer* by,
                                 const struct winograd_qs8_outputs* to);

#endif
