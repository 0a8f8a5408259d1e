#include "kernels/move.h"

#include "sizes.h"

/* Rows whose elements don't lie side by side, or come from one place. */
#define DEFINE_STRIDED(name, type)                                                                          \
  static void name(const type* from, ptrdiff_t from_row, ptrdiff_t from_column, type* to, ptrdiff_t to_row, \
                   ptrdiff_t to_column, size_t rows, size_t columns) {                                      \
    for (size_t row = 0; row < rows; row++) {                                                               \
      if (from_column == 0 && to_column == 1) {                                                             \
        const type value = *from;                                                                           \
        for (size_t i = 0; i < columns; i++) {                                                              \
          to[i] = value;                                                                                    \
        }                                                                                                   \
      } else {                                                                                              \
        for (size_t i = 0; i < columns; i++) {                                                              \
          to[(ptrdiff_t)i * to_column] = from[(ptrdiff_t)i * from_column];                                  \
        }                                                                                                   \
      }                                                                                                     \
      from += from_row;                                                                                     \
      to += to_row;                                                                                         \
    }                                                                                                       \
  }

DEFINE_STRIDED(strided_8, uint8_t)
DEFINE_STRIDED(strided_16, uint16_t)
DEFINE_STRIDED(strided_32, uint32_t)
DEFINE_STRIDED(strided_64, uint64_t)

static void dense(const uint8_t* from, ptrdiff_t from_row, uint8_t* to, ptrdiff_t to_row, size_t rows, size_t bytes) {
  const bool in_lines = bytes <= 512 && bytes % 64 == 0;
  for (size_t row = 0; row < rows; row++) {
    if (in_lines) {
      for (size_t i = 0; i < bytes; i += 64) {
        move_line(to + i, from + i);
      }
    } else {
      move_bytes(to, from, bytes);
    }
    from += from_row;
    to += to_row;
  }
}

#define INLINE static inline __attribute__((always_inline))

/* The lower and the upper halves of two vectors, their elements by turns. */
#define ZIP_LOW_8(a, b) wasm_i8x16_shuffle(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23)
#define ZIP_HIGH_8(a, b) wasm_i8x16_shuffle(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31)
#define ZIP_LOW_16(a, b) wasm_i16x8_shuffle(a, b, 0, 8, 1, 9, 2, 10, 3, 11)
#define ZIP_HIGH_16(a, b) wasm_i16x8_shuffle(a, b, 4, 12, 5, 13, 6, 14, 7, 15)
#define ZIP_LOW_32(a, b) wasm_i32x4_shuffle(a, b, 0, 4, 1, 5)
#define ZIP_HIGH_32(a, b) wasm_i32x4_shuffle(a, b, 2, 6, 3, 7)
#define ZIP_LOW_64(a, b) wasm_i64x2_shuffle(a, b, 0, 2)
#define ZIP_HIGH_64(a, b) wasm_i64x2_shuffle(a, b, 1, 3)

/* A step of a transposition of `count` vectors: the first half zipped with the second. */
#define ZIP_HALVES(bits, from, to, count)                            \
  for (size_t i = 0; i < (count) / 2; i++) {                         \
    to[2 * i] = ZIP_LOW_##bits(from[i], from[i + (count) / 2]);      \
    to[2 * i + 1] = ZIP_HIGH_##bits(from[i], from[i + (count) / 2]); \
  }

/*
 * Parts of squares that are as wide as whole ones: columns beyond `columns` are the first one once more, rows beyond `rows` aren't
 * stored. Strides count elements.
 */
INLINE void part_8(const uint8_t* from, ptrdiff_t column, uint8_t* to, ptrdiff_t row, size_t rows, size_t columns) {
  v128_t a[8], b[8];
  for (size_t i = 0; i < 8; i++) {
    a[i] = wasm_v128_load64_zero(from + (i < columns ? (ptrdiff_t)i * column : 0));
  }
  for (size_t i = 0; i < 4; i++) {
    b[i] = ZIP_LOW_8(a[i], a[i + 4]);
  }
  for (size_t i = 0; i < 2; i++) {
    a[2 * i] = ZIP_LOW_8(b[i], b[i + 2]);
    a[2 * i + 1] = ZIP_HIGH_8(b[i], b[i + 2]);
  }
  for (size_t i = 0; i < 2; i++) {
    b[2 * i] = ZIP_LOW_8(a[i], a[i + 2]);
    b[2 * i + 1] = ZIP_HIGH_8(a[i], a[i + 2]);
  }
  for (size_t i = 0; i < 4 && 2 * i < rows; i++) {
    wasm_v128_store64_lane(to + (ptrdiff_t)(2 * i) * row, b[i], 0);
    if (2 * i + 1 < rows) {
      wasm_v128_store64_lane(to + (ptrdiff_t)(2 * i + 1) * row, b[i], 1);
    }
  }
}

