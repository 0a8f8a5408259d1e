/*
 * The reductions of one type of element. kernels/reduce.c includes this for each type, with
 *   ELEMENT, VECTOR, LANES           the type, a vector of it, and how many fit that
 *   NAMED(name)                      a name with the type behind it
 *   LOWEST, HIGHEST                  no element lies below, or above
 *   MAGNITUDE(a) GREATER(a, b) LESSER(a, b)   of vectors
 * Functions that take an operation are inlined where it is constant.
 */

INLINE VECTOR NAMED(splat)(ELEMENT value) {
  VECTOR vector;
  for (size_t i = 0; i < LANES; i++) {
    vector[i] = value;
  }
  return vector;
}

/* The element that changes nothing when it is combined, before and after `mapped`. */
INLINE ELEMENT NAMED(nothing)(enum operation operation) {
  switch (operation) {
    case multiply:
      return 1;
    case take_greater:
      return LOWEST;
    case take_lesser:
      return HIGHEST;
    default:
      return 0;
  }
}

/* What an operation makes of each element before it combines them. */
INLINE VECTOR NAMED(mapped)(enum operation operation, VECTOR x) {
  switch (operation) {
    case add_magnitudes:
      return MAGNITUDE(x);
    case add_squares:
      return x * x;
    default:
      return x;
  }
}

INLINE VECTOR NAMED(combined)(enum operation operation, VECTOR a, VECTOR b) {
  switch (operation) {
    case multiply:
      return a * b;
    case take_greater:
      return GREATER(a, b);
    case take_lesser:
      return LESSER(a, b);
    default:
      return a + b;
  }
}

/* All lanes combined. */
INLINE ELEMENT NAMED(folded)(enum operation operation, VECTOR vector) {
  for (size_t half = LANES / 2; half > 0; half /= 2) {
    VECTOR other;
    for (size_t i = 0; i < LANES; i++) {
      other[i] = vector[(i + half) % LANES];
    }
    vector = NAMED(combined)(operation, vector, other);
  }
  return vector[0];
}

/* Up to a vector of elements, filled up with what changes nothing. */
INLINE VECTOR NAMED(load)(enum operation operation, const ELEMENT* from, size_t count) {
  if (count >= LANES) {
    return *(const VECTOR*)from;
  }
  VECTOR vector = NAMED(splat)(NAMED(nothing)(operation));
  memcpy(&vector, from, count * sizeof(ELEMENT));
  return vector;
}

INLINE VECTOR NAMED(gather)(const ELEMENT* from, size_t stride) {
  VECTOR vector;
  for (size_t i = 0; i < LANES; i++) {
    vector[i] = from[i * stride];
  }
  return vector;
}

INLINE void NAMED(begin)(enum operation operation, struct reduce_sums* all, size_t count) {
  ELEMENT* sums = (ELEMENT*)all->sums;
  for (size_t i = 0; i < count; i++) {
    sums[i] = NAMED(nothing)(operation);
  }
}

/* A row's elements and what is there already. */
INLINE ELEMENT NAMED(row)(enum operation operation, const ELEMENT* in, size_t length, ELEMENT sum) {
  const VECTOR begin = NAMED(splat)(NAMED(nothing)(operation));
  VECTOR total = begin;
  size_t turns = length / (sums_of_row * LANES);
  while (turns > 0) {
    VECTOR sums[sums_of_row];
    _Pragma("unroll") for (size_t i = 0; i < sums_of_row; i++) {
      sums[i] = begin;
    }
    const size_t now = least(turns, turns_per_block);
    for (size_t turn = 0; turn < now; turn++, in += sums_of_row * LANES) {
      const VECTOR* next = (const VECTOR*)in;
      _Pragma("unroll") for (size_t i = 0; i < sums_of_row; i++) {
        sums[i] = NAMED(combined)(operation, sums[i], NAMED(mapped)(operation, next[i]));
      }
    }
    _Pragma("unroll") for (size_t half = sums_of_row / 2; half > 0; half /= 2) {
      _Pragma("unroll") for (size_t i = 0; i < half; i++) {
        sums[i] = NAMED(combined)(operation, sums[i], sums[i + half]);
      }
    }
    total = NAMED(combined)(operation, total, sums[0]);
    turns -= now;
  }
  for (size_t left = length % (sums_of_row * LANES); left > 0; left -= least(left, LANES), in += LANES) {
    const VECTOR last = NAMED(load)(operation, in, left);
    total = NAMED(combined)(operation, total, NAMED(mapped)(operation, last));
  }
  const VECTOR folded = NAMED(splat)(NAMED(folded)(operation, total));
  return NAMED(combined)(operation, NAMED(splat)(sum), folded)[0];
}

