/*
 * Attention on our own kernel (kernels/attention.c). A task is a few rows of queries that share their keys: their scores
 * with all keys, the softmax of these, and the sum of the values are done one after the other in a scratch of the thread's,
 * so that scores never leave the cache. Keys and values are packed first, where more than a few rows will use them.
 */
#include "kernels/attention.h"

#include <string.h>

#include "operator.h"
#include "sizes.h"

/* Keys that are packed as one task. */
enum { keys_per_block = 64 };

/* Up to so many tiles of rows, keys and values are used as they lie: so many keys of each stream by all rows of a tile. */
enum { tiles_unpacked = 2, keys_of_stream = 16, keys_together = keys_of_stream * attention_streams };

/* Where a tensor [batch, head, row, element] has its rows, in elements; elements lie side by side. */
struct strides {
  size_t batch, head, row;
};

struct attention_state {
  float scale, softcap;
  size_t mask_size, length_size;
};

struct attention_instance {
  const struct attention_state* state;
  size_t batch, heads, kv_heads, queries, keys, head_size, value_size;
  struct strides query_strides, key_strides, value_strides, output_strides, mask_strides;
  size_t mask_keys;
  size_t offset, left, right;
  bool packed;
  size_t tiles;
  const float *query, *key, *value;
  const char* mask;
  const void* lengths;
  float* output;
  /* Workspace: of each batch and head panels of keys and of values; of each thread scores. */
  float *packed_keys, *packed_values, *scratch;
};

static size_t panels(size_t columns) {
  return divide_up(columns, attention_columns);
}

/* Floats that the panels of one head take. */
static size_t packed_keys_size(const struct attention_instance* instance) {
  return panels(instance->keys) * attention_columns * instance->head_size;
}

static size_t packed_values_size(const struct attention_instance* instance) {
  return panels(instance->value_size) * attention_columns * instance->keys;
}

/* Floats between the scores of two rows. */
static size_t score_stride(const struct attention_instance* instance) {
  return (panels(instance->keys) + 1) * attention_columns;
}

static enum xnn_status create(struct words* params, const void* kernel, const void* bias, void** out) {
  struct attention_state state = {.scale = take_float(params)};
  state.softcap = take_float(params);
  state.mask_size = take(params);
  state.length_size = take(params);
  return own_state(&state, sizeof(state), out);
}

static struct strides take_strides(struct words* dims) {
  struct strides strides = {.batch = take(dims)};
  strides.head = take(dims);
  strides.row = take(dims);
  return strides;
}

static enum xnn_status reshape(void* opaque, struct words* dims, size_t* workspace, pthreadpool_t pool) {
  struct attention_instance* instance = opaque;
  instance->batch = take(dims);
  instance->heads = take(dims);
  instance->kv_heads = take(dims);
  instance->queries = take(dims);
  instance->keys = take(dims);
  instance->head_size = take(dims);
  instance->value_size = take(dims);
  instance->query_strides = take_strides(dims);
  instance->key_strides = take_strides(dims);
  instance->value_strides = take_strides(dims);
  instance->output_strides = take_strides(dims);
  instance->mask_strides = take_strides(dims);
  instance->mask_keys = take(dims);
  instance->offset = take(dims);
  instance->left = take(dims);
  instance->right = take(dims);
  if (instance->kv_heads == 0 || instance->heads % instance->kv_heads != 0) {
    return xnn_status_invalid_parameter;
  }
  const size_t rows = instance->heads / instance->kv_heads * instance->queries;
  instance->tiles = divide_up(rows, attention_rows);
  instance->packed = instance->tiles > tiles_unpacked || instance->value_size % attention_columns != 0;
  const size_t heads = instance->packed ? instance->batch * instance->kv_heads : 0;
  const size_t threads = pthreadpool_get_threads_count(pool);
  *workspace = (heads * (packed_keys_size(instance) + packed_values_size(instance)) +
                threads * attention_rows * score_stride(instance)) *
               sizeof(float);
  return xnn_status_success;
}

static enum xnn_status setup(void* opaque, void* workspace, void* const* tensors) {
  struct attention_instance* instance = opaque;
  const size_t heads = instance->packed ? instance->batch * instance->kv_heads : 0;
  instance->query = tensors[0];
  instance->key = tensors[1];
  instance->value = tensors[2];
  instance->mask = tensors[3];
  instance->lengths = tensors[4];
  instance->output = tensors[5];
  instance->packed_keys = workspace;
  instance->packed_values = instance->packed_keys + heads * packed_keys_size(instance);
  instance->scratch = instance->packed_values + heads * packed_values_size(instance);
  return xnn_status_success;
}

/* The first element of a row of a batch and a head. */
static size_t place(const struct strides* strides, size_t batch, size_t head, size_t row) {
  return batch * strides->batch + head * strides->head + row * strides->row;
}

