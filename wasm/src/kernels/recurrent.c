/*
 * The product of the state with a tile of the recurrent weights stays in registers: eight sums of four units, whether of four
 * rows or of one row's four quarters of the depth, so that multiply-adds don't wait for each other. The gates' functions
 * follow while the sums are in the first-level cache.
 */
#include "kernels/recurrent.h"

#include <pyxnn.h>

#include "kernels/elementary.h"

#define INLINE static inline __attribute__((always_inline))

enum { width = recurrent_units, max_gates = 4 };

/* Four times a lane of `value`. */
INLINE v128_t splat_lane(v128_t value, size_t lane) {
  switch (lane) {
    case 0:
      return wasm_i32x4_shuffle(value, value, 0, 0, 0, 0);
    case 1:
      return wasm_i32x4_shuffle(value, value, 1, 1, 1, 1);
    case 2:
      return wasm_i32x4_shuffle(value, value, 2, 2, 2, 2);
    default:
      return wasm_i32x4_shuffle(value, value, 3, 3, 3, 3);
  }
}

/* sums [rows, width] += state [rows, depth] * weights [depth, width], `chains` rows of weights at a time. */
INLINE void accumulate(const float* state, size_t stride, const float* weights, size_t depth, size_t rows,
                       size_t chains, float* sums) {
  v128_t low[4][4] = {0}, high[4][4] = {0};
  size_t k = 0;
  for (; k + 4 <= depth; k += 4) {
    v128_t values[4];
#pragma unroll
    for (size_t row = 0; row < rows; row++) {
      values[row] = wasm_v128_load(state + row * stride + k);
    }
#pragma unroll
    for (size_t i = 0; i < 4; i++) {
      const size_t c = i % chains;
      const v128_t first = wasm_v128_load(weights), second = wasm_v128_load(weights + 4);
      weights += width;
#pragma unroll
      for (size_t row = 0; row < rows; row++) {
        const v128_t value = splat_lane(values[row], i);
        low[c][row] = simd_madd(value, first, low[c][row]);
        high[c][row] = simd_madd(value, second, high[c][row]);
      }
    }
  }
  for (; k < depth; k++) {
    const v128_t first = wasm_v128_load(weights), second = wasm_v128_load(weights + 4);
    weights += width;
#pragma unroll
    for (size_t row = 0; row < rows; row++) {
      const v128_t value = wasm_v128_load32_splat(state + row * stride + k);
      low[0][row] = simd_madd(value, first, low[0][row]);
      high[0][row] = simd_madd(value, second, high[0][row]);
    }
  }
#pragma unroll
  for (size_t row = 0; row < rows; row++) {
#pragma unroll
    for (size_t c = 1; c < chains; c++) {
      low[0][row] = wasm_f32x4_add(low[0][row], low[c][row]);
      high[0][row] = wasm_f32x4_add(high[0][row], high[c][row]);
    }
    float* sum = sums + row * width;
    wasm_v128_store(sum, wasm_f32x4_add(wasm_v128_load(sum), low[0][row]));
    wasm_v128_store(sum + 4, wasm_f32x4_add(wasm_v128_load(sum + 4), high[0][row]));
  }
}

static void add_product(const float* state, const struct recurrent_tile* tile, const float* weights, size_t depth,
                        float* sums) {
  switch (tile->rows) {
    case 1:
      accumulate(state, tile->stride, weights, depth, 1, 4, sums);
      break;
    case 2:
      accumulate(state, tile->stride, weights, depth, 2, 2, sums);
      break;
    case 3:
      accumulate(state, tile->stride, weights, depth, 3, 1, sums);
      break;
    default:
      accumulate(state, tile->stride, weights, depth, 4, 1, sums);
  }
}

INLINE v128_t activate4(const struct recurrent_activation* function, v128_t x) {
  const v128_t zero = wasm_f32x4_splat(0.0f), one = wasm_f32x4_splat(1.0f);
  const v128_t alpha = wasm_f32x4_splat(function->alpha), beta = wasm_f32x4_splat(function->beta);
  const v128_t magnitude = wasm_f32x4_abs(x);
  switch (function->type) {
    case pyxnn_activation_sigmoid:
      return simd_sigmoid(x);
    case pyxnn_activation_tanh:
      return simd_tanh(x);
    case pyxnn_activation_relu:
      return wasm_f32x4_pmax(x, zero);
    case pyxnn_activation_affine:
      return simd_madd(alpha, x, beta);
    case pyxnn_activation_leaky_relu:
      return wasm_v128_bitselect(wasm_f32x4_mul(alpha, x), x, wasm_f32x4_lt(x, zero));
    case pyxnn_activation_thresholded_relu:
      return wasm_v128_bitselect(x, zero, wasm_f32x4_gt(x, alpha));
    case pyxnn_activation_scaled_tanh:
      return wasm_f32x4_mul(alpha, simd_tanh(wasm_f32x4_mul(beta, x)));
    case pyxnn_activation_hard_sigmoid:
      return simd_clamp(simd_madd(alpha, x, beta), zero, one);
    case pyxnn_activation_elu: {
      const v128_t below = wasm_f32x4_mul(alpha, wasm_f32x4_sub(simd_exp(x), one));
      return wasm_v128_bitselect(below, x, wasm_f32x4_lt(x, zero));
    }
    case pyxnn_activation_softsign:
      return wasm_f32x4_div(x, wasm_f32x4_add(one, magnitude));
    default: /* softplus */
      return wasm_f32x4_add(wasm_f32x4_pmax(x, zero), simd_log1p(simd_exp(wasm_f32x4_neg(magnitude))));
  }
}

