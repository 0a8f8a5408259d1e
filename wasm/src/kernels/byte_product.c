#include "kernels/byte_product.h"

#include <string.h>

#include "kernels/requantize.h"
#include "kernels/simd.h"
#include "sizes.h"

#define INLINE static inline __attribute__((always_inline))

/* Tiles of columns that one row is multiplied with at a time. */
enum { row_tiles = 4 };

/* Eight whole columns that lie side by side. */
static void pack_together(const uint8_t* from, size_t step, size_t depth, v128_t flip, int8_t* packed) {
  for (size_t i = 0; i < depth; i += 2) {
    const v128_t even = wasm_v128_load64_zero(from + i * step);
    const v128_t odd = i + 1 < depth ? wasm_v128_load64_zero(from + (i + 1) * step) : wasm_v128_xor(flip, flip);
    const v128_t pairs = wasm_i8x16_shuffle(even, odd, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    wasm_v128_store(packed + i * product_columns, wasm_v128_xor(pairs, flip));
  }
}

/* Eight whole columns whose depths lie side by side; returns how many depths it has packed. */
static size_t pack_apart(const uint8_t* from, size_t step, size_t depth, v128_t flip, int8_t* packed) {
  size_t i = 0;
  for (; i + 8 <= depth; i += 8) {
    v128_t halves[2][2]; /* of four columns each, their first and last two pairs */
    for (size_t half = 0; half < 2; half++) {
      const uint8_t* bytes = from + half * 4 * step + i;
      const v128_t a = wasm_v128_load64_zero(bytes), b = wasm_v128_load64_zero(bytes + step);
      const v128_t c = wasm_v128_load64_zero(bytes + 2 * step), d = wasm_v128_load64_zero(bytes + 3 * step);
      const v128_t ab = wasm_i16x8_shuffle(a, b, 0, 8, 1, 9, 2, 10, 3, 11);
      const v128_t cd = wasm_i16x8_shuffle(c, d, 0, 8, 1, 9, 2, 10, 3, 11);
      halves[half][0] = wasm_v128_xor(wasm_i32x4_shuffle(ab, cd, 0, 4, 1, 5), flip);
      halves[half][1] = wasm_v128_xor(wasm_i32x4_shuffle(ab, cd, 2, 6, 3, 7), flip);
    }
    for (size_t pairs = 0; pairs < 2; pairs++) {
      int8_t* to = packed + (i + 4 * pairs) * product_columns;
      wasm_v128_store(to, wasm_i64x2_shuffle(halves[0][pairs], halves[1][pairs], 0, 2));
      wasm_v128_store(to + 2 * product_columns, wasm_i64x2_shuffle(halves[0][pairs], halves[1][pairs], 1, 3));
    }
  }
  return i;
}

static void pack_column(const uint8_t* from, size_t step, size_t depth, uint8_t flip, int8_t* packed) {
  for (size_t i = 0; i < depth; i++) {
    packed[i / 2 * 2 * product_columns + i % 2] = (int8_t)(from[i * step] ^ flip);
  }
}

void product_pack(const struct product_source* from, size_t columns, size_t depth, int8_t* packed) {
  const size_t size = (depth + product_depths - 1) / product_depths * product_depths * product_columns;
  const uint8_t flip = from->is_signed ? 0 : 0x80;
  memset(packed, 0, size);
  if (columns == product_columns && from->step == 1 && depth % 2 == 0) {
    pack_together(from->bytes, from->depth_step, depth, wasm_u8x16_splat(flip), packed);
  } else {
    const size_t done = columns == product_columns && from->depth_step == 1
                            ? pack_apart(from->bytes, from->step, depth, wasm_u8x16_splat(flip), packed)
                            : 0;
    for (size_t column = 0; column < columns; column++) {
      pack_column(from->bytes + column * from->step + done * from->depth_step, from->depth_step, depth - done, flip,
                  packed + done * product_columns + 2 * column);
    }
  }
}

/* The last bytes of a run, fewer than eight, with zeros behind them. */
static inline uint64_t last_bytes(const uint8_t* run, size_t size) {
  const size_t left = size % 8;
  uint64_t bytes = 0;
  if (size > 8) {
    memcpy(&bytes, run + size - 8, sizeof(bytes));
    return bytes >> 8 * (8 - left);
  }
  for (size_t i = left; i-- > 0;) {
    bytes = bytes << 8 | run[i];
  }
  return bytes;
}

/* Eight depths of a row; adds them to `sum`. */
INLINE v128_t widen_eight(v128_t wide, v128_t zero, bool is_summed, v128_t* sum) {
  const v128_t numbers = wasm_i16x8_sub(wide, zero);
  if (is_summed) {
    *sum = wasm_i32x4_add(*sum, wasm_i32x4_extadd_pairwise_i16x8(numbers));
  }
  return numbers;
}

INLINE v128_t load_wide(const void* from, bool is_signed) {
  return is_signed ? wasm_i16x8_load8x8(from) : wasm_u16x8_load8x8(from);
}

INLINE v128_t make_wide(uint64_t bytes, bool is_signed) {
  const v128_t eight = wasm_u64x2_splat(bytes);
  return is_signed ? wasm_i16x8_extend_low_i8x16(eight) : wasm_u16x8_extend_low_u8x16(eight);
}

INLINE void widen(const struct product_source* from, const struct product_runs* runs, size_t count, int32_t zero_point,
                  const struct product_numbers* to, size_t first, bool is_signed, bool is_summed) {
  const v128_t zero = wasm_i16x8_splat((int16_t)zero_point);
  const uint64_t zeros = UINT64_C(0x0101010101010101) * (uint8_t)zero_point;
  const size_t whole = runs->size / 8 * 8, rest_of_run = runs->size % 8;
  size_t in_tile = first % to->tile_rows, tile_begin = first - in_tile;
  size_t tile = smaller(to->tile_rows, to->num_rows - tile_begin);
  for (size_t r = 0; r < count; r++) {
    const size_t step = product_depths * tile; /* from some depths of a row to the next */
    int16_t* tile_numbers = to->numbers + tile_begin * to->depth;
    const uint8_t* run = from->bytes + r * from->step;
    int16_t *numbers = tile_numbers + in_tile * product_depths, *rests = numbers + runs->count * whole * tile;
    v128_t sum = wasm_i32x4_const_splat(0);
    uint64_t rest = 0; /* what is left of runs, `left` bytes */
    size_t left = 0;
    for (size_t i = 0; i < runs->count; i++, run += runs->step) {
      for (const uint8_t *bytes = run, *end = run + whole; bytes != end; bytes += 8) {
        const v128_t eight = widen_eight(load_wide(bytes, is_signed), zero, is_summed, &sum);
        wasm_v128_store64_lane(numbers, eight, 0);
        wasm_v128_store64_lane(numbers + step, eight, 1);
        numbers += 2 * step;
      }
      if (rest_of_run == 0) {
        continue;
      }
      const uint64_t last = last_bytes(run, runs->size);
      rest |= last << 8 * left;
      left += rest_of_run;
      if (left >= 8) {
        const v128_t eight = widen_eight(make_wide(rest, is_signed), zero, is_summed, &sum);
        wasm_v128_store64_lane(rests, eight, 0);
        wasm_v128_store64_lane(rests + step, eight, 1);
        rests += 2 * step;
        left -= 8;
        rest = left > 0 ? last >> 8 * (rest_of_run - left) : 0;
      }
    }
    if (left > 0) {
      const v128_t eight = widen_eight(make_wide(rest | zeros << 8 * left, is_signed), zero, is_summed, &sum);
      wasm_v128_store64_lane(rests, eight, 0);
      if (left > product_depths) {
        wasm_v128_store64_lane(rests + step, eight, 1);
      }
    }
    if (is_summed) {
      to->sums[first + r] = wasm_i32x4_extract_lane(sum, 0) + wasm_i32x4_extract_lane(sum, 1) +
                            wasm_i32x4_extract_lane(sum, 2) + wasm_i32x4_extract_lane(sum, 3);
    }
    if (++in_tile == tile) {
      in_tile = 0;
      tile_begin += tile;
      tile = smaller(to->tile_rows, to->num_rows - tile_begin);
    }
  }
}

/* Widens the whole tiles of four rows, each one run of whole eights, of int8 that nobody wants the sums of; returns how many rows
 * these are. */
static size_t widen_fours(const struct product_source* from, size_t size, size_t count, int32_t zero_point,
                          const struct product_numbers* to, size_t first) {
  const v128_t zero = wasm_i16x8_splat((int16_t)zero_point);
  const size_t whole = count / 4 * 4, step = from->step;
  int16_t* numbers = to->numbers + first * to->depth;
  for (size_t r = 0; r < whole; r += 4) {
    const uint8_t* bytes = from->bytes + r * step;
    for (const uint8_t* end = bytes + size; bytes != end; bytes += 8, numbers += 4 * 8) {
      const v128_t a = wasm_i16x8_sub(wasm_i16x8_load8x8(bytes), zero);
      const v128_t b = wasm_i16x8_sub(wasm_i16x8_load8x8(bytes + step), zero);
      const v128_t c = wasm_i16x8_sub(wasm_i16x8_load8x8(bytes + 2 * step), zero);
      const v128_t d = wasm_i16x8_sub(wasm_i16x8_load8x8(bytes + 3 * step), zero);
      wasm_v128_store(numbers, wasm_i64x2_shuffle(a, b, 0, 2));
      wasm_v128_store(numbers + 8, wasm_i64x2_shuffle(c, d, 0, 2));
      wasm_v128_store(numbers + 16, wasm_i64x2_shuffle(a, b, 1, 3));
      wasm_v128_store(numbers + 24, wasm_i64x2_shuffle(c, d, 1, 3));
    }
  }
  return whole;
}

void product_widen(const struct product_source* from, const struct product_runs* runs, size_t count, int32_t zero_point,
                   const struct product_numbers* to, size_t first) {
  const struct product_runs one = {1, runs->size, 0}, nine = {3, 9, runs->step};
  const bool is_summed = to->sums != NULL;
  if (from->is_signed && !is_summed && runs->count == 1) {
    struct product_source rest = *from;
    if (to->tile_rows == 4 && first % 4 == 0 && runs->size % 8 == 0) {
      const size_t done = widen_fours(from, runs->size, count, zero_point, to, first);
      rest.bytes += done * from->step;
      first += done;
      count -= done;
    }
    widen(&rest, &one, count, zero_point, to, first, true, false);
  } else if (from->is_signed && !is_summed && runs->count == 3 && runs->size == 9) { /* 3x3 windows of three channels */
    widen(from, &nine, count, zero_point, to, first, true, false);
  } else if (from->is_signed && !is_summed) {
    widen(from, runs, count, zero_point, to, first, true, false);
  } else if (from->is_signed) {
    widen(from, runs, count, zero_point, to, first, true, true);
  } else if (!is_summed) {
    widen(from, runs, count, zero_point, to, first, false, false);
  } else {
    widen(from, runs, count, zero_point, to, first, false, true);
  }
}

INLINE v128_t load_column(const void* from, bool is_wide) {
  return is_wide ? wasm_v128_load(from) : wasm_i16x8_load8x8(from);
}

void product_widen_columns(const int8_t* columns, size_t count, int16_t* to) {
  for (const int8_t* end = columns + count; columns != end; columns += 8, to += 8) {
    wasm_v128_store(to, wasm_i16x8_load8x8(columns));
  }
}

/*
 * Of more than two rows each turn takes one pair of depths, so that sums, columns and what a row needs fit the fifteen registers
 * that V8 hands out. It must not spill a sum: its frames aren't aligned, and a vector that lies across two pages comes back late
 * enough to make this loop four times as slow. The compiler would interleave two pairs; hence the first ones of all fours come first.
 */
INLINE void add_products(size_t count, const int16_t* numbers, const char* columns, size_t depth, bool is_wide,
                         struct eight* sums) {
  const size_t eight = is_wide ? 8 * sizeof(int16_t) : 8, pairs = count <= 2 ? 2 : 1;
#pragma unroll
  for (size_t first = 0; first < 2; first += pairs) {
    const int16_t* next = numbers + 2 * first;
    const char *from = columns + 2 * first * eight, *end = from + depth * eight;
#pragma clang loop unroll(disable)
    for (; from != end; from += product_depths * eight, next += product_depths * count) {
#pragma unroll
      for (size_t p = 0; p < pairs; p++) {
        const v128_t low = load_column(from + 2 * p * eight, is_wide);
        const v128_t high = load_column(from + (2 * p + 1) * eight, is_wide);
#pragma unroll
        for (size_t r = 0; r < count; r++) {
          const v128_t row = wasm_v128_load32_splat(next + r * product_depths + 2 * p);
          sums[r].low = wasm_i32x4_add(sums[r].low, wasm_i32x4_dot_i16x8(row, low));
          sums[r].high = wasm_i32x4_add(sums[r].high, wasm_i32x4_dot_i16x8(row, high));
        }
      }
    }
  }
}

/* The same of one row and of `tiles` tiles of columns of bytes, each of which caches fetch ahead by itself. */
INLINE void add_row_products(const int16_t* numbers, const char* columns, size_t depth, size_t apart, size_t tiles,
                             struct eight* sums) {
  const size_t tile = apart * depth;
#pragma clang loop unroll(disable)
  for (const char* end = columns + product_columns * depth; columns != end;
       columns += product_depths * product_columns, numbers += product_depths) {
#pragma unroll
    for (size_t first = 0; first < product_depths; first += 2) {
      const v128_t row = wasm_v128_load32_splat(numbers + first);
#pragma unroll
      for (size_t t = 0; t < tiles; t++) {
        const char* from = columns + t * tile + first * product_columns;
        const v128_t low = load_column(from, false), high = load_column(from + product_columns, false);
        sums[t].low = wasm_i32x4_add(sums[t].low, wasm_i32x4_dot_i16x8(row, low));
        sums[t].high = wasm_i32x4_add(sums[t].high, wasm_i32x4_dot_i16x8(row, high));
      }
    }
  }
}

INLINE struct eight load_eight(const void* from) {
  return (struct eight){wasm_v128_load(from), wasm_v128_load((const char*)from + sizeof(v128_t))};
}

/* What the sums of a tile and a few columns begin with. */
INLINE void begin(const struct product_block* block, size_t row, size_t count, size_t column, struct eight* sums) {
  const v128_t nothing = wasm_i32x4_const_splat(0);
  const struct eight offsets =
      block->offsets == NULL ? (struct eight){nothing, nothing} : load_eight(block->offsets + column);
#pragma unroll
  for (size_t r = 0; r < count; r++) {
    sums[r] = offsets;
  }
  if (block->zeros == NULL) {
    return;
  }
  const struct eight zeros = load_eight(block->zeros + column);
#pragma unroll
  for (size_t r = 0; r < count; r++) {
    const v128_t sum = wasm_v128_load32_splat(block->rows.sums + row + r);
    sums[r].low = wasm_i32x4_sub(sums[r].low, wasm_i32x4_mul(zeros.low, sum));
    sums[r].high = wasm_i32x4_sub(sums[r].high, wasm_i32x4_mul(zeros.high, sum));
  }
}

/* Adds the addend to rows of floats. */
INLINE void add_rows(const struct product_block* block, size_t row, size_t count, size_t column, struct eight* sums) {
  const size_t left = block->num_columns - column;
  const float* addend = block->addend + row * block->output_stride + column;
#pragma unroll
  for (size_t r = 0; r < count; r++) {
    sums[r].low = wasm_f32x4_add(sums[r].low, simd_load(addend, left));
    if (left > 4) {
      sums[r].high = wasm_f32x4_add(sums[r].high, simd_load(addend + 4, left - 4));
    }
    addend += block->output_stride;
  }
}

/* Stores rows of four-byte elements, as they are or scaled to floats. */
INLINE void store_rows(const struct product_block* block, const struct product_result* result, size_t row, size_t count,
                       size_t column, struct eight* sums) {
  const size_t left = block->num_columns - column;
  float* output = (float*)block->output + row * block->output_stride + column;
  if (result->type == product_float) {
    const struct eight scale = load_eight(block->multipliers + column), bias = load_eight(block->bias + column);
#pragma unroll
    for (size_t r = 0; r < count; r++) {
      sums[r].low = simd_madd(wasm_f32x4_convert_i32x4(sums[r].low), scale.low, bias.low);
      sums[r].high = simd_madd(wasm_f32x4_convert_i32x4(sums[r].high), scale.high, bias.high);
    }
    if (block->addend != NULL) {
      add_rows(block, row, count, column, sums);
    }
    const v128_t low = wasm_f32x4_splat(result->low), high = wasm_f32x4_splat(result->high);
#pragma unroll
    for (size_t r = 0; r < count; r++) {
      sums[r] = (struct eight){simd_clamp(sums[r].low, low, high), simd_clamp(sums[r].high, low, high)};
    }
  }
#pragma unroll
  for (size_t r = 0; r < count; r++) {
    if (left >= product_columns) {
      wasm_v128_store(output, sums[r].low);
      wasm_v128_store(output + 4, sums[r].high);
    } else {
      simd_store(output, sums[r].low, left);
      if (left > 4) {
        simd_store(output + 4, sums[r].high, left - 4);
      }
    }
    output += block->output_stride;
  }
}

INLINE void store_bytes(const struct product_block* block, const struct requantizer* to, size_t row, size_t count,
                        size_t column, struct eight* sums) {
  const struct eight multipliers = load_eight(block->multipliers + column);
  const size_t left = block->num_columns - column;
  int8_t* output = (int8_t*)block->output + row * block->output_stride + column;
  if (left >= product_columns) {
    requantize_rows(to, sums, count, multipliers, output, block->output_stride);
    return;
  }
  int8_t all[product_rows * product_columns];
  requantize_rows(to, sums, count, multipliers, all, product_columns);
  copy_block(all, output, block->output_stride, count, left);
}

/* Stores the results of a tile. */
INLINE void store(const struct product_block* block, const struct product_result* result, const struct requantizer* to,
                  size_t row, size_t count, size_t column, struct eight* sums) {
  if (result->type == product_int8) {
    store_bytes(block, to, row, count, column, sums);
  } else {
    store_rows(block, result, row, count, column, sums);
  }
}

/* Some of one row: `tiles` tiles of columns of bytes, `apart` from each other, from `column` on. */
INLINE void compute_row_tiles(const struct product_block* block, const struct product_result* result,
                              const struct requantizer* to, size_t row, size_t column, size_t apart, size_t tiles) {
  const size_t depth = block->rows.depth;
  struct eight sums[row_tiles];
#pragma unroll
  for (size_t t = 0; t < tiles; t++) {
    begin(block, row, 1, column + t * apart, sums + t);
  }
  add_row_products(block->rows.numbers + row * depth, (const char*)block->columns + column * depth, depth, apart, tiles,
                   sums);
#pragma unroll
  for (size_t t = 0; t < tiles; t++) {
    store(block, result, to, row, 1, column + t * apart, sums + t);
  }
}

/* One row, by columns of bytes. */
INLINE void compute_row(const struct product_block* block, const struct product_result* result,
                        const struct requantizer* to, size_t row) {
  const size_t quarter = block->num_columns / product_columns / row_tiles * product_columns;
  for (size_t column = 0; column < quarter; column += product_columns) {
    compute_row_tiles(block, result, to, row, column, quarter, row_tiles);
  }
  for (size_t column = row_tiles * quarter; column < block->num_columns; column += product_columns) {
    compute_row_tiles(block, result, to, row, column, 0, 1);
  }
}

/* Rows from `first` to `end`, in tiles of `count`, which is a constant. */
INLINE void compute(const struct product_block* block, const struct product_result* result, size_t first, size_t end,
                    size_t count, bool is_wide) {
  const size_t size = (is_wide ? sizeof(int16_t) : sizeof(int8_t)) * block->rows.depth;
  const struct requantizer to = requantizer_of(result->zero_point, result->min, result->max, result->is_far);
  for (size_t row = first; row < end; row += count) {
    if (count == 1 && !is_wide) {
      compute_row(block, result, &to, row);
      continue;
    }
    const int16_t* numbers = block->rows.numbers + row * block->rows.depth;
    for (size_t column = 0; column < block->num_columns; column += product_columns) {
      struct eight sums[product_rows];
      begin(block, row, count, column, sums);
      add_products(count, numbers, (const char*)block->columns + column * size, block->rows.depth, is_wide, sums);
      store(block, result, &to, row, count, column, sums);
    }
  }
}

static void compute_tiles(const struct product_block* block, const struct product_result* result, size_t first,
                          size_t end, size_t count) {
#define CASE(count, is_wide)                            \
  case 2 * count + is_wide:                             \
    compute(block, result, first, end, count, is_wide); \
    break
  switch (2 * count + block->is_wide) {
    CASE(1, false);
    CASE(2, false);
    CASE(3, false);
    CASE(4, false);
    CASE(1, true);
    CASE(2, true);
    CASE(3, true);
    CASE(4, true);
  }
#undef CASE
}

void product_compute(const struct product_block* block, const struct product_result* result) {
  const size_t last = block->rows.num_rows % block->rows.tile_rows, whole = block->rows.num_rows - last;
  compute_tiles(block, result, 0, whole, block->rows.tile_rows);
  if (last > 0) {
    compute_tiles(block, result, whole, block->rows.num_rows, last);
  }
}
