#include "regions.h"

/* About so many products are one task; so many are thought of by channel of a bin, and by bin. */
enum { products_per_task = 16384, products_by_channel = 16, products_by_bin = 64 };

struct regions take_regions(struct words* words) {
  struct regions regions = {.batch = take(words)};
  regions.channels = take(words);
  regions.height = take(words);
  regions.width = take(words);
  regions.count = take(words);
  regions.out_height = take(words);
  regions.out_width = take(words);
  return regions;
}

struct bin place_bin(const struct regions* regions, size_t number) {
  const size_t row = number / regions->out_width;
  return (struct bin){row / regions->out_height, row % regions->out_height, number % regions->out_width};
}

void share_bins(const struct regions* regions, pthreadpool_task_1d_tile_1d_t compute, void* context,
                pthreadpool_t pool) {
  const size_t products = regions->channels * products_by_channel + products_by_bin;
  pthreadpool_parallelize_1d_tile_1d(pool, compute, context, regions->count * regions->out_height * regions->out_width,
                                     products_per_task / products + 1, PTHREADPOOL_FLAG_DISABLE_DENORMALS);
}
