/* Rows of a depthwise convolution, NHWC float32, several pixels at a time. */
#ifndef PYXNN_KERNELS_DEPTHWISE_H
#define PYXNN_KERNELS_DEPTHWISE_H

#include <stddef.h>
#include <stdint.h>

/* Pixels of the output that a kernel computes together. */
enum { depthwise_tile = 4 };

/* One call: `depthwise_tile` neighbouring output pixels, channels [0, channels). Strides count floats. */
struct depthwise_tile_arguments {
  const float* input;    /* the window of the first pixel: its first row inside the image, its first column */
  size_t row_stride;     /* between rows of the input */
  size_t pixel_stride;   /* between pixels of the input */
  const float* weights;  /* packed (see operators/depthwise.c), from the first row of the window inside the image */
  size_t weights_stride; /* between groups of four channels */
  size_t rows;           /* rows of the window inside the image */
  const float* bias;     /* one a channel */
  float* output;         /* the first pixel */
  size_t output_stride;  /* between pixels of the output */
  size_t channels;       /* a multiple of 4 for every tile but the last of a row of channels */
  float min;
  float max;
};

/*
 * Computes a tile whose windows lie wholly inside the columns of the image.
 */
typedef void (*depthwise_inner_tile)(const struct depthwise_tile_arguments* tile);

/*
 * Computes a tile any of whose columns may be outside.
 * @param columns  for each column that the windows touch, its offset in floats from tile->input + row, or
 *                 depthwise_outside for a column of zeros
 * @param pixels   how many of the tile's pixels are inside the output, at most depthwise_tile
 */
typedef void (*depthwise_border_tile)(const struct depthwise_tile_arguments* tile, const ptrdiff_t* columns,
                                      size_t pixels);

#define depthwise_outside PTRDIFF_MIN

struct depthwise_kernel {
  depthwise_inner_tile inner;
  depthwise_border_tile border;
};

/*
 * Chooses the kernel for a window's width and horizontal stride.
 * @return NULL when there is none: kernel_w must be 3 or 5, stride_w 1 or 2.
 */
const struct depthwise_kernel* depthwise_choose(uint32_t kernel_w, uint32_t stride_w);

#endif
