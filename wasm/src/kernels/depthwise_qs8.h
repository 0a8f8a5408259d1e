/*
 * Depthwise convolution of int8, NHWC. Taps are multiplied in pairs, two instructions for eight channels: taps of rows 0 and 1
 * at each column, of rows 2 and 3, and so on; those of a last row without a partner, of columns 0 and 1, and so on.
 *
 * Packed weights: for each group of eight channels (the last one filled up with zeros) and each pair of taps, in that order,
 * both weights of each channel as int16; 0 for a missing one.
 */
#ifndef PYXNN_KERNELS_DEPTHWISE_QS8_H
#define PYXNN_KERNELS_DEPTHWISE_QS8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Pixels that are computed together at most, and channels. */
enum { depthwise_qs8_tile = 4, depthwise_qs8_channels = 8 };

/* Neighbouring pixels of a row of the output. */
struct depthwise_qs8_row {
  /* For each row of the window, at each column of the image, beginning with the first one under the first pixel's window, where
   * the pixel's channels are; those outside the image point to zero points. Channels are read in eights. */
  const int8_t* const* inputs;
  size_t columns; /* from row to row of `inputs` */
  size_t kernel_h, kernel_w, stride, dilation;
  const int16_t* weights;   /* packed */
  const int32_t* bias;      /* by channel, filled up */
  const float* multipliers; /* by channel, filled up */
  size_t channel, channels; /* the first one to compute, a multiple of eight, and the first one beyond */
  int8_t* output;           /* of the first pixel */
  size_t output_stride;     /* between pixels */
  size_t pixels;
  int8_t zero_point, min, max; /* of the output */
  bool is_far;                 /* requantize_is_far */
};

/* Pairs of taps. */
size_t depthwise_qs8_pairs(size_t kernel_h, size_t kernel_w);

/* Packs kernel [channels, kernel_h, kernel_w], less the zero point of each channel. */
void depthwise_qs8_pack(const int8_t* kernel, size_t channels, size_t kernel_h, size_t kernel_w,
                        const int32_t* zero_points, int16_t* packed);

/* A result is its sum times the multiplier of its channel, rounded (ties to even), plus the zero point, within the bounds. */
void depthwise_qs8(const struct depthwise_qs8_row* row);

#endif
