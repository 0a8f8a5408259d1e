#include "kernels/move.h"

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
      } else if (from_column == 2 && to_column == 1) {                                                      \
        _Pragma("clang loop vectorize(assume_safety)") for (size_t i = 0; i < columns; i++) {               \
          to[i] = from[2 * i];                                                                              \
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
  for (size_t row = 0; row < rows; row++) {
    move_bytes(to, from, bytes);
    from += from_row;
    to += to_row;
  }
}

void move_block(const void* from, ptrdiff_t from_row, ptrdiff_t from_column, void* to, ptrdiff_t to_row,
                ptrdiff_t to_column, size_t rows, size_t columns, size_t element_size) {
  if (from_column == 1 && to_column == 1) {
    const ptrdiff_t size = (ptrdiff_t)element_size;
    dense(from, from_row * size, to, to_row * size, rows, columns * element_size);
  } else if (element_size == 1) {
    strided_8(from, from_row, from_column, to, to_row, to_column, rows, columns);
  } else if (element_size == 2) {
    strided_16(from, from_row, from_column, to, to_row, to_column, rows, columns);
  } else if (element_size == 4) {
    strided_32(from, from_row, from_column, to, to_row, to_column, rows, columns);
  } else {
    strided_64(from, from_row, from_column, to, to_row, to_column, rows, columns);
  }
}