/* Clips `count` values, a multiple of 4, and activates them, in place. */
static void activate(const struct recurrent_activation* function, float clip, float* values, size_t count) {
  const v128_t max = wasm_f32x4_splat(clip), min = wasm_f32x4_neg(max);
/* The loop is inside the cases: each compiles to one without branches. */
#define EACH(name)                                                                   \
  case name: {                                                                       \
    const struct recurrent_activation own = {name, function->alpha, function->beta}; \
    for (size_t i = 0; i < count; i += 4) {                                          \
      const v128_t value = simd_clamp(wasm_v128_load(values + i), min, max);         \
      wasm_v128_store(values + i, activate4(&own, value));                           \
    }                                                                                \
    break;                                                                           \
  }
  switch (function->type) {
    EACH(pyxnn_activation_sigmoid)
    EACH(pyxnn_activation_tanh)
    EACH(pyxnn_activation_relu)
    EACH(pyxnn_activation_affine)
    EACH(pyxnn_activation_leaky_relu)
    EACH(pyxnn_activation_thresholded_relu)
    EACH(pyxnn_activation_scaled_tanh)
    EACH(pyxnn_activation_hard_sigmoid)
    EACH(pyxnn_activation_elu)
    EACH(pyxnn_activation_softsign)
    EACH(pyxnn_activation_softplus)
  }
#undef EACH
}

/* values [rows, width] = what the input adds to a gate. */
static void load_inputs(const struct recurrent_cell* cell, const struct recurrent_tile* tile, size_t gate,
                        float* values) {
  const size_t offset = gate * cell->hidden + tile->first;
  for (size_t row = 0; row < tile->rows; row++) {
    const float* from = tile->inputs[row] + offset;
    wasm_v128_store(values + row * width, simd_load(from, tile->units));
    wasm_v128_store(values + row * width + 4,
                    tile->units > 4 ? simd_load(from + 4, tile->units - 4) : wasm_f32x4_splat(0.0f));
  }
}

/* The same plus the product of a state with the gate's weights. */
static void load_gate(const struct recurrent_cell* cell, const struct recurrent_tile* tile, size_t gate,
                      const float* state, float* values) {
  load_inputs(cell, tile, gate, values);
  add_product(state, tile, tile->weights + gate * cell->hidden * width, cell->hidden, values);
}

/* A row of [*, hidden] at the tile's units: two vectors. */
static void load_extra(const struct recurrent_cell* cell, const struct recurrent_tile* tile, size_t index,
                       v128_t values[2]) {
  const float* from = tile->extra + index * cell->hidden + tile->first;
  values[0] = simd_load(from, tile->units);
  values[1] = tile->units > 4 ? simd_load(from + 4, tile->units - 4) : wasm_f32x4_splat(0.0f);
}

/* values += peephole `index` * memory. */
static void add_peephole(const struct recurrent_cell* cell, const struct recurrent_tile* tile, size_t index,
                         float* values) {
  v128_t peephole[2];
  load_extra(cell, tile, index, peephole);
  for (size_t row = 0; row < tile->rows; row++) {
    for (size_t half = 0; half < 2; half++) {
      float* value = values + row * width + half * 4;
      const v128_t memory = wasm_v128_load(tile->memory + row * tile->stride + half * 4);
      wasm_v128_store(value, simd_madd(peephole[half], memory, wasm_v128_load(value)));
    }
  }
}

void recurrent_rnn(const struct recurrent_cell* cell, const struct recurrent_tile* tile) {
  float gate[recurrent_rows * width];
  load_gate(cell, tile, 0, tile->state, gate);
  activate(&cell->activations[0], cell->clip, gate, tile->rows * width);
  for (size_t row = 0; row < tile->rows; row++) {
    float* next = tile->next + row * tile->stride;
    wasm_v128_store(next, wasm_v128_load(gate + row * width));
    wasm_v128_store(next + 4, wasm_v128_load(gate + row * width + 4));
  }
}

