#include "product_windows.h"

#include <string.h>

#include "sizes.h"

void plan_windows(struct product_windows* windows, size_t runs) {
  const struct slide* slides = windows->slides;
  windows->depth = windows->channels;
  windows->is_pointwise = true;
  for (size_t axis = 0; axis < window_axes; axis++) {
    const struct slide* slide = &slides[axis];
    windows->depth *= slide->kernel;
    windows->is_pointwise &=
        slide->kernel == 1 && slide->stride == 1 && slide->offset == 0 && slide->extent == slide->out_extent;
  }
  windows->is_line = slides[2].kernel == 1 || (slides[2].dilation == 1 && windows->pixel_step == windows->channels);
  windows->runs = runs;
  if (runs == 0) {
    const bool is_any = slides[2].kernel * windows->channels % product_run_depths == 0;
    windows->runs = is_any && slides[0].kernel == 1 ? slides[1].kernel : 1;
  }
}

/* Copies bytes; a call for each few of them would cost more than the copy. */
static inline uint8_t* copy_bytes(const uint8_t* from, size_t count, uint8_t* to) {
  if (count < 8) {
#pragma clang loop vectorize(disable) unroll(disable)
    for (size_t i = 0; i < count; i++) {
      to[i] = from[i];
    }
    return to + count;
  }
  for (size_t i = 0; i + 8 < count; i += 8) {
    __builtin_memcpy(to + i, from + i, 8);
  }
  __builtin_memcpy(to + count - 8, from + count - 8, 8);
  return to + count;
}

/* Copies one row of the pixels under a window; `from` is the row of the image, or NULL for one outside. */
static uint8_t* copy_line(const struct product_windows* windows, const uint8_t* from, ptrdiff_t column, uint8_t zero,
                          uint8_t* to) {
  const struct slide* slide = &windows->slides[window_axes - 1];
  const size_t channels = windows->channels;
  if (from != NULL && windows->is_line && column >= 0 &&
      column + (ptrdiff_t)slide->kernel <= (ptrdiff_t)slide->extent) {
    return copy_bytes(from + (size_t)column * windows->pixel_step, slide->kernel * channels, to);
  }
  for (size_t tap = 0; tap < slide->kernel; tap++) {
    if (from != NULL && column >= 0 && column < (ptrdiff_t)slide->extent) {
      to = copy_bytes(from + (size_t)column * windows->pixel_step, channels, to);
    } else {
      memset(to, zero, channels);
      to += channels;
    }
    column += slide->dilation;
  }
  return to;
}

/* Copies what lies under a window; zero points stand for what is outside of the image. */
static void copy_window(const struct product_windows* windows, const uint8_t* input, const struct window_place* place,
                        uint8_t zero, uint8_t* to) {
  const struct slide* slides = windows->slides;
  const size_t line_size = slides[2].extent * windows->pixel_step;
  for (size_t first = 0; first < slides[0].kernel; first++) {
    const size_t plane = (size_t)(place->starts[0] + slides[0].dilation * (ptrdiff_t)first);
    for (size_t second = 0; second < slides[1].kernel; second++) {
      const size_t line = (size_t)(place->starts[1] + slides[1].dilation * (ptrdiff_t)second);
      const uint8_t* from = NULL;
      if (plane < slides[0].extent && line < slides[1].extent) {
        const size_t lines = (place->image * slides[0].extent + plane) * slides[1].extent + line;
        from = input + lines * line_size;
      }
      to = copy_line(windows, from, place->starts[2], zero, to);
    }
  }
}

/* Whether a window, the rows of which are runs in the image, lies in it. */
static bool is_inside(const struct product_windows* windows, const struct window_place* place) {
  bool inside = windows->is_line && windows->runs == windows->slides[0].kernel * windows->slides[1].kernel;
  for (size_t axis = 0; axis < window_axes; axis++) {
    const struct slide* slide = &windows->slides[axis];
    const ptrdiff_t start = place->starts[axis];
    inside &= start >= 0 && start + slide->dilation * ((ptrdiff_t)slide->kernel - 1) < (ptrdiff_t)slide->extent;
  }
  return inside;
}

/* Goes on by windows of one line that lie in the image, the first of which does; returns how many, at most `most`. */
static size_t skip_inside(const struct product_windows* windows, struct window_place* place, size_t most) {
  const struct slide* slide = &windows->slides[window_axes - 1];
  ptrdiff_t* start = &place->starts[window_axes - 1];
  const size_t room = slide->extent - slide->dilation * (slide->kernel - 1) - (size_t)*start;
  const size_t left = slide->out_extent - (size_t)(*start - slide->offset) / slide->stride;
  const size_t count = smaller(most, smaller(divide_up(room, slide->stride), left));
  *start += slide->stride * (ptrdiff_t)(count - 1);
  advance_window(windows->slides, place);
  return count;
}

struct window_rows take_windows(const struct product_windows* windows, const uint8_t* input, struct window_place* place,
                                size_t most, uint8_t zero, uint8_t* bytes) {
  const struct slide* slides = windows->slides;
  const size_t depth = windows->depth, num_runs = windows->runs;
  const size_t pixel = windows->pixel_step, line = slides[2].extent * pixel;
  struct window_rows rows = {.source.is_signed = windows->is_signed,
                             .runs = {num_runs, depth / num_runs, depth / num_runs}};
  if (is_inside(windows, place)) {
    const size_t plane = place->image * slides[0].extent + (size_t)place->starts[0];
    const size_t start =
        (plane * slides[1].extent + (size_t)place->starts[1]) * line + (size_t)place->starts[2] * pixel;
    rows.source.bytes = input + start;
    rows.source.step = (size_t)slides[2].stride * pixel;
    rows.runs.step = (size_t)slides[1].dilation * line;
    rows.count = skip_inside(windows, place, most);
    return rows;
  }
  rows.source.bytes = bytes;
  rows.source.step = depth;
  do {
    copy_window(windows, input, place, zero, bytes + rows.count++ * depth);
    advance_window(slides, place);
  } while (rows.count < smaller(most, product_rows) && !is_inside(windows, place));
  return rows;
}