/* Squares of as many rows and columns. */
INLINE void square_8(const uint8_t* from, ptrdiff_t column, uint8_t* to, ptrdiff_t row) {
  part_8(from, column, to, row, 8, 8);
}

INLINE void square_16(const uint16_t* from, ptrdiff_t column, uint16_t* to, ptrdiff_t row) {
  v128_t a[8], b[8];
  for (size_t i = 0; i < 8; i++) {
    a[i] = wasm_v128_load(from + (ptrdiff_t)i * column);
  }
  ZIP_HALVES(16, a, b, 8)
  ZIP_HALVES(16, b, a, 8)
  ZIP_HALVES(16, a, b, 8)
  for (size_t i = 0; i < 8; i++) {
    wasm_v128_store(to + (ptrdiff_t)i * row, b[i]);
  }
}

INLINE void load_part_32(const uint32_t* from, ptrdiff_t column, size_t columns, v128_t* rows) {
  v128_t a[4], b[4];
  for (size_t i = 0; i < 4; i++) {
    a[i] = wasm_v128_load(from + (i < columns ? (ptrdiff_t)i * column : 0));
  }
  ZIP_HALVES(32, a, b, 4)
  ZIP_HALVES(32, b, rows, 4)
}

INLINE void part_32(const uint32_t* from, ptrdiff_t column, uint32_t* to, ptrdiff_t row, size_t rows, size_t columns) {
  v128_t a[4];
  load_part_32(from, column, columns, a);
  for (size_t i = 0; i < 4 && i < rows; i++) {
    wasm_v128_store(to + (ptrdiff_t)i * row, a[i]);
  }
}

INLINE void square_32(const uint32_t* from, ptrdiff_t column, uint32_t* to, ptrdiff_t row) {
  part_32(from, column, to, row, 4, 4);
}

INLINE void square_64(const uint64_t* from, ptrdiff_t column, uint64_t* to, ptrdiff_t row) {
  const v128_t a = wasm_v128_load(from), b = wasm_v128_load(from + column);
  wasm_v128_store(to, ZIP_LOW_64(a, b));
  wasm_v128_store(to + row, ZIP_HIGH_64(a, b));
}

/* Two columns that become one row of pairs, and pairs that become two rows; `count` pairs. */
static void zip_32(const uint32_t* from, ptrdiff_t column, uint32_t* to, size_t count) {
  const uint32_t* second = from + column;
  size_t i = 0;
  for (; i + 8 <= count; i += 8) {
    const v128_t a = wasm_v128_load(from + i), b = wasm_v128_load(second + i);
    const v128_t c = wasm_v128_load(from + i + 4), d = wasm_v128_load(second + i + 4);
    wasm_v128_store(to + 2 * i, ZIP_LOW_32(a, b));
    wasm_v128_store(to + 2 * i + 4, ZIP_HIGH_32(a, b));
    wasm_v128_store(to + 2 * i + 8, ZIP_LOW_32(c, d));
    wasm_v128_store(to + 2 * i + 12, ZIP_HIGH_32(c, d));
  }
  for (; i + 4 <= count; i += 4) {
    const v128_t a = wasm_v128_load(from + i), b = wasm_v128_load(second + i);
    wasm_v128_store(to + 2 * i, ZIP_LOW_32(a, b));
    wasm_v128_store(to + 2 * i + 4, ZIP_HIGH_32(a, b));
  }
  for (; i < count; i++) {
    to[2 * i] = from[i];
    to[2 * i + 1] = second[i];
  }
}

