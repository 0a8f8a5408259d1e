/* Outputs of 3x3 windows in tiles of 2x2, each of 4x4 pixels, as minimal filtering takes them, shared out among the threads. */
#ifndef PYXNN_TILES_H
#define PYXNN_TILES_H

#include <stdbool.h>
#include <stddef.h>

#include "operator.h"

enum { tile_points = 16 };

/* With more threads than one, there are tasks for each, if none has fewer strips of tiles or output channels than these. */
struct task_limits {
  size_t strip_tiles;          /* tiles of a strip */
  size_t most_strips;          /* that scratch memory has room for */
  size_t least_strips;         /* if there is room for so many */
  size_t block, least_columns; /* output channels are shared out by blocks */
};

/* The tiles of some images, and what a task has of them: some strips, through some output channels of a group. */
struct tiles {
  struct images images;
  size_t out_height, out_width;
  size_t rows, columns; /* tiles of an image */
  size_t count;         /* of all images */
  size_t out_channels;  /* of a group */
  size_t tiles_per_task, channels_per_task;
};

/* Whether a convolution's windows are 3x3, with stride and dilation of 1. */
bool are_tiles(const struct convolution* conv);

/*
 * Takes images, without sharing them out.
 * @param groups        of channels
 * @param in_channels   of a group
 * @param out_channels  of a group
 */
enum xnn_status take_tiles(struct words* dims, size_t groups, size_t in_channels, size_t out_channels,
                           struct tiles* tiles);

/* Shares tiles and output channels out; there are tiles. */
void share_tiles(struct tiles* tiles, const struct task_limits* limits, size_t groups, size_t threads);

/* What a task has: tiles from `first` on, output channels from `channel` to before `end`. */
struct tiles_task {
  size_t first, count, channel, end;
};
struct tiles_task take_task(const struct tiles* tiles, size_t task);

/*
 * Runs all tasks of all groups; none where there are no tiles, which needn't have been shared out then.
 * @param compute  takes `context`, the thread's number, the group and the task
 */
void run_tiles(const struct tiles* tiles, size_t groups, pthreadpool_task_2d_with_thread_t compute, void* context,
               pthreadpool_t pool);

/* Where a tile lies. */
struct tile_place {
  size_t image, row, column; /* row and column of its first output */
};

/* The place of a tile, counted over all images. */
struct tile_place place_tile(const struct tiles* tiles, size_t tile);

/* Goes on to the place of the next tile. */
void advance_tile(const struct tiles* tiles, struct tile_place* place);

/* The pixels of the input under a tile, counted over all images; no_pixel (window.h) outside of them. */
void pixels_under_tile(const struct tiles* tiles, const struct tile_place* place, size_t pixels[tile_points]);

/* The pixel of the output that is a tile's first, counted over all images, and how many of its rows and columns there are. */
struct tile_outputs {
  size_t pixel, rows, columns;
};
struct tile_outputs outputs_of_tile(const struct tiles* tiles, const struct tile_place* place);

#endif
