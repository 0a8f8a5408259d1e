#include "tiles.h"

#include "sizes.h"
#include "window.h"

enum { tasks_per_thread = 4 };

bool are_tiles(const struct convolution* conv) {
  const struct window window = conv->window;
  return window.kernel_h == 3 && window.kernel_w == 3 && window.stride_h == 1 && window.stride_w == 1 &&
         conv->dilation_h == 1 && conv->dilation_w == 1;
}

enum xnn_status take_tiles(struct words* dims, size_t groups, size_t in_channels, size_t out_channels,
                           struct tiles* tiles) {
  const struct images images = take_images(dims);
  const size_t padded_height = images.height + images.pad_top + images.pad_bottom;
  const size_t padded_width = images.width + images.pad_left + images.pad_right;
  if (images.in_pixel_stride < groups * in_channels || images.out_pixel_stride < groups * out_channels ||
      padded_height < 3 || padded_width < 3) {
    return xnn_status_invalid_parameter;
  }
  const size_t height = padded_height - 2, width = padded_width - 2;
  *tiles = (struct tiles){.images = images, .out_height = height, .out_width = width, .out_channels = out_channels};
  tiles->rows = divide_up(height, 2);
  tiles->columns = divide_up(width, 2);
  tiles->count = images.batch * tiles->rows * tiles->columns;
  return xnn_status_success;
}

void share_tiles(struct tiles* tiles, const struct task_limits* limits, size_t groups, size_t threads) {
  const size_t strips = divide_up(tiles->count, limits->strip_tiles);
  const size_t wanted = threads == 1 ? 1 : divide_up(tasks_per_thread * threads, groups);
  const size_t share = larger(divide_up(strips, wanted), limits->least_strips);
  const size_t tasks = divide_up(strips, smaller(share, limits->most_strips));
  tiles->tiles_per_task = divide_up(strips, tasks) * limits->strip_tiles;
  const size_t blocks = divide_up(tiles->out_channels, limits->block), parts = divide_up(wanted, tasks);
  tiles->channels_per_task = larger(divide_up(blocks, parts) * limits->block, limits->least_columns);
}

struct tiles_task take_task(const struct tiles* tiles, size_t task) {
  const size_t parts = divide_up(tiles->out_channels, tiles->channels_per_task);
  const size_t first = task / parts * tiles->tiles_per_task, channel = task % parts * tiles->channels_per_task;
  return (struct tiles_task){
      .first = first,
      .count = smaller(tiles->count - first, tiles->tiles_per_task),
      .channel = channel,
      .end = smaller(channel + tiles->channels_per_task, tiles->out_channels),
  };
}

void run_tiles(const struct tiles* tiles, size_t groups, pthreadpool_task_2d_with_thread_t compute, void* context,
               pthreadpool_t pool) {
  if (tiles->count != 0) {
    const size_t parts = divide_up(tiles->out_channels, tiles->channels_per_task);
    pthreadpool_parallelize_2d_with_thread(pool, compute, context, groups,
                                           divide_up(tiles->count, tiles->tiles_per_task) * parts,
                                           PTHREADPOOL_FLAG_DISABLE_DENORMALS);
  }
}

struct tile_place place_tile(const struct tiles* tiles, size_t tile) {
  const size_t row = tile / tiles->columns;
  return (struct tile_place){row / tiles->rows, row % tiles->rows * 2, tile % tiles->columns * 2};
}

void advance_tile(const struct tiles* tiles, struct tile_place* place) {
  place->column += 2;
  if (place->column < tiles->out_width) {
    return;
  }
  place->column = 0;
  place->row += 2;
  if (place->row >= tiles->out_height) {
    place->row = 0;
    place->image += 1;
  }
}

void pixels_under_tile(const struct tiles* tiles, const struct tile_place* place, size_t pixels[tile_points]) {
  const struct images* images = &tiles->images;
  for (size_t y = 0; y < 4; y++) {
    /* Before the image, it wraps around and so is outside, too. */
    const size_t row = place->row + y - images->pad_top;
    for (size_t x = 0; x < 4; x++) {
      const size_t column = place->column + x - images->pad_left;
      const bool inside = row < images->height && column < images->width;
      pixels[4 * y + x] = inside ? (place->image * images->height + row) * images->width + column : no_pixel;
    }
  }
}

struct tile_outputs outputs_of_tile(const struct tiles* tiles, const struct tile_place* place) {
  return (struct tile_outputs){
      .pixel = (place->image * tiles->out_height + place->row) * tiles->out_width + place->column,
      .rows = smaller(tiles->out_height - place->row, 2),
      .columns = smaller(tiles->out_width - place->column, 2),
  };
}