static void unzip_32(const uint32_t* from, uint32_t* to, ptrdiff_t row, size_t count) {
  size_t i = 0;
  for (; i + 4 <= count; i += 4) {
    const v128_t a = wasm_v128_load(from + 2 * i), b = wasm_v128_load(from + 2 * i + 4);
    wasm_v128_store(to + i, wasm_i32x4_shuffle(a, b, 0, 2, 4, 6));
    wasm_v128_store(to + row + i, wasm_i32x4_shuffle(a, b, 1, 3, 5, 7));
  }
  for (; i < count; i++) {
    to[i] = from[2 * i];
    to[row + (ptrdiff_t)i] = from[2 * i + 1];
  }
}

/* Two squares side by side: stores to a line that follow each other take it but once. */
INLINE void squares_32(const uint32_t* from, ptrdiff_t column, uint32_t* to, ptrdiff_t row) {
  v128_t a[4], b[4];
  load_part_32(from, column, 4, a);
  load_part_32(from + 4 * column, column, 4, b);
  for (size_t i = 0; i < 4; i++) {
    wasm_v128_store(to + (ptrdiff_t)i * row, a[i]);
    wasm_v128_store(to + (ptrdiff_t)i * row + 4, b[i]);
  }
}

/* What is transposed before the next columns of the same rows are: lines of the input and of the output stay until they are done with. */
enum { row_bytes = 256, line_bytes = 64 };

/*
 * Transposes by squares, `width` columns of them at a time; they overlap at the ends. What has fewer rows or columns than a square
 * goes element by element.
 */
#define DEFINE_TRANSPOSE(name, type, square, side, squares, width)                                             \
  static void name(const type* from, ptrdiff_t column, type* to, ptrdiff_t row, size_t rows, size_t columns) { \
    if (rows < (side) || columns < (side)) {                                                                   \
      for (size_t r = 0; r < rows; r++) {                                                                      \
        for (size_t c = 0; c < columns; c++) {                                                                 \
          to[(ptrdiff_t)r * row + (ptrdiff_t)c] = from[(ptrdiff_t)c * column + (ptrdiff_t)r];                  \
        }                                                                                                      \
      }                                                                                                        \
      return;                                                                                                  \
    }                                                                                                          \
    const size_t band = row_bytes / sizeof(type), line = line_bytes / sizeof(type);                            \
    for (size_t top = 0; top < rows; top += band) {                                                            \
      const size_t bottom = smaller(top + band, rows);                                                         \
      for (size_t begin = 0; begin < columns; begin += line) {                                                 \
        const size_t end = smaller(begin + line, columns);                                                     \
        for (size_t r = top; r < bottom; r += (side)) {                                                        \
          const size_t at = r + (side) <= rows ? r : rows - (side);                                            \
          const type* source = from + (ptrdiff_t)begin * column + at;                                          \
          type* target = to + (ptrdiff_t)at * row;                                                             \
          size_t c = begin;                                                                                    \
          for (; c + (width) <= end; c += (width), source += (width) * column) {                               \
            squares(source, column, target + c, row);                                                          \
          }                                                                                                    \
          for (; c < end; c += (side)) {                                                                       \
            const size_t left = c + (side) <= columns ? c : columns - (side);                                  \
            square(from + (ptrdiff_t)left * column + at, column, target + left, row);                          \
          }                                                                                                    \
        }                                                                                                      \
      }                                                                                                        \
    }                                                                                                          \
  }

DEFINE_TRANSPOSE(transpose_8, uint8_t, square_8, 8, square_8, 8)
DEFINE_TRANSPOSE(transpose_16, uint16_t, square_16, 8, square_16, 8)
DEFINE_TRANSPOSE(transpose_by_squares_32, uint32_t, square_32, 4, squares_32, 8)
DEFINE_TRANSPOSE(transpose_64, uint64_t, square_64, 2, square_64, 2)

/*
 * Transposes what has fewer columns than a square and rows that follow each other: what is stored behind a row is overwritten by
 * the next. Or what has fewer rows, and columns that do. The last elements, which have nothing behind them, go one by one.
 */
