/* Regions of images, each of which is pooled to as many bins. */
#ifndef PYXNN_REGIONS_H
#define PYXNN_REGIONS_H

#include <stddef.h>

#include "operator.h"

struct regions {
  size_t batch, channels, height, width; /* of the images */
  size_t count, out_height, out_width;   /* how many there are, and the bins of each */
};

/* Takes batch channels height width regions out_height out_width. */
struct regions take_regions(struct words* words);

/* Where a bin lies. */
struct bin {
  size_t region, row, column;
};

/* The place of a bin, counted over all regions. */
struct bin place_bin(const struct regions* regions, size_t number);

/*
 * Shares the bins of all regions out among the threads.
 * @param compute  takes `context`, the first bin of a task and how many bins it has
 */
void share_bins(const struct regions* regions, pthreadpool_task_1d_tile_1d_t compute, void* context,
                pthreadpool_t pool);

#endif