/* Packs some of the keys and values of one head; `index` counts the heads of all batches. */
static void pack(void* context, size_t index, size_t first, size_t count) {
  const struct attention_instance* instance = context;
  const size_t batch = index / instance->kv_heads, head = index % instance->kv_heads;
  float* panel = instance->packed_keys + index * packed_keys_size(instance) + first * instance->head_size;
  for (size_t key = first; key < first + count; key += attention_columns) {
    const size_t left = first + count - key;
    attention_pack_rows(instance->key + place(&instance->key_strides, batch, head, key), instance->key_strides.row,
                        smaller(left, attention_columns), instance->head_size, panel);
    panel += attention_columns * instance->head_size;
  }
  const float* value = instance->value + place(&instance->value_strides, batch, head, first);
  float* column = instance->packed_values + index * packed_values_size(instance) + first * attention_columns;
  for (size_t i = 0; i < instance->value_size; i += attention_columns) {
    const size_t left = instance->value_size - i;
    const size_t bytes = (smaller(left, attention_columns)) * sizeof(float);
    for (size_t key = 0; key < count; key++) {
      memcpy(column + key * attention_columns, value + key * instance->value_strides.row + i, bytes);
    }
    column += instance->keys * attention_columns;
  }
}

/* How many keys of a batch count. */
static size_t length_of(const struct attention_instance* instance, size_t batch) {
  const size_t size = instance->state->length_size;
  if (size == 0) {
    return instance->keys;
  }
  const int64_t length =
      size == sizeof(int64_t) ? ((const int64_t*)instance->lengths)[batch] : ((const int32_t*)instance->lengths)[batch];
  return length < 0 ? 0 : length < (int64_t)instance->keys ? (size_t)length : instance->keys;
}

/* The keys [begin, end) that a query may see. */
struct range {
  size_t begin, end;
};

static struct range seen_by(const struct attention_instance* instance, size_t batch, size_t query) {
  const size_t length = length_of(instance, batch);
  /* Among the keys of a batch, that of the query itself; before the first where there are more queries than keys. */
  const int64_t own =
      (int64_t)query +
      (instance->state->length_size == 0 ? (int64_t)instance->offset : (int64_t)length - (int64_t)instance->queries);
  int64_t begin = instance->left == UINT32_MAX ? 0 : own - (int64_t)instance->left;
  int64_t end = instance->right == UINT32_MAX ? (int64_t)length : own + (int64_t)instance->right + 1;
  const size_t most = smaller(instance->mask_keys, length);
  end = end < 0 ? 0 : end < (int64_t)most ? end : (int64_t)most;
  begin = begin < 0 ? 0 : begin < end ? begin : end;
  return (struct range){(size_t)begin, (size_t)end};
}

/* A few rows of queries: which, what they see, and where their scores and their results are. */
struct tile {
  size_t batch, kv_head, count;
  const float* queries[attention_rows];
  struct range seen[attention_rows];
  struct range all;
  size_t mask_places[attention_rows];
  float* scores[attention_rows];
  float factors[attention_rows];
  float* outputs[attention_rows];
};

static void fill_tile(const struct attention_instance* instance, size_t index, size_t first, float* scratch,
                      struct tile* tile) {
  const size_t group = instance->heads / instance->kv_heads;
  const size_t rows = group * instance->queries;
  const size_t per_tile = divide_up(rows, instance->tiles);
  tile->batch = index / instance->kv_heads;
  tile->kv_head = index % instance->kv_heads;
  first *= per_tile;
  tile->count = first >= rows ? 0 : smaller(rows - first, per_tile);
  tile->all = (struct range){0, 0};
  for (size_t r = 0; r < tile->count; r++) {
    const size_t head = tile->kv_head * group + (first + r) / instance->queries;
    const size_t query = (first + r) % instance->queries;
    const struct range seen = seen_by(instance, tile->batch, query);
    tile->queries[r] = instance->query + place(&instance->query_strides, tile->batch, head, query);
    tile->outputs[r] = instance->output + place(&instance->output_strides, tile->batch, head, query);
    tile->mask_places[r] = place(&instance->mask_strides, tile->batch, head, query);
    tile->scores[r] = scratch + r * score_stride(instance);
    tile->seen[r] = seen;
    if (tile->all.begin == tile->all.end) {
      tile->all = seen;
    } else if (seen.begin < seen.end) {
      tile->all.begin = smaller(seen.begin, tile->all.begin);
      tile->all.end = larger(seen.end, tile->all.end);
    }
  }
}