#define DEFINE_NARROW(name, type, part, side)                                                                  \
  static void name(const type* from, ptrdiff_t column, type* to, ptrdiff_t row, size_t rows, size_t columns) { \
    const bool few_columns = columns < (side) && row == (ptrdiff_t)columns;                                    \
    const size_t narrow = few_columns ? columns : rows, wide = few_columns ? rows : columns;                   \
    size_t i = 0;                                                                                              \
    for (; (i + (side) - 1) * narrow + (side) <= wide * narrow; i += (side)) {                                 \
      if (few_columns) {                                                                                       \
        part(from + i, column, to + i * narrow, row, side, columns);                                           \
      } else {                                                                                                 \
        part(from + i * narrow, column, to + i, row, rows, side);                                              \
      }                                                                                                        \
    }                                                                                                          \
    for (; i < wide; i++) {                                                                                    \
      for (size_t j = 0; j < narrow; j++) {                                                                    \
        if (few_columns) {                                                                                     \
          to[i * narrow + j] = from[(ptrdiff_t)j * column + (ptrdiff_t)i];                                     \
        } else {                                                                                               \
          to[(ptrdiff_t)j * row + (ptrdiff_t)i] = from[i * narrow + j];                                        \
        }                                                                                                      \
      }                                                                                                        \
    }                                                                                                          \
  }

DEFINE_NARROW(narrow_8, uint8_t, part_8, 8)
DEFINE_NARROW(narrow_32, uint32_t, part_32, 4)

/* Whether rows or columns are fewer than a square's, and follow each other. */
static bool is_narrow(ptrdiff_t column, ptrdiff_t row, size_t rows, size_t columns, size_t side) {
  return (columns < side && row == (ptrdiff_t)columns) || (rows < side && column == (ptrdiff_t)rows);
}

static void transpose_32(const uint32_t* from, ptrdiff_t column, uint32_t* to, ptrdiff_t row, size_t rows,
                         size_t columns) {
  if (columns == 2 && row == 2) {
    zip_32(from, column, to, rows);
  } else if (rows == 2 && column == 2) {
    unzip_32(from, to, row, columns);
  } else if (is_narrow(column, row, rows, columns, 4)) {
    narrow_32(from, column, to, row, rows, columns);
  } else {
    transpose_by_squares_32(from, column, to, row, rows, columns);
  }
}

static void transpose(const void* from, ptrdiff_t column, void* to, ptrdiff_t row, size_t rows, size_t columns,
                      size_t element_size) {
  switch (element_size) {
    case 1:
      if (is_narrow(column, row, rows, columns, 8)) {
        narrow_8(from, column, to, row, rows, columns);
      } else {
        transpose_8(from, column, to, row, rows, columns);
      }
      break;
    case 2:
      transpose_16(from, column, to, row, rows, columns);
      break;
    case 4:
      transpose_32(from, column, to, row, rows, columns);
      break;
    default:
      transpose_64(from, column, to, row, rows, columns);
  }
}

/* Every second element of rows. */
static void second_32(const uint32_t* from, ptrdiff_t from_row, uint32_t* to, ptrdiff_t to_row, size_t rows,
                      size_t columns) {
  for (size_t row = 0; row < rows; row++, from += from_row, to += to_row) {
    size_t i = 0;
    for (; i + 4 < columns; i += 4) { /* the element behind the last may not be there */
      const v128_t a = wasm_v128_load(from + 2 * i), b = wasm_v128_load(from + 2 * i + 4);
      wasm_v128_store(to + i, wasm_i32x4_shuffle(a, b, 0, 2, 4, 6));
    }
    for (; i < columns; i++) {
      to[i] = from[2 * i];
    }
  }
}

void move_block(const void* from, ptrdiff_t from_row, ptrdiff_t from_column, void* to, ptrdiff_t to_row,
                ptrdiff_t to_column, size_t rows, size_t columns, size_t element_size) {
  if (from_column == 1 && to_column == 1) {
    const ptrdiff_t size = (ptrdiff_t)element_size;
    dense(from, from_row * size, to, to_row * size, rows, columns * element_size);
  } else if (from_row == 1 && to_column == 1 && rows > 1 && from_column != 0) {
    transpose(from, from_column, to, to_row, rows, columns, element_size);
  } else if (element_size == 1) {
    strided_8(from, from_row, from_column, to, to_row, to_column, rows, columns);
  } else if (element_size == 2) {
    strided_16(from, from_row, from_column, to, to_row, to_column, rows, columns);
  } else if (element_size == 4 && from_column == 2 && to_column == 1) {
    second_32(from, from_row, to, to_row, rows, columns);
  } else if (element_size == 4) {
    strided_32(from, from_row, from_column, to, to_row, to_column, rows, columns);
  } else {
    strided_64(from, from_row, from_column, to, to_row, to_column, rows, columns);
  }
}