/* The lanes of vector i combined into lane i. */
INLINE VECTOR NAMED(folded_each)(enum operation operation, VECTOR vectors[LANES]) {
  _Pragma("unroll") for (size_t half = LANES / 2; half > 0; half /= 2) {
    _Pragma("unroll") for (size_t i = 0; i < half; i++) {
      VECTOR low, high;
      _Pragma("unroll") for (size_t lane = 0; lane < LANES; lane++) {
        const size_t at = lane / (2 * half) * 2 * half + lane % half;
        const VECTOR from = vectors[lane % (2 * half) < half ? i : i + half];
        low[lane] = from[at];
        high[lane] = from[at + half];
      }
      vectors[i] = NAMED(combined)(operation, low, high);
    }
  }
  return vectors[0];
}

/*
 * Rows side by side, each of a vector's elements at least; lane i of the result is of row i. Four vectors of a row are added up
 * before they meet its sum.
 */
INLINE VECTOR NAMED(rows_abreast)(enum operation operation, const ELEMENT* in, size_t length, size_t stride) {
  const VECTOR begin = NAMED(splat)(NAMED(nothing)(operation));
  VECTOR sums[LANES];
  for (size_t row = 0; row < LANES; row++) {
    sums[row] = begin;
  }
  size_t j = 0;
  for (; j + 4 * LANES <= length; j += 4 * LANES) {
    for (size_t row = 0; row < LANES; row++) {
      const VECTOR* four = (const VECTOR*)(in + row * stride + j);
      const VECTOR ab =
          NAMED(combined)(operation, NAMED(mapped)(operation, four[0]), NAMED(mapped)(operation, four[1]));
      const VECTOR cd =
          NAMED(combined)(operation, NAMED(mapped)(operation, four[2]), NAMED(mapped)(operation, four[3]));
      sums[row] = NAMED(combined)(operation, sums[row], NAMED(combined)(operation, ab, cd));
    }
  }
  for (; j + LANES <= length; j += LANES) {
    for (size_t row = 0; row < LANES; row++) {
      const VECTOR next = *(const VECTOR*)(in + row * stride + j);
      sums[row] = NAMED(combined)(operation, sums[row], NAMED(mapped)(operation, next));
    }
  }
  if (j < length) { /* the last vector ends with the row: what has been added of it changes nothing */
    __typeof__((VECTOR){0} == (VECTOR){0}) is_new;
    for (size_t lane = 0; lane < LANES; lane++) {
      is_new[lane] = lane >= LANES - (length - j) ? -1 : 0;
    }
    for (size_t row = 0; row < LANES; row++) {
      const VECTOR last = *(const VECTOR*)(in + row * stride + length - LANES);
      const VECTOR rest = (VECTOR)wasm_v128_bitselect((v128_t)last, (v128_t)begin, (v128_t)is_new);
      sums[row] = NAMED(combined)(operation, sums[row], NAMED(mapped)(operation, rest));
    }
  }
  return NAMED(folded_each)(operation, sums);
}