/* Scores of the tile's rows with the keys that any of them sees; score 0 is of key `base`. */
static void score(const struct attention_instance* instance, size_t index, const struct tile* tile, size_t base) {
  const float scale = instance->state->scale;
  if (!instance->packed) {
    const size_t together = tile->count == 1 ? instance->keys : keys_together;
    for (size_t key = base; key < tile->all.end; key += together) {
      const float* keys = instance->key + place(&instance->key_strides, tile->batch, tile->kv_head, key);
      const size_t left = tile->all.end - key, count = smaller(left, together);
      attention_dots(tile->count, tile->queries, keys, instance->key_strides.row, count, instance->head_size, scale,
                     tile->scores, key - base);
    }
    return;
  }
  const float* panel = instance->packed_keys + index * packed_keys_size(instance) + base * instance->head_size;
  const float factors[attention_rows] = {scale, scale, scale, scale};
  attention_products(tile->count, tile->queries, panel, attention_columns * instance->head_size, attention_columns,
                     instance->head_size, factors, tile->scores, tile->all.end - base, false);
}

/* Turns the scores into weights, zero for the keys that a row doesn't see. */
static void weigh(const struct attention_instance* instance, struct tile* tile, size_t base) {
  const struct attention_state* state = instance->state;
  for (size_t r = 0; r < tile->count; r++) {
    const struct range seen = tile->seen[r];
    float* scores = tile->scores[r];
    if (seen.begin == seen.end) {
      tile->factors[r] = 0.0f;
    } else {
      const size_t place = tile->mask_places[r] + seen.begin;
      const float* mask = state->mask_size == sizeof(float) ? (const float*)instance->mask + place : NULL;
      const uint8_t* bits = state->mask_size == 1 ? (const uint8_t*)instance->mask + place : NULL;
      tile->factors[r] =
          attention_weights(scores + seen.begin - base, seen.end - seen.begin, state->softcap, mask, bits);
    }
    const size_t begin = seen.begin < seen.end ? seen.begin : tile->all.end;
    const size_t end = seen.begin < seen.end ? seen.end : tile->all.end;
    memset(scores + tile->all.begin - base, 0, (begin - tile->all.begin) * sizeof(*scores));
    memset(scores + end - base, 0, (tile->all.end - end) * sizeof(*scores));
  }
}

/* Sums the values under the tile's weights; where they lie unpacked, so many at a time that they are read once from far. */
static void sum(const struct attention_instance* instance, size_t index, const struct tile* tile, size_t base) {
  const size_t begin = tile->all.begin, end = tile->all.end;
  const float* weights[attention_rows];
  for (size_t r = 0; r < tile->count; r++) {
    weights[r] = tile->scores[r] + begin - base;
  }
  if (instance->packed) {
    const float* panel = instance->packed_values + index * packed_values_size(instance) + begin * attention_columns;
    attention_products(tile->count, weights, panel, instance->keys * attention_columns, attention_columns, end - begin,
                       tile->factors, tile->outputs, instance->value_size, false);
    return;
  }
  const size_t stride = instance->value_strides.row, size = instance->value_size;
  const float* values = instance->value + place(&instance->value_strides, tile->batch, tile->kv_head, begin);
  size_t key = 0;
  if (tile->count == 1) {
    const size_t apart = (end - begin) / attention_streams;
    for (; key < apart; key += keys_of_stream) {
      const size_t count = smaller(apart - key, keys_of_stream);
      attention_product_of_streams(weights[0] + key, values + key * stride, attention_columns, stride, apart, count,
                                   tile->factors[0], tile->outputs[0], size, key != 0);
    }
    key = apart * attention_streams;
  }
  for (; key < end - begin || key == 0; key += keys_together) {
    const size_t left = end - begin - key, count = smaller(left, keys_together);
    const float* rows[attention_rows];
    for (size_t r = 0; r < tile->count; r++) {
      rows[r] = weights[r] + key;
    }
    attention_products(tile->count, rows, values + key * stride, attention_columns, stride, count, tile->factors,
                       tile->outputs, size, key != 0);
  }
}

static void attend(void* context, size_t thread, size_t index, size_t number) {
  const struct attention_instance* instance = context;
  struct tile tile;
  fill_tile(instance, index, number, instance->scratch + thread * attention_rows * score_stride(instance), &tile);
  if (tile.count == 0) {
    return;
  }
  const size_t base = tile.all.begin / attention_columns * attention_columns;
  score(instance, index, &tile, base);
  weigh(instance, &tile, base);
  sum(instance, index, &tile, base);
}

static enum xnn_status run(void* opaque, pthreadpool_t pool) {
  const struct attention_instance* instance = opaque;
  const size_t heads = instance->batch * instance->kv_heads;
  if (instance->packed) {
    pthreadpool_parallelize_2d_tile_1d(pool, pack, opaque, heads, instance->keys, keys_per_block, 0);
  }
  pthreadpool_parallelize_2d_with_thread(pool, attend, opaque, heads, instance->tiles,
                                         PTHREADPOOL_FLAG_DISABLE_DENORMALS);
  return xnn_status_success;
}

const struct operator_type attention_type = {
    .name = "attention",
    .num_params = 4,
    .num_refs = 6,
    .create = create,
    .destroy = pyxnn_release,
    .instance_size = sizeof(struct attention_instance),
    .reshape = reshape,
    .setup = setup,
    .run = run,
};
