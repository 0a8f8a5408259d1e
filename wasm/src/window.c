#include "window.h"

struct slide take_slide(struct words* words) {
  struct slide slide = {.extent = take(words)};
  slide.out_extent = take(words);
  slide.kernel = take(words);
  slide.stride = (ptrdiff_t)take(words);
  slide.dilation = (ptrdiff_t)take(words);
  slide.offset = (ptrdiff_t)take(words);
  return slide;
}

/* The first tap at `border` or beyond, of those there are. */
static size_t first_tap(const struct slide* slide, ptrdiff_t start, ptrdiff_t border) {
  const ptrdiff_t way = border - start;
  if (way <= 0) {
    return 0;
  }
  if (way > slide->dilation * ((ptrdiff_t)slide->kernel - 1)) {
    return slide->kernel;
  }
  return (size_t)((way + slide->dilation - 1) / slide->dilation);
}

struct tap_range taps_between(const struct slide* slide, size_t out, ptrdiff_t low, ptrdiff_t high) {
  const ptrdiff_t start = slide->offset + slide->stride * (ptrdiff_t)out;
  return (struct tap_range){.begin = first_tap(slide, start, low), .end = first_tap(slide, start, high)};
}

struct window_place place_window(const struct slide* slides, size_t number) {
  struct window_place place;
  for (size_t axis = window_axes; axis-- > 0;) {
    const struct slide* slide = &slides[axis];
    place.starts[axis] = slide->offset + slide->stride * (ptrdiff_t)(number % slide->out_extent);
    number /= slide->out_extent;
  }
  place.image = number;
  return place;
}

void advance_window(const struct slide* slides, struct window_place* place) {
  for (size_t axis = window_axes; axis-- > 0;) {
    const struct slide* slide = &slides[axis];
    place->starts[axis] += slide->stride;
    if (place->starts[axis] != slide->offset + slide->stride * (ptrdiff_t)slide->out_extent) {
      return;
    }
    place->starts[axis] = slide->offset;
  }
  place->image++;
}

size_t pixel_under(const struct slide* slides, const struct window_place* place, const size_t* tap) {
  size_t pixel = place->image;
  for (size_t axis = 0; axis < window_axes; axis++) {
    const size_t at = (size_t)(place->starts[axis] + slides[axis].dilation * (ptrdiff_t)tap[axis]);
    if (at >= slides[axis].extent) {
      return no_pixel;
    }
    pixel = pixel * slides[axis].extent + at;
  }
  return pixel;
}