INLINE void NAMED(rows)(enum operation operation, const ELEMENT* in, size_t length, size_t stride, size_t count,
                        struct reduce_sums* all) {
  ELEMENT* sums = (ELEMENT*)all->sums;
  size_t i = 0;
  for (; length < reduce_long_row && i + LANES <= count; i += LANES, in += LANES * stride) {
    VECTOR sum = *(VECTOR*)(sums + i);
    if (length >= short_row) {
      sum = NAMED(combined)(operation, sum, NAMED(rows_abreast)(operation, in, length, stride));
    } else {
      for (size_t j = 0; j < length; j++) {
        const VECTOR one = NAMED(gather)(in + j, stride);
        sum = NAMED(combined)(operation, sum, NAMED(mapped)(operation, one));
      }
    }
    *(VECTOR*)(sums + i) = sum;
  }
  for (; i < count; i++, in += stride) {
    sums[i] = NAMED(row)(operation, in, length, sums[i]);
  }
}

/* Adds the columns of some vectors, the last of which may have but `left` elements, of `length` rows to their sums. */
INLINE void NAMED(turn)(enum operation operation, const ELEMENT* in, size_t length, size_t stride, size_t vectors,
                        size_t left, ELEMENT* all) {
  VECTOR turn[vectors_per_turn];
  _Pragma("unroll") for (size_t v = 0; v < vectors; v++) {
    turn[v] = NAMED(mapped)(operation, NAMED(load)(operation, in + v * LANES, left));
  }
  for (size_t j = 1; j < length; j++) {
    in += stride;
    _Pragma("unroll") for (size_t v = 0; v < vectors; v++) {
      const VECTOR next = NAMED(mapped)(operation, NAMED(load)(operation, in + v * LANES, left));
      turn[v] = NAMED(combined)(operation, turn[v], next);
    }
  }
  _Pragma("unroll") for (size_t v = 0; v < vectors; v++) {
    VECTOR* sum = (VECTOR*)(all + v * LANES);
    *sum = NAMED(combined)(operation, *sum, turn[v]);
  }
}

INLINE void NAMED(columns)(enum operation operation, const ELEMENT* in, size_t length, size_t stride, size_t count,
                           struct reduce_sums* all) {
  ELEMENT* sums = (ELEMENT*)all->sums;
  while (length > 0) {
    const size_t rows = least(rows_per_turn, length);
    size_t i = 0;
    for (; i + vectors_per_turn * LANES <= count; i += vectors_per_turn * LANES) {
      NAMED(turn)(operation, in + i, rows, stride, vectors_per_turn, LANES, sums + i);
    }
    for (; i + LANES <= count; i += LANES) {
      NAMED(turn)(operation, in + i, rows, stride, 1, LANES, sums + i);
    }
    if (i < count) {
      NAMED(turn)(operation, in + i, rows, stride, 1, count - i, sums + i);
    }
    length -= rows;
    in += rows * stride;
  }
}

INLINE void NAMED(merge)(enum operation operation, struct reduce_sums* all, const struct reduce_sums* other,
                         size_t first, size_t count) {
  ELEMENT* sums = (ELEMENT*)all->sums;
  const ELEMENT* others = (const ELEMENT*)other->sums + first;
  for (size_t i = 0; i < count; i += LANES) {
    VECTOR* sum = (VECTOR*)(sums + i);
    *sum = NAMED(combined)(operation, *sum, *(const VECTOR*)(others + i));
  }
}

KERNEL(reduce_sum, add)
KERNEL(reduce_sum_abs, add_magnitudes)
KERNEL(reduce_sum_square, add_squares)
KERNEL(reduce_product, multiply)
KERNEL(reduce_maximum, take_greater)
KERNEL(reduce_minimum, take_lesser)

#undef ELEMENT
#undef VECTOR
#undef LANES
#undef NAMED
#undef LOWEST
#undef HIGHEST
#undef MAGNITUDE
#undef GREATER
#undef LESSER
