/* Windows that slide over up to three axes of an image. */
#ifndef PYXNN_WINDOW_H
#define PYXNN_WINDOW_H

#include <stddef.h>
#include <stdint.h>

#include "operator.h"

enum { window_axes = 3 };

/* How the window slides along one axis: its tap k is at `offset` + stride * (place in the output) + dilation * k. */
struct slide {
  size_t extent, out_extent, kernel;
  ptrdiff_t stride, dilation, offset;
};

/* Takes extent out_extent kernel stride dilation offset, the last three signed. */
struct slide take_slide(struct words* words);

/* Taps [begin, end) of a window, and where the first lies. */
struct tap_range {
  size_t begin, end;
};

/*
 * The taps between two borders.
 * @param slide  of positive dilation
 * @param out    the window's place in the output
 * @param low    the first place in the input that counts
 * @param high   the first beyond
 */
struct tap_range taps_between(const struct slide* slide, size_t out, ptrdiff_t low, ptrdiff_t high);

/* Where a window lies: its image, and along each axis its first tap. */
struct window_place {
  size_t image;
  ptrdiff_t starts[window_axes];
};

/* The place of the window of an output, counted over all images. */
struct window_place place_window(const struct slide* slides, size_t number);

/* Goes on to the window of the next output. */
void advance_window(const struct slide* slides, struct window_place* place);

static const size_t no_pixel = SIZE_MAX;

/*
 * The pixel of the input under a tap, counted over all images; no_pixel outside of them.
 * @param tap  its place in the window along each axis
 */
size_t pixel_under(const struct slide* slides, const struct window_place* place, const size_t* tap);

#endif