void recurrent_lstm(const struct recurrent_cell* cell, const struct recurrent_tile* tile) {
  enum { i, o, f, c };
  const size_t count = tile->rows * width;
  float gates[4][recurrent_rows * width];
  for (size_t gate = 0; gate < 4; gate++) {
    load_gate(cell, tile, gate, tile->state, gates[gate]);
  }
  if (cell->peepholes) {
    add_peephole(cell, tile, 0, gates[i]);
    add_peephole(cell, tile, 2, gates[f]);
  }
  activate(&cell->activations[0], cell->clip, gates[i], count);
  if (cell->input_forget) {
    for (size_t at = 0; at < count; at += 4) {
      const v128_t rest = wasm_f32x4_sub(wasm_f32x4_splat(1.0f), wasm_v128_load(gates[i] + at));
      wasm_v128_store(gates[f] + at, rest);
    }
  } else {
    activate(&cell->activations[0], cell->clip, gates[f], count);
  }
  activate(&cell->activations[1], cell->clip, gates[c], count);
  for (size_t at = 0; at < count; at += 4) {
    float* memory = tile->memory + at / width * tile->stride + at % width;
    const v128_t kept = wasm_f32x4_mul(wasm_v128_load(gates[f] + at), wasm_v128_load(memory));
    const v128_t value = simd_madd(wasm_v128_load(gates[i] + at), wasm_v128_load(gates[c] + at), kept);
    wasm_v128_store(memory, value);
    wasm_v128_store(gates[c] + at, value);
  }
  if (cell->peepholes) {
    add_peephole(cell, tile, 1, gates[o]);
  }
  activate(&cell->activations[0], cell->clip, gates[o], count);
  activate(&cell->activations[2], __builtin_inff(), gates[c], count);
  for (size_t at = 0; at < count; at += 4) {
    const v128_t value = wasm_f32x4_mul(wasm_v128_load(gates[o] + at), wasm_v128_load(gates[c] + at));
    wasm_v128_store(tile->next + at / width * tile->stride + at % width, value);
  }
}

/* next = (1 - update) * candidate + update * state, of four units. */
INLINE v128_t mix(v128_t update, v128_t candidate, v128_t state) {
  return simd_madd(update, wasm_f32x4_sub(state, candidate), candidate);
}

void recurrent_gru_reset_after(const struct recurrent_cell* cell, const struct recurrent_tile* tile) {
  enum { z, r, h };
  const size_t count = tile->rows * width;
  float gates[3][recurrent_rows * width], product[recurrent_rows * width];
  load_gate(cell, tile, z, tile->state, gates[z]);
  load_gate(cell, tile, r, tile->state, gates[r]);
  activate(&cell->activations[0], cell->clip, gates[z], count);
  activate(&cell->activations[0], cell->clip, gates[r], count);
  v128_t addend[2];
  load_extra(cell, tile, 0, addend);
  for (size_t at = 0; at < count; at += 4) {
    wasm_v128_store(product + at, addend[at / 4 % 2]);
  }
  add_product(tile->state, tile, tile->weights + h * cell->hidden * width, cell->hidden, product);
  load_inputs(cell, tile, h, gates[h]);
  for (size_t at = 0; at < count; at += 4) {
    const v128_t reset = wasm_v128_load(gates[r] + at);
    wasm_v128_store(gates[h] + at, simd_madd(reset, wasm_v128_load(product + at), wasm_v128_load(gates[h] + at)));
  }
  activate(&cell->activations[1], cell->clip, gates[h], count);
  for (size_t at = 0; at < count; at += 4) {
    const size_t place = at / width * tile->stride + at % width;
    const v128_t state = wasm_v128_load(tile->state + tile->first + place);
    wasm_v128_store(tile->next + place, mix(wasm_v128_load(gates[z] + at), wasm_v128_load(gates[h] + at), state));
  }
}

void recurrent_gru_gates(const struct recurrent_cell* cell, const struct recurrent_tile* tile) {
  enum { z, r };
  const size_t count = tile->rows * width;
  float gates[2][recurrent_rows * width];
  load_gate(cell, tile, z, tile->state, gates[z]);
  load_gate(cell, tile, r, tile->state, gates[r]);
  activate(&cell->activations[0], cell->clip, gates[z], count);
  activate(&cell->activations[0], cell->clip, gates[r], count);
  for (size_t at = 0; at < count; at += 4) {
    const size_t place = at / width * tile->stride + at % width;
    const v128_t state = wasm_v128_load(tile->state + tile->first + place);
    wasm_v128_store(tile->memory + place, wasm_v128_load(gates[z] + at));
    wasm_v128_store(tile->reset + tile->first + place, wasm_f32x4_mul(wasm_v128_load(gates[r] + at), state));
  }
}

void recurrent_gru_candidate(const struct recurrent_cell* cell, const struct recurrent_tile* tile) {
  const size_t count = tile->rows * width;
  float gate[recurrent_rows * width];
  load_gate(cell, tile, 2, tile->reset, gate);
  activate(&cell->activations[1], cell->clip, gate, count);
  for (size_t at = 0; at < count; at += 4) {
    const size_t place = at / width * tile->stride + at % width;
    const v128_t state = wasm_v128_load(tile->state + tile->first + place);
    wasm_v128_store(tile->next + place, mix(wasm_v128_load(tile->memory + place), wasm_v128_load(gate + at), state));
  }
}
