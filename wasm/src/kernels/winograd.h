/*
 * Convolution by windows of 3x3 pixels, stride 1, in 16 products for 4 outputs instead of 36: Winograd's minimal filtering
 * F(2x2, 3x3), as Lavin and Gray have it (Fast Algorithms for Convolutional Neural Networks, 2015). NHWC float32.
 *
 * A tile of 4x4 pixels gives 2x2 outputs. Pixels and weights are transformed into 16 points each; point by point they are
 * multiplied and summed over the input channels, for six tiles and eight output channels at a time; the sums are transformed
 * into outputs. An output depends on no pixel but those of its window.
 */
#ifndef PYXNN_KERNELS_WINOGRAD_H
#define PYXNN_KERNELS_WINOGRAD_H

#include <stddef.h>

#include "sizes.h"

enum { winograd_points = 16, winograd_tiles = 6, winograd_columns = 8 };

/* Floats from point to point of transformed pixels: a constant, and no multiple of the first-level cache's ways. */
enum { winograd_strip_room = 9216, winograd_point_step = winograd_strip_room + 48 };

/* Floats of a point of a strip of tiles: [input channels / 4, tiles, 4]. */
static inline size_t winograd_strip_size(size_t in_channels) {
  return rounded_up(in_channels, 4) * winograd_tiles;
}

/* Floats of the sums of a strip: [points, tiles, columns]. */
enum { winograd_sums_size = winograd_points * winograd_tiles * winograd_columns };

/*
 * Transforms the weights of a window from one input channel to one output channel.
 * @param taps         nine weights, `tap_step` apart
 * @param transformed  receives a weight for each point, `point_step` apart
 */
void winograd_transform_weights(const float* taps, size_t tap_step, float* transformed, size_t point_step);

/*
 * Transforms the pixels of a tile.
 * @param pixels       where the channels of each begin, in rows of four
 * @param transformed  receives the tile's place in a strip: a point's channels four by four, the last filled up with zeros
 */
void winograd_transform_pixels(const float* const pixels[winograd_points], size_t in_channels, float* transformed);

/*
 * Sums products for all points of some strips, for eight output channels.
 * @param pixels   the first strip
 * @param weights  [points, input channels rounded up to four, columns]
 * @param sums     receives [strips, points, tiles, columns]
 */
typedef void (*winograd_multiply)(size_t in_channels, size_t strips, const float* pixels, const float* weights,
                                  float* sums);

/* For strips of 1, 2 and so on up to all tiles. */
extern const winograd_multiply winograd_multiply_tiles[winograd_tiles];

/* Where the outputs of a tile go, and what becomes of them on the way. */
struct winograd_outputs {
  float* output; /* the first column of the first pixel */
  size_t row_step, pixel_step;
  size_t rows, pixels; /* of the tile that are in the image: 1 or 2 */
  size_t columns;      /* how many there are: more than winograd_columns count as that */
  const float* bias;   /* one a column */
  float min, max;
};

/* Transforms the sums of a tile, which begin with the first point's. */
void winograd_transform_sums(const float* sums, const struct winograd_outputs* to);

#endif
