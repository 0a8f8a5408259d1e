/* The parts of attention, for a few rows of queries at a time. */
#ifndef PYXNN_KERNELS_ATTENTION_H
#define PYXNN_KERNELS_ATTENTION_H

#include <stddef.h>
#include <stdint.h>

enum {
  attention_rows = 6,    /* the most rows at a time */
  attention_columns = 8, /* columns of a panel */
};

/*
 * Copies rows to a panel [length][attention_columns]: row j becomes column j, and zeros the columns that have no row.
 * @param rows    the first row; they are `stride` apart
 * @param count   of rows, at most attention_columns
 * @param length  of a row
 * @param panel   receives length * attention_columns floats
 */
void attention_pack_rows(const float* rows, size_t stride, size_t count, size_t length, float* panel);

/*
 * Products of rows with a panel: output[r][c] = factors[r] * sum of rows[r][i] * panel[i * stride + c].
 * @param count    of rows, 1 to attention_rows
 * @param rows     where each begins
 * @param panel    of `length` rows of attention_columns floats, `stride` apart
 * @param length   of the sums
 * @param factors  one a row
 * @param outputs  where the results of each row go
 * @param columns  how many of them are wanted, at most attention_columns
 */
void attention_products(size_t count, const float* const* rows, const float* panel, size_t stride, size_t length,
                        const float* factors, float* const* outputs, size_t columns);

/*
 * Products of one row with each of others: output[j] = sum of row[i] * others[j * stride + i]. For rows that are used too
 * seldom to pack them.
 * @param count   of the others
 * @param output  receives as many
 */
void attention_dots(const float* row, const float* others, size_t stride, size_t count, size_t length, float* output);

/* What is done to scores before their softmax. */
struct attention_scoring {
  float scale;
  float softcap; /* 0: none, else scores s become softcap * tanh(s / softcap) */
};

/*
 * Makes of the scores of one row e^(score - greatest score), which must still be divided by their sum.
 * @param scores     count rounded up to four floats; becomes the weights, zeros behind `count`
 * @param mask       floats to add to the scores, or NULL
 * @param mask_bits  bytes, zero where a score doesn't count, or NULL
 * @return 1 / sum, or 0 where no score counts: then all weights are 0
 */
float attention_weights(float* scores, size_t count, const struct attention_scoring* scoring, const float* mask,
                        const uint8_t* mask_bits);

#endif
