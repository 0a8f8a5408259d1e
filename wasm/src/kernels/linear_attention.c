#include "kernels/linear_attention.h"

#include "kernels/simd.h"

enum { vectors = linear_attention_columns / 4 };

#define EACH_VECTOR _Pragma("unroll") for (size_t i = 0; i < vectors; i++)

/* The sum of the state's rows, each times a number of `row`, and of `decay` if there is one. */
static inline void ask(const float* state, size_t rows, const float* row, const float* decay, size_t decay_stride,
                       v128_t* sums) {
  EACH_VECTOR {
    sums[i] = wasm_f32x4_const_splat(0.0f);
  }
  for (; rows > 0; rows--, state += linear_attention_columns, row++) {
    v128_t factor = wasm_v128_load32_splat(row);
    if (decay != NULL) {
      factor = wasm_f32x4_mul(factor, wasm_v128_load32_splat(decay));
      decay += decay_stride;
    }
    EACH_VECTOR {
      sums[i] = simd_madd(factor, wasm_v128_load(state + i * 4), sums[i]);
    }
  }
}

/* Each row of the state decays and has a number of the key times the values added. */
static inline void learn(float* state, size_t rows, const float* key, const float* decay, size_t decay_stride,
                         const v128_t* values) {
  for (; rows > 0; rows--, state += linear_attention_columns, key++, decay += decay_stride) {
    const v128_t factor = wasm_v128_load32_splat(key), left = wasm_v128_load32_splat(decay);
    EACH_VECTOR {
      const v128_t now = wasm_f32x4_mul(left, wasm_v128_load(state + i * 4));
      wasm_v128_store(state + i * 4, simd_madd(factor, values[i], now));
    }
  }
}

void linear_attention(const struct linear_attention* shape, const struct linear_attention_head* head, size_t columns,
                      float* state) {
  const size_t rows = shape->key_size, decay_stride = shape->decay_stride;
  const v128_t scale = wasm_f32x4_splat(shape->scale);
  const float *query = head->query, *key = head->key, *value = head->value, *decay = head->decay, *beta = head->beta;
  float* output = head->output;
  for (size_t step = 0; step < shape->steps; step++) {
    v128_t values[vectors], sums[vectors];
    EACH_VECTOR {
      values[i] = simd_load(value + i * 4, i * 4 < columns ? columns - i * 4 : 0);
    }
    if (beta != NULL) {
      ask(state, rows, key, decay, decay_stride, sums);
      const v128_t rate = wasm_v128_load32_splat(beta);
      EACH_VECTOR {
        values[i] = wasm_f32x4_mul(rate, wasm_f32x4_sub(values[i], sums[i]));
      }
      beta += shape->beta_step;
    }
    learn(state, rows, key, decay, decay_stride, values);
    for (size_t g = 0; g < shape->group; g++) {
      ask(state, rows, query + g * rows, NULL, 0, sums);
      EACH_VECTOR {
        simd_store(output + g * shape->value_size + i * 4, wasm_f32x4_mul(sums[i], scale),
                   i * 4 < columns ? columns - i * 4 : 0);
      }
    }
    query += shape->query_step;
    key += shape->key_step;
    value += shape->value_step;
    decay += shape->decay_step;
    output += shape->output_step;
  }
}
